//! Why a model cannot be compiled.

use std::sync::Arc;

use thiserror::Error as ThisError;

use super::graph::MAX_HEIGHT;
use crate::compile::CompileError;
use crate::name::{ChainName, IpsetName, NameError};
use crate::rule::Rule;
use crate::wrap::{MAX_DEPTH, ModelError, TableId};

/// Why a model cannot be compiled.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The model does not hold together.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Model(Vec<ModelError>),
    /// A rule has no form in this layout.
    #[error("{table} {chain}: {source}")]
    Rule {
        /// Its table.
        table: TableId,
        /// Its chain.
        chain: ChainName,
        /// The line of the file that it came from.
        line: Option<u32>,
        /// The rule.
        rule: Arc<Rule>,
        /// What is wrong with it.
        source: CompileError,
    },
    /// A chain with a rule that is too long for one kernel rule goes on in chains that nest too deep.
    #[error(
        "{table} {chain}: a long rule of it goes on in further chains, and with these more than {max} jumps follow each other; \
         give it fewer matches, or put its chain nearer to a built-in one",
        max = MAX_DEPTH
    )]
    TooDeep {
        /// Its table.
        table: TableId,
        /// The chain.
        chain: ChainName,
    },
    /// Chains stand above each other that nothing leads to, or they would be too deep for packets.
    #[error("{table}: more than {max} chains jump to one another in a row", max = MAX_HEIGHT)]
    TooHigh {
        /// The table.
        table: TableId,
    },
    /// A chain of the model has a name that the compiler gives.
    #[error("{table} {chain}: names with a slash after the component's are the layout's own; rename the chain")]
    Reserved {
        /// Its table.
        table: TableId,
        /// The chain.
        chain: ChainName,
    },
    /// A name that rules have for a set became, or is no longer, that of a set of the model: everything is compiled anew.
    #[error("{table}: set `{set}` means something else now")]
    Turned {
        /// The table.
        table: TableId,
        /// The set.
        set: IpsetName,
    },
    /// A table's or set's name does not fit the kernel.
    #[error(transparent)]
    Name(#[from] NameError),
}
