//! The rules of each kind of host.
//!
//! Where the truth is: for nova the rules in `nova.rs`; for neutron those of its hybrid driver with comments, for IPv4:
//! zone, jumps, DHCP, anti-spoofing, user rules. Its ipset of group members is left out, because a set of another
//! subsystem would have to be filled by every candidate.

use std::net::Ipv4Addr;

use super::{Chain, Edit, Hook, Instance, Line, Table};
use crate::nova;

/// The kind of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A nova-compute host: a chain of ten rules and a jump by destination address for each guest.
    Nova,
    /// The same with ten rules that no other guest has: nothing to share, nothing to fold.
    Distinct,
    /// A neutron host: three chains a port, its own MAC, address and zone. Ports are told apart by `-i` and `-o` tap
    /// device, because nf_tables can ask for the bridge port (`physdev`) in the bridge family only.
    Neutron,
    /// The same as neutron writes it for a bridge, with `physdev`, which stays an xt match in every layout.
    Physdev,
}

/// The rule that a change replaces in a nova chain: that for port 22.
const NOVA_CHANGED: usize = 5;
/// And in neutron's chain of what comes in: the user rule.
const NEUTRON_CHANGED: usize = 1;

impl Shape {
    /// For tables, plots and arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nova => "nova",
            Self::Distinct => "distinct",
            Self::Neutron => "neutron",
            Self::Physdev => "physdev",
        }
    }

    /// The component, without the hyphen.
    pub(crate) fn component(self) -> &'static str {
        match self {
            Self::Nova | Self::Distinct => nova::WRAP,
            Self::Neutron | Self::Physdev => "neutron-openvswi",
        }
    }

    /// An instance with a body of this number.
    pub(crate) fn instance(self, number: u32, body: u32) -> Instance {
        match self {
            Self::Nova | Self::Distinct => {
                let address = nova::address_v4(number);
                let jump = format!("jump {{P}}inst-{number}");
                let rule = Line::new(
                    format!("-d {address}/32 -j {{P}}inst-{number}"),
                    format!("ip daddr {address} counter {jump}"),
                );
                let needles = [format!("ip daddr {address} "), "jump".into()];
                let element = Some((address.to_string(), jump));
                let hook = Hook { table: "filter", chain: "{P}local", rule, needles, element };
                Instance { chains: vec![self.guest(number, body, false)], hooks: vec![hook] }
            }
            Self::Neutron | Self::Physdev => self.port(number, body),
        }
    }

    /// The chain of the instance with its rule changed, or as it was.
    pub(crate) fn change(self, number: u32, body: u32, changed: bool) -> Edit {
        match self {
            Self::Nova | Self::Distinct => {
                Edit::Change { chain: self.guest(number, body, changed), index: NOVA_CHANGED }
            }
            Self::Neutron | Self::Physdev => {
                Edit::Change { chain: incoming(number, body, changed), index: NEUTRON_CHANGED }
            }
        }
    }

    /// A change to a chain that all instances jump to, if there is such a chain.
    pub(crate) fn shared_change(self, changed: bool) -> Option<Edit> {
        let port = if changed { 1162 } else { 162 };
        let snmp = Line::new(format!("-p udp -m udp --dport {port} -j DROP"), format!("udp dport {port} counter drop"));
        let (name, rules, index) = match self {
            Self::Nova => ("{P}provider", vec![snmp], 0),
            Self::Distinct => return None,
            Self::Neutron | Self::Physdev => ("{P}sg-fallback", vec![snmp, Line::new("-j DROP", "counter drop")], 0),
        };
        Some(Edit::Change { chain: Chain { table: "filter", name: name.into(), rules }, index })
    }

    fn guest(self, number: u32, body: u32, changed: bool) -> Chain {
        let mut rules: Vec<Line> = if self == Self::Distinct {
            (0..10).map(|index| unlike(number, index, 0)).collect()
        } else {
            nova::bodies(nova::Family::V4, body).into_iter().map(|body| Line::new(body.iptables, body.nft)).collect()
        };
        if changed && let Some(rule) = rules.get_mut(NOVA_CHANGED) {
            *rule = match self {
                Self::Distinct => unlike(number, NOVA_CHANGED as u32, 1),
                _ => Line::new("-p tcp -m tcp --dport 2222 -j ACCEPT", "tcp dport 2222 counter accept"),
            };
        }
        Chain { table: "filter", name: format!("{{P}}inst-{number}"), rules }
    }

    fn port(self, number: u32, body: u32) -> Instance {
        let (tap, bridge) = (format!("tap{}", port_id(number)), format!("qvb{}", port_id(number)));
        let (i, o) = (format!("{{P}}i{}", short(number)), format!("{{P}}o{}", short(number)));
        let zone = 4097 + number;
        let zoned = format!("-m comment --comment \"Set zone for {}-1a2b-4c3d\" -j CT --zone {zone}", port_id(number));
        let zoned_nft = format!("ct zone set {zone}");
        let from_vm = "Direct traffic from the VM interface to the security group chain.";
        let in_vm = "Direct incoming traffic from VM to the security group chain.";
        let to_vm = "Jump to the VM specific chain.";
        let hook = |table, chain, device: &str, out: bool, comment: &str, target: &str| {
            let rule = self.by_device(
                device,
                out,
                &format!("-m comment --comment \"{comment}\" -j {target}"),
                Some(&format!("counter jump {target}")),
            );
            let key = if out { "oifname" } else { "iifname" };
            let needles = [format!("{key} \"{device}\""), "jump".into()];
            Hook { table, chain, rule, needles, element: None }
        };
        let zone_hook = |device: &str| Hook {
            table: "raw",
            chain: "{P}PREROUTING",
            rule: Line::new(format!("-i {device} {zoned}"), format!("iifname \"{device}\" counter {zoned_nft}")),
            needles: [format!("iifname \"{device}\""), "ct zone set".into()],
            element: None,
        };
        let hooks = vec![
            zone_hook(&bridge),
            zone_hook(&tap),
            hook("filter", "{P}FORWARD", &tap, true, from_vm, "{P}sg-chain"),
            hook("filter", "{P}FORWARD", &tap, false, from_vm, "{P}sg-chain"),
            hook("filter", "{P}INPUT", &tap, false, in_vm, &o),
            hook("filter", "{P}sg-chain", &tap, true, to_vm, &i),
            hook("filter", "{P}sg-chain", &tap, false, to_vm, &o),
        ];
        // In the order that lets every jump find its chain.
        Instance { chains: vec![spoofing(number), outgoing(number), incoming(number, body, false)], hooks }
    }

    /// A rule of packets that come from or go to a tap device.
    fn by_device(self, device: &str, out: bool, then: &str, nft: Option<&str>) -> Line {
        match self {
            Self::Physdev => {
                let option = if out { "--physdev-out" } else { "--physdev-in" };
                Line { iptables: format!("-m physdev {option} {device} --physdev-is-bridged {then}"), nft: None }
            }
            _ => {
                let (option, key) = if out { ("-o", "oifname") } else { ("-i", "iifname") };
                let nft = nft.map(|nft| format!("{key} \"{device}\" {nft}"));
                Line { iptables: format!("{option} {device} {then}"), nft }
            }
        }
    }

    /// What is there without any instance.
    pub(crate) fn tables(self) -> Vec<Table> {
        match self {
            Self::Nova | Self::Distinct => vec![nova_filter()],
            Self::Neutron | Self::Physdev => vec![neutron_raw(), neutron_filter()],
        }
    }
}

