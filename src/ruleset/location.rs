//! A place in the tables, for messages.

use std::fmt;

use crate::name::ChainName;
use crate::wrap::TableId;

/// Where in the tables something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The table.
    pub table: TableId,
    /// The chain, by its kernel name.
    pub chain: Option<ChainName>,
    /// The rule's place in its chain as it was asked for, from 1.
    pub rule: Option<usize>,
    /// The line of the file that the rule or chain came from, if it came from one.
    pub line: Option<u32>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table)?;
        if let Some(chain) = &self.chain {
            write!(f, " {chain}")?;
        }
        if let Some(rule) = self.rule {
            write!(f, " rule {rule}")?;
        }
        Ok(())
    }
}
