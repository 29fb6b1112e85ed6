//! Layer 2: an iptables rule as a value.
//!
//! Owns: the rule, its matches and targets, and a builder for them.
//! Never: parses or prints text (`nftwrap-compat` does), knows nf_tables expressions (`compile` does), does I/O.
//!
//! Invariant: what is equal in meaning and in printed form is equal as a value: addresses are masked, options that
//! change nothing (`-s 0.0.0.0/0`, `-p all`, `-i +`) are absent.

mod builder;
pub mod matches;
pub mod targets;
mod value;

pub use matches::Match;
pub use targets::Target;
pub use value::{ChainRef, InterfaceMatch, MarkMask, Masked, Not, PortRange, Protocol};

pub use crate::netlink::family::Family;

/// A rule: what it asks of a packet, and what it does with it.
///
/// It has no family of its own: a rule without addresses or family-bound matches can stand in both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Rule {
    /// `-s`. `! -s 0.0.0.0/0` is kept and never matches; without `!` such a source is `None`.
    pub source: Option<Not<Masked>>,
    /// `-d`.
    pub destination: Option<Not<Masked>>,
    /// `-i`. `! -i +` is kept and never matches.
    pub input: Option<Not<InterfaceMatch>>,
    /// `-o`.
    pub output: Option<Not<InterfaceMatch>>,
    /// `-p`.
    pub protocol: Option<Not<Protocol>>,
    /// `-f` (IPv4): second and later fragments; negated: whole packets and first fragments.
    pub fragment: Option<Not<()>>,
    /// `-m`, in the order they were given.
    pub matches: Vec<Match>,
    /// `-j` or `-g`; `None` only counts.
    pub target: Option<Target>,
}
