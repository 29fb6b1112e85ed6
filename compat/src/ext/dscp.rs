//! `-m dscp`: the differentiated services code point.

use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "dscp",
    family: None,
    options: &[
        OptionSpec::value(&["dscp"], &["0-63"]).negatable(),
        OptionSpec::value(&["dscp-class"], &["CSx|AFxy|BE|EF"]).negatable(),
    ],
    summary: "differentiated services code point",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let given = o.one_of(&["dscp", "dscp-class"])?.ok_or_else(|| o.missing_one_of("--dscp, --dscp-class"))?;
    let value = match given.option.name() {
        "dscp" => value::number(given.text(), 0, 63).and_then(|n| u8::try_from(n).map_err(|_| Fault::Bad)),
        _ => class(given.text()).ok_or(Fault::Bad),
    };
    let value = value.map_err(|fault| o.fault(given, fault))?;
    Ok(Match::Dscp(Not { negated: given.negated, value }))
}

/// The code point of a class of RFC 2474, 2597 and 3246.
fn class(name: &str) -> Option<u8> {
    let name = name.to_ascii_uppercase();
    let digit = |b: u8, low: u8, high: u8| (low..=high).contains(&b).then(|| b - b'0');
    match name.as_bytes() {
        b"BE" => Some(0),
        b"EF" => Some(0x2e),
        [b'C', b'S', x] => Some(8 * digit(*x, b'0', b'7')?),
        [b'A', b'F', x, y] => Some(8 * digit(*x, b'1', b'4')? + 2 * digit(*y, b'1', b'3')?),
        _ => None,
    }
}

pub(super) fn print(dscp: &Not<u8>, out: &mut String) {
    out.push_str(" -m dscp");
    option(dscp.negated, "dscp", out);
    value::print(out, format_args!(" {:#04x}", dscp.value));
}
