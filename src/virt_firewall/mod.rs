//! Layer 11: firewalls of instances and ports: what nova-compute and neutron's agents did with wrapped chains.
//!
//! Owns: instances, ports, security groups and provider rules as typed values, and which chains, rules and sets they are.
//! Never: asks anybody for them; writes to the kernel but through one [`Writer`](crate::writer::Writer); lets text that a
//! tenant wrote become a name, a rule or a target.
//!
//! | file | has |
//! |---|---|
//! | [`bridging`] | whether what bridges forward meets the tables |
//! | `connections` | those that nothing allows any more, deleted |
//! | [`group`] | security groups and their rules, typed |
//! | `groups` | groups in use: who uses them, sets of their members, lists |
//! | `icmp` | types of ICMP by name |
//! | [`input`] | a tenant's rule as it was written, checked: typed or rejected by name |
//! | [`ports`] | the firewall of ports, as neutron has it |
//! | [`instances`] | the firewall of nova-compute |
//! | [`service`] | protocol, ports and ICMP types of a rule |
//! | `spoofing` | instances held to their addresses, on the bridge |
//! | `tickets` | the outcomes of an operation in several pieces |
//!
//! Invariant: a rule that is rejected is left out and reported; it never keeps another one from its effect.

pub mod bridging;
mod connections;
pub mod group;
mod groups;
mod icmp;
mod identifier;
pub mod input;
pub mod instances;
pub mod ports;
pub mod service;
mod spoofing;
mod tickets;

pub use bridging::BridgeFiltering;
pub use connections::Connections;
pub use group::{Direction, GroupId, GroupRule, Remote, RuleId, SecurityGroup};
pub use groups::Form;
pub use input::{Rejected, RuleInput, TenantRule, Why};
pub use instances::{FirewallDriver, Instance, InstanceId, NftablesFirewallDriver, NoopFirewallDriver, load_driver};
pub use service::{Dialect, PortProtocol, Service};
pub use tickets::{Refusal, Refused, Tickets};
