//! `-m ttl` (IPv4) and `-m hl` (IPv6): how many hops are left.

use nftwrap::rule::matches::{Ttl, TtlOp};
use nftwrap::rule::{Family, Match};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value;

pub(crate) static TTL: Extension = Extension {
    name: "ttl",
    family: Some(Family::Ipv4),
    options: &[
        OptionSpec::value(&["ttl-eq", "ttl"], &["0-255"]).negatable(),
        OptionSpec::value(&["ttl-lt"], &["0-255"]),
        OptionSpec::value(&["ttl-gt"], &["0-255"]),
    ],
    summary: "time to live",
    parse: Parse::Match(|o| parse(o, ["ttl-eq", "ttl-lt", "ttl-gt"], "--ttl-eq, --ttl-lt, --ttl-gt").map(Match::Ttl)),
};

pub(crate) static HL: Extension = Extension {
    name: "hl",
    family: Some(Family::Ipv6),
    options: &[
        OptionSpec::value(&["hl-eq", "hl"], &["0-255"]).negatable(),
        OptionSpec::value(&["hl-lt"], &["0-255"]),
        OptionSpec::value(&["hl-gt"], &["0-255"]),
    ],
    summary: "hop limit",
    parse: Parse::Match(|o| parse(o, ["hl-eq", "hl-lt", "hl-gt"], "--hl-eq, --hl-lt, --hl-gt").map(Match::Hl)),
};

fn parse(o: &Options<'_, '_>, names: [&'static str; 3], all: &'static str) -> Result<Ttl, ParseError> {
    let given = o.one_of(&names)?.ok_or_else(|| o.missing_one_of(all))?;
    let [eq, lt, _] = names;
    let op = match given.option.name() {
        name if name == eq && given.negated => TtlOp::Ne,
        name if name == eq => TtlOp::Eq,
        name if name == lt => TtlOp::Lt,
        _ => TtlOp::Gt,
    };
    Ok(Ttl { op, value: value::u8(given.text()).map_err(|fault| o.fault(given, fault))? })
}

pub(super) fn print(ttl: &Ttl, extension: &Extension, out: &mut String) {
    let name = extension.name;
    value::print(out, format_args!(" -m {name}"));
    option(ttl.op == TtlOp::Ne, name, out);
    let op = match ttl.op {
        TtlOp::Eq | TtlOp::Ne => "eq",
        TtlOp::Lt => "lt",
        TtlOp::Gt => "gt",
    };
    value::print(out, format_args!("-{op} {}", ttl.value));
}
