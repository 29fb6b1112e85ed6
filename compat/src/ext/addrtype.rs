//! `-m addrtype`: what kind of address it is for this host's routing.

use nftwrap::rule::matches::{AddrTypes, Addrtype, AddrtypeLimit};
use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value::Fault;

pub(crate) static EXTENSION: Extension = Extension {
    name: "addrtype",
    family: None,
    options: &[
        OptionSpec::value(&["src-type"], &["type[,type...]"]).negatable(),
        OptionSpec::value(&["dst-type"], &["type[,type...]"]).negatable(),
        OptionSpec::flag(&["limit-iface-in"]),
        OptionSpec::flag(&["limit-iface-out"]),
    ],
    summary: "type of the source or destination address by the routing table",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let limit = o.one_of(&["limit-iface-in", "limit-iface-out"])?.map(|given| match given.option.name() {
        "limit-iface-in" => AddrtypeLimit::In,
        _ => AddrtypeLimit::Out,
    });
    let (source, destination) = (o.negatable("src-type", types)?, o.negatable("dst-type", types)?);
    if source.is_none() && destination.is_none() {
        return Err(o.missing_one_of("--src-type, --dst-type"));
    }
    Ok(Match::Addrtype(Addrtype { source, destination, limit }))
}

/// Names in any case; the first that starts with a word is meant by it.
fn types(text: &str) -> Result<AddrTypes, Fault> {
    text.split(',').try_fold(AddrTypes::empty(), |all, word| {
        let starts = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let mut names = AddrTypes::all().iter_names().filter(|_| !word.is_empty());
        let (_, one) = names.find(|(name, _)| starts(name)).ok_or(Fault::Bad)?;
        Ok(all | one)
    })
}

pub(super) fn print(addrtype: &Addrtype, out: &mut String) {
    out.push_str(" -m addrtype");
    for (name, types) in [("src-type", addrtype.source), ("dst-type", addrtype.destination)] {
        if let Some(Not { negated, value }) = types {
            option(negated, name, out);
            super::options::names(value.iter_names().map(|(name, _)| name), out);
        }
    }
    match addrtype.limit {
        Some(AddrtypeLimit::In) => out.push_str(" --limit-iface-in"),
        Some(AddrtypeLimit::Out) => out.push_str(" --limit-iface-out"),
        None => {}
    }
}
