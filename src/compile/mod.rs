//! Layer 4: rules to register programs, and back.
//!
//! Owns: the program of a rule ([`Program`]), the two encodings of it ([`stock`]: what iptables-nft writes; `native`:
//! nf_tables expressions wherever there are any), and what can go wrong on the way.
//! Never: does I/O. An ipset's number comes through [`Ipsets`], which the caller fills.
//!
//! Invariant: `lift(compile(rule)) == rule` in both encodings, and the same rule always gives the same bytes.
//!
//! Where the truth is: `iptables/nft.c`, `iptables/nft-shared.c` (iptables 1.8.9) for [`stock`].

#[cfg(test)]
pub(crate) mod arbitrary;
pub(crate) mod bound;
mod error;
pub mod native;
mod program;
mod registers;
mod sets;
pub mod stock;

pub use error::{CompileError, Opaque};
pub use program::{Ipsets, NoIpsets, Program};
pub use sets::{AnonymousSet, SetElement};
