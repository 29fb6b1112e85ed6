//! `-m length`: how long the packet is.

use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value;

pub(crate) static EXTENSION: Extension = Extension {
    name: "length",
    family: None,
    options: &[OptionSpec::value(&["length"], &["bytes[:bytes]"]).negatable()],
    summary: "length of the packet",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let length = o.negatable("length", |text| value::range(text, (0, u16::MAX), value::u16))?;
    length.map(Match::Length).ok_or_else(|| o.missing("length"))
}

pub(super) fn print(length: &Not<(u16, u16)>, out: &mut String) {
    out.push_str(" -m length");
    option(length.negated, "length ", out);
    let (low, high) = length.value;
    value::print_range((low.into(), high.into()), ':', out);
}
