//! Layer 5: what stands in the kernel, what should stand there, and the steps from one to the other.
//!
//! Owns: the observed state of the tables a model names, and the plan that brings it to the model.
//! Never: does I/O, reads text, writes messages; `apply` reads the kernel and sends what this module finds.
//!
//! Invariant: a rule that is not ours is never part of a step. A rule that is equal in its compiled program stays in
//! place with its handle and counters.

pub mod chain_diff;
mod change;
mod fallback;
mod location;
mod merge;
mod native;
mod observed;
mod plan;
mod state;
mod sweep;

pub use change::{Change, Plan};
pub use fallback::Fallback;
pub use location::Location;
pub use native::NativeChange;

pub use observed::{ChainRules, Identity, Mark, ObservedChain, ObservedRule, ObservedTable, Owner, ReadProgram};
pub(crate) use plan::{Extent, PlanError, check_model, plan};
pub(crate) use state::{KnownIpsets, Observed, Pending};
