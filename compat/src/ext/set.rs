//! `-m set`: membership in an ipset.

use nftwrap::name::IpsetName;
use nftwrap::rule::matches::{Set, SetCounter, SetCounterOp, SetDirection};
use nftwrap::rule::{Match, Not};

use super::options::{Options, names, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value;

pub(crate) static EXTENSION: Extension = Extension {
    name: "set",
    family: None,
    options: &[
        OptionSpec::value(&["match-set"], &["name", "src|dst[,src|dst...]"]).negatable(),
        OptionSpec::flag(&["return-nomatch"]),
        OptionSpec::flag(&["update-counters"]).negatable(),
        OptionSpec::flag(&["update-subcounters"]).negatable(),
        OptionSpec::value(&["packets-eq"], &["count"]).negatable(),
        OptionSpec::value(&["packets-lt"], &["count"]),
        OptionSpec::value(&["packets-gt"], &["count"]),
        OptionSpec::value(&["bytes-eq"], &["count"]).negatable(),
        OptionSpec::value(&["bytes-lt"], &["count"]),
        OptionSpec::value(&["bytes-gt"], &["count"]),
    ],
    summary: "membership in an ipset",
    parse: Parse::Match(parse),
};

/// The most dimensions of a set: `IPSET_DIM_MAX`.
const DIMENSIONS: usize = 6;

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let given = o.get("match-set").ok_or_else(|| o.missing("match-set"))?;
    let name = IpsetName::new(given.text()).map_err(|_| o.fault(given, value::Fault::Bad))?;
    let directions = given.second().split(',').map(|word| match word {
        "src" => Ok(SetDirection::Source),
        "dst" => Ok(SetDirection::Destination),
        _ => Err(o.second_fault(given)),
    });
    let directions = directions.collect::<Result<Vec<_>, _>>()?;
    if directions.len() > DIMENSIONS {
        return Err(o.second_fault(given));
    }
    let negated = |name| o.flag(name).is_some_and(|flag| flag.negated);
    Ok(Match::Set(Box::new(Set {
        name: Not { negated: given.negated, value: name },
        directions,
        return_nomatch: o.has("return-nomatch"),
        keep_counters: negated("update-counters"),
        keep_subcounters: negated("update-subcounters"),
        packets: counter(o, ["packets-eq", "packets-lt", "packets-gt"])?,
        bytes: counter(o, ["bytes-eq", "bytes-lt", "bytes-gt"])?,
    })))
}

fn counter(o: &Options<'_, '_>, names: [&'static str; 3]) -> Result<Option<SetCounter>, ParseError> {
    let Some(given) = o.one_of(&names)? else { return Ok(None) };
    let [eq, lt, _] = names;
    let op = match given.option.name() {
        name if name == eq && given.negated => SetCounterOp::Ne,
        name if name == eq => SetCounterOp::Eq,
        name if name == lt => SetCounterOp::Lt,
        _ => SetCounterOp::Gt,
    };
    let value = value::u64(given.text()).map_err(|fault| o.fault(given, fault))?;
    Ok(Some(SetCounter { op, value }))
}

pub(super) fn print(set: &Set, out: &mut String) {
    out.push_str(" -m set");
    option(set.name.negated, "match-set ", out);
    out.push_str(set.name.value.as_str());
    let direction = |direction: &SetDirection| match direction {
        SetDirection::Source => "src",
        SetDirection::Destination => "dst",
    };
    names(set.directions.iter().map(direction), out);
    for (given, text) in [
        (set.return_nomatch, " --return-nomatch"),
        (set.keep_counters, " ! --update-counters"),
        (set.keep_subcounters, " ! --update-subcounters"),
    ] {
        if given {
            out.push_str(text);
        }
    }
    for (what, counter) in [("packets", set.packets), ("bytes", set.bytes)] {
        if let Some(SetCounter { op, value }) = counter {
            let (negated, op) = match op {
                SetCounterOp::Eq => (false, "eq"),
                SetCounterOp::Ne => (true, "eq"),
                SetCounterOp::Lt => (false, "lt"),
                SetCounterOp::Gt => (false, "gt"),
            };
            option(negated, what, out);
            value::print(out, format_args!("-{op} {value}"));
        }
    }
}
