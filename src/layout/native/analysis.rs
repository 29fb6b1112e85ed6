//! What the compiler wants to know of a rule: its key, what is left, what it does.
//!
//! Owns: [`Parts`], [`Action`], [`Effects`]: one rule looked at on its own.
//! Never: knows a chain; what a jump leads to is a name here.

use std::sync::Arc;

use super::field::{Fields, Key};
use crate::name::ChainName;
use crate::rule::{Rule, Target};

bitflags::bitflags! {
    /// What can become of a packet in a rule or chain, other than going on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Effects: u8 {
        /// It is accepted.
        const ACCEPT = 1 << 0;
        /// It is dropped.
        const DROP = 1 << 1;
        /// It leaves the chain that the rule is in.
        const RETURN = 1 << 2;
        /// Its way ends otherwise: rejected, translated, queued.
        const OTHER = 1 << 3;
        /// Something is changed or remembered that another rule may look at, or that is seen from outside: a mark, a
        /// log line, a limit's budget.
        const SIDE = 1 << 4;
    }
}

/// What a rule does when it matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// ACCEPT, DROP or RETURN.
    Verdict(Verdict),
    /// `-j CHAIN`.
    Jump(ChainName),
    /// `-g CHAIN`.
    Goto(ChainName),
    /// Stores a number or an address that a data map can give: `store` is the target with the value zero, `value` the
    /// value as the register holds it.
    Store {
        /// The target without its value.
        store: Target,
        /// The value.
        value: Box<[u8]>,
    },
    /// Any other target, or none.
    Other(Option<Target>),
}

/// A verdict that ends a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`.
    Drop,
    /// `-j RETURN`.
    Return,
}

/// A rule taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// What it asks to be one value, with the value; `None` when there is no such field.
    pub key: Option<(Fields, Key)>,
    /// Everything else that it asks: the rule without the key and without a target. Comments are left out.
    pub rest: Arc<Rule>,
    /// What it does.
    pub action: Action,
}
