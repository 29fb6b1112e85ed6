//! Layer 11: routers of neutron's L3 agent, each in a network namespace of its own.
//!
//! Owns: what a router is to be ([`state::Router`]), all its rules ([`rules::rules`]), and bringing namespace, devices, addresses,
//! routes, rules and connections to that state ([`Routers`]).
//! Never: runs a program: the one that answers metadata questions is the caller's; plumbs Open vSwitch or the namespace of
//! distributed routers' floating addresses, whose rules alone are here.
//!
//! A caller states a router as a whole, and states it again when it changes. There are no operations for parts of it, so
//! nothing can be forgotten on the way from one state to another: rules, addresses and routes that the state does not ask
//! for are taken away, wherever they came from.
//!
//! ```no_run
//! use nftwrap::l3_router::state::{FloatingIp, Gateway, Id, InternalPort, Metadata, Router};
//! use nftwrap::l3_router::{RouterOptions, Routers};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let routers = Routers::new(RouterOptions::new()?);
//! let mut router = Router::new(Id::new("6b3d5a1e-8c4f-4e57-9a10-0c2f1d7e9b44")?);
//! router.ports.push(InternalPort::new(Id::new("aa11bb22-cc33")?, vec!["10.1.0.1/24".parse()?]));
//! let (address, next_hop) = ("203.0.113.10/24".parse()?, "203.0.113.1".parse()?);
//! router.gateway = Some(Gateway::new(Id::new("1f2e3d4c-5b6a")?, vec![address], vec![next_hop]));
//! router.metadata = Metadata::Redirected { port: Metadata::PORT };
//! routers.add(&router)?;
//! router.floating.push(FloatingIp::new("203.0.113.101".parse()?, "10.1.0.11".parse()?));
//! let outcome = routers.update(&router)?; // one transaction, one address, its announcement
//! assert_eq!(outcome.addresses, 1);
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: an update that fails, because the state is bad or the kernel refuses a part of it, leaves rules, addresses and
//! routes as they were.
//! Invariant: an update that changes nothing sends nothing, in the process that made the router or in another one.
//! Invariant: translation stands before an address does, and goes after it: the router never answers itself for an address
//! that is a guest's.
//! Invariant: a namespace that is gone is a final answer; nothing is tried again.
//!
//! Where the truth is: neutron's `agent/l3`, `agent/linux` and `services/metering`. Differences are listed in
//! [`manual::parity`](crate::manual::parity).
//!
//! How it is tested: `tests/l3_router`: dumps of the original, packets in both layouts, restarts, failures.

mod applied;
mod devices;
mod ended;
mod error;
mod marks;
mod model;
mod names;
mod place;
mod recover;
mod router;
mod routers;
pub mod rules;
pub mod state;
mod traffic;

pub use error::RouterError;
pub use marks::ScopeMarks;
pub use model::{metering_model, router_model, state_rules};
pub use names::Names;
pub use router::{FloatingStatus, L3Router, Outcome};
pub use routers::Routers;
pub use traffic::Traffic;

use std::path::PathBuf;

use crate::layout::Layout;
use crate::name::WrapName;
use crate::netlink::namespace::{Namespace, NamespaceError};
use rules::RuleOptions;

/// What an operator decides about all routers of a host.
#[derive(Debug, Clone)]
pub struct RouterOptions {
    /// Where the files of namespaces are; [`Namespace::DIRECTORY`] if `ip netns` is to see them.
    pub directory: PathBuf,
    /// The namespace that devices are given from, and that the other ends of pairs are in.
    pub host: Namespace,
    /// Where the routers' rules go. Those of metering are always in the tables of iptables, where every rule counts.
    pub layout: Layout,
    /// Options of the rules.
    pub rules: RuleOptions,
    /// How often neighbours are told of a new address; neutron's `send_arp_for_ha`. 0: never.
    pub announcements: u32,
    /// The component whose chains the router's rules are in.
    pub component: WrapName,
    /// The component whose chains count.
    pub meter: WrapName,
}

impl RouterOptions {
    /// neutron's defaults, for the namespace of the calling thread.
    ///
    /// # Errors
    /// [`NamespaceError`] when that namespace cannot be opened.
    pub fn new() -> Result<Self, NamespaceError> {
        Ok(Self::for_host(Namespace::pinned()?))
    }

    /// The same for another namespace, which stands for the host.
    #[must_use]
    pub fn for_host(host: Namespace) -> Self {
        Self {
            directory: Namespace::DIRECTORY.into(),
            host,
            layout: Layout::Iptables,
            rules: RuleOptions::default(),
            announcements: 3,
            component: WrapName::fixed("neutron-l3-agent"),
            meter: WrapName::fixed("neutron-meter"),
        }
    }
}
