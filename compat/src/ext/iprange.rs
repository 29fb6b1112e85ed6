//! `-m iprange`: addresses from one to another.

use std::net::IpAddr;

use nftwrap::rule::matches::Iprange;
use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "iprange",
    family: None,
    options: &[
        OptionSpec::value(&["src-range"], &["address[-address]"]).negatable(),
        OptionSpec::value(&["dst-range"], &["address[-address]"]).negatable(),
    ],
    summary: "source or destination between two addresses",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let range = |text: &str| -> Result<(IpAddr, IpAddr), Fault> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        // A reversed range matches nothing, but iptables takes it.
        Ok((value::address(first, o.family)?, value::address(last, o.family)?))
    };
    let (source, destination) = (o.negatable("src-range", range)?, o.negatable("dst-range", range)?);
    if source.is_none() && destination.is_none() {
        return Err(o.missing_one_of("--src-range, --dst-range"));
    }
    Ok(Match::Iprange(Box::new(Iprange { source, destination })))
}

pub(super) fn print(iprange: &Iprange, out: &mut String) {
    out.push_str(" -m iprange");
    for (name, range) in [("src-range ", iprange.source), ("dst-range ", iprange.destination)] {
        if let Some(Not { negated, value: (first, last) }) = range {
            option(negated, name, out);
            value::print_address(first, out);
            out.push('-');
            value::print_address(last, out);
        }
    }
}
