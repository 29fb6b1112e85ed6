//! The firewall of nova-compute: instances, their security groups, and rules of the provider.
//!
//! Owns: the driver's operations, and an instance's unit.
//! Never: keeps an instance's rules open while something is wrong: what cannot be is refused before anything changes.
//!
//! | file | has |
//! |---|---|
//! | `instance` | instances, their interfaces and subnets |
//! | `connections` | the connections that a change ends |
//! | `devices` | which instance has which device |
//! | `rules` | the rules of an instance, in nova's order |
//! | `driver` | the trait, the driver that does nothing, the choice by name |
//! | `nftables` | the driver that has a writer |
//! | `state` | what is wanted: instances, groups, rules of the provider |
//!
//! Invariant: what an operation said stays wanted when the kernel refuses it, and is tried again ([`FirewallDriver::retry`]).
//! Invariant: a device is one instance's, in every operation: no other can replace or end its guard.
//! Invariant: connections end after the rules that had let them in are gone, never before.
//! Invariant: an instance that has no address gets no traffic but DHCP and neighbour discovery.
//!
//! Where the truth is: `nova.virt.firewall` and `nova.virt.libvirt.firewall`; what differs is in
//! [`manual::parity`](crate::manual::parity).
//!
//! How it is tested: `tests/virt_firewall`: nova's dumps by the stock tools, packets in both layouts, many threads.

mod connections;
mod devices;
mod driver;
mod error;
mod instance;
mod nftables;
mod options;
mod provider;
mod rules;
mod state;

pub use self::driver::{Deferral, FirewallDriver, LoadError, NoopFirewallDriver, Settings, load_driver};
pub use self::error::DriverError;
pub use self::instance::{Instance, InstanceError, InstanceId, Interface, Network, Subnet};
pub use self::nftables::{NftablesFirewallDriver, Stats};
pub use self::options::Options;
pub use self::provider::ProviderRule;
