//! `-m set`: membership in an ipset.

use crate::name::IpsetName;
use crate::rule::Not;

/// Membership in an ipset. The kernel knows the set by a number that is looked up when the rule is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Set {
    /// `--match-set`: the set's name.
    pub name: Not<IpsetName>,
    /// `src` or `dst` for each dimension of the set, 1 to 6.
    pub directions: Vec<SetDirection>,
    /// `--return-nomatch`.
    pub return_nomatch: bool,
    /// `! --update-counters`.
    pub keep_counters: bool,
    /// `! --update-subcounters`.
    pub keep_subcounters: bool,
    /// `--packets-eq`, `--packets-lt`, `--packets-gt`.
    pub packets: Option<SetCounter>,
    /// `--bytes-eq`, `--bytes-lt`, `--bytes-gt`.
    pub bytes: Option<SetCounter>,
}

impl Set {
    /// `-m set --match-set NAME src` or `dst`, of a set with one dimension.
    #[must_use]
    pub fn new(name: impl Into<Not<IpsetName>>, direction: SetDirection) -> Self {
        Self {
            name: name.into(),
            directions: vec![direction],
            return_nomatch: false,
            keep_counters: false,
            keep_subcounters: false,
            packets: None,
            bytes: None,
        }
    }
}

/// Where a set's dimension is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetDirection {
    /// `src`.
    Source,
    /// `dst`.
    Destination,
}

/// A condition on a set element's counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetCounter {
    /// How it is compared.
    pub op: SetCounterOp,
    /// With what.
    pub value: u64,
}

/// How a set element's counter is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetCounterOp {
    /// Equal.
    Eq,
    /// Not equal (`!` with `-eq`).
    Ne,
    /// Less.
    Lt,
    /// Greater.
    Gt,
}
