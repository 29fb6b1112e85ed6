//! `-j NFLOG`: the packet to user space by an nfnetlink_log group.

use nftwrap::rule::Target;
use nftwrap::rule::targets::Nflog;

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;
use crate::lex::quote;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "NFLOG",
    family: None,
    options: &[
        OptionSpec::value(&["nflog-prefix"], &["text"]),
        OptionSpec::value(&["nflog-group"], &["number"]),
        OptionSpec::value(&["nflog-size"], &["bytes"]),
        OptionSpec::value(&["nflog-threshold"], &["packets"]),
        // Never worked; taken so that old rules still parse, and left out of what is printed.
        OptionSpec::value(&["nflog-range"], &["bytes"]),
    ],
    summary: "a copy of the packet to user space",
    parse: Parse::Target(parse),
};

/// The longest prefix, in bytes: `NF_LOG_PREFIXLEN` with its NUL.
const PREFIX_MAX: usize = 127;

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    o.one_of(&["nflog-size", "nflog-range"])?;
    o.value("nflog-range", value::u32)?;
    let prefix = o.value("nflog-prefix", |text| {
        let cut = value::cut(text, PREFIX_MAX);
        if cut.is_empty() { Err(Fault::Bad) } else { Ok(cut.into()) }
    })?;
    Ok(Target::Nflog(Nflog {
        group: o.value("nflog-group", value::u16)?.unwrap_or_default(),
        prefix,
        size: o.value("nflog-size", value::u32)?,
        threshold: o.value("nflog-threshold", value::u16)?.filter(|&threshold| threshold != 0),
    }))
}

pub(super) fn print(nflog: &Nflog, out: &mut String) {
    out.push_str(" -j NFLOG");
    if let Some(prefix) = &nflog.prefix {
        out.push_str(" --nflog-prefix ");
        quote(prefix, out);
    }
    if nflog.group != 0 {
        value::print(out, format_args!(" --nflog-group {}", nflog.group));
    }
    if let Some(size) = nflog.size {
        value::print(out, format_args!(" --nflog-size {size}"));
    }
    if let Some(threshold) = nflog.threshold.filter(|&threshold| threshold != 0) {
        value::print(out, format_args!(" --nflog-threshold {threshold}"));
    }
}