/// A rule of a guest that nobody else has, of a kind that its neighbours in the chain do not have.
fn unlike(number: u32, index: u32, change: u32) -> Line {
    let [_, high, middle, low] = number.to_be_bytes();
    let network = format!("{}.{}.{}.0/24", 100 + index + 16 * u32::from(high), middle, low);
    let port = 1024 + (number * 10 + index + change) % 64_000;
    let protocol = if index.is_multiple_of(2) { "tcp" } else { "udp" };
    let (target, verdict) = if index % 3 == 2 { ("DROP", "drop") } else { ("ACCEPT", "accept") };
    Line::new(
        format!("-s {network} -p {protocol} -m {protocol} --dport {port} -j {target}"),
        format!("ip saddr {network} {protocol} dport {port} counter {verdict}"),
    )
}

/// The first eleven characters of a port's id, as in the names of its devices.
fn port_id(number: u32) -> String {
    format!("{:08x}-1a", 0xc000_0000_u32 + number)
}

/// The first ten, as in the names of its chains.
fn short(number: u32) -> String {
    format!("{:08x}-1", 0xc000_0000_u32 + number)
}

fn said(iptables: &str, comment: &str, target: &str, nft: &str, verdict: &str) -> Line {
    let space = if iptables.is_empty() { "" } else { " " };
    Line::new(
        format!("{iptables}{space}-m comment --comment \"{comment}\" -j {target}"),
        format!("{nft}{}counter {verdict} comment \"{comment}\"", if nft.is_empty() { "" } else { " " }),
    )
}

const KNOWN: &str = "Direct packets associated with a known session to the RETURN chain.";
const INVALID: &str = "Drop packets that appear related to an existing connection (e.g. TCP ACK/FIN) but do not have an \
                       entry in conntrack.";
const FALLBACK: &str = "Send unmatched traffic to the fallback chain.";
const PAIRS: &str = "Allow traffic from defined IP/MAC pairs.";
const NO_PAIR: &str = "Drop traffic without an IP/MAC allow rule.";
const DHCP: &str = "Allow DHCP client traffic.";
const NO_SERVER: &str = "Prevent DHCP Spoofing by VM.";

fn known() -> Line {
    said("-m state --state RELATED,ESTABLISHED", KNOWN, "RETURN", "ct state established,related", "return")
}

fn invalid() -> Line {
    said("-m state --state INVALID", INVALID, "DROP", "ct state invalid", "drop")
}

fn fallback() -> Line {
    said("", FALLBACK, "{P}sg-fallback", "", "jump {P}sg-fallback")
}

