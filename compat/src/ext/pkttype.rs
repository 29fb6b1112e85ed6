//! `-m pkttype`: how the packet was addressed on the link.

use nftwrap::rule::matches::Pkttype;
use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value::Fault;

pub(crate) static EXTENSION: Extension = Extension {
    name: "pkttype",
    family: None,
    options: &[OptionSpec::value(&["pkt-type"], &["unicast|broadcast|multicast"]).negatable()],
    summary: "whether the packet was sent to one, all or a group on the link",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let kind = o.negatable("pkt-type", |text| match text.to_ascii_lowercase().as_str() {
        "unicast" | "host" => Ok(Pkttype::Unicast),
        "broadcast" | "bcast" => Ok(Pkttype::Broadcast),
        "multicast" | "mcast" => Ok(Pkttype::Multicast),
        _ => Err(Fault::Bad),
    })?;
    kind.map(Match::Pkttype).ok_or_else(|| o.missing("pkt-type"))
}

pub(super) fn print(kind: &Not<Pkttype>, out: &mut String) {
    out.push_str(" -m pkttype");
    let name = match kind.value {
        Pkttype::Unicast => "pkt-type unicast",
        Pkttype::Broadcast => "pkt-type broadcast",
        Pkttype::Multicast => "pkt-type multicast",
    };
    option(kind.negated, name, out);
}
