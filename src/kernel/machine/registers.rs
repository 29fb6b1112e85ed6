//! The registers of a program.
//!
//! Owns: what stands in them, and which of them the rule has filled.
//!
//! Invariant: what nothing in the rule has filled is never read: the kernel refuses such a rule
//! (`nft_parse_register_load` since Linux 5.18), and here it is an error.
//!
//! Where the truth is: `nft_parse_register` (`net/netfilter/nf_tables_api.c`, Linux v6.12): register 0 is the verdict, 1
//! to 4 are sixteen bytes each, and numbers from 8 on are the same bytes by words of four.

use super::outcome::Error;
use crate::nft::expr::Register;

/// Words of four bytes that are data: `NFT_REG32_COUNT`.
const WORDS: usize = 16;

/// The data registers.
#[derive(Debug, Clone)]
pub(super) struct Registers {
    bytes: [u8; WORDS * 4],
    /// One bit a word.
    filled: u32,
}

impl Registers {
    pub(super) fn new() -> Self {
        Self { bytes: [0xa5; WORDS * 4], filled: 0 }
    }

    /// Starts the next rule: the contents stay, but it has to fill what it reads.
    pub(super) fn next_rule(&mut self) {
        self.filled = 0;
    }

    /// The first byte of a register.
    fn start(register: Register) -> Option<usize> {
        let number = usize::try_from(register.0).ok()?;
        match number {
            1..=4 => Some((number - 1) * 16),
            8..24 => Some((number - 8) * 4),
            _ => None,
        }
    }

    /// The bits of the words that these bytes are in.
    fn words(start: usize, len: usize) -> u32 {
        let last = (start + len).div_ceil(4);
        (start / 4..last).filter_map(|word| 1u32.checked_shl(u32::try_from(word).ok()?)).fold(0, |bits, bit| bits | bit)
    }

    /// Stores bytes; those after them in the last word become zero.
    pub(super) fn store(&mut self, register: Register, bytes: &[u8], expression: &'static str) -> Result<(), Error> {
        let outside = || Error::unknown(expression, "its register does not exist");
        let start = Self::start(register).ok_or_else(outside)?;
        let whole = bytes.len().next_multiple_of(4);
        let place = self.bytes.get_mut(start..start + whole).ok_or_else(outside)?;
        place.fill(0);
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.filled |= Self::words(start, whole);
        Ok(())
    }

    /// The first `len` bytes of a register.
    pub(super) fn load(&self, register: Register, len: usize, expression: &'static str) -> Result<&[u8], Error> {
        let outside = || Error::unknown(expression, "its register does not exist");
        let start = Self::start(register).ok_or_else(outside)?;
        let wanted = Self::words(start, len);
        if self.filled & wanted != wanted {
            return Err(Error::Unfilled { expression });
        }
        self.bytes.get(start..start + len).ok_or_else(outside)
    }

    /// As [`load`](Registers::load), for a value of fixed size.
    pub(super) fn load_array<const N: usize>(
        &self,
        register: Register,
        expression: &'static str,
    ) -> Result<[u8; N], Error> {
        let bytes = self.load(register, N, expression)?;
        bytes.try_into().map_err(|_| Error::unknown(expression, "its register does not exist"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_number_registers_are_the_same_bytes() {
        let mut registers = Registers::new();
        registers.store(Register::R2, &[1, 2, 3, 4, 5], "test").unwrap();
        assert_eq!(registers.load(Register::word(4), 8, "test").unwrap(), [1, 2, 3, 4, 5, 0, 0, 0]);
        registers.store(Register::word(5), &[9], "test").unwrap();
        assert_eq!(registers.load_array(Register::R2, "test").unwrap(), [1, 2, 3, 4, 9, 0, 0, 0]);
    }

    #[test]
    fn what_the_rule_has_not_filled_is_not_read() {
        let mut registers = Registers::new();
        registers.store(Register::R1, &[1; 4], "test").unwrap();
        assert!(registers.load(Register::R1, 4, "test").is_ok());
        assert_eq!(registers.load(Register::R1, 5, "cmp"), Err(Error::Unfilled { expression: "cmp" }));
        registers.next_rule();
        assert_eq!(registers.load(Register::R1, 4, "cmp"), Err(Error::Unfilled { expression: "cmp" }));
        assert!(registers.store(Register(5), &[1], "test").is_err());
        assert!(registers.store(Register::word(15), &[1; 8], "test").is_err());
    }
}
