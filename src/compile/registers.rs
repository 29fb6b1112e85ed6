//! Registers of a program under construction.
//!
//! Owns: which register a value goes to.
//! Never: reuses one within a statement; conditions all use the first register, as each is done before the next.
//!
//! Where the truth is: `nft_parse_register` and `nft_dump_register` (`net/netfilter/nf_tables_api.c`): four registers of
//! 16 bytes, numbered 1 to 4 again in dumps when they start at a multiple of 16 bytes.

use crate::nft::expr::Register;

/// The register that every condition loads and tests.
pub(crate) const TEST: Register = Register::R1;

/// The word after the first of [`TEST`]: the second field of a concatenated key.
pub(crate) const TEST_SECOND: Register = Register::word(1);

/// Hands out the 16-byte registers in order.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    used: u32,
}

impl Registers {
    /// The next register. A statement has at most four operands (two addresses, two ports), so there is always one;
    /// a fifth would share the last.
    pub(crate) fn next(&mut self) -> Register {
        self.used = (self.used + 1).min(Register::R4.0);
        Register(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_handed_out_in_order() {
        let mut registers = Registers::default();
        assert_eq!([(); 4].map(|()| registers.next()), [Register::R1, Register::R2, Register::R3, Register::R4]);
    }
}
