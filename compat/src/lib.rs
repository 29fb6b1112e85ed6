//! The iptables front-end of nftwrap: rule text to typed rules and back.
//!
//! ```
//! use nftwrap::rule::Family;
//! use nftwrap_compat::{parse, print};
//!
//! let rule = parse::rule("-p tcp --dport ssh -s 10.0.0.0/255.0.0.0 -j ACCEPT", Family::Ipv4)?;
//! assert_eq!(print::rule(&rule, Family::Ipv4), "-s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT");
//! # Ok::<(), nftwrap_compat::ParseError>(())
//! ```
//!
//! - [`parse`]: the words of a rule or command to a [`Rule`](nftwrap::rule::Rule).
//! - [`print`](mod@print): a rule to the one canonical text that `iptables-save` prints.
//! - [`restore`]: a whole save file to its tables, chains and rules; [`load`] puts it into a
//!   [`Model`](nftwrap::wrap::Model).
//! - [`view`]: what stands in the kernel, printed as save text, nft commands, JSON and a tree.
//! - [`translate`]: a rule in nft's words.
//! - [`facade`]: the iptables managers of nova and neutron over strings.
//! - [`ext`]: one file for each match and target, with its options, parser and printer. The parser, the list in
//!   `compat/README.md` and the coverage test all read the same table.
//! - [`args`]: the commands of a save file's line.
//! - [`error`]: what can be wrong with text, where, and what to do about it.
//!
//! The command `nftwrap` is in `src/bin/nftwrap`. Text is parsed and printed here and nowhere else; what a rule means is
//! in the crate `nftwrap`. The kernel is reached only through its [`Kernel`](nftwrap::kernel::Kernel), by [`facade`]
//! (to apply), [`view`] (to read) and the command. Where text is read in another way than iptables reads it is in
//! [`manual::parity`](nftwrap::manual::parity).
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
