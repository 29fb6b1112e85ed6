//! Registers of the nf_tables machine.

/// A register number as the kernel takes it (`enum nft_registers`).
///
/// Numbers 1 to 4 are 16 bytes wide; 8 to 23 (`NFT_REG32_00` on) are the same storage in units of four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Register(pub u32);

impl Register {
    /// `NFT_REG_VERDICT`.
    pub const VERDICT: Self = Self(0);
    /// `NFT_REG_1`.
    pub const R1: Self = Self(1);
    /// `NFT_REG_2`.
    pub const R2: Self = Self(2);
    /// `NFT_REG_3`.
    pub const R3: Self = Self(3);
    /// `NFT_REG_4`.
    pub const R4: Self = Self(4);

    /// `NFT_REG32_00` plus `index` (0 to 15).
    #[must_use]
    pub const fn word(index: u32) -> Self {
        Self(8 + index)
    }
}
