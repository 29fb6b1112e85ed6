//! `-j LOG`: a line in the kernel log.

use nftwrap::rule::Target;
use nftwrap::rule::targets::{Log, LogFlags};

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;
use crate::lex::quote;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "LOG",
    family: None,
    options: &[
        OptionSpec::value(&["log-prefix"], &["text"]),
        OptionSpec::value(&["log-level"], &["0-7|name"]),
        OptionSpec::flag(&["log-tcp-sequence"]),
        OptionSpec::flag(&["log-tcp-options"]),
        OptionSpec::flag(&["log-ip-options"]),
        OptionSpec::flag(&["log-uid"]),
        OptionSpec::flag(&["log-macdecode"]),
    ],
    summary: "a line in the kernel log, with a prefix of up to 29 bytes",
    parse: Parse::Target(parse),
};

/// The longest prefix, in bytes: the kernel's 30 with its NUL.
const PREFIX_MAX: usize = 29;
/// The level when none is given: warning.
const DEFAULT_LEVEL: u8 = 4;
/// The names of syslog, by number; some have two.
const LEVELS: [(&str, u8); 10] = [
    ("emerg", 0),
    ("panic", 0),
    ("alert", 1),
    ("crit", 2),
    ("err", 3),
    ("error", 3),
    ("warning", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
];
/// In the order in which they are printed.
const FLAGS: [(&str, LogFlags); 5] = [
    ("log-tcp-sequence", LogFlags::TCP_SEQUENCE),
    ("log-tcp-options", LogFlags::TCP_OPTIONS),
    ("log-ip-options", LogFlags::IP_OPTIONS),
    ("log-uid", LogFlags::UID),
    ("log-macdecode", LogFlags::MAC_DECODE),
];

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    let prefix = o.value("log-prefix", |text| {
        // As iptables does, a longer prefix is cut.
        let cut = value::cut(text, PREFIX_MAX);
        if cut.is_empty() { Err(Fault::Bad) } else { Ok(cut.into()) }
    })?;
    let level = o.value("log-level", |text| {
        let named = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map_or_else(|| value::number(text, 0, 7).map(|n| u8::try_from(n).unwrap_or(7)), |&(_, level)| Ok(level))
    })?;
    let flags = FLAGS.iter().filter(|(name, _)| o.has(name)).map(|&(_, flag)| flag).collect();
    Ok(Target::Log(Log { level: level.unwrap_or(DEFAULT_LEVEL), prefix: prefix.unwrap_or_default(), flags }))
}

pub(super) fn print(log: &Log, out: &mut String) {
    out.push_str(" -j LOG");
    if !log.prefix.is_empty() {
        out.push_str(" --log-prefix ");
        quote(&log.prefix, out);
    }
    if log.level != DEFAULT_LEVEL {
        value::print(out, format_args!(" --log-level {}", log.level));
    }
    for (name, _) in FLAGS.iter().filter(|&&(_, flag)| log.flags.contains(flag)) {
        out.push_str(" --");
        out.push_str(name);
    }
}
