//! Layer 1: nf_tables objects as the kernel has them.
//!
//! Owns: tables, chains, rules, sets, elements, objects, generations, expressions, user data: one type an object,
//! encode and decode side by side, and the kernel's names for everything.
//! Never: does I/O; knows an iptables word (match, target, built-in chain).
//!
//! Invariant: decode∘encode is the identity for every value in normal form ([`expr::Expr::normalized`]); an expression or
//! attribute that is not known is kept byte for byte, so a dump never lies.
//!
//! Where the truth is: `include/uapi/linux/netfilter/nf_tables.h` and `net/netfilter/nf_tables_api.c` (Linux v6.12).

mod chain;
mod element;
pub mod expr;
mod family;
mod generation;
pub mod listing;
pub mod message;
mod object;
pub mod rule;
mod set;
mod table;
pub mod uapi;
pub mod userdata;

pub use chain::{BaseChain, Chain, Policy};
pub use element::{Element, ElementData, ElementFlags, Elements};
pub use family::Family;
pub use generation::Generation;
pub use message::Message;
pub use object::{CtHelper, Object, ObjectData};
pub use rule::{Compat, Rule};
pub use set::{Set, SetData, SetFlags, SetPolicy};
pub use table::{Table, TableFlags};

#[cfg(test)]
mod tests;
