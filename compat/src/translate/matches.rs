//! Matches in nft's words.

use std::fmt::Display;

use nftwrap::rule::matches::{
    AddrTypes, Addrtype, Conntrack, CtDirection, CtStates, CtStatus, IcmpType, Iprange, Limit, Multiport,
    MultiportSide, Owner, Pkttype, RateUnit, Rpfilter, Tcp, Tos, Ttl, TtlOp,
};
use nftwrap::rule::{Family, MarkMask, Match, Not, PortRange, Protocol};

use super::{Text, Untranslatable, protocol_name};

/// Appends a match.
pub(super) fn write(m: &Match, text: &mut Text) -> Result<(), Untranslatable> {
    match m {
        Match::Addrtype(m) => addrtype(m, text),
        Match::Connmark(m) => mark("ct mark", *m, text),
        Match::Conntrack(m) => conntrack(m, text)?,
        Match::Dccp(m) => ports("dccp", m.sport, m.dport, text),
        Match::Dscp(m) => {
            text.equals(format_args!("{} dscp", family(text)), m.negated, format_args!("{:#04x}", m.value))
        }
        Match::Icmp(m) => icmp("icmp", *m, text),
        Match::Icmp6(m) => icmp("icmpv6", *m, text),
        Match::Iprange(m) => iprange(m, text),
        Match::Length(m) => text.range("meta length", m.negated, m.value.0, m.value.1),
        Match::Limit(m) => limit(*m, text),
        Match::Mac(m) => {
            let [a, b, c, d, e, f] = m.value;
            let address = format_args!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}").to_string();
            text.equals("ether saddr", m.negated, address);
        }
        Match::Mark(m) => mark("mark", *m, text),
        Match::Multiport(m) => multiport(m, text)?,
        Match::Owner(m) => owner(m, text),
        Match::Pkttype(m) => {
            let word = match m.value {
                Pkttype::Unicast => "unicast",
                Pkttype::Broadcast => "broadcast",
                Pkttype::Multicast => "multicast",
            };
            text.equals("pkttype", m.negated, word);
        }
        Match::Rpfilter(m) => rpfilter(*m, text),
        Match::Sctp(m) => ports("sctp", m.sport, m.dport, text),
        Match::State(m) => state(*m, text),
        Match::Tcp(m) => tcp(m, text),
        Match::Tos(m) => tos(*m, text),
        Match::Hl(m) => ttl("ip6 hoplimit", *m, text),
        Match::Ttl(m) => ttl("ip ttl", *m, text),
        Match::Udp(m) => ports("udp", m.sport, m.dport, text),
        // It stands at the end of the rule.
        Match::Comment(_) => {}
        _ => return Err(Untranslatable::Text { part: "match", reason: "nft has no words for it" }),
    }
    Ok(())
}

fn family(text: &Text) -> &'static str {
    match text.family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

