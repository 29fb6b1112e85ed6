//! Layer 11: firewalls of instances and ports: what nova-compute and neutron's agents did with wrapped chains.
//!
//! Owns: instances, ports, security groups and provider rules as typed values, and which chains, rules and sets they are.
//! Never: asks anybody for them; writes to the kernel but through one [`Writer`](crate::writer::Writer); lets text that a
//! tenant wrote become a name, a rule or a target.
//!
//! | file | has |
//! |---|---|
//! | [`group`] | security groups and their rules, typed |
//! | [`input`] | a tenant's rule as it was written, checked: typed or rejected by name |
//! | [`service`] | protocol, ports and ICMP types of a rule |
//!
//! Invariant: a rule that is rejected is left out and reported; it never keeps another one from its effect.

pub mod group;
pub mod input;
pub mod service;

pub use group::{Direction, GroupId, GroupRule, Remote, RuleId, SecurityGroup};
pub use input::{Rejected, RuleInput, Why};
pub use service::{Dialect, PortProtocol, Service};
