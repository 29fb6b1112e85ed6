//! Rules to text, in the one canonical form that `iptables-save` prints.
//!
//! Owns: the order, spelling and quoting of a rule, and the frame of a save file.
//! Never: looks at a clock or a file; names of services, users and protocols are never looked up.
//!
//! Invariant: parsing what was printed gives an equal rule, and equal rules print the same.
//!
//! Where the truth is: `nft_rule_save` and `save_rule_details` of iptables 1.8.11.

mod rule;
mod save;

pub(crate) use rule::{chain_ref, interface};
pub use rule::{rule, rule_into};
pub use save::{SaveChain, SaveRule, table_into};
