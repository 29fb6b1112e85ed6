//! `-j CLASSIFY`: the packet's class for traffic control.

use nftwrap::rule::Target;

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "CLASSIFY",
    family: None,
    options: &[OptionSpec::value(&["set-class"], &["major:minor"])],
    summary: "sets the class for traffic control (hexadecimal); OUTPUT, FORWARD and POSTROUTING only",
    parse: Parse::Target(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    let class = o.value("set-class", |text| {
        let (major, minor) = text.split_once(':').ok_or(Fault::Bad)?;
        Ok(u32::from(half(major)?) << 16 | u32::from(half(minor)?))
    })?;
    class.map(Target::Classify).ok_or_else(|| o.missing("set-class"))
}

/// Sixteen bits in hexadecimal, with or without `0x`.
fn half(text: &str) -> Result<u16, Fault> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| hex).ok_or(Fault::Bad)
}

pub(super) fn print(class: u32, out: &mut String) {
    value::print(out, format_args!(" -j CLASSIFY --set-class {:04x}:{:04x}", class >> 16, class & 0xffff));
}
