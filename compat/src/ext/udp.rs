//! `-m udp`: ports of UDP.

use nftwrap::rule::matches::Udp;
use nftwrap::rule::{Match, Protocol};

use super::options::Options;
use super::tcp::{print_ports, useful};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;

pub(crate) static EXTENSION: Extension = Extension {
    name: "udp",
    family: None,
    options: &[
        OptionSpec::value(&["sport", "source-port"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["dport", "destination-port"], &["port[:port]"]).negatable(),
    ],
    summary: "ports of UDP",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.needs_protocol(&[Protocol::UDP], "`-p udp'")?;
    Ok(Match::Udp(Udp { sport: useful(o.ports("sport")?), dport: useful(o.ports("dport")?) }))
}

pub(super) fn print(ports: &Udp, out: &mut String) {
    out.push_str(" -m udp");
    print_ports(ports.sport, ports.dport, out);
}