fn incoming(number: u32, body: u32, changed: bool) -> Chain {
    let ssh = if changed { 2222 } else { 22 };
    let (network, port) = (body % 256, 5000 + body);
    let user = |source: &str, port| {
        Line::new(
            format!("-s {source} -p tcp -m tcp --dport {port} -j RETURN"),
            format!("ip saddr {source} tcp dport {port} counter return"),
        )
    };
    let rules =
        vec![known(), user("192.0.2.0/24", ssh), user(&format!("172.20.{network}.0/24"), port), invalid(), fallback()];
    Chain { table: "filter", name: format!("{{P}}i{}", short(number)), rules }
}

fn outgoing(number: u32) -> Chain {
    let client = "udp sport 68 udp dport 67";
    let spoofing = format!("{{P}}s{}", short(number));
    let rules = vec![
        said(
            "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67",
            DHCP,
            "RETURN",
            &format!("ip saddr 0.0.0.0 ip daddr 255.255.255.255 {client}"),
            "return",
        ),
        Line::new(format!("-j {spoofing}"), format!("counter jump {spoofing}")),
        said("-p udp -m udp --sport 68 --dport 67", DHCP, "RETURN", client, "return"),
        said("-p udp -m udp --sport 67 --dport 68", NO_SERVER, "DROP", "udp sport 67 udp dport 68", "drop"),
        known(),
        Line::new("-j RETURN", "counter return"),
        invalid(),
        fallback(),
    ];
    Chain { table: "filter", name: format!("{{P}}o{}", short(number)), rules }
}

fn spoofing(number: u32) -> Chain {
    let address: Ipv4Addr = nova::address_v4(number);
    let [_, high, middle, low] = number.to_be_bytes();
    let mac = format!("fa:16:3e:{high:02x}:{middle:02x}:{low:02x}");
    let pair = said(
        &format!("-s {address}/32 -m mac --mac-source {}", mac.to_uppercase()),
        PAIRS,
        "RETURN",
        &format!("ip saddr {address} ether saddr {mac}"),
        "return",
    );
    let rules = vec![pair, said("", NO_PAIR, "DROP", "", "drop")];
    Chain { table: "filter", name: format!("{{P}}s{}", short(number)), rules }
}

const FILTER_BASES: [(&str, &str); 3] = [
    ("INPUT", "type filter hook input priority filter; policy accept;"),
    ("FORWARD", "type filter hook forward priority filter; policy accept;"),
    ("OUTPUT", "type filter hook output priority filter; policy accept;"),
];

fn jump(target: &str) -> Line {
    Line::new(format!("-j {target}"), format!("counter jump {target}"))
}

fn nova_filter() -> Table {
    Table {
        name: "filter",
        bases: FILTER_BASES.to_vec(),
        chains: vec![
            "{P}FORWARD",
            "{P}INPUT",
            "{P}OUTPUT",
            "{P}local",
            "{P}provider",
            "{P}sg-fallback",
            "nova-filter-top",
        ],
        rules: vec![
            ("INPUT", jump("{P}INPUT")),
            ("FORWARD", jump("nova-filter-top")),
            ("FORWARD", jump("{P}FORWARD")),
            ("OUTPUT", jump("nova-filter-top")),
            ("OUTPUT", jump("{P}OUTPUT")),
            ("nova-filter-top", jump("{P}local")),
            ("{P}provider", Line::new("-p udp -m udp --dport 162 -j DROP", "udp dport 162 counter drop")),
            ("{P}sg-fallback", Line::new("-j DROP", "counter drop")),
        ],
        maps: vec![("{P}local", "ipv4_addr", "ip daddr vmap")],
    }
}

fn neutron_raw() -> Table {
    Table {
        name: "raw",
        bases: vec![
            ("PREROUTING", "type filter hook prerouting priority raw; policy accept;"),
            ("OUTPUT", "type filter hook output priority raw; policy accept;"),
        ],
        chains: vec!["{P}OUTPUT", "{P}PREROUTING"],
        rules: vec![("PREROUTING", jump("{P}PREROUTING")), ("OUTPUT", jump("{P}OUTPUT"))],
        maps: Vec::new(),
    }
}

fn neutron_filter() -> Table {
    Table {
        name: "filter",
        bases: FILTER_BASES.to_vec(),
        chains: vec![
            "neutron-filter-top",
            "{P}FORWARD",
            "{P}INPUT",
            "{P}OUTPUT",
            "{P}local",
            "{P}sg-chain",
            "{P}sg-fallback",
        ],
        rules: vec![
            ("INPUT", jump("{P}INPUT")),
            ("FORWARD", jump("neutron-filter-top")),
            ("FORWARD", jump("{P}FORWARD")),
            ("OUTPUT", jump("neutron-filter-top")),
            ("OUTPUT", jump("{P}OUTPUT")),
            ("neutron-filter-top", jump("{P}local")),
            ("{P}sg-fallback", Line::new("-p udp -m udp --dport 162 -j DROP", "udp dport 162 counter drop")),
            ("{P}sg-fallback", Line::new("-j DROP", "counter drop")),
        ],
        maps: Vec::new(),
    }
}
