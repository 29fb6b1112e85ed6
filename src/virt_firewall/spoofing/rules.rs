//! The fixed part of the table: sets without elements, chains, rules.
//!
//! Owns: what is asked of a frame, in which order.
//! Never: names an interface.
//!
//! Frames of other protocols than ARP, IP and RARP (which a host sends for an instance that has moved) do not pass: behind
//! a VLAN tag there could be anything.

use crate::linux_net::bridged::{compare, ethertype, field, verdict};
use crate::name::{ChainName, NameError, SetName, TableName};
use crate::nft::expr::{
    Bitwise, BitwiseOp, CmpOp, Data, Expr, Lookup, Meta, MetaKey, Payload, PayloadBase, Register, SetRef, Verdict,
};
use crate::nft::uapi::{NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING};
use crate::nft::{BaseChain, Chain, Family, Policy, Rule, Set, SetData, SetFlags, Table};
use crate::transaction::{Batch, Origin};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_RARP: u16 = 0x8035;
const ETH_P_IPV6: u16 = 0x86dd;
/// Ethernet and IPv4, with addresses of 6 and 4 bytes: what an ARP packet starts with.
const ARP_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
const LISTENER_REPORT: u8 = 131;
const LISTENER_REPORT_V2: u8 = 143;
/// `enum datatypes` of `nft`, so that it can list the sets.
const IPV4_ADDR: u32 = 7;
const IPV6_ADDR: u32 = 8;
const ETHER_ADDR: u32 = 9;
const IFNAME: u32 = 41;

/// The sets and maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SetId {
    /// Device to the chain of what comes from it.
    Senders,
    /// Device to the chain of what goes to it.
    Receivers,
    /// Devices with an IPv4 address.
    Addressed4,
    /// Devices with an IPv6 address beside the link-local one.
    Addressed6,
    Macs,
    Addresses4,
    Addresses6,
    /// IPv6 addresses that it may claim to neighbours.
    Neighbours6,
    Dhcp4,
    Dhcp6,
    Routers,
}

impl SetId {
    pub(super) const ALL: [Self; 11] = [
        Self::Senders,
        Self::Receivers,
        Self::Addressed4,
        Self::Addressed6,
        Self::Macs,
        Self::Addresses4,
        Self::Addresses6,
        Self::Neighbours6,
        Self::Dhcp4,
        Self::Dhcp6,
        Self::Routers,
    ];

    /// Its name, and type and length of what follows the device in its keys.
    fn parts(self) -> (&'static str, Option<(u32, u32)>) {
        match self {
            Self::Senders => ("senders", None),
            Self::Receivers => ("receivers", None),
            Self::Addressed4 => ("addressed4", None),
            Self::Addressed6 => ("addressed6", None),
            Self::Macs => ("macs", Some((ETHER_ADDR, 6))),
            Self::Addresses4 => ("addresses4", Some((IPV4_ADDR, 4))),
            Self::Addresses6 => ("addresses6", Some((IPV6_ADDR, 16))),
            Self::Neighbours6 => ("neighbours6", Some((IPV6_ADDR, 16))),
            Self::Dhcp4 => ("dhcp4", Some((IPV4_ADDR, 4))),
            Self::Dhcp6 => ("dhcp6", Some((IPV6_ADDR, 16))),
            Self::Routers => ("routers", Some((IPV6_ADDR, 16))),
        }
    }

    pub(super) fn name(self) -> Result<SetName, NameError> {
        SetName::new(self.parts().0)
    }

    fn declare(self, table: &TableName) -> Result<Set, NameError> {
        let (is_map, (_, value)) = (matches!(self, Self::Senders | Self::Receivers), self.parts());
        let (key_kind, key_len, fields) = match value {
            None => (IFNAME, 16, Vec::new()),
            Some((kind, len)) => (IFNAME << 6 | kind, 16 + len.next_multiple_of(4), vec![16, len]),
        };
        let mut flags = SetFlags::empty();
        flags.set(SetFlags::MAP, is_map);
        flags.set(SetFlags::CONCAT, value.is_some());
        let data = is_map.then_some(SetData::Verdict);
        let set = Set::new(Family::Bridge, table.clone(), self.name()?, key_len);
        Ok(Set { flags, key_kind, data, fields, ..set })
    }
}

/// All that does not depend on interfaces.
#[derive(Debug)]
pub(super) struct Content {
    table: TableName,
    sets: Vec<Set>,
    chains: Vec<Chain>,
    rules: Vec<Rule>,
}

