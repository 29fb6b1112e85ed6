//! `-m mac`: the Ethernet source address.

use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "mac",
    family: None,
    options: &[OptionSpec::value(&["mac-source"], &["XX:XX:XX:XX:XX:XX"]).negatable()],
    summary: "Ethernet source address; PREROUTING, INPUT and FORWARD only",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let mac = o.negatable("mac-source", mac)?;
    mac.map(Match::Mac).ok_or_else(|| o.missing("mac-source"))
}

fn mac(text: &str) -> Result<[u8; 6], Fault> {
    let mut bytes = [0; 6];
    let mut groups = text.split(':');
    for byte in &mut bytes {
        let digits = groups.next().filter(|g| (1..=2).contains(&g.len()) && g.bytes().all(|b| b.is_ascii_hexdigit()));
        *byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or(Fault::Bad)?;
    }
    groups.next().is_none().then_some(bytes).ok_or(Fault::Bad)
}

pub(super) fn print(mac: &Not<[u8; 6]>, out: &mut String) {
    out.push_str(" -m mac");
    option(mac.negated, "mac-source", out);
    let mut separator = ' ';
    for byte in mac.value {
        out.push(separator);
        value::print(out, format_args!("{byte:02x}"));
        separator = ':';
    }
}
