//! Layer 10: the host's side of guests' networks, as nova-network and nova-compute plumb it: devices, bridges, VLANs,
//! gateways, addresses, settings of the kernel, and the rules and programs that belong to them.
//!
//! Owns: the order of the steps, what is tolerated, and the way back when a step fails.
//! Never: runs a program, other than dnsmasq and radvd themselves; reads options from anywhere: what nova takes from its
//! configuration is a parameter here, or a plain struct with nova's defaults.
//!
//! Everything works in the namespace of the [`Rtnl`](crate::rtnl::Rtnl) it is given, and leaves the caller's alone.
//! Callers that share a host need no lock: each function takes "it is there already" and "it is gone already" from the
//! kernel for success, so whoever comes second finds the work done. Nothing else is tolerated, and no missing privilege.
//!
//! Invariant: called twice, a function leaves the same state as called once; interrupted and called again, it goes on.
//! Invariant: what carries the host's own traffic is added at its new place before it is deleted at the old one, as far
//! as the kernel lets it, and a failure in between puts everything back.
//!
//! Where the truth is: nova's `network/linux_net.py` for what has to be true at the end; the kernel for how to get there.
//! Differences are listed in [`manual::parity`](crate::manual::parity).
//!
//! How tested: `tests/linux_net`, in namespaces of the tests' own with veth pairs for network cards, beside what `ip`
//! shows; each change in turn is made to fail ([`Fault`](crate::rtnl::Fault)), alone and with all that follow.

pub mod announce;
pub mod bridge;
pub(crate) mod bridged;
pub mod daemon;
pub mod device;
pub mod dhcpbridge;
pub mod dnsmasq;
mod error;
pub mod files;
pub mod gateway;
pub mod host;
pub mod interface;
pub mod isolation;
pub mod l3;
pub mod managers;
pub mod pid;
pub mod plan;
pub mod radvd;
pub mod redirect;
mod relocate;
pub mod rules;
pub mod sriov;
pub(crate) mod steps;
pub mod sysctl;
pub mod tap;
pub mod vlan;

pub use bridged::BridgeError;
pub use error::Error;
