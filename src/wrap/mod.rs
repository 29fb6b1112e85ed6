//! Layer 3: wrapped chains, the desired state of a component.
//!
//! Owns: tables, chains, rules in their order, sets of addresses, names, skeletons, tags, deferral, what changed.
//! Never: does I/O, parses text, compiles a rule.
//!
//! A component shares a host with others: it has chains of its own whose names carry its wrap name (`$inst-7` is
//! `nova-compute-inst-7`), hangs them below chains that all components share, and never touches the rest.
//!
//! ```
//! use nftwrap::name::WrapName;
//! use nftwrap::rule::{ChainRef, PortRange, Rule};
//! use nftwrap::wrap::{Model, Profile};
//!
//! let mut model = Model::builder().component(WrapName::new("nova-compute")?).profile(Profile::Nova).build()?;
//! model.filter().chain("sg-fallback")?.append(Rule::new().discard())?;
//! model.filter().chain("inst-7")?.replace([
//!     Rule::new().tcp().dport(PortRange::single(22)).accept(),
//!     Rule::new().jump(ChainRef::new("$sg-fallback")?),
//! ])?;
//! assert!(model.check(|_, _| false).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: every rule in a model names chains by kernel name, can stand in its family, and is found by what it does,
//! never by text; work and memory follow the change, not the host.
//!
//! Where the truth is: the iptables managers of nova and neutron; the differences are in
//! [`manual::parity`](crate::manual::parity).

mod addresses;
mod builtin;
mod chain;
mod check;
mod entry;
mod error;
mod family;
mod journal;
mod mix;
mod model;
mod naming;
mod pool;
mod profile;
mod refs;
mod set;
mod slots;
mod table;
mod view;

pub use builtin::{Builtin, Hook, TableId, TableKind};
pub use chain::{Chain, ChainKind};
pub use check::MAX_DEPTH;
pub use entry::{Addition, Entry, Place, RuleKey};
pub use error::{At, ModelError};
pub use journal::Edits;
pub(crate) use model::Identity;
pub use model::{Builder, Deferral, Model};
pub use naming::ChainKey;
pub use profile::Profile;
pub use set::{AddressSet, SetEdits, SetKind};
pub use table::{Filling, Table};
pub use view::{ChainView, View};
