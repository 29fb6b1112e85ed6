//! `-m physdev`: bridge ports.

use crate::rule::{InterfaceMatch, Not};

/// Bridge ports by which a packet came or goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Physdev {
    /// `--physdev-in`.
    pub input: Option<Not<InterfaceMatch>>,
    /// `--physdev-out`.
    pub output: Option<Not<InterfaceMatch>>,
    /// `--physdev-is-in`; `Some(Not::not(()))` when negated.
    pub is_in: Option<Not<()>>,
    /// `--physdev-is-out`.
    pub is_out: Option<Not<()>>,
    /// `--physdev-is-bridged`.
    pub is_bridged: Option<Not<()>>,
}
