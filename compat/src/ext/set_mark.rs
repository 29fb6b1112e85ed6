//! `-j MARK`: sets the packet's mark.

use nftwrap::rule::{MarkMask, Target};

use super::options::Given;
use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "MARK",
    family: None,
    options: &[
        OptionSpec::value(&["set-xmark"], &["value[/mask]"]),
        OptionSpec::value(&["set-mark"], &["value[/mask]"]),
        OptionSpec::value(&["and-mark"], &["bits"]),
        OptionSpec::value(&["or-mark"], &["bits"]),
        OptionSpec::value(&["xor-mark"], &["bits"]),
    ],
    summary: "sets the packet's mark",
    parse: Parse::Target(parse),
};

const ALL: &str = "--set-xmark, --set-mark, --and-mark, --or-mark, --xor-mark";

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    let given = o.one_of(&["set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark"])?;
    let given = given.ok_or_else(|| o.missing_one_of(ALL))?;
    operation(given).map(Target::Mark).map_err(|fault| o.fault(given, fault))
}

/// The one operation all of these are: `mark = (mark & ~mask) ^ value`.
pub(super) fn operation(given: &Given<'_>) -> Result<MarkMask, Fault> {
    let text = given.text();
    Ok(match given.option.name() {
        "set-xmark" => value::mark_mask(text)?,
        "set-mark" => {
            let MarkMask { value, mask } = value::mark_mask(text)?;
            MarkMask { value, mask: value | mask }
        }
        "and-mark" => MarkMask { value: 0, mask: !value::u32(text)? },
        "or-mark" => {
            let bits = value::u32(text)?;
            MarkMask { value: bits, mask: bits }
        }
        _ => MarkMask { value: value::u32(text)?, mask: 0 },
    })
}

pub(super) fn print(mark: &MarkMask, out: &mut String) {
    value::print(out, format_args!(" -j MARK --set-xmark {:#x}/{:#x}", mark.value, mark.mask));
}
