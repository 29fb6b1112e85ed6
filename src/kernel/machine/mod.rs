//! The packet machine: what becomes of a packet, by the rules of a model and by the programs in a kernel.
//!
//! Owns: a [`Packet`] and its bytes, a walk through the chains of a [`wrap`](crate::wrap) model with the meaning that
//! iptables gives them ([`model`]), a walk through tables as a [`Kernel`](super::Kernel) dumps them with the meaning that
//! nf_tables gives their expressions ([`program`]), and the [`Outcome`] of both, which can be compared.
//! Never: changes a kernel, sends a packet, keeps a counter; guesses: an expression or option that it has no meaning for
//! is an [`Error`] with its name.
//!
//! Invariant: the two walks share no code about native expressions. An xt extension in a program is read back as the
//! rule's part that it stands for, and asked as the model's is.
//!
//! A limit counts as never reached, an inverted one so never holds: no packet comes after another here.
//!
//! Where the truth is: `ipt_do_table` (`net/ipv4/netfilter/ip_tables.c`), `nft_do_chain`
//! (`net/netfilter/nf_tables_core.c`), the eval function of each `nft_*.c` and `xt_*.c` (Linux v6.12).
//!
//! How it is tested: `tests/machine.rs`: the two walks over random models and packets, and the fate of real packets.

mod connection;
mod execute;
mod interface;
mod loads;
mod matching;
pub mod model;
mod outcome;
mod packet;
pub mod program;
mod registers;
mod ruleset;
mod sets;
mod targets;
mod wire;

pub use connection::{Connection, CtState, Template, Tracking, Tuple};
pub use outcome::{Answer, Effect, Error, NewSource, Outcome, Translation, TranslationKind, Verdict};
pub use packet::{Device, Owner, Packet, Ports, Routes, Transport};
pub use ruleset::Ruleset;
pub use wire::Wire;
