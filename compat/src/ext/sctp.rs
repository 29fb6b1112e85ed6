//! `-m sctp`: ports of SCTP.

use nftwrap::rule::matches::Sctp;
use nftwrap::rule::{Match, Protocol};

use super::options::Options;
use super::tcp::print_ports;
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;

pub(crate) static EXTENSION: Extension = Extension {
    name: "sctp",
    family: None,
    options: &[
        OptionSpec::value(&["sport", "source-port"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["dport", "destination-port"], &["port[:port]"]).negatable(),
    ],
    summary: "ports of SCTP",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.needs_protocol(&[Protocol::SCTP], "`-p sctp'")?;
    Ok(Match::Sctp(Sctp { sport: o.ports("sport")?, dport: o.ports("dport")? }))
}

pub(super) fn print(ports: &Sctp, out: &mut String) {
    out.push_str(" -m sctp");
    print_ports(ports.sport, ports.dport, out);
}
