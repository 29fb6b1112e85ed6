//! What the benches share: numbers, the machine, other programs, recorded batches, plots and records.

pub(crate) mod command;
pub(crate) mod failure;
pub(crate) mod machine;
pub(crate) mod numbers;
pub(crate) mod plot;
pub(crate) mod record;
pub(crate) mod replay;
