//! `-j CHECKSUM`: fills in a checksum that was left to the network card.

use nftwrap::rule::Target;

use super::{Extension, OptionSpec, Parse};

pub(crate) static EXTENSION: Extension = Extension {
    name: "CHECKSUM",
    family: None,
    options: &[OptionSpec::flag(&["checksum-fill"])],
    summary: "fills in the checksum; table mangle",
    parse: Parse::Target(|o| match o.has("checksum-fill") {
        true => Ok(Target::Checksum),
        false => Err(o.missing("checksum-fill")),
    }),
};

pub(super) fn print(out: &mut String) {
    out.push_str(" -j CHECKSUM --checksum-fill");
}
