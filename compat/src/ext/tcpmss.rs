//! `-j TCPMSS`: the maximum segment size of new TCP connections.

use nftwrap::rule::targets::Tcpmss;
use nftwrap::rule::{Protocol, Target};

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;
use crate::value;

pub(crate) static EXTENSION: Extension = Extension {
    name: "TCPMSS",
    family: None,
    options: &[OptionSpec::value(&["set-mss"], &["bytes"]), OptionSpec::flag(&["clamp-mss-to-pmtu"])],
    summary: "sets the maximum segment size in SYN packets",
    parse: Parse::Target(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    o.needs_protocol(&[Protocol::TCP], "`-p tcp'")?;
    o.one_of(&["set-mss", "clamp-mss-to-pmtu"])?;
    let size = o.value("set-mss", value::u16)?.map(Tcpmss::Set);
    let clamp = o.has("clamp-mss-to-pmtu").then_some(Tcpmss::ClampToPmtu);
    let tcpmss = size.or(clamp).ok_or_else(|| o.missing_one_of("--set-mss, --clamp-mss-to-pmtu"))?;
    Ok(Target::Tcpmss(tcpmss))
}

pub(super) fn print(tcpmss: &Tcpmss, out: &mut String) {
    match tcpmss {
        Tcpmss::Set(bytes) => value::print(out, format_args!(" -j TCPMSS --set-mss {bytes}")),
        Tcpmss::ClampToPmtu => out.push_str(" -j TCPMSS --clamp-mss-to-pmtu"),
    }
}
