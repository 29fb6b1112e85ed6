//! `-m mark`: the packet's mark.

use nftwrap::rule::{MarkMask, Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value;

pub(crate) static EXTENSION: Extension = Extension {
    name: "mark",
    family: None,
    options: &[OptionSpec::value(&["mark"], &["value[/mask]"]).negatable()],
    summary: "the packet's mark",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let mark = o.negatable("mark", value::mark_mask)?;
    mark.map(Match::Mark).ok_or_else(|| o.missing("mark"))
}

pub(super) fn print(mark: &Not<MarkMask>, out: &mut String) {
    out.push_str(" -m mark");
    option(mark.negated, "mark ", out);
    value::print_mark(mark.value, out);
}
