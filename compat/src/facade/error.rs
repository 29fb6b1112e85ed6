//! What the string managers refuse.

use thiserror::Error;

use crate::ParseError;
use crate::error::ErrorKind;
use nftwrap::name::NameError;
use nftwrap::wrap::{ModelError, TableId};

/// Why an operation of the string managers failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FacadeError {
    /// The rule's text is no rule.
    #[error("{table}: `{rule}`: {error}")]
    Rule {
        /// The table it was to go to.
        table: TableId,
        /// The text.
        rule: String,
        /// What is wrong, and where in the text.
        error: Box<ParseError>,
    },
    /// The rule cannot stand in that chain.
    #[error("{table}: `{rule}`: {error}")]
    Chain {
        /// The table it was to go to.
        table: TableId,
        /// The text.
        rule: String,
        /// Why not.
        error: ErrorKind,
    },
    /// Two chains would become one, as their names are cut.
    #[error("{table}: chain `{name}` is cut to `{cut}`, and so is `{other}`, which is there already")]
    Cut {
        /// The table.
        table: TableId,
        /// The chain that was asked for.
        name: String,
        /// What would be left of its name.
        cut: String,
        /// The chain that has this name now.
        other: String,
    },
    /// A word is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The model refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The change did not come into the kernel; it stays to be applied.
    #[error(transparent)]
    Apply(#[from] nftwrap::Error),
}