impl Content {
    pub(super) fn new(table: &TableName) -> Result<Self, NameError> {
        // The kernel wants a number for each set that a batch makes, though rules name it.
        let numbered = (1..).zip(SetId::ALL);
        let declared = numbered.map(|(id, set)| Ok(Set { id: Some(id), ..set.declare(table)? }));
        let sets = declared.collect::<Result<_, NameError>>()?;
        let (mut chains, mut rules) = (Vec::new(), Vec::new());
        for (name, hook, bodies) in chains_with_rules()? {
            let chain = Chain::new(Family::Bridge, table.clone(), ChainName::new(name)?);
            let base = hook.map(|(hook, priority)| {
                let policy = Some(Policy::Accept);
                BaseChain { kind: "filter".into(), hook, priority, policy, devices: Vec::new() }
            });
            rules.extend(bodies.into_iter().map(|expressions| {
                let (chain, table, family) = (chain.name.clone(), table.clone(), Family::Bridge);
                let (handle, position, compat, userdata) = (None, None, None, None);
                Rule { family, table, chain, handle, position, expressions, compat, userdata }
            }));
            chains.push(Chain { base, ..chain });
        }
        Ok(Self { table: table.clone(), sets, chains, rules })
    }

    /// Makes all of it.
    pub(super) fn create(&self, batch: &mut Batch, origin: Origin) {
        batch.add_table(&Table::new(Family::Bridge, self.table.clone()), origin);
        self.chains.iter().for_each(|chain| batch.add_chain(chain, origin));
        self.sets.iter().for_each(|set| batch.add_set(set, origin));
        self.rules.iter().for_each(|rule| batch.add_rule(rule, origin));
    }

    /// Whether that is all of it and nothing else.
    pub(super) fn is(&self, chains: &[Chain], sets: &[Set], rules: &[Rule]) -> bool {
        let own: Vec<_> = chains.iter().filter(|chain| chain.table == self.table).collect();
        let same_base = |a: &BaseChain, b: &BaseChain| (a.hook, a.priority, a.policy) == (b.hook, b.priority, b.policy);
        let has_chain = |wanted: &Chain| {
            own.iter().any(|chain| {
                let base = match (&chain.base, &wanted.base) {
                    (Some(found), Some(wanted)) => same_base(found, wanted),
                    (found, wanted) => found.is_none() && wanted.is_none(),
                };
                chain.name == wanted.name && base
            })
        };
        let has_set = |wanted: &Set| {
            let key = |set: &Set| (set.name.clone(), set.key_len, set.data);
            sets.iter().any(|set| key(set) == key(wanted))
        };
        let of = |rules: &[Rule], chain: &Chain| -> Vec<Vec<Expr>> {
            rules.iter().filter(|rule| rule.chain == chain.name).map(|rule| rule.expressions.clone()).collect()
        };
        own.len() == self.chains.len()
            && sets.len() == self.sets.len()
            && self.chains.iter().all(has_chain)
            && self.sets.iter().all(has_set)
            && self.chains.iter().all(|chain| of(rules, chain) == of(&self.rules, chain))
    }
}

