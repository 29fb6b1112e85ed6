//! `-m ttl` (IPv4) and `-m hl` (IPv6): how many hops are left.

/// A condition on the hops left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ttl {
    /// How it is compared.
    pub op: TtlOp,
    /// With what.
    pub value: u8,
}

/// How hops are compared; the numbers are `IPT_TTL_*` and `IP6T_HL_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TtlOp {
    /// Equal (0).
    Eq,
    /// Not equal (1).
    Ne,
    /// Less (2).
    Lt,
    /// Greater (3).
    Gt,
}
