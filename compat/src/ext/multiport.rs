//! `-m multiport`: up to 15 ports.

use nftwrap::rule::matches::{Multiport, MultiportSide};
use nftwrap::rule::{Match, PortRange, Protocol};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::{ErrorKind, ParseError};
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "multiport",
    family: None,
    options: &[
        OptionSpec::value(&["sports", "source-ports"], &["port[:port][,port...]"]).negatable(),
        OptionSpec::value(&["dports", "destination-ports"], &["port[:port][,port...]"]).negatable(),
        OptionSpec::value(&["ports"], &["port[:port][,port...]"]).negatable(),
    ],
    summary: "a list of ports; 15 places, a range takes two",
    parse: Parse::Match(parse),
};

const PROTOCOLS: [Protocol; 5] = [Protocol::TCP, Protocol::UDP, Protocol::UDPLITE, Protocol::SCTP, Protocol::DCCP];

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.needs_protocol(&PROTOCOLS, "`-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'")?;
    let given = o.one_of(&["sports", "dports", "ports"])?;
    let given = given.ok_or_else(|| o.missing_one_of("--sports, --dports, --ports"))?;
    let protocol = o.protocol.map(|p| p.value);
    let ports = given.text().split(',').map(|text| ports(text, protocol)).collect::<Result<Vec<_>, _>>();
    let side = match given.option.name() {
        "sports" => MultiportSide::Source,
        "dports" => MultiportSide::Destination,
        _ => MultiportSide::Either,
    };
    let ports = ports.map_err(|fault| o.fault(given, fault))?;
    let multiport = Multiport { side, negated: given.negated, ports };
    if multiport.slots() > Multiport::SLOTS {
        return Err(o.fault(given, ErrorKind::TooManyPorts.into()));
    }
    Ok(Match::Multiport(multiport))
}

/// A port or a range; unlike elsewhere both ends are there and differ.
fn ports(text: &str, protocol: Option<Protocol>) -> Result<PortRange, Fault> {
    let Some((first, last)) = text.split_once(':') else {
        return value::port(text, protocol).map(PortRange::single);
    };
    let (first, last) = (value::port(first, protocol)?, value::port(last, protocol)?);
    let range = PortRange::new(first, last).filter(|range| !range.is_single());
    range.ok_or_else(|| ErrorKind::ReversedRange { range: text.into() }.into())
}

pub(super) fn print(multiport: &Multiport, out: &mut String) {
    out.push_str(" -m multiport");
    let name = match multiport.side {
        MultiportSide::Source => "sports",
        MultiportSide::Destination => "dports",
        MultiportSide::Either => "ports",
    };
    option(multiport.negated, name, out);
    let mut separator = ' ';
    for &ports in &multiport.ports {
        out.push(separator);
        value::print_ports(ports, ':', out);
        separator = ',';
    }
}
