//! `-m tos`: bits of the type-of-service byte.

use nftwrap::rule::matches::Tos;
use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "tos",
    family: None,
    options: &[OptionSpec::value(&["tos"], &["name|value[/mask]"]).negatable()],
    summary: "bits of the type-of-service byte",
    parse: Parse::Match(parse),
};

/// The names of RFC 1349; they leave the two ECN bits alone.
const NAMES: [(&str, u8); 5] = [
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
];

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let tos = o.negatable("tos", tos)?;
    tos.map(Match::Tos).ok_or_else(|| o.missing("tos"))
}

fn tos(text: &str) -> Result<Tos, Fault> {
    if let Some(&(_, value)) = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(Tos { value, mask: 0x3f });
    }
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xff"));
    Ok(Tos { value: value::u8(value)?, mask: value::u8(mask)? })
}

pub(super) fn print(tos: &Not<Tos>, out: &mut String) {
    out.push_str(" -m tos");
    option(tos.negated, "tos", out);
    value::print(out, format_args!(" {:#04x}/{:#04x}", tos.value.value, tos.value.mask));
}
