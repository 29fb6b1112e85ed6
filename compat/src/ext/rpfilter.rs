//! `-m rpfilter`: whether an answer would leave by the interface that the packet came in on.

use nftwrap::rule::Match;
use nftwrap::rule::matches::Rpfilter;

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;

pub(crate) static EXTENSION: Extension = Extension {
    name: "rpfilter",
    family: None,
    options: &[
        OptionSpec::flag(&["loose"]),
        OptionSpec::flag(&["validmark"]),
        OptionSpec::flag(&["accept-local"]),
        OptionSpec::flag(&["invert"]),
    ],
    summary: "reverse path test; PREROUTING of raw and mangle only",
    parse: Parse::Match(parse),
};

/// In the order in which they are printed.
const FLAGS: [(&str, Rpfilter); 4] = [
    ("loose", Rpfilter::LOOSE),
    ("validmark", Rpfilter::VALID_MARK),
    ("accept-local", Rpfilter::ACCEPT_LOCAL),
    ("invert", Rpfilter::INVERT),
];

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let given = FLAGS.iter().filter(|(name, _)| o.has(name)).map(|&(_, flag)| flag);
    Ok(Match::Rpfilter(given.collect()))
}

pub(super) fn print(flags: Rpfilter, out: &mut String) {
    out.push_str(" -m rpfilter");
    for (name, _) in FLAGS.iter().filter(|&&(_, flag)| flags.contains(flag)) {
        out.push_str(" --");
        out.push_str(name);
    }
}
