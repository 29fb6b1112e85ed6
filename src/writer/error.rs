//! Why a change did not happen.
//!
//! Owns: the error that all who wait for one transaction share.

use std::sync::Arc;

use thiserror::Error;

use crate::name::IpsetName;
use crate::wrap::{ModelError, TableId};

/// Why a change did not happen. The model is as it was before it, and so is the kernel but for [`InDoubt`](Self::InDoubt).
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It does not fit the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The kernel, or the compiler, refused it.
    #[error(transparent)]
    Apply(Arc<crate::error::Error>),
    /// The change, or a part of it, may be in effect: the kernel's answer was lost, and the kernel could not be asked or be
    /// brought to the one or the other. What stands is read with the next transaction.
    #[error("it may be in effect, or a part of it: {0}")]
    InDoubt(Arc<crate::error::Error>),
    /// The chain is another unit's.
    #[error("{table}: chain `{chain}` belongs to {owner}")]
    ChainTaken {
        /// The table.
        table: TableId,
        /// The chain, as the unit names it.
        chain: Arc<str>,
        /// Whose it is.
        owner: String,
    },
    /// Rules of other units lead to a chain that is to go. They would let pass what it stops.
    #[error("{table}: chain `{chain}` cannot go, other units still lead to it")]
    ChainInUse {
        /// The table.
        table: TableId,
        /// The chain, as the unit names it.
        chain: Arc<str>,
    },
    /// The set is another unit's.
    #[error("{table}: set `{set}` belongs to {owner}")]
    SetTaken {
        /// The table.
        table: TableId,
        /// The set.
        set: IpsetName,
        /// Whose it is.
        owner: String,
    },
    /// The writer has stopped, and does not take changes any more.
    #[error("the writer has stopped")]
    Stopped,
}
