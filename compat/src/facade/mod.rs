//! The iptables managers of nova and neutron, over strings: an agent ported from them reads the same.
//!
//! - [`IptablesManager`]: both families' tables, deferral, `apply`, traffic counters.
//! - [`IptablesTable`]: `add_chain`, `add_rule`, `remove_chain`, ... of one table.
//! - [`RuleArgs`]: the keyword arguments of `add_rule` and `remove_rule`, under their names.
//! - [`Style`]: whose habits: nova's or neutron's names, tables and skeleton.
//!
//! Strings end here: a rule is parsed when it is added, and refused there with the reason. From then on it is a typed rule
//! in a [`Model`](nftwrap::wrap::Model), which [`IptablesManager::apply`] brings to the kernel in one transaction.
//!
//! ```
//! use nftwrap::wrap::TableKind::Filter;
//! use nftwrap_compat::facade::{Builder, RuleArgs};
//!
//! let mut manager = Builder::nova("nova-compute").over(())?;
//! let mut filter = manager.ipv4(Filter)?;
//! filter.add_chain("inst-7", true)?;
//! filter.add_rule("inst-7", "-p tcp --dport 22 -s 10.0.0.0/8 -j ACCEPT", RuleArgs::default())?;
//! filter.add_rule("local", "-d 10.0.0.7 -j $inst-7", RuleArgs::default())?;
//! filter.add_rule("INPUT", "-j LOG", RuleArgs::default().wrap(false).top(true))?;
//! assert_eq!(filter.get_chain("local", true), ["-d 10.0.0.7/32 -j nova-compute-inst-7"]);
//! # Ok::<(), nftwrap_compat::facade::FacadeError>(())
//! ```
//!
//! Where it differs from the originals on purpose is in [`manual::parity`](nftwrap::manual::parity).

mod counters;
mod error;
mod manager;
mod names;
mod table;

pub use error::FacadeError;
pub use manager::{Builder, IptablesManager};
pub use names::{Style, binary_name};
pub use table::{IptablesTable, RuleArgs};
