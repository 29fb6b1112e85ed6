//! `notrack`: keep the packet out of connection tracking.

/// Turns tracking off for the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Notrack;
