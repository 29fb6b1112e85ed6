//! `-m tos` and `-m dscp`: the type-of-service byte.

/// Bits of the type-of-service byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tos {
    /// Wanted bits.
    pub value: u8,
    /// Bits that are looked at.
    pub mask: u8,
}
