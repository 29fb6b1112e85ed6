//! `-j CONNMARK`: sets, saves and restores the connection's mark.

use nftwrap::rule::Target;
use nftwrap::rule::targets::{Connmark, ConnmarkOp};

use super::{Extension, OptionSpec, Options, Parse, set_mark};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "CONNMARK",
    family: None,
    options: &[
        OptionSpec::value(&["set-xmark"], &["value[/mask]"]),
        OptionSpec::value(&["set-mark"], &["value[/mask]"]),
        OptionSpec::value(&["and-mark"], &["bits"]),
        OptionSpec::value(&["or-mark"], &["bits"]),
        OptionSpec::value(&["xor-mark"], &["bits"]),
        OptionSpec::flag(&["save-mark"]),
        OptionSpec::flag(&["restore-mark"]),
        OptionSpec::value(&["mask"], &["bits"]),
        OptionSpec::value(&["nfmask"], &["bits"]),
        OptionSpec::value(&["ctmask"], &["bits"]),
        OptionSpec::value(&["left-shift-mark"], &["0-32"]),
        OptionSpec::value(&["right-shift-mark"], &["0-32"]),
    ],
    summary: "sets the connection's mark, saves the packet's mark to it, or restores it",
    parse: Parse::Target(parse),
};

const OPERATIONS: [&str; 7] = ["set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark", "save-mark", "restore-mark"];

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    let given = o.one_of(&OPERATIONS)?;
    let given = given.ok_or_else(|| o.missing_one_of("--set-xmark, --save-mark, --restore-mark, ..."))?;
    let masks = o.one_of(&["mask", "nfmask"])?.or(o.one_of(&["mask", "ctmask"])?);
    let mask = |name| -> Result<u32, ParseError> {
        let both = o.value("mask", value::u32)?;
        Ok(o.value(name, value::u32)?.or(both).unwrap_or(u32::MAX))
    };
    let (nfmask, ctmask) = (mask("nfmask")?, mask("ctmask")?);
    let op = match given.option.name() {
        "save-mark" => ConnmarkOp::Save { nfmask, ctmask },
        "restore-mark" => ConnmarkOp::Restore { nfmask, ctmask },
        _ => {
            if let Some(mask) = masks {
                o.requires(mask.option.name(), "save-mark")?;
            }
            ConnmarkOp::Set(set_mark::operation(given).map_err(|fault| o.fault(given, fault))?)
        }
    };
    let shift = match o.one_of(&["left-shift-mark", "right-shift-mark"])? {
        None => 0,
        Some(given) => {
            let bits = value::number(given.text(), 0, 32).and_then(|n| i8::try_from(n).map_err(|_| Fault::Bad));
            let bits = bits.map_err(|fault| o.fault(given, fault))?;
            if given.option.name() == "left-shift-mark" { bits } else { -bits }
        }
    };
    Ok(Target::Connmark(Connmark { op, shift }))
}

pub(super) fn print(connmark: &Connmark, out: &mut String) {
    out.push_str(" -j CONNMARK");
    match connmark.op {
        ConnmarkOp::Set(mark) => value::print(out, format_args!(" --set-xmark {:#x}/{:#x}", mark.value, mark.mask)),
        ConnmarkOp::Save { nfmask, ctmask } => {
            value::print(out, format_args!(" --save-mark --nfmask {nfmask:#x} --ctmask {ctmask:#x}"));
        }
        ConnmarkOp::Restore { nfmask, ctmask } => {
            value::print(out, format_args!(" --restore-mark --nfmask {nfmask:#x} --ctmask {ctmask:#x}"));
        }
    }
    match connmark.shift {
        0 => {}
        bits @ 1.. => value::print(out, format_args!(" --left-shift-mark {bits}")),
        bits => value::print(out, format_args!(" --right-shift-mark {}", bits.unsigned_abs())),
    }
}
