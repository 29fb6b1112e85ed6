//! `-m dccp`: ports of DCCP.

use nftwrap::rule::matches::Dccp;
use nftwrap::rule::{Match, Protocol};

use super::options::Options;
use super::tcp::print_ports;
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;

pub(crate) static EXTENSION: Extension = Extension {
    name: "dccp",
    family: None,
    options: &[
        OptionSpec::value(&["sport", "source-port"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["dport", "destination-port"], &["port[:port]"]).negatable(),
    ],
    summary: "ports of DCCP",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.needs_protocol(&[Protocol::DCCP], "`-p dccp'")?;
    Ok(Match::Dccp(Dccp { sport: o.ports("sport")?, dport: o.ports("dport")? }))
}

pub(super) fn print(ports: &Dccp, out: &mut String) {
    out.push_str(" -m dccp");
    print_ports(ports.sport, ports.dport, out);
}