type Body = Vec<Expr>;
type Hook = Option<(u32, i32)>;
type Described = (&'static str, Hook, Vec<Body>);

/// The chains in the order of their first mention, with their rules.
fn chains_with_rules() -> Result<Vec<Described>, NameError> {
    let goto = |name: &str| ChainName::new(name).map(Verdict::Goto);
    let udp4 = |from, to| joined([&ethertype(ETH_P_IP), &udp(from, to)]);
    let udp6 = |from, to| joined([&ethertype(ETH_P_IPV6), &udp(from, to)]);
    let from = [lead(MetaKey::IIFNAME, SetId::Senders)];
    let to = [lead(MetaKey::OIFNAME, SetId::Receivers)];
    // Before connection tracking of bridged packets, and behind it.
    let (before, behind) = (Some((NF_INET_PRE_ROUTING, -250)), Some((NF_INET_POST_ROUTING, 250)));
    let nobody = [0; 4];
    let request = joined([
        &udp4(68, 67),
        &field(PayloadBase::Network, 12, CmpOp::Eq, nobody),
        &field(PayloadBase::Network, 16, CmpOp::Eq, [255; 4]),
    ]);
    let own_mac = own(MetaKey::IIFNAME, SetId::Macs, SOURCE_MAC, false);
    let request6 = joined([&udp6(546, 547), &own(MetaKey::IIFNAME, SetId::Neighbours6, SOURCE6, false)]);
    Ok(vec![
        ("from-instances", before, from.to_vec()),
        ("to-instances", behind, to.to_vec()),
        (
            "nova-base",
            None,
            vec![
                then([&request, &own_mac], Verdict::Accept),
                then([&request6, &own_mac], Verdict::Accept),
                then([], goto("nova-nodhcp")?),
            ],
        ),
        (
            "nova-nodhcp",
            None,
            vec![
                then([&own(MetaKey::IIFNAME, SetId::Macs, SOURCE_MAC, true)], Verdict::Drop),
                then([&ethertype(ETH_P_ARP)], goto("from-arp")?),
                then([&ethertype(ETH_P_IP)], goto("from-ip4")?),
                then([&ethertype(ETH_P_IPV6)], goto("from-ip6")?),
                then([&ethertype(ETH_P_RARP)], Verdict::Accept),
                then([], Verdict::Drop),
            ],
        ),
        ("from-arp", None, from_arp()),
        ("from-ip4", None, from_ip4()),
        ("from-ip6", None, from_ip6()),
        (
            "to-instance",
            None,
            vec![
                then([&reflected(), &own(MetaKey::OIFNAME, SetId::Macs, SOURCE_MAC, false)], Verdict::Drop),
                then([&ethertype(ETH_P_IP)], goto("to-ip4")?),
                then([&ethertype(ETH_P_IPV6)], goto("to-ip6")?),
            ],
        ),
        ("to-ip4", None, to_ip4()),
        ("to-ip6", None, to_ip6()),
        (
            "to-vpn",
            None,
            vec![
                then([&udp4(67, 68), &own(MetaKey::OIFNAME, SetId::Dhcp4, SOURCE4, true)], Verdict::Drop),
                then([&udp6(547, 546), &own(MetaKey::OIFNAME, SetId::Dhcp6, SOURCE6, true)], Verdict::Drop),
            ],
        ),
    ])
}

/// Sender's hardware address and address; a probe for an address has none yet.
fn from_arp() -> Vec<Body> {
    let sender = |set, at| own(MetaKey::IIFNAME, set, at, true);
    vec![
        then([&field(PayloadBase::Network, 0, CmpOp::Neq, ARP_OVER_ETHERNET)], Verdict::Drop),
        then([&sender(SetId::Macs, ARP_SENDER_MAC)], Verdict::Drop),
        then([&field(PayloadBase::Network, 14, CmpOp::Eq, [0; 4])], Verdict::Accept),
        then([&sender(SetId::Addresses4, ARP_SENDER)], Verdict::Drop),
    ]
}

fn from_ip4() -> Vec<Body> {
    vec![
        then([&udp(67, 68)], Verdict::Drop),
        then([&own(MetaKey::IIFNAME, SetId::Addresses4, SOURCE4, true)], Verdict::Drop),
    ]
}

fn from_ip6() -> Vec<Body> {
    let nobody = field(PayloadBase::Network, 8, CmpOp::Eq, [0; 16]);
    let own = |set, at, inverted| own(MetaKey::IIFNAME, set, at, inverted);
    let mut rules = vec![
        then([&icmpv6(ROUTER_ADVERTISEMENT)], Verdict::Drop),
        then([&icmpv6(REDIRECT)], Verdict::Drop),
        then([&udp(547, 546)], Verdict::Drop),
        then([&icmpv6(NEIGHBOUR_ADVERTISEMENT), &own(SetId::Neighbours6, ND_TARGET, true)], Verdict::Drop),
        // Whether somebody has the address, asked before it is used.
        then([&nobody, &icmpv6(NEIGHBOUR_SOLICITATION), &own(SetId::Neighbours6, ND_TARGET, false)], Verdict::Accept),
    ];
    for kind in [LISTENER_REPORT, LISTENER_REPORT_V2, ROUTER_SOLICITATION] {
        rules.push(then([&nobody, &icmpv6(kind)], Verdict::Accept));
    }
    rules.push(then([&own(SetId::Addresses6, SOURCE6, false)], Verdict::Accept));
    // The link-local address is for finding neighbours until there is another one.
    for kind in
        [ROUTER_SOLICITATION, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT, LISTENER_REPORT, LISTENER_REPORT_V2]
    {
        rules.push(then([&own(SetId::Neighbours6, SOURCE6, false), &icmpv6(kind)], Verdict::Accept));
    }
    rules.push(then([], Verdict::Drop));
    rules
}

fn to_ip4() -> Vec<Body> {
    let own = |set, at, inverted| own(MetaKey::OIFNAME, set, at, inverted);
    vec![
        then([&udp(67, 68), &own(SetId::Dhcp4, SOURCE4, false)], Verdict::Accept),
        then([&udp(67, 68)], Verdict::Drop),
        then([&of_device(MetaKey::OIFNAME, SetId::Addressed4, true)], Verdict::Drop),
        then([&unicast(), &own(SetId::Addresses4, DESTINATION4, true)], Verdict::Drop),
    ]
}

fn to_ip6() -> Vec<Body> {
    let own = |set, at, inverted| own(MetaKey::OIFNAME, set, at, inverted);
    vec![
        then([&udp(547, 546), &own(SetId::Dhcp6, SOURCE6, false)], Verdict::Accept),
        then([&udp(547, 546)], Verdict::Drop),
        then([&icmpv6(ROUTER_ADVERTISEMENT), &own(SetId::Routers, SOURCE6, true)], Verdict::Drop),
        then([&icmpv6(ROUTER_ADVERTISEMENT)], Verdict::Accept),
        then([&icmpv6(NEIGHBOUR_SOLICITATION)], Verdict::Accept),
        then([&icmpv6(NEIGHBOUR_ADVERTISEMENT)], Verdict::Accept),
        then([&of_device(MetaKey::OIFNAME, SetId::Addressed6, true)], Verdict::Drop),
        then([&unicast(), &own(SetId::Addresses6, DESTINATION6, true)], Verdict::Drop),
    ]
}

/// Base, offset and length of what is looked up.
type At = (PayloadBase, u32, u32);

const SOURCE_MAC: At = (PayloadBase::Link, 6, 6);
const ARP_SENDER_MAC: At = (PayloadBase::Network, 8, 6);
const ARP_SENDER: At = (PayloadBase::Network, 14, 4);
const SOURCE4: At = (PayloadBase::Network, 12, 4);
const DESTINATION4: At = (PayloadBase::Network, 16, 4);
const SOURCE6: At = (PayloadBase::Network, 8, 16);
const DESTINATION6: At = (PayloadBase::Network, 24, 16);
/// Of a neighbour solicitation or advertisement.
const ND_TARGET: At = (PayloadBase::Transport, 8, 16);

/// Whether the device and what the packet has there are in the set, or are not.
fn own(device: MetaKey, set: SetId, (base, offset, len): At, inverted: bool) -> Body {
    // Right behind the device's 16 bytes.
    let value = Payload::Load { dreg: Register::R2, base, offset, len };
    vec![Meta::Load { key: device, dreg: Register::R1 }.into(), value.into(), lookup(set, None, inverted)]
}

/// Whether the device alone is in the set, or is not.
fn of_device(device: MetaKey, set: SetId, inverted: bool) -> Body {
    vec![Meta::Load { key: device, dreg: Register::R1 }.into(), lookup(set, None, inverted)]
}

/// Goes where the device leads.
fn lead(device: MetaKey, map: SetId) -> Body {
    vec![Meta::Load { key: device, dreg: Register::R1 }.into(), lookup(map, Some(Register::VERDICT), false)]
}

fn lookup(set: SetId, dreg: Option<Register>, inverted: bool) -> Expr {
    let set = SetRef { name: set.parts().0.into(), id: 0 };
    Lookup { set, sreg: Register::R1, dreg, inverted }.into()
}

fn l4(protocol: u8) -> [Expr; 2] {
    [Meta::Load { key: MetaKey::L4PROTO, dreg: Register::R1 }.into(), compare(CmpOp::Eq, [protocol])]
}

fn udp(from: u16, to: u16) -> Body {
    let port = |offset, port: u16| field(PayloadBase::Transport, offset, CmpOp::Eq, port.to_be_bytes());
    joined([&l4(UDP), &port(0, from), &port(2, to)])
}

fn icmpv6(kind: u8) -> Body {
    joined([&l4(ICMPV6), &field(PayloadBase::Transport, 0, CmpOp::Eq, [kind])])
}

/// To IPv6 multicast, as `33:33:00:00:00:00` with that mask.
fn reflected() -> Body {
    field(PayloadBase::Link, 0, CmpOp::Eq, [0x33, 0x33]).to_vec()
}

/// To one host.
fn unicast() -> Body {
    let load = Payload::Load { dreg: Register::R1, base: PayloadBase::Link, offset: 0, len: 1 };
    let op = BitwiseOp::MaskXor { mask: Data::from([1]), xor: Data::from([0]) };
    let masked = Bitwise { sreg: Register::R1, dreg: Register::R1, len: 1, op };
    vec![load.into(), masked.into(), compare(CmpOp::Eq, [0])]
}

fn joined<const N: usize>(parts: [&[Expr]; N]) -> Body {
    parts.concat()
}

fn then<const N: usize>(conditions: [&[Expr]; N], end: Verdict) -> Body {
    let mut body = joined(conditions);
    body.push(verdict(end));
    body
}
