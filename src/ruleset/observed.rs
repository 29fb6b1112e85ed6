//! What stands in the kernel, as far as it concerns a model.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::compile::stock::Normal;
use crate::name::{ChainName, WrapName};
use crate::nft::Policy;
use crate::nft::expr::{Counter, Expr, Immediate, Operand, Verdict};
use crate::rule::Rule;
use crate::wrap::Place;

/// A table as it was last read, brought up to date by each of our own commits.
#[derive(Debug, Clone, Default)]
pub struct ObservedTable {
    /// Whether it exists.
    pub exists: bool,
    /// Its chains, foreign ones included.
    pub chains: HashMap<ChainName, ObservedChain>,
}

/// A chain as it was last read.
#[derive(Debug, Clone, Default)]
pub struct ObservedChain {
    /// Whose it is, by the mark in its user data.
    pub owner: Option<Mark>,
    /// Its policy, if it is a base chain.
    pub policy: Option<Policy>,
    /// Its type, hook and priority, if it is a base chain.
    pub hook: Option<Box<(Arc<str>, u32, i32)>>,
    /// Its rules in order.
    pub rules: ChainRules,
}

/// The rules of a chain, as far as they are known.
#[derive(Debug, Clone, Default)]
pub enum ChainRules {
    /// They do not concern us and were not read.
    #[default]
    Unread,
    /// They were read, or at least one of them was.
    Read(Vec<ObservedRule>),
    /// A chain of ours that we filled, and have not changed or read since: eight bytes a rule, which is what keeps a host of a
    /// hundred thousand rules small.
    Sent {
        /// The rules in order.
        rules: Box<[Arc<Rule>]>,
        /// The handle of the first; the others have the next ones. `None` when it is not known.
        first: Option<NonZeroU64>,
    },
}

impl ChainRules {
    /// The rules with what was read of them.
    #[must_use]
    pub fn read(&self) -> Option<&[ObservedRule]> {
        match self {
            Self::Read(rules) => Some(rules),
            _ => None,
        }
    }

    /// The rules one by one; none when they were not read.
    #[must_use]
    pub fn listed(&self) -> Cow<'_, [ObservedRule]> {
        match self {
            Self::Unread => Cow::Borrowed(&[]),
            Self::Read(rules) => Cow::Borrowed(rules),
            Self::Sent { rules, first } => {
                let handles = (0..).map(|at| first.and_then(|first| first.checked_add(at)));
                rules.iter().cloned().zip(handles).map(|(rule, handle)| ObservedRule::sent(rule, handle)).collect()
            }
        }
    }

    /// Changes what is known of the rules, one by one.
    pub fn update(&mut self, change: impl FnOnce(&mut [ObservedRule])) {
        let mut rules = match std::mem::take(self) {
            Self::Read(rules) => rules,
            other => other.listed().into_owned(),
        };
        change(&mut rules);
        *self = Self::Read(rules);
    }

    /// Notes the handles of some rules, by their places.
    pub(crate) fn learn(&mut self, handles: &[(usize, NonZeroU64)]) {
        if let (Self::Sent { rules, first }, Some((_, begin))) = (&mut *self, handles.first()) {
            let in_a_row = (0..).map(|at| begin.checked_add(at)).enumerate().zip(handles);
            if rules.len() == handles.len()
                && in_a_row
                    .fold(true, |so_far, ((place, next), (at, handle))| so_far && place == *at && next == Some(*handle))
            {
                *first = Some(*begin);
                return;
            }
        }
        self.update(|rules| {
            for (at, handle) in handles {
                if let Some(rule) = rules.get_mut(*at) {
                    rule.handle = Some(*handle);
                }
            }
        });
    }

    /// How many rules there are; 0 when nothing is known of them.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Unread => 0,
            Self::Read(rules) => rules.len(),
            Self::Sent { rules, .. } => rules.len(),
        }
    }

    /// Whether there are no rules, as far as is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chains that its rules jump or go to.
    pub fn targets(&self) -> impl Iterator<Item = &ChainName> {
        let (read, sent): (&[ObservedRule], &[Arc<Rule>]) = match self {
            Self::Unread => (&[], &[]),
            Self::Read(rules) => (rules, &[]),
            Self::Sent { rules, .. } => (&[], rules),
        };
        let sent = sent.iter().filter_map(|rule| rule.chain_ref());
        read.iter().filter_map(|rule| rule.identity.target()).chain(sent.map(|chain| chain.name()))
    }
}

/// Who a chain or rule is marked for in its user data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// For one component.
    Component(WrapName),
    /// For all components of a profile: shared chains and the jumps to them.
    Common,
}

/// A rule as it was last read or sent.
#[derive(Debug, Clone)]
pub struct ObservedRule {
    /// What it is.
    pub identity: Identity,
    /// Its handle, if it is known.
    pub handle: Option<NonZeroU64>,
    /// Whose it is.
    pub owner: Owner,
}

impl ObservedRule {
    /// A rule of a chain of ours that we sent and have not read back.
    #[must_use]
    pub fn sent(rule: Arc<Rule>, handle: Option<NonZeroU64>) -> Self {
        Self { identity: Identity::Rule(rule), handle, owner: Owner::Us(Place::Normal) }
    }
}

/// What a rule is.
#[derive(Debug, Clone)]
pub enum Identity {
    /// A rule of ours, by value.
    Rule(Arc<Rule>),
    /// A program that was read from the kernel and not yet found equal to a rule of ours.
    Program(Box<ReadProgram>),
}

impl Identity {
    /// The rule, if it is one of ours.
    #[must_use]
    pub fn rule(&self) -> Option<&Arc<Rule>> {
        match self {
            Self::Rule(rule) => Some(rule),
            Self::Program(_) => None,
        }
    }

    /// The chain that it jumps or goes to.
    #[must_use]
    pub fn target(&self) -> Option<&ChainName> {
        match self {
            Self::Rule(rule) => rule.chain_ref().map(|chain| chain.name()),
            Self::Program(program) => program.target(),
        }
    }
}

/// A program that was read from the kernel.
#[derive(Debug, Clone)]
pub struct ReadProgram {
    /// What it is compared by.
    pub normal: Normal,
    /// What it has counted.
    pub counter: Counter,
}

impl ReadProgram {
    /// The chain that its verdict leads to.
    #[must_use]
    pub fn target(&self) -> Option<&ChainName> {
        self.normal.expressions.iter().find_map(|e| match e {
            Expr::Immediate(Immediate {
                data: Operand::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain)), ..
            }) => Some(chain),
            _ => None,
        })
    }
}

/// Whose rule it is, by the mark in its user data or the chain it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Ours.
    Us(Place),
    /// All components' of the profile.
    Common(Place),
    /// Another component's.
    Component(WrapName, Place),
    /// It carries no mark.
    Nobody,
}
