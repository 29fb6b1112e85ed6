//! `-j REJECT`: drops the packet and tells its sender.

use nftwrap::rule::targets::Reject;
use nftwrap::rule::{Family, Protocol, Target};

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;
use crate::value::Fault;

pub(crate) static EXTENSION: Extension = Extension {
    name: "REJECT",
    family: None,
    options: &[OptionSpec::value(&["reject-with"], &["answer"])],
    summary: "drops the packet and answers with an ICMP error (port unreachable unless given) or a TCP reset",
    parse: Parse::Target(parse),
};

/// Name, short name and value, in the order in which a shortened name is looked for.
const ANSWERS4: [(&str, &str, Reject); 8] = [
    ("icmp-net-unreachable", "net-unreach", Reject::NetUnreachable),
    ("icmp-host-unreachable", "host-unreach", Reject::HostUnreachable),
    ("icmp-proto-unreachable", "proto-unreach", Reject::ProtoUnreachable),
    ("icmp-port-unreachable", "port-unreach", Reject::PortUnreachable),
    ("icmp-net-prohibited", "net-prohib", Reject::NetProhibited),
    ("icmp-host-prohibited", "host-prohib", Reject::HostProhibited),
    ("tcp-reset", "tcp-rst", Reject::TcpReset),
    ("icmp-admin-prohibited", "admin-prohib", Reject::AdminProhibited),
];

const ANSWERS6: [(&str, &str, Reject); 7] = [
    ("icmp6-no-route", "no-route", Reject::NoRoute),
    ("icmp6-adm-prohibited", "adm-prohibited", Reject::AdmProhibited6),
    ("icmp6-addr-unreachable", "addr-unreach", Reject::AddrUnreachable),
    ("icmp6-port-unreachable", "port-unreach", Reject::PortUnreachable),
    ("tcp-reset", "tcp-reset", Reject::TcpReset),
    ("icmp6-policy-fail", "policy-fail", Reject::PolicyFail),
    ("icmp6-reject-route", "reject-route", Reject::RejectRoute),
];

fn answers(family: Family) -> &'static [(&'static str, &'static str, Reject)] {
    match family {
        Family::Ipv4 => &ANSWERS4,
        Family::Ipv6 => &ANSWERS6,
    }
}

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    let answer = o.value("reject-with", |text| {
        let starts = |name: &str| name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
        let mut all = answers(o.family).iter().filter(|_| !text.is_empty());
        all.find(|(name, short, _)| starts(name) || starts(short)).map(|&(.., answer)| answer).ok_or(Fault::Bad)
    })?;
    let answer = answer.unwrap_or(Reject::PortUnreachable);
    if answer == Reject::TcpReset {
        o.needs_protocol(&[Protocol::TCP], "`-p tcp' for a TCP reset")?;
    }
    Ok(Target::Reject(answer))
}

pub(super) fn print(reject: Reject, family: Family, out: &mut String) {
    out.push_str(" -j REJECT --reject-with ");
    // An answer that the family lacks is printed by the other family's name; the compiler refuses such a rule.
    let mut all = answers(family).iter().chain(&ANSWERS4).chain(&ANSWERS6);
    out.push_str(all.find(|(.., answer)| *answer == reject).map_or("", |&(name, ..)| name));
}
