//! One DHCP address on several hosts: what must not cross between them.
//!
//! Owns: the four rules that keep each host's address and DHCP to itself.
//! Never: filters anything else that crosses the interface.
//!
//! Every host of a network has the same address, by which its own instances ask for a lease and a name. Asked for that
//! address from elsewhere a host does not answer, it does not ask others about it, and DHCP does not cross.
//!
//! nova wrote these with ebtables, one command a rule and in reverse where two share a chain; here they come and go in one
//! transaction, in the order that they are written in.
//!
//! How it is tested: `tests/bridged` sends packets through a bridge.

use std::net::Ipv4Addr;

use super::bridged::{self, BridgeError, Group, Hook, Way};
use crate::kernel::Kernel;
use crate::name::{InterfaceName, WrapName};
use crate::nft::expr::{CmpOp, Expr, Meta, MetaKey, PayloadBase, Register, Verdict};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
/// Ethernet and IPv4, with addresses of 6 and 4 bytes: what an ARP packet starts with.
const ARP_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Where that packet has its addresses.
const ARP_SENDER: u32 = 14;
const ARP_TARGET: u32 = 24;
const UDP: u8 = 17;
const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;

/// Keeps the address, and DHCP, from crossing the interface, which is a port of a bridge. Returns whether anything changed.
///
/// # Errors
/// [`BridgeError`] when the kernel refuses; nothing is changed then.
pub fn isolate_dhcp_address<K: Kernel>(
    kernel: &mut K,
    component: &WrapName,
    interface: &InterfaceName,
    address: Ipv4Addr,
) -> Result<bool, BridgeError> {
    let group = Group { rules: rules(interface, address), ..group(interface, address) };
    bridged::ensure(kernel, component, &group)
}

/// Undoes [`isolate_dhcp_address`]; the last one to go takes the table with it. Returns whether anything changed.
///
/// # Errors
/// As [`isolate_dhcp_address`].
pub fn remove_isolate_dhcp_address<K: Kernel>(
    kernel: &mut K,
    component: &WrapName,
    interface: &InterfaceName,
    address: Ipv4Addr,
) -> Result<bool, BridgeError> {
    bridged::ensure(kernel, component, &group(interface, address))
}

/// Without its rules.
fn group(interface: &InterfaceName, address: Ipv4Addr) -> Group {
    let mut key = b"dhcp".to_vec();
    key.extend(address.octets());
    key.extend(interface.as_str().bytes());
    Group { key, comment: format!("{address} is of each host beyond {interface}"), rules: Vec::new() }
}

fn rules(interface: &InterfaceName, address: Ipv4Addr) -> Vec<(Hook, Vec<Expr>)> {
    let arp = |way, at| {
        let parts = [
            bridged::port(way, interface),
            bridged::ethertype(ETH_P_ARP),
            bridged::field(PayloadBase::Network, 0, CmpOp::Eq, ARP_OVER_ETHERNET),
            bridged::field(PayloadBase::Network, at, CmpOp::Eq, address.octets()),
        ];
        dropped(parts.as_flattened())
    };
    let dhcp = |way| {
        let ports = bridged::field(PayloadBase::Transport, 2, CmpOp::Gte, DHCP_SERVER.to_be_bytes());
        let protocol = Meta::Load { key: MetaKey::L4PROTO, dreg: Register::R1 };
        let parts = [
            bridged::port(way, interface),
            bridged::ethertype(ETH_P_IP),
            [protocol.into(), bridged::compare(CmpOp::Eq, [UDP])],
            ports,
        ];
        let last = bridged::compare(CmpOp::Lte, DHCP_CLIENT.to_be_bytes());
        dropped(&[parts.as_flattened(), &[last]].concat())
    };
    vec![
        (Hook::Input, arp(Way::In, ARP_TARGET)),
        (Hook::Output, arp(Way::Out, ARP_SENDER)),
        (Hook::Forward, dhcp(Way::In)),
        (Hook::Forward, dhcp(Way::Out)),
    ]
}

fn dropped(conditions: &[Expr]) -> Vec<Expr> {
    let mut expressions = conditions.to_vec();
    expressions.push(bridged::verdict(Verdict::Drop));
    expressions
}
