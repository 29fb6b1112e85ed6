//! The rules of nova-network, as functions on a [`Model`].
//!
//! Owns: which rules a metadata service, source translation, a floating address, a VPN, DHCP and a bridge need, in which
//! chain and order; how each is taken out again.
//! Never: applies anything (the [`Manager`](crate::Manager) does), writes or compares rule text, keeps state of its own.
//!
//! Every `ensure_` and `add_` function has a `remove_` that takes out exactly what it put in; each called twice leaves
//! the model as it was after the first call, and so leaves nothing to apply.
//!
//! Invariant: a function that fails changed nothing.
//! Invariant: no rule can be of two families: addresses that have to be IPv4 are typed so, and of the others those of the
//! wrong family give no rule instead of one that the kernel refuses.
//!
//! Where the truth is: `nova/network/linux_net.py` (stable/stein; [`Release`] for what was different before).
//! How it is tested: `tests/nova_rules`, by the stock tools' own listing and by packets, in both layouts.

mod dhcp;
mod floating;
mod gateway;
mod group;
mod metadata;
mod options;
mod snat;
mod vpn;

pub use dhcp::{add_checksum_rule, add_dhcp_rules, remove_checksum_rule, remove_dhcp_rules};
pub(super) use floating::is_anothers;
pub use floating::{Floating, FloatingChange, ensure_floating_forward, remove_floating_forward};
pub use gateway::{Role, ensure_bridge_rules, remove_bridge_rules};
pub use metadata::{
    METADATA_ADDRESS, metadata_accept, metadata_forward, remove_metadata_accept, remove_metadata_forward,
};
pub use options::{DropAction, ForwardTo, Options, Release};
pub use snat::{Gateway, add_snat_rule, init_host, remove_host, remove_snat_rule};
pub use vpn::{Vpn, ensure_vpn_forward, remove_vpn_forward};

#[cfg(doc)]
use crate::wrap::Model;
