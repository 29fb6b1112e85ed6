//! `-m icmp` and `-m icmp6`: type and code.

/// A type with a range of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IcmpType {
    /// The type; [`IcmpType::ANY`] matches every type.
    pub kind: u8,
    /// First and last code, both included; `(0, 255)` is any.
    pub codes: (u8, u8),
}

impl IcmpType {
    /// `--icmp-type any`.
    pub const ANY: Self = Self { kind: 255, codes: (0, 255) };

    /// A type with any code.
    #[must_use]
    pub fn new(kind: u8) -> Self {
        Self { kind, codes: (0, 255) }
    }

    /// A type with one code.
    #[must_use]
    pub fn with_code(kind: u8, code: u8) -> Self {
        Self { kind, codes: (code, code) }
    }
}
