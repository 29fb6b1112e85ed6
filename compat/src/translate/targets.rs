//! Targets in nft's words.

use std::net::IpAddr;

use nftwrap::rule::targets::{
    Connmark, ConnmarkOp, CtZone, CtZoneDirection, CtZoneId, Log, LogFlags, Nat, NatOptions, Nflog, PortNat, Reject,
};
use nftwrap::rule::{Family, MarkMask, PortRange, Target};

use super::matches::has_ports;
use super::{Text, Untranslatable};

/// Appends a target.
pub(super) fn write(t: &Target, text: &mut Text) -> Result<(), Untranslatable> {
    match t {
        Target::Accept => text.word("accept"),
        Target::Drop => text.word("drop"),
        Target::Return => text.word("return"),
        Target::Jump(chain) => text.word(format_args!("jump {}", chain.name())),
        Target::Goto(chain) => text.word(format_args!("goto {}", chain.name())),
        Target::Classify(class) => class_words(*class, text),
        Target::Connmark(t) => connmark(*t, text),
        Target::Ct(t) if t.notrack => text.word("notrack"),
        Target::Ct(t) => zone(t.zone, text)?,
        Target::Dnat(t) => nat("dnat", t, text)?,
        Target::Log(t) => log(t, text)?,
        Target::Mark(m) => text.word(format_args!("meta mark set {}", set("mark", *m))),
        Target::Masquerade(t) => port_nat("masquerade", t, text)?,
        Target::Nflog(t) => nflog(t, text)?,
        Target::Notrack => text.word("notrack"),
        Target::Redirect(t) => port_nat("redirect", t, text)?,
        Target::Reject(t) => reject(*t, text),
        Target::Snat(t) => nat("snat", t, text)?,
        _ => return Err(Untranslatable::Text { part: "target", reason: "nft has no words for it" }),
    }
    Ok(())
}

fn class_words(class: u32, text: &mut Text) {
    match class {
        0 => text.word("meta priority set none"),
        u32::MAX => text.word("meta priority set root"),
        class => text.word(format_args!("meta priority set {:x}:{:x}", class >> 16, class & 0xffff)),
    }
}

/// `(place & ~mask) ^ value`, in the shortest words.
fn set(place: &str, m: MarkMask) -> String {
    let MarkMask { value, mask } = m;
    match (value, mask) {
        (value, u32::MAX) => format!("{value:#x}"),
        (0, mask) => format!("{place} and {:#x}", !mask),
        (value, 0) => format!("{place} xor {value:#x}"),
        (value, mask) if value == mask => format!("{place} or {value:#x}"),
        (value, mask) => format!("{place} and {:#x} xor {value:#x}", !mask),
    }
}

fn connmark(t: Connmark, text: &mut Text) {
    let masked = |place: &str, mask| {
        if mask == u32::MAX { place.to_owned() } else { format!("{place} and {mask:#x}") }
    };
    let (to, value) = match t.op {
        // A constant cannot be shifted: nft folds it, the native encoding masks all bits away and shifts what is left.
        ConnmarkOp::Set(m) if t.shift != 0 => ("ct", format!("ct mark and {:#x} xor {:#x}", !m.mask, m.value)),
        ConnmarkOp::Set(m) => ("ct", set("ct mark", m)),
        ConnmarkOp::Save { nfmask, .. } => ("ct", masked("mark", nfmask)),
        ConnmarkOp::Restore { ctmask, .. } => ("meta", masked("ct mark", ctmask)),
    };
    match t.shift {
        0 => text.word(format_args!("{to} mark set {value}")),
        left if left > 0 => text.word(format_args!("{to} mark set ( {value} ) << {left}")),
        right => text.word(format_args!("{to} mark set ( {value} ) >> {}", right.unsigned_abs())),
    }
}

fn zone(zone: Option<CtZone>, text: &mut Text) -> Result<(), Untranslatable> {
    let Some(CtZone { direction, id: CtZoneId::Number(zone) }) = zone else {
        return Err(Untranslatable::Text { part: "CT", reason: "nft sets zones by number" });
    };
    text.word(match direction {
        CtZoneDirection::Both => format!("ct zone set {zone}"),
        CtZoneDirection::Original => format!("ct original zone set {zone}"),
        CtZoneDirection::Reply => format!("ct reply zone set {zone}"),
    });
    Ok(())
}

