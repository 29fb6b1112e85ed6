//! Hosts with any number of instances, and changes to them, as plain values that every tool's text is made from.
//!
//! Owns: what a host and a change are, whatever the tool. `shape` has the rules, `text` the languages.
//! Never: runs anything.
//!
//! Invariant: the same shape, numbers and edits are the same text, byte for byte.
//!
//! In names and rules `{P}` stands for what comes before the name of a wrapped chain.

mod shape;
pub(crate) mod text;

pub(crate) use shape::Shape;

/// A rule in both languages; without nft where nf_tables has no such match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) iptables: String,
    pub(crate) nft: Option<String>,
}

impl Line {
    pub(crate) fn new(iptables: impl Into<String>, nft: impl Into<String>) -> Self {
        Self { iptables: iptables.into(), nft: Some(nft.into()) }
    }
}

/// A chain of an instance's own.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) table: &'static str,
    pub(crate) name: String,
    pub(crate) rules: Vec<Line>,
}

/// A rule of an instance in a chain that has those of the others, too.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) table: &'static str,
    pub(crate) chain: &'static str,
    pub(crate) rule: Line,
    /// What only this rule has when nft lists the chain.
    pub(crate) needles: [String; 2],
    /// The same as an element of the chain's map: key and verdict.
    pub(crate) element: Option<(String, String)>,
}

/// What an instance brings along.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) chains: Vec<Chain>,
    pub(crate) hooks: Vec<Hook>,
}

/// What is there without any instance.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Built-in chains, and how nft declares them.
    pub(crate) bases: Vec<(&'static str, &'static str)>,
    pub(crate) chains: Vec<&'static str>,
    pub(crate) rules: Vec<(&'static str, Line)>,
    /// For verdict maps: the chain, its key's type, and the rule that looks it up.
    pub(crate) maps: Vec<(&'static str, &'static str, &'static str)>,
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// An instance comes.
    Add(Instance),
    /// An instance goes.
    Remove(Instance),
    /// A rule changes.
    Change {
        /// The chain as it is to be.
        chain: Chain,
        /// Which of its rules is new, from 0.
        index: usize,
    },
}

/// A host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fleet {
    pub(crate) shape: Shape,
    pub(crate) instances: u32,
    /// Distinct bodies, that is, security groups: instances of the same group have the same rules.
    pub(crate) bodies: u32,
}

impl Fleet {
    /// The body of an instance: neighbours are in different groups, as on a host that serves many projects.
    pub(crate) fn body(self, instance: u32) -> u32 {
        instance.wrapping_mul(97) % self.bodies
    }

    /// An instance with the body that it always has.
    pub(crate) fn instance(self, instance: u32) -> Instance {
        self.shape.instance(instance, self.body(instance))
    }

    /// The same rule of the instance changed, or changed back.
    pub(crate) fn change(self, instance: u32, changed: bool) -> Edit {
        self.shape.change(instance, self.body(instance), changed)
    }

    /// Rules of the host.
    pub(crate) fn rules(self) -> usize {
        let one = self.instance(1);
        let each = one.hooks.len() + one.chains.iter().map(|chain| chain.rules.len()).sum::<usize>();
        let skeleton: usize = self.shape.tables().iter().map(|table| table.rules.len()).sum();
        skeleton + each * self.instances as usize
    }
}
