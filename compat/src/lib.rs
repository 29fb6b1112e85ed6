//! The iptables front-end of nftwrap: rule text to typed rules and back.
//!
//! - [`parse`]: the words of a rule or command to a [`Rule`](nftwrap::rule::Rule).
//! - [`print`](mod@print): a rule to the one canonical text that `iptables-save` prints.
//! - [`restore`]: a whole save file to its tables, chains and rules.
//! - [`load`]: a save file into the wrapped-chain model.
//! - [`view`]: what stands in the kernel, printed as save text, nft commands, JSON and a tree.
//! - [`error`]: what can be wrong with text, where, and what to do about it.
//! - [`facade`]: the iptables managers of nova and neutron over strings.
//! - `ext`: one file for each match and target, with its options, parser and printer. The parser, the list in
//!   `compat/README.md` and the coverage test all read the same table.
//!
//! Nothing here touches the kernel.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test is a panic"
    )
)]

pub mod args;
pub mod error;
pub mod ext;
pub mod facade;
mod lex;
pub mod load;
mod names;
pub mod parse;
pub mod print;
pub mod restore;
pub mod translate;
mod value;
pub mod view;

pub use error::{ErrorKind, ParseError};
