//! Whose a chain or rule is, and what we may do to it.
//!
//! A model without a component ([`Model::whole`](crate::wrap::Model::whole)) states tables as a whole: all that is in a
//! table it names is its own, as with `iptables-restore`. The rest of this page is about a model of a component, which
//! shares the host with others.
//!
//! # The mark
//!
//! Rules and chains have user data, bytes that the kernel keeps and does not look at. It is a list of entries with type
//! and length; a comment is type 0, and ours is type 0x77, which `nft` and `iptables-nft` pass over:
//!
//! ```text
//! 77 length 01 role name...     role: 0 normal, 1 top, 2 bottom; no name: common to all components
//! ```
//!
//! - A **wrapped chain** is marked with the component's name. Its rules carry no mark of their own: they are ours because
//!   the chain is.
//! - A **shared chain** of a profile (`nova-filter-top`) is marked as common.
//! - A **rule in a shared or built-in chain** is marked with the component's name and its place. The jump to a common
//!   chain is marked as common: whichever component comes first makes it, and it stays for the others.
//! - **Built-in chains and tables** carry no mark and belong to the host: we make them when they are missing, as
//!   iptables-nft does, and neither change their policies nor delete them.
//!
//! Names are compared whole. A chain with the mark of another component is closed to us
//! ([`Error::OwnedByAnother`](crate::Error::OwnedByAnother)); what other rules and chains hold is never changed, merged
//! or moved. A base chain of our name with another hook, type or priority is refused
//! ([`Error::Incompatible`](crate::Error::Incompatible)), not taken over.
//!
//! # Places
//!
//! In a chain that several programs use, rules stand in this order, which every component restores for its own:
//!
//! 1. *top*: the jumps of all components that must be first;
//! 2. *normal*: rules of components, those of one component in the order of adding; who comes later lines up behind;
//! 3. rules without a mark, of programs that know nothing of this;
//! 4. *bottom*: what must be last, such as the jump to `nova-postrouting-bottom`.
//!
//! Only our own rules move: because a foreign rule was put before one of ours, or because the model orders it so. The rule
//! is deleted and added at its new place, and takes along what it has counted; its chain is read for that if need be.
//!
//! # Adoption
//!
//! A restart is not an outage: what stands and is wanted stays, with handle and counters.
//!
//! - **An earlier run of ours** left marks. Its rules are compared by program; what is equal stays, the rest is replaced
//!   in the same transaction.
//! - **An agent that used the iptables tools** left chains of our names without a mark. They are taken over with all that
//!   is in them. The kernel takes no new user data for a chain that stands, so each rule in such a chain is marked
//!   instead: rules without a mark are written anew once, counters included, and a later run finds them. Jumps to our
//!   chains from shared ones are treated in the same way.
//! - **A foreign rule that equals one we want**, in that very chain, is taken for ours where it stands and gets no
//!   mark; we do not add a second one. While this manager lives it is ours, so it goes when it is no longer wanted; for a
//!   later one it is foreign again, unless that one wants an equal rule too.
//!
//! # Removal
//!
//! A chain that the component does not want any more is deleted with its rules, unless a rule of another program still
//! jumps to it: that is refused before sending, and the rule is named. In chains of others only rules with our mark go.
//!
//! [`Manager::flush`](crate::Manager::flush) removes all that carries the component's mark, in one transaction, and then
//! common chains in which no component has a rule any more, with the jumps to them. Tables and built-in chains stay,
//! as others may hang on to them by now.
