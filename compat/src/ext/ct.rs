//! `-j CT` and `-j NOTRACK`: how connection tracking treats the packet.

use std::sync::Arc;

use nftwrap::rule::Target;
use nftwrap::rule::targets::{Ct, CtEvents, CtZone, CtZoneDirection, CtZoneId};

use super::options::{Options, names, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::ParseError;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "CT",
    family: None,
    options: &[
        OptionSpec::flag(&["notrack"]),
        OptionSpec::value(&["helper"], &["name"]),
        OptionSpec::value(&["timeout"], &["name"]),
        OptionSpec::value(&["ctevents"], &["event[,event...]"]),
        OptionSpec::value(&["expevents"], &["new"]),
        OptionSpec::value(&["zone"], &["number|mark"]),
        OptionSpec::value(&["zone-orig"], &["number|mark"]),
        OptionSpec::value(&["zone-reply"], &["number|mark"]),
    ],
    summary: "zone, helper, timeouts or events of connection tracking, or none at all; table raw",
    parse: Parse::Target(parse),
};

pub(crate) static NOTRACK: Extension = Extension {
    name: "NOTRACK",
    family: None,
    options: &[],
    summary: "no connection tracking for the packet; table raw",
    parse: Parse::Target(|_| Ok(Target::Notrack)),
};

const EVENTS: [(&str, CtEvents); 10] = [
    ("new", CtEvents::NEW),
    ("related", CtEvents::RELATED),
    ("destroy", CtEvents::DESTROY),
    ("reply", CtEvents::REPLY),
    ("assured", CtEvents::ASSURED),
    ("protoinfo", CtEvents::PROTOINFO),
    ("helper", CtEvents::HELPER),
    ("mark", CtEvents::MARK),
    ("natseqinfo", CtEvents::NATSEQINFO),
    ("secmark", CtEvents::SECMARK),
];

fn parse(o: &Options<'_, '_>) -> Result<Target, ParseError> {
    let zone = match o.one_of(&["zone", "zone-orig", "zone-reply"])? {
        None => None,
        Some(given) => {
            let direction = match given.option.name() {
                "zone" => CtZoneDirection::Both,
                "zone-orig" => CtZoneDirection::Original,
                _ => CtZoneDirection::Reply,
            };
            let id = match given.text() {
                "mark" => CtZoneId::Mark,
                number => CtZoneId::Number(value::u16(number).map_err(|fault| o.fault(given, fault))?),
            };
            Some(CtZone { direction, id })
        }
    };
    Ok(Target::Ct(Box::new(Ct {
        notrack: o.has("notrack"),
        helper: o.value("helper", |text| name(text, 15))?,
        timeout: o.value("timeout", |text| name(text, 31))?,
        events: o.value("ctevents", events)?.filter(|events| !events.is_empty()),
        expect_new: o.value("expevents", |text| if text == "new" { Ok(()) } else { Err(Fault::Bad) })?.is_some(),
        zone,
    })))
}

/// A name that is printed without quotes, so it must be one word.
fn name(text: &str, max: usize) -> Result<Arc<str>, Fault> {
    let word = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if word && text.len() <= max { Ok(text.into()) } else { Err(Fault::Bad) }
}

fn events(text: &str) -> Result<CtEvents, Fault> {
    text.split(',').try_fold(CtEvents::empty(), |all, word| {
        let event = EVENTS.iter().find(|(name, _)| *name == word);
        event.map(|&(_, event)| all | event).ok_or(Fault::Bad)
    })
}

pub(super) fn print(ct: &Ct, out: &mut String) {
    out.push_str(" -j CT");
    if ct.notrack {
        out.push_str(" --notrack");
    }
    for (name, text) in [(" --helper ", &ct.helper), (" --timeout ", &ct.timeout)] {
        if let Some(text) = text {
            out.push_str(name);
            out.push_str(text);
        }
    }
    if let Some(events) = ct.events {
        option(false, "ctevents", out);
        names(EVENTS.iter().filter(|&&(_, event)| events.contains(event)).map(|&(name, _)| name), out);
    }
    if ct.expect_new {
        out.push_str(" --expevents new");
    }
    if let Some(CtZone { direction, id }) = ct.zone {
        out.push_str(match direction {
            CtZoneDirection::Both => " --zone ",
            CtZoneDirection::Original => " --zone-orig ",
            CtZoneDirection::Reply => " --zone-reply ",
        });
        match id {
            CtZoneId::Mark => out.push_str("mark"),
            CtZoneId::Number(number) => value::print(out, format_args!("{number}")),
        }
    }
}
