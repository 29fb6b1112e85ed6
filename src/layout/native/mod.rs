//! The compiler of [`Layout::Native`](super::Layout::Native).
//!
//! Owns: what every chain of the model is in the kernel, kept up to date with work in proportion to what changed.
//! Never: reads or writes the kernel; it says what changes ([`Delta`]) and is told whether that was committed.
//!
//! # Two kinds of chains
//!
//! *Dispatchers* have many rules that differ in a key (`-d`, `-i`, ...): `dispatch` makes each run of them one lookup,
//! key to action in a data map, action to verdict in a small verdict map. Adding a rule there is adding an element.
//! All others are *bodies*: compiled as a whole when they change, and one kernel chain for all that are equal
//! (`sharing`). Within a body, [`folding`] makes sets of rules that differ in one field, and [`families`] replaces
//! what only one port has (its address, its MAC, its zone) by a lookup of the key that led here.
//!
//! # What is in a table
//!
//! Names that the compiler makes begin with the component's name and a slash, so that no wrapped chain can have one:
//!
//! - `C/actions/<n>`: action number to verdict, one element for each distinct target in the map of that number. Each map has
//!   its own, so that chains that dispatch below one another are no loop to the kernel.
//! - `C/chains`: the directory, a map that no rule looks at: chain name to body number, with the content hash in the
//!   user data. It names every chain whose name is not to be seen elsewhere.
//! - `C/addresses/NAME`, `C/prefixes/NAME`: the model's own sets, by the names that rules have for them.
//! - `C/<n>`: bodies; `C/set/<n>`, `C/map/<n>`, `C/family/<n>`: sets and maps of folding, dispatch and families.
//!
//! Invariant: what is compiled depends on the model alone, but for the numbers in names: these are kept while the thing
//! they name lives.

pub mod analysis;
pub mod codegen;
mod compiler;
pub mod declare;
pub mod delta;
mod dispatch;
mod error;
pub mod families;
pub mod field;
pub mod folding;
mod graph;
mod hash;
pub mod item;
pub mod lift;
mod lists;
mod names;
mod normal;
mod referrers;
mod rules;
pub mod seed;
mod sets;
mod sharing;
mod table;
#[cfg(test)]
mod tests;
pub mod tlv;

pub use compiler::Compiler;
pub use delta::{ChainDelta, ChainHead, Delta, Fate, SetDelta, TableDelta};
pub use error::Error;
pub use item::{BodyId, Form, Item, RuleId, SetId};
pub use seed::{ContentHash, Seeds};
