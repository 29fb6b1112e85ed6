//! `-m physdev`: bridge ports.

use nftwrap::rule::matches::Physdev;
use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value;

pub(crate) static EXTENSION: Extension = Extension {
    name: "physdev",
    family: None,
    options: &[
        OptionSpec::value(&["physdev-in"], &["interface"]).negatable(),
        OptionSpec::value(&["physdev-out"], &["interface"]).negatable(),
        OptionSpec::flag(&["physdev-is-in"]).negatable(),
        OptionSpec::flag(&["physdev-is-out"]).negatable(),
        OptionSpec::flag(&["physdev-is-bridged"]).negatable(),
    ],
    summary: "bridge port by which the packet came or goes",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let physdev = Physdev {
        input: o.negatable("physdev-in", value::interface)?,
        output: o.negatable("physdev-out", value::interface)?,
        is_in: o.flag("physdev-is-in"),
        is_out: o.flag("physdev-is-out"),
        is_bridged: o.flag("physdev-is-bridged"),
    };
    if physdev == Physdev::default() {
        return Err(o.missing_one_of("--physdev-in, --physdev-out, --physdev-is-in, ..."));
    }
    Ok(Match::Physdev(Box::new(physdev)))
}

pub(super) fn print(physdev: &Physdev, out: &mut String) {
    out.push_str(" -m physdev");
    let flag = |name, flag: Option<Not<()>>, out: &mut String| {
        if let Some(Not { negated, .. }) = flag {
            option(negated, name, out);
        }
    };
    let interface = |name, interface: &Option<Not<_>>, out: &mut String| {
        if let Some(Not { negated, value }) = interface {
            option(*negated, name, out);
            crate::print::interface(value, out);
        }
    };
    flag("physdev-is-in", physdev.is_in, out);
    interface("physdev-in ", &physdev.input, out);
    flag("physdev-is-out", physdev.is_out, out);
    interface("physdev-out ", &physdev.output, out);
    flag("physdev-is-bridged", physdev.is_bridged, out);
}