fn nat(word: &str, t: &Nat, text: &mut Text) -> Result<(), Untranslatable> {
    let show = |addr: IpAddr| match addr {
        IpAddr::V6(addr) if t.ports.is_some() => format!("[{addr}]"),
        addr => addr.to_string(),
    };
    let addresses = match t.addresses {
        None => String::new(),
        Some((first, last)) if first == last => show(first),
        Some((first, last)) => format!("{}-{}", show(first), show(last)),
    };
    let ports = ports(t.ports, text)?;
    text.word(word);
    if !addresses.is_empty() || !ports.is_empty() {
        text.word(format_args!("to {addresses}{ports}"));
    }
    options(t.options, text);
    Ok(())
}

fn port_nat(word: &str, t: &PortNat, text: &mut Text) -> Result<(), Untranslatable> {
    let ports = ports(t.ports, text)?;
    text.word(word);
    if !ports.is_empty() {
        text.word(format_args!("to {ports}"));
    }
    options(t.options, text);
    Ok(())
}

fn ports(ports: Option<PortRange>, text: &Text) -> Result<String, Untranslatable> {
    let Some(ports) = ports else { return Ok(String::new()) };
    if !text.protocol.is_some_and(|p| !p.negated && has_ports(p.value)) {
        let reason = "nft translates ports only where the rule says the protocol";
        return Err(Untranslatable::Text { part: "--to-ports", reason });
    }
    Ok(match ports {
        one if one.is_single() => format!(":{}", one.first()),
        range => format!(":{}-{}", range.first(), range.last()),
    })
}

fn options(options: NatOptions, text: &mut Text) {
    let names = [
        (NatOptions::RANDOM, "random"),
        (NatOptions::RANDOM_FULLY, "fully-random"),
        (NatOptions::PERSISTENT, "persistent"),
    ];
    let set: Vec<_> = names.into_iter().filter(|(option, _)| options.contains(*option)).map(|(_, name)| name).collect();
    if !set.is_empty() {
        text.word(set.join(","));
    }
}

fn log(t: &Log, text: &mut Text) -> Result<(), Untranslatable> {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    text.word("log");
    if !t.prefix.is_empty() {
        text.word("prefix");
        text.quoted(&t.prefix, "--log-prefix")?;
    }
    match LEVELS.get(usize::from(t.level)) {
        Some(level) if t.level != 4 => text.word(format_args!("level {level}")),
        _ => {}
    }
    if t.flags == LogFlags::all() {
        text.word("flags all");
        return Ok(());
    }
    match (t.flags.contains(LogFlags::TCP_SEQUENCE), t.flags.contains(LogFlags::TCP_OPTIONS)) {
        (true, true) => text.word("flags tcp sequence,options"),
        (true, false) => text.word("flags tcp sequence"),
        (false, true) => text.word("flags tcp options"),
        (false, false) => {}
    }
    let rest = [(LogFlags::IP_OPTIONS, "ip options"), (LogFlags::UID, "skuid"), (LogFlags::MAC_DECODE, "ether")];
    for (flag, words) in rest {
        if t.flags.contains(flag) {
            text.word(format_args!("flags {words}"));
        }
    }
    Ok(())
}

fn nflog(t: &Nflog, text: &mut Text) -> Result<(), Untranslatable> {
    text.word("log");
    if let Some(prefix) = t.prefix.as_ref().filter(|p| !p.is_empty()) {
        text.word("prefix");
        text.quoted(prefix, "--nflog-prefix")?;
    }
    if let Some(size) = t.size {
        text.word(format_args!("snaplen {size}"));
    }
    if let Some(threshold) = t.threshold.filter(|&t| t != 0) {
        text.word(format_args!("queue-threshold {threshold}"));
    }
    text.word(format_args!("group {}", t.group));
    Ok(())
}

fn reject(t: Reject, text: &mut Text) {
    let kind = match text.family {
        Family::Ipv4 => "icmp",
        Family::Ipv6 => "icmpv6",
    };
    let code = match t {
        Reject::PortUnreachable => return text.word("reject"),
        Reject::TcpReset => return text.word("reject with tcp reset"),
        Reject::NetUnreachable => "net-unreachable",
        Reject::HostUnreachable => "host-unreachable",
        Reject::ProtoUnreachable => "prot-unreachable",
        Reject::NetProhibited => "net-prohibited",
        Reject::HostProhibited => "host-prohibited",
        Reject::AdminProhibited | Reject::AdmProhibited6 => "admin-prohibited",
        Reject::NoRoute => "no-route",
        Reject::AddrUnreachable => "addr-unreachable",
        Reject::PolicyFail => "policy-fail",
        Reject::RejectRoute => "reject-route",
    };
    text.word(format_args!("reject with {kind} type {code}"));
}
