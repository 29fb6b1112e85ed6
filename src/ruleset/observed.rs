//! What stands in the kernel, as far as it concerns a model.

use std::collections::HashMap;
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
    pub hook: Option<(Arc<str>, u32, i32)>,
    /// Its rules in order; `None` when they do not concern us and were not read.
    pub rules: Option<Vec<ObservedRule>>,
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
    /// Its handle; `None` for a rule we sent and have not read back.
    pub handle: Option<u64>,
    /// Whose it is.
    pub owner: Owner,
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
