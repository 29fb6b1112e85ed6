//! `-j DNAT` and `-j SNAT`: a new destination or source.

use std::net::IpAddr;

use nftwrap::rule::targets::{Nat, NatOptions};
use nftwrap::rule::{Family, PortRange, Protocol, Target};

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::{ErrorKind, ParseError};
use crate::value::{self, Fault};

pub(crate) static DNAT: Extension = Extension {
    name: "DNAT",
    family: None,
    options: &[
        OptionSpec::value(&["to-destination"], &["[address[-address]][:port[-port][/base]]"]),
        OptionSpec::flag(&["random"]),
        OptionSpec::flag(&["persistent"]),
    ],
    summary: "a new destination; table nat, PREROUTING and OUTPUT",
    parse: Parse::Target(|o| parse(o, "to-destination").map(|nat| Target::Dnat(Box::new(nat)))),
};

pub(crate) static SNAT: Extension = Extension {
    name: "SNAT",
    family: None,
    options: &[
        OptionSpec::value(&["to-source"], &["[address[-address]][:port[-port]]"]),
        OptionSpec::flag(&["random"]),
        OptionSpec::flag(&["random-fully"]),
        OptionSpec::flag(&["persistent"]),
    ],
    summary: "a new source; table nat, POSTROUTING and INPUT",
    parse: Parse::Target(|o| parse(o, "to-source").map(|nat| Target::Snat(Box::new(nat)))),
};

/// The protocols whose ports, or identifiers, can be translated.
const PROTOCOLS: [Protocol; 6] =
    [Protocol::TCP, Protocol::UDP, Protocol::SCTP, Protocol::DCCP, Protocol::ICMP, Protocol::ICMPV6];

/// Flags in the order in which they are printed.
const FLAGS: [(&str, NatOptions); 3] = [
    ("random", NatOptions::RANDOM),
    ("random-fully", NatOptions::RANDOM_FULLY),
    ("persistent", NatOptions::PERSISTENT),
];

fn parse(o: &Options<'_, '_>, to: &'static str) -> Result<Nat, ParseError> {
    let given = o.get(to).ok_or_else(|| o.missing(to))?;
    let dnat = to == "to-destination";
    let mut nat = range(given.text(), o, dnat).map_err(|fault| o.fault(given, fault))?;
    nat.options = flags(o);
    if nat.ports.is_some() {
        check_ports(o)?;
    }
    Ok(nat)
}

/// The flags among those that the extension has.
pub(super) fn flags(o: &Options<'_, '_>) -> NatOptions {
    let known = FLAGS.iter().filter(|(name, _)| o.extension.options.iter().any(|option| option.name() == *name));
    known.filter(|(name, _)| o.has(name)).map(|&(_, flag)| flag).collect()
}

/// Ports mean something with some protocols only.
pub(super) fn check_ports(o: &Options<'_, '_>) -> Result<(), ParseError> {
    o.needs_protocol(&PROTOCOLS, "TCP, UDP, SCTP or DCCP with port specification")
}

/// `a[-b][:p[-q][/base]]`; with ports, IPv6 addresses stand in brackets.
fn range(text: &str, o: &Options<'_, '_>, dnat: bool) -> Result<Nat, Fault> {
    let (addresses, ports) = match (o.family, text.strip_prefix('[')) {
        (Family::Ipv6, Some(bracketed)) => {
            let (addresses, ports) = bracketed.split_once(']').ok_or(Fault::Bad)?;
            let ports = match ports.strip_prefix(':') {
                None if ports.is_empty() => None,
                None => return Err(Fault::Bad),
                ports => ports,
            };
            (addresses, ports)
        }
        (Family::Ipv6, None) => match text.strip_prefix(':').filter(|rest| !rest.contains(':')) {
            Some(ports) => ("", Some(ports)),
            None => (text, None),
        },
        (Family::Ipv4, _) => match text.split_once(':') {
            Some((addresses, ports)) => (addresses, Some(ports)),
            None => (text, None),
        },
    };
    let mut nat = Nat::default();
    if !addresses.is_empty() {
        let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
        nat.addresses = Some((address(first, o)?, address(last, o)?));
    } else if ports.is_none() {
        return Err(Fault::Bad);
    }
    if let Some(ports) = ports {
        let (ports, base) = match ports.split_once('/') {
            Some((ports, base)) if dnat => (ports, Some(base)),
            _ => (ports, None),
        };
        let protocol = o.protocol.map(|p| p.value);
        nat.ports = Some(port_range(ports, protocol)?);
        // A base is only there to shift a range.
        let base = base.map(|base| value::port(base, protocol)).transpose()?;
        if base.is_some() && nat.ports.is_some_and(PortRange::is_single) {
            return Err(Fault::Bad);
        }
        nat.base_port = base;
    }
    Ok(nat)
}

/// Every digit must be there: unlike in `-s`, `10.1` is no address here.
fn address(text: &str, o: &Options<'_, '_>) -> Result<IpAddr, Fault> {
    let whole = o.family == Family::Ipv6 || text.bytes().filter(|&b| b == b'.').count() == 3;
    if whole { value::address(text, o.family) } else { Err(Fault::Bad) }
}

/// `p[-q]`.
pub(super) fn port_range(text: &str, protocol: Option<Protocol>) -> Result<PortRange, Fault> {
    // Some services have a `-` in their name, so the whole text is tried first.
    if let Ok(port) = value::port(text, protocol) {
        return Ok(PortRange::single(port));
    }
    let Some((first, last)) = text.split_once('-') else {
        return Err(ErrorKind::InvalidPort { port: text.into() }.into());
    };
    let range = PortRange::new(value::port(first, protocol)?, value::port(last, protocol)?);
    range.ok_or_else(|| ErrorKind::ReversedRange { range: text.into() }.into())
}

pub(super) fn print(nat: &Nat, extension: &Extension, out: &mut String) {
    let to = extension.options.first().map_or("", OptionSpec::name);
    value::print(out, format_args!(" -j {} --{to} ", extension.name));
    let brackets = nat.ports.is_some() && matches!(nat.addresses, Some((IpAddr::V6(_), _)));
    if let Some((first, last)) = nat.addresses {
        if brackets {
            out.push('[');
        }
        value::print_address(first, out);
        if first != last {
            out.push('-');
            value::print_address(last, out);
        }
        if brackets {
            out.push(']');
        }
    }
    if let Some(ports) = nat.ports {
        out.push(':');
        value::print_ports(ports, '-', out);
    }
    if let Some(base) = nat.base_port {
        value::print(out, format_args!("/{base}"));
    }
    print_flags(nat.options, out);
}

pub(super) fn print_flags(options: NatOptions, out: &mut String) {
    for (name, _) in FLAGS.iter().filter(|&&(_, flag)| options.contains(flag)) {
        out.push_str(" --");
        out.push_str(name);
    }
}
