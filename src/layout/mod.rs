//! Layer 5: where a model's tables, chains and rules go in the kernel.
//!
//! Owns: the choice of a [`Layout`], and the compiler of the native one ([`native`]).
//! Never: does I/O; `apply` reads the kernel and commits.
//!
//! [`Layout::Iptables`] puts every chain and rule where iptables-nft would. [`Layout::Native`] has tables of its own and
//! compiles the chains: one lookup instead of thousands of rules, one kernel chain for all chains that say the same.
//!
//! How it is tested: each pass beside its code; all of them together against a packet machine and real packets.

pub mod native;

use crate::name::WrapName;

bitflags::bitflags! {
    /// The passes of the native compiler. Each can be off; the meaning of the rules is the same.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Passes: u8 {
        /// Rules that differ in a key become one lookup.
        const DISPATCH = 1 << 0;
        /// Chains with the same rules become one kernel chain.
        const SHARING = 1 << 1;
        /// Consecutive rules that differ in one field become one rule and a set.
        const FOLDING = 1 << 2;
        /// Chains that differ in addresses, marks or zones only become one kernel chain and a set.
        const FAMILIES = 1 << 3;
    }
}

impl Passes {
    /// Every pass with the name that `--passes` knows it by.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("dispatch", Self::DISPATCH),
        ("sharing", Self::SHARING),
        ("folding", Self::FOLDING),
        ("families", Self::FAMILIES),
    ];
}

impl Default for Passes {
    fn default() -> Self {
        Self::all()
    }
}

/// Where the model goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Layout {
    /// The tables, chains and expressions of iptables-nft.
    #[default]
    Iptables,
    /// Tables of our own, compiled.
    Native(Native),
}

impl Layout {
    /// The native layout as it is meant to be used.
    #[must_use]
    pub fn native() -> Self {
        Self::Native(Native::default())
    }
}

/// Settings of [`Layout::Native`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Native {
    /// The first part of the tables' names; `None`: the component's name, or `nftwrap` when the model has none.
    pub group: Option<WrapName>,
    /// Whether other components use the group, too. Base chains and unwrapped chains are shared then, and the tables
    /// have no owner.
    pub shared: bool,
    /// What is added to the priorities of iptables' hooks; negative runs before iptables. Chains of `nat` stand behind
    /// connection tracking: below -99 the kernel refuses them (`nf_tables_api.c`, `NF_IP_PRI_CONNTRACK`).
    pub priority: i32,
    /// The passes that run.
    pub passes: Passes,
    /// Whether the elements of dispatch maps count packets and bytes.
    pub counters: bool,
    /// Bounds of what a table may hold.
    pub limits: Limits,
}

/// Bounds, beyond which a pass stops; nothing fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Constant sets in a table that `folding` may make. Sets are a list in the kernel: a lookup by name walks it.
    pub sets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sets: 512 }
    }
}
