//! `-m owner`: who sent a local packet.

use nftwrap::rule::matches::Owner;
use nftwrap::rule::{Match, Not};

use super::options::{Options, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::{ErrorKind, ParseError};
use crate::names;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "owner",
    family: None,
    options: &[
        OptionSpec::value(&["uid-owner"], &["user[-user]"]).negatable(),
        OptionSpec::value(&["gid-owner"], &["group[-group]"]).negatable(),
        OptionSpec::flag(&["socket-exists"]).negatable(),
        OptionSpec::flag(&["suppl-groups"]),
    ],
    summary: "user or group of the sending socket; OUTPUT and POSTROUTING only",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    o.requires("suppl-groups", "gid-owner")?;
    let owner = Owner {
        socket_exists: o.flag("socket-exists"),
        uid: o.negatable("uid-owner", |text| ids(text, names::user))?,
        gid: o.negatable("gid-owner", |text| ids(text, names::group))?,
        supplementary_groups: o.has("suppl-groups"),
    };
    if owner == Owner::default() {
        return Err(o.missing_one_of("--uid-owner, --gid-owner, --socket-exists"));
    }
    Ok(Match::Owner(owner))
}

/// A name, a number, or two numbers with `-` between.
fn ids(text: &str, named: fn(&str) -> Option<u32>) -> Result<(u32, u32), Fault> {
    if let Some(id) = named(text) {
        return Ok((id, id));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let id =
        |text| value::number(text, 0, (u32::MAX - 1).into()).and_then(|n| u32::try_from(n).map_err(|_| Fault::Bad));
    let (first, last) = (id(first)?, id(last)?);
    if first > last {
        return Err(ErrorKind::ReversedRange { range: text.into() }.into());
    }
    Ok((first, last))
}

pub(super) fn print(owner: &Owner, out: &mut String) {
    out.push_str(" -m owner");
    if let Some(Not { negated, .. }) = owner.socket_exists {
        option(negated, "socket-exists", out);
    }
    for (name, ids) in [("uid-owner ", owner.uid), ("gid-owner ", owner.gid)] {
        if let Some(Not { negated, value: (first, last) }) = ids {
            option(negated, name, out);
            value::print_range((first.into(), last.into()), '-', out);
        }
    }
    if owner.supplementary_groups {
        out.push_str(" --suppl-groups");
    }
}
