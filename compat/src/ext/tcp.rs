//! `-m tcp`: ports, flags and options of TCP.

use nftwrap::rule::matches::{Tcp, TcpFlags};
use nftwrap::rule::{Match, Not, PortRange, Protocol};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value;

pub(crate) static EXTENSION: Extension = Extension {
    name: "tcp",
    family: None,
    options: &[
        OptionSpec::value(&["sport", "source-port"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["dport", "destination-port"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["tcp-option"], &["1-255"]).negatable(),
        OptionSpec::value(&["tcp-flags"], &["mask", "set"]).negatable(),
        OptionSpec::flag(&["syn"]).negatable(),
    ],
    summary: "ports, flags and options of TCP",
    parse: Parse::Match(parse),
};

/// The flags by bit.
const FLAGS: [&str; 6] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.needs_protocol(&[Protocol::TCP], "`-p tcp'")?;
    let flags = match o.one_of(&["tcp-flags", "syn"])? {
        None => None,
        Some(syn) if syn.option.values.is_empty() => Some(Not { negated: syn.negated, value: TcpFlags::SYN }),
        Some(given) => {
            let mask = flag_list(given.text()).ok_or_else(|| o.fault(given, value::Fault::Bad))?;
            let set = flag_list(given.second()).ok_or_else(|| o.second_fault(given))?;
            // Looking at no flag and finding none is what every segment does.
            let nothing = mask == 0 && set == 0 && !given.negated;
            (!nothing).then_some(Not { negated: given.negated, value: TcpFlags { mask, set } })
        }
    };
    let option = o.negatable("tcp-option", |text| value::number(text, 1, 255))?;
    Ok(Match::Tcp(Tcp {
        sport: useful(o.ports("sport")?),
        dport: useful(o.ports("dport")?),
        flags,
        option: option.map(|n| Not { negated: n.negated, value: u8::try_from(n.value).unwrap_or(u8::MAX) }),
    }))
}

/// Ports unless they are all ports, which iptables does not keep.
pub(super) fn useful(ports: Option<Not<PortRange>>) -> Option<Not<PortRange>> {
    ports.filter(|p| p.negated || p.value != PortRange::ALL)
}

fn flag_list(text: &str) -> Option<u8> {
    let mut bits = 0;
    for name in text.split(',') {
        bits |= match name.to_ascii_uppercase().as_str() {
            "ALL" => 0x3f,
            "NONE" => 0,
            name => 1 << FLAGS.iter().position(|&flag| flag == name)?,
        };
    }
    Some(bits)
}

pub(super) fn print(tcp: &Tcp, out: &mut String) {
    out.push_str(" -m tcp");
    print_ports(tcp.sport, tcp.dport, out);
    if let Some(Not { negated, value }) = tcp.option {
        option(negated, "tcp-option", out);
        value::print(out, format_args!(" {value}"));
    }
    if let Some(Not { negated, value: TcpFlags { mask, set } }) = tcp.flags {
        option(negated, "tcp-flags", out);
        print_flags(mask, out);
        print_flags(set, out);
    }
}

/// Appends `--sport` and `--dport`.
pub(super) fn print_ports(sport: Option<Not<PortRange>>, dport: Option<Not<PortRange>>, out: &mut String) {
    for (name, ports) in [("sport", sport), ("dport", dport)] {
        if let Some(Not { negated, value }) = ports {
            option(negated, name, out);
            out.push(' ');
            value::print_ports(value, ':', out);
        }
    }
}

fn print_flags(bits: u8, out: &mut String) {
    let mut separator = ' ';
    for (_, name) in FLAGS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0) {
        out.push(separator);
        out.push_str(name);
        separator = ',';
    }
    if separator == ' ' {
        out.push_str(" NONE");
    }
}
