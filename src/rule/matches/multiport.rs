//! `-m multiport`: up to 15 ports; a range takes two places.

use crate::rule::PortRange;

/// A list of ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Multiport {
    /// Which port is looked at.
    pub side: MultiportSide,
    /// `!` in front.
    pub negated: bool,
    /// The ports in the order they were given.
    pub ports: Vec<PortRange>,
}

/// Which port [`Multiport`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MultiportSide {
    /// `--sports`.
    Source,
    /// `--dports`.
    Destination,
    /// `--ports`: either.
    Either,
}

impl Multiport {
    /// Places for ports in the kernel's struct.
    pub const SLOTS: usize = 15;

    /// Places the list takes: one a port, two a range.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.ports.iter().map(|p| if p.is_single() { 1 } else { 2 }).sum()
    }
}
