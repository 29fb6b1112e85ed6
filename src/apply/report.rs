//! What an application did, in numbers.

use std::time::Duration;

use std::fmt;

use crate::name::IpsetName;
use crate::ruleset::{Change, Fallback, NativeChange, Plan};

/// Something that was to go with an application that is in effect, and stays. The next application tries again, also when
/// the model has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remnant {
    /// An ipset that could not be destroyed. No rule of ours looks for it.
    Ipset {
        /// The set.
        set: IpsetName,
        /// The kernel's reason.
        why: String,
    },
    /// Members that have left an ipset and are in it still: rules that look for it find them.
    Members {
        /// The set.
        set: IpsetName,
        /// The kernel's reason.
        why: String,
    },
    /// Chains, sets and maps of the native layout that no rule leads to any more.
    Unused {
        /// The kernel's reason.
        why: String,
    },
}

impl fmt::Display for Remnant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipset { set, why } => write!(f, "ipset {set} is not wanted any more and stays: {why}"),
            Self::Members { set, why } => write!(f, "members that have left ipset {set} stay in it: {why}"),
            Self::Unused { why } => write!(f, "chains and sets that are not used any more stay: {why}"),
        }
    }
}

/// Numbers of one application. Counts are of what was changed, not of what stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// `iptables` or `native`.
    pub layout: &'static str,
    /// Nothing was done because application is deferred.
    pub deferred: bool,
    /// Tables that were made, taken over from a process that is gone, or deleted.
    pub tables: usize,
    /// Chains that were made, changed or deleted.
    pub chains: usize,
    /// Rules that were added.
    pub rules_added: usize,
    /// Rules that were deleted, those of deleted chains not counted.
    pub rules_deleted: usize,
    /// Sets and maps that were made or deleted; in the tables of iptables, ipsets.
    pub sets: usize,
    /// Elements of them that were added or deleted.
    pub elements: usize,
    /// What was done in another form than the first, in the native layout: of new rules, and, when all was read, of what
    /// the kernel lacks.
    pub fallbacks: Vec<Fallback>,
    /// What was to go and stays; the rest is in effect.
    pub remnants: Vec<Remnant>,
    /// Transactions; more than one when packets on their way could have been lost in one
    /// ([`native_layout`](crate::manual::native_layout)).
    pub transactions: usize,
    /// Netlink messages sent, `BATCH_BEGIN` and `BATCH_END` and those to ipsets included; 0 when nothing had to change.
    pub messages: usize,
    /// Bytes of the batch.
    pub bytes: usize,
    /// How often it was tried: more than 1 when other programs changed the tables meanwhile.
    pub attempts: u32,
    /// The ruleset's generation afterwards; 0 when it was not asked for, as where nobody else can change our tables.
    pub generation: u32,
    /// Time for reading what stands in the kernel.
    pub read: Duration,
    /// Time for finding the difference.
    pub plan: Duration,
    /// Time for compiling rules to expressions, each different rule once.
    pub compile: Duration,
    /// Time for writing the messages.
    pub encode: Duration,
    /// Time from the start of sending until the kernel's answer was there, of transactions and changes of ipsets.
    pub kernel: Duration,
    /// Time of the whole call.
    pub total: Duration,
    /// Whether some transaction changed what packets meet, in this attempt or one before.
    pub(super) has_begun: bool,
}

impl Report {
    pub(super) fn new(layout: &'static str) -> Self {
        Self { layout, ..Self::default() }
    }

    /// Counts anew, as an attempt does that another one went before.
    pub(super) fn reset_counts(&mut self) {
        (self.tables, self.chains, self.rules_added, self.rules_deleted) = (0, 0, 0, 0);
        (self.sets, self.elements) = (0, 0);
        (self.transactions, self.messages, self.bytes) = (0, 0, 0);
        self.remnants.clear();
    }

    /// Counts changes beside those that were counted.
    pub(super) fn count(&mut self, plan: &Plan) {
        for change in plan.changes() {
            match change {
                Change::AddTable(_) => self.tables += 1,
                Change::AddChain { .. } | Change::SetPolicy { .. } | Change::DeleteChain { .. } => self.chains += 1,
                Change::AddRule { .. } => self.rules_added += 1,
                Change::DeleteRule { .. } => self.rules_deleted += 1,
                Change::FlushChain { .. } => {}
            }
        }
    }

    /// Counts changes beside those that were counted.
    pub(super) fn count_native(&mut self, changes: &[NativeChange]) {
        for change in changes {
            match change {
                NativeChange::AddTable { .. } | NativeChange::DeleteTable { .. } => self.tables += 1,
                NativeChange::AddChain { .. } | NativeChange::SetPolicy { .. } | NativeChange::DeleteChain { .. } => {
                    self.chains += 1;
                }
                NativeChange::AddRule { .. } => self.rules_added += 1,
                NativeChange::DeleteRule { .. } => self.rules_deleted += 1,
                NativeChange::AddSet { .. } | NativeChange::DeleteSet { .. } => self.sets += 1,
                NativeChange::AddElements { elements, .. } | NativeChange::DeleteElements { elements, .. } => {
                    self.elements += elements.len();
                }
                _ => {}
            }
        }
    }
}
