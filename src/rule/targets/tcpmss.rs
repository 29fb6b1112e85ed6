//! `-j TCPMSS`: the maximum segment size of new TCP connections.

/// The new maximum segment size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tcpmss {
    /// `--set-mss`, bytes.
    Set(u16),
    /// `--clamp-mss-to-pmtu`.
    ClampToPmtu,
}
