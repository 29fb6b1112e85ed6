//! Bridged packets that have to be routed: what `-j redirect` of ebtables did.
//!
//! Owns: the rule that gives a frame to this host instead of to the port that it is for.
//! Never: translates an address; once a packet is routed, the rules of `nat` do.
//!
//! An instance whose gateway is another machine sends packets that only cross the bridge, and what only crosses is not
//! translated. A frame that is readdressed to the bridge itself goes up and is routed.
//!
//! The rule has to know the bridge's hardware address. Which bridge a port is of is told by `meta ibrname`, which not every
//! kernel has ([`BridgeError::NoBridgeName`]); without it the ports are named one by one ([`Ingress::Ports`]).

use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;

use super::bridged::{self, BridgeError, Group, Hook, Way};
use crate::kernel::Kernel;
use crate::name::{InterfaceName, MacAddress, WrapName};
use crate::nft::expr::{
    Bitwise, BitwiseOp, CmpOp, Data, Expr, Immediate, Meta, MetaKey, Operand, Payload, PayloadBase, Register, Verdict,
};

const ETH_P_IP: u16 = 0x0800;
/// Where an IPv4 packet has its addresses.
const SOURCE: u32 = 12;
const DESTINATION: u32 = 16;
/// `PACKET_HOST`: a frame for this host.
const PACKET_HOST: u8 = 0;

/// Where the packets come in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ingress {
    /// By any port of the bridge. Not every kernel can tell.
    Bridge,
    /// By one of these ports.
    Ports(Vec<InterfaceName>),
}

/// Which packets are routed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// The bridge.
    pub bridge: InterfaceName,
    /// Its hardware address.
    pub address: MacAddress,
    /// Where they come in.
    pub ingress: Ingress,
    /// Where they come from.
    pub source: Ipv4Network,
    /// Where they go.
    pub destination: Destination,
}

/// Where redirected packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Into this network: one of `force_snat_range`.
    Inside(Ipv4Network),
    /// Out of this network: what an instance with a floating address sends beyond its own.
    Outside(Ipv4Network),
}

impl Redirect {
    /// What an instance with a floating address sends out of its network.
    #[must_use]
    pub fn floating(bridge: InterfaceName, address: MacAddress, fixed: Ipv4Addr, network: Ipv4Network) -> Self {
        let (ingress, destination) = (Ingress::Bridge, Destination::Outside(network));
        Self { bridge, address, ingress, source: fixed.into(), destination }
    }
}

/// Routes the packets. Returns whether anything changed.
///
/// # Errors
/// [`BridgeError::NoBridgeName`] when they are those of a bridge and the kernel cannot tell; others when it refuses.
pub fn ensure_redirect<K: Kernel>(
    kernel: &mut K,
    component: &WrapName,
    redirect: &Redirect,
) -> Result<bool, BridgeError> {
    if redirect.ingress == Ingress::Bridge && !bridged::has_bridge_names(kernel)? {
        return Err(BridgeError::NoBridgeName { bridge: redirect.bridge.clone() });
    }
    bridged::ensure(kernel, component, &Group { rules: rules(redirect), ..group(redirect) })
}

/// Undoes [`ensure_redirect`], whatever ports and hardware address it was told. Returns whether anything changed.
///
/// # Errors
/// [`BridgeError`] when the kernel refuses.
pub fn remove_redirect<K: Kernel>(
    kernel: &mut K,
    component: &WrapName,
    redirect: &Redirect,
) -> Result<bool, BridgeError> {
    bridged::ensure(kernel, component, &group(redirect))
}

/// Whether the kernel can tell which bridge a port is of, and so takes [`Ingress::Bridge`].
///
/// # Errors
/// [`BridgeError`] when it cannot be asked.
pub fn has_bridge_names<K: Kernel>(kernel: &mut K) -> Result<bool, BridgeError> {
    bridged::has_bridge_names(kernel)
}

/// Without its rules.
fn group(redirect: &Redirect) -> Group {
    let Redirect { bridge, source, destination, .. } = redirect;
    let (kind, network, word) = match destination {
        Destination::Inside(network) => (b"into", network, "to"),
        Destination::Outside(network) => (b"out_", network, "out of"),
    };
    let mut key = kind.to_vec();
    for network in [source, network] {
        key.extend(network.network().octets());
        key.push(network.prefix());
    }
    key.extend(bridge.as_str().bytes());
    Group { key, comment: format!("{source} {word} {network} is routed"), rules: Vec::new() }
}

fn rules(redirect: &Redirect) -> Vec<(Hook, Vec<Expr>)> {
    let ingress = match &redirect.ingress {
        Ingress::Bridge => vec![bridged::bridge(&redirect.bridge)],
        Ingress::Ports(ports) => ports.iter().map(|name| bridged::port(Way::In, name)).collect(),
    };
    ingress.into_iter().map(|ingress| (Hook::Prerouting, rule(ingress, redirect))).collect()
}

fn rule(ingress: [Expr; 2], redirect: &Redirect) -> Vec<Expr> {
    let (op, network) = match redirect.destination {
        Destination::Inside(network) => (CmpOp::Eq, network),
        Destination::Outside(network) => (CmpOp::Neq, network),
    };
    let mut expressions = ingress.to_vec();
    expressions.extend(bridged::ethertype(ETH_P_IP));
    expressions.extend(address(SOURCE, CmpOp::Eq, redirect.source));
    expressions.extend(address(DESTINATION, op, network));
    let load = |value: Data| Immediate { dreg: Register::R1, data: Operand::Value(value) };
    expressions.push(load(Data::from(redirect.address.octets())).into());
    let (csum_type, csum_offset, csum_flags) = (0, 0, 0);
    let (base, offset, len, sreg) = (PayloadBase::Link, 0, 6, Register::R1);
    expressions.push(Payload::Store { sreg, base, offset, len, csum_type, csum_offset, csum_flags }.into());
    // Or routing would take it for a stranger's.
    expressions.push(load(Data::from([PACKET_HOST])).into());
    expressions.push(Meta::Store { key: MetaKey::PKTTYPE, sreg }.into());
    expressions.push(bridged::verdict(Verdict::Accept));
    expressions
}

fn address(offset: u32, op: CmpOp, network: Ipv4Network) -> Vec<Expr> {
    let mut expressions = bridged::field(PayloadBase::Network, offset, op, network.network().octets()).to_vec();
    if network.prefix() < 32 {
        let mask = BitwiseOp::MaskXor { mask: Data::from(network.mask().octets()), xor: Data::from([0; 4]) };
        expressions.insert(1, Bitwise { sreg: Register::R1, dreg: Register::R1, len: 4, op: mask }.into());
    }
    expressions
}
