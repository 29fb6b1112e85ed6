//! Why a model cannot be compiled.

use std::sync::Arc;

use thiserror::Error as ThisError;

use crate::compile::CompileError;
use crate::name::{ChainName, NameError};
use crate::rule::Rule;
use crate::wrap::{ModelError, TableId};

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
    /// A chain of the model has a name that the compiler gives.
    #[error("{table} {chain}: names with a slash after the component's are the layout's own; rename the chain")]
    Reserved {
        /// Its table.
        table: TableId,
        /// The chain.
        chain: ChainName,
    },
    /// A table's or set's name does not fit the kernel.
    #[error(transparent)]
    Name(#[from] NameError),
}