/// The names of the bits that are set, lowest first.
fn names<N: Copy>(bits: N, table: &[(N, &'static str)], contains: impl Fn(&N, N) -> bool) -> Vec<&'static str> {
    table.iter().filter(|(bit, _)| contains(&bits, *bit)).map(|(_, name)| *name).collect()
}

fn addrtype(m: &Addrtype, text: &mut Text) {
    const NAMES: [(AddrTypes, &str); 10] = [
        (AddrTypes::UNSPEC, "unspec"),
        (AddrTypes::UNICAST, "unicast"),
        (AddrTypes::LOCAL, "local"),
        (AddrTypes::BROADCAST, "broadcast"),
        (AddrTypes::ANYCAST, "anycast"),
        (AddrTypes::MULTICAST, "multicast"),
        (AddrTypes::BLACKHOLE, "blackhole"),
        (AddrTypes::UNREACHABLE, "unreachable"),
        (AddrTypes::PROHIBIT, "prohibit"),
        (AddrTypes::THROW, "9"),
    ];
    for (types, field) in [(m.source, "fib saddr type"), (m.destination, "fib daddr type")] {
        let Some(Not { negated, value }) = types else { continue };
        let mut names = names(value, &NAMES, AddrTypes::contains);
        names.extend(value.contains(AddrTypes::NAT).then_some("10"));
        names.extend(value.contains(AddrTypes::XRESOLVE).then_some("11"));
        match names.as_slice() {
            [one] => text.equals(field, negated, one),
            several => text.equals(field, negated, format_args!("{{ {} }}", several.join(", "))),
        }
    }
}

fn mark(field: &str, m: Not<MarkMask>, text: &mut Text) {
    let Not { negated, value: MarkMask { value, mask } } = m;
    match mask {
        u32::MAX => text.equals(field, negated, format_args!("{value:#x}")),
        mask => text.masked(field, "and", format_args!("{mask:#x}"), negated, format_args!("{value:#x}")),
    }
}

/// `ct state a,b`: any of them; with `!`, none of them.
fn any_of(field: &str, negated: bool, names: &[&str], text: &mut Text) {
    match names {
        [] => text.masked(field, "&", "0x0", !negated, "0x0"),
        names if negated => text.word(format_args!("{field} ! {}", names.join(","))),
        names => text.word(format_args!("{field} {}", names.join(","))),
    }
}

fn state(m: Not<CtStates>, text: &mut Text) {
    const NAMES: [(CtStates, &str); 5] = [
        (CtStates::INVALID, "invalid"),
        (CtStates::NEW, "new"),
        (CtStates::RELATED, "related"),
        (CtStates::ESTABLISHED, "established"),
        (CtStates::UNTRACKED, "untracked"),
    ];
    const VIRTUAL: [(CtStates, &str); 2] = [(CtStates::SNAT, "snat"), (CtStates::DNAT, "dnat")];
    // Those two stand alone, or an xt extension is needed.
    match names(m.value, &VIRTUAL, CtStates::contains).as_slice() {
        [] => any_of("ct state", m.negated, &names(m.value, &NAMES, CtStates::contains), text),
        translated => any_of("ct status", m.negated, translated, text),
    }
}

fn conntrack(m: &Conntrack, text: &mut Text) -> Result<(), Untranslatable> {
    const STATUS: [(CtStatus, &str); 4] = [
        (CtStatus::EXPECTED, "expected"),
        (CtStatus::SEEN_REPLY, "seen-reply"),
        (CtStatus::ASSURED, "assured"),
        (CtStatus::CONFIRMED, "confirmed"),
    ];
    if let Some(states) = m.state {
        state(states, text);
    }
    if let Some(Not { negated, value }) = m.protocol {
        text.equals("ct original protocol", negated, value.0);
    }
    for (address, field) in [
        (m.original_source, "original ip saddr"),
        (m.original_destination, "original ip daddr"),
        (m.reply_source, "reply ip saddr"),
        (m.reply_destination, "reply ip daddr"),
    ] {
        if let Some(address) = address {
            let field = if text.family == Family::Ipv4 { field.to_owned() } else { field.replace("ip ", "ip6 ") };
            text.address(format_args!("ct {field}"), address);
        }
    }
    let ports = [
        (m.original_source_port, "ct original proto-src"),
        (m.original_destination_port, "ct original proto-dst"),
        (m.reply_source_port, "ct reply proto-src"),
        (m.reply_destination_port, "ct reply proto-dst"),
    ];
    for (ports, field) in ports {
        if let Some(Not { negated, value }) = ports {
            let known = text.protocol.is_some_and(|p| !p.negated && has_ports(p.value));
            if !known {
                let reason = "nft compares ports of a connection only where the rule says the protocol";
                return Err(Untranslatable::Text { part: "conntrack", reason });
            }
            text.range(field, negated, value.first(), value.last());
        }
    }
    if let Some(Not { negated, value }) = m.status {
        any_of("ct status", negated, &names(value, &STATUS, CtStatus::contains), text);
    }
    if let Some(Not { negated, value: (first, last) }) = m.expire {
        // A second of iptables is a thousand milliseconds of nft.
        let last = last.checked_mul(1000).and_then(|ms| ms.checked_add(999)).unwrap_or(u32::MAX);
        text.range("ct expiration", negated, format!("{}ms", first.saturating_mul(1000)), format!("{last}ms"));
    }
    match m.direction {
        Some(CtDirection::Original) => text.word("ct direction original"),
        Some(CtDirection::Reply) => text.word("ct direction reply"),
        None => {}
    }
    Ok(())
}

/// Protocols whose ports nft knows.
pub(super) fn has_ports(protocol: Protocol) -> bool {
    [Protocol::TCP, Protocol::UDP, Protocol::UDPLITE, Protocol::SCTP, Protocol::DCCP].contains(&protocol)
}

type Ports = Option<Not<PortRange>>;

fn ports(protocol: &str, sport: Ports, dport: Ports, text: &mut Text) {
    if sport.is_none() && dport.is_none() {
        // A match without options asks that the header be there.
        text.word("@th,0,24 >= 0");
    }
    for (ports, side) in [(sport, "sport"), (dport, "dport")] {
        if let Some(Not { negated, value }) = ports {
            text.range(format_args!("{protocol} {side}"), negated, value.first(), value.last());
        }
    }
}

/// Whether ports are asked for, or that the header be there, as in the native encoding.
fn asks_ports(m: &Tcp) -> bool {
    m.sport.is_some() || m.dport.is_some() || (m.flags.is_none() && m.option.is_none_or(|o| o.negated))
}

/// Whether a field of the TCP header is asked for.
pub(super) fn asks_tcp_header(m: &Tcp) -> bool {
    m.sport.is_some() || m.dport.is_some() || m.flags.is_some()
}

fn tcp(m: &Tcp, text: &mut Text) {
    if asks_ports(m) {
        ports("tcp", m.sport, m.dport, text);
    }
    if let Some(Not { negated, value }) = m.option {
        text.word(format_args!("tcp option {value} {}", if negated { "missing" } else { "exists" }));
    }
    if let Some(Not { negated, value }) = m.flags {
        if value.mask == 0 || value.set & !value.mask != 0 {
            text.masked("tcp flags", "&", format_args!("{:#x}", value.mask), negated, format_args!("{:#x}", value.set));
        } else {
            text.equals("tcp flags", negated, format_args!("{} / {}", flags(value.set), flags(value.mask)));
        }
    }
}

fn flags(bits: u8) -> String {
    const NAMES: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
    let set: Vec<_> = NAMES.iter().enumerate().filter(|(bit, _)| bits & 1 << bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "0x0".to_owned() } else { set.join(",") }
}

/// Whether `icmp type` alone says it.
pub(super) fn is_icmp_type(m: &Not<IcmpType>) -> bool {
    m.value.codes == (0, u8::MAX) || m.value.kind == IcmpType::ANY.kind || positive_code(*m).is_some()
}

/// The code of a type with one code that is not negated: two comparisons that nft makes one of.
fn positive_code(m: Not<IcmpType>) -> Option<u8> {
    (!m.negated && m.value.codes.0 == m.value.codes.1).then_some(m.value.codes.0)
}

fn icmp(word: &str, m: Not<IcmpType>, text: &mut Text) {
    let Not { negated, value: IcmpType { kind, codes: (first, last) } } = m;
    if kind == IcmpType::ANY.kind && text.family == Family::Ipv4 {
        text.word(format_args!("{word} type {} 0", if negated { "<" } else { ">=" }));
    } else if (first, last) == (0, u8::MAX) {
        match icmp_name(text.family, kind) {
            Some(name) => text.equals(format_args!("{word} type"), negated, name),
            None => text.equals(format_args!("{word} type"), negated, kind),
        }
    } else if let Some(code) = positive_code(m) {
        text.word(format_args!("{word} type {kind} {word} code {code}"));
    } else {
        let pair = |code| format!("{:#06x}", u16::from_be_bytes([kind, code]));
        text.range("@th,0,16", negated, pair(first), pair(last));
    }
}

/// nft's names of types.
fn icmp_name(family: Family, kind: u8) -> Option<&'static str> {
    Some(match (family, kind) {
        (Family::Ipv4, 0) | (Family::Ipv6, 129) => "echo-reply",
        (Family::Ipv4, 3) | (Family::Ipv6, 1) => "destination-unreachable",
        (Family::Ipv4, 4) => "source-quench",
        (Family::Ipv4, 5) => "redirect",
        (Family::Ipv4, 8) | (Family::Ipv6, 128) => "echo-request",
        (Family::Ipv4, 9) => "router-advertisement",
        (Family::Ipv4, 10) => "router-solicitation",
        (Family::Ipv4, 11) | (Family::Ipv6, 3) => "time-exceeded",
        (Family::Ipv4, 12) | (Family::Ipv6, 4) => "parameter-problem",
        (Family::Ipv4, 13) => "timestamp-request",
        (Family::Ipv4, 14) => "timestamp-reply",
        (Family::Ipv4, 17) => "address-mask-request",
        (Family::Ipv4, 18) => "address-mask-reply",
        (Family::Ipv6, 2) => "packet-too-big",
        (Family::Ipv6, 130) => "mld-listener-query",
        (Family::Ipv6, 131) => "mld-listener-report",
        (Family::Ipv6, 132) => "mld-listener-done",
        (Family::Ipv6, 133) => "nd-router-solicit",
        (Family::Ipv6, 134) => "nd-router-advert",
        (Family::Ipv6, 135) => "nd-neighbor-solicit",
        (Family::Ipv6, 136) => "nd-neighbor-advert",
        (Family::Ipv6, 137) => "nd-redirect",
        _ => return None,
    })
}

fn iprange(m: &Iprange, text: &mut Text) {
    for (range, side) in [(m.source, "saddr"), (m.destination, "daddr")] {
        if let Some(Not { negated, value: (first, last) }) = range {
            text.equals(format_args!("{} {side}", family(text)), negated, format_args!("{first}-{last}"));
        }
    }
}

fn limit(m: Limit, text: &mut Text) {
    let unit = match m.unit {
        RateUnit::Second => "second",
        RateUnit::Minute => "minute",
        RateUnit::Hour => "hour",
        RateUnit::Day => "day",
    };
    text.word(format_args!("limit rate {}/{unit} burst {} packets", m.rate, m.burst));
}

fn multiport(m: &Multiport, text: &mut Text) -> Result<(), Untranslatable> {
    let protocol = text
        .protocol
        .and_then(|p| protocol_name(p.value))
        .ok_or(Untranslatable::Text { part: "multiport", reason: "it needs a protocol with ports" })?;
    let show = |p: &PortRange| {
        if p.is_single() { p.first().to_string() } else { format!("{}-{}", p.first(), p.last()) }
    };
    let list = match m.ports.as_slice() {
        [one] => show(one),
        ports => format!("{{ {} }}", ports.iter().map(show).collect::<Vec<_>>().join(", ")),
    };
    match m.side {
        MultiportSide::Source => text.equals(format_args!("{protocol} sport"), m.negated, list),
        MultiportSide::Destination => text.equals(format_args!("{protocol} dport"), m.negated, list),
        MultiportSide::Either if m.negated => {
            text.equals(format_args!("{protocol} sport"), true, &list);
            text.equals(format_args!("{protocol} dport"), true, &list);
        }
        MultiportSide::Either => {
            let pairs = m.ports.iter().map(|p| format!("0-65535 . {0}, {0} . 0-65535", show(p)));
            let pairs = pairs.collect::<Vec<_>>().join(", ");
            text.word(format_args!("{protocol} sport . {protocol} dport {{ {pairs} }}"));
        }
    }
    Ok(())
}

fn owner(m: &Owner, text: &mut Text) {
    for (ids, field) in [(m.uid, "skuid"), (m.gid, "skgid")] {
        if let Some(Not { negated, value: (first, last) }) = ids {
            text.range(field, negated, first, last);
        }
    }
}

fn rpfilter(m: Rpfilter, text: &mut Text) {
    let mark = if m.contains(Rpfilter::VALID_MARK) { " . mark" } else { "" };
    let input = if m.contains(Rpfilter::LOOSE) { "" } else { " . iif" };
    text.equals(format_args!("fib saddr{mark}{input} oif"), !m.contains(Rpfilter::INVERT), 0);
}

fn tos(m: Not<Tos>, text: &mut Text) {
    let Not { negated, value: Tos { value, mask } } = m;
    let hex = |bits: u16| format!("{bits:#x}");
    match (text.family, mask) {
        (Family::Ipv4, u8::MAX) => text.equals("@nh,8,8", negated, hex(value.into())),
        (Family::Ipv4, mask) => text.masked("@nh,8,8", "&", hex(mask.into()), negated, hex(value.into())),
        (Family::Ipv6, mask) => {
            text.masked("@nh,0,16", "&", hex(u16::from(mask) << 4), negated, hex(u16::from(value) << 4));
        }
    }
}

fn ttl(field: impl Display, m: Ttl, text: &mut Text) {
    match m.op {
        TtlOp::Eq => text.equals(field, false, m.value),
        TtlOp::Ne => text.equals(field, true, m.value),
        TtlOp::Lt => text.word(format_args!("{field} lt {}", m.value)),
        TtlOp::Gt => text.word(format_args!("{field} gt {}", m.value)),
    }
}
