//! `-m conntrack` and `-m state`: what connection tracking knows about the packet.

use nftwrap::rule::matches::{Conntrack, CtDirection, CtStates, CtStatus};
use nftwrap::rule::{Masked, Match, Not, Protocol};

use super::options::{Options, names, option};
use super::{Extension, OptionSpec, Parse};
use crate::error::{ErrorKind, ParseError};
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "conntrack",
    family: None,
    options: &[
        OptionSpec::value(&["ctstate"], &["state[,state...]"]).negatable(),
        OptionSpec::value(&["ctproto"], &["protocol"]).negatable(),
        OptionSpec::value(&["ctorigsrc"], &["address[/mask]"]).negatable(),
        OptionSpec::value(&["ctorigdst"], &["address[/mask]"]).negatable(),
        OptionSpec::value(&["ctreplsrc"], &["address[/mask]"]).negatable(),
        OptionSpec::value(&["ctrepldst"], &["address[/mask]"]).negatable(),
        OptionSpec::value(&["ctorigsrcport"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["ctorigdstport"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["ctreplsrcport"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["ctrepldstport"], &["port[:port]"]).negatable(),
        OptionSpec::value(&["ctstatus"], &["status[,status...]"]).negatable(),
        OptionSpec::value(&["ctexpire"], &["seconds[:seconds]"]).negatable(),
        OptionSpec::value(&["ctdir"], &["ORIGINAL|REPLY"]),
    ],
    summary: "state, addresses, ports, status and age of the packet's connection",
    parse: Parse::Match(parse),
};

pub(crate) static STATE: Extension = Extension {
    name: "state",
    family: None,
    options: &[OptionSpec::value(&["state"], &["state[,state...]"]).negatable()],
    summary: "state of the packet's connection",
    parse: Parse::Match(parse_state),
};

/// In the order in which a shortened name is looked for.
const STATES: [(&str, CtStates); 7] = [
    ("INVALID", CtStates::INVALID),
    ("NEW", CtStates::NEW),
    ("ESTABLISHED", CtStates::ESTABLISHED),
    ("RELATED", CtStates::RELATED),
    ("UNTRACKED", CtStates::UNTRACKED),
    ("SNAT", CtStates::SNAT),
    ("DNAT", CtStates::DNAT),
];
/// In the order in which they are printed.
const PRINTED: [(&str, CtStates); 7] = [
    ("INVALID", CtStates::INVALID),
    ("NEW", CtStates::NEW),
    ("RELATED", CtStates::RELATED),
    ("ESTABLISHED", CtStates::ESTABLISHED),
    ("UNTRACKED", CtStates::UNTRACKED),
    ("SNAT", CtStates::SNAT),
    ("DNAT", CtStates::DNAT),
];
const STATUSES: [(&str, CtStatus); 5] = [
    ("NONE", CtStatus::empty()),
    ("EXPECTED", CtStatus::EXPECTED),
    ("SEEN_REPLY", CtStatus::SEEN_REPLY),
    ("ASSURED", CtStatus::ASSURED),
    ("CONFIRMED", CtStatus::CONFIRMED),
];

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    if o.given.iter().all(|g| g.instance != o.instance) {
        return Err(o.missing_one_of("--ctstate, --ctproto, --ctorigsrc, ..."));
    }
    let raw = |text: &str| value::masked_raw(text, o.family);
    let status = |text: &str| list(text, &STATUSES);
    Ok(Match::Conntrack(Box::new(Conntrack {
        state: o.negatable("ctstate", |text| list(text, &STATES))?,
        protocol: o.negatable("ctproto", protocol)?,
        original_source: o.negatable("ctorigsrc", raw)?,
        original_destination: o.negatable("ctorigdst", raw)?,
        reply_source: o.negatable("ctreplsrc", raw)?,
        reply_destination: o.negatable("ctrepldst", raw)?,
        original_source_port: o.negatable("ctorigsrcport", |text| value::port_range(text, None))?,
        original_destination_port: o.negatable("ctorigdstport", |text| value::port_range(text, None))?,
        reply_source_port: o.negatable("ctreplsrcport", |text| value::port_range(text, None))?,
        reply_destination_port: o.negatable("ctrepldstport", |text| value::port_range(text, None))?,
        status: o.negatable("ctstatus", status)?,
        expire: o.negatable("ctexpire", |text| value::range(text, (0, u32::MAX), value::u32))?,
        direction: o.value("ctdir", direction)?,
    })))
}

fn parse_state(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let [states @ .., _, _] = &STATES;
    let state = o.negatable("state", |text| list(text, states))?;
    state.map(Match::State).ok_or_else(|| o.missing("state"))
}

/// The joined values of a comma list of names, in any case and shortened at will.
fn list<T: Copy + std::ops::BitOr<Output = T>>(text: &str, table: &[(&str, T)]) -> Result<T, Fault> {
    let one = |word: &str| {
        let starts = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let found = table.iter().find(|(name, _)| !word.is_empty() && starts(name));
        found.map(|&(_, value)| value).ok_or(Fault::Bad)
    };
    let mut words = text.split(',').map(one);
    let first = words.next().unwrap_or(Err(Fault::Bad))?;
    words.try_fold(first, |all, one| Ok(all | one?))
}

fn protocol(text: &str) -> Result<Protocol, Fault> {
    match value::protocol(text)? {
        Protocol::ALL => Err(ErrorKind::NeverMatchesProtocol.into()),
        protocol => Ok(protocol),
    }
}

fn direction(text: &str) -> Result<CtDirection, Fault> {
    match text.to_ascii_uppercase().as_str() {
        "ORIGINAL" => Ok(CtDirection::Original),
        "REPLY" => Ok(CtDirection::Reply),
        _ => Err(Fault::Bad),
    }
}

pub(super) fn print(ct: &Conntrack, out: &mut String) {
    out.push_str(" -m conntrack");
    if let Some(state) = ct.state {
        print_states("ctstate", state, out);
    }
    if let Some(Not { negated, value }) = ct.protocol {
        option(negated, "ctproto", out);
        value::print(out, format_args!(" {}", value.0));
    }
    for (name, address) in [
        ("ctorigsrc ", ct.original_source),
        ("ctorigdst ", ct.original_destination),
        ("ctreplsrc ", ct.reply_source),
        ("ctrepldst ", ct.reply_destination),
    ] {
        print_address(name, address, out);
    }
    for (name, ports) in [
        ("ctorigsrcport ", ct.original_source_port),
        ("ctorigdstport ", ct.original_destination_port),
        ("ctreplsrcport ", ct.reply_source_port),
        ("ctrepldstport ", ct.reply_destination_port),
    ] {
        if let Some(Not { negated, value }) = ports {
            option(negated, name, out);
            value::print_ports(value, ':', out);
        }
    }
    if let Some(Not { negated, value }) = ct.status {
        option(negated, "ctstatus", out);
        let none = value.is_empty().then_some("NONE");
        names(none.into_iter().chain(value.iter_names().map(|(name, _)| name)), out);
    }
    if let Some(Not { negated, value: (low, high) }) = ct.expire {
        option(negated, "ctexpire ", out);
        value::print_range((low.into(), high.into()), ':', out);
    }
    match ct.direction {
        Some(CtDirection::Original) => out.push_str(" --ctdir ORIGINAL"),
        Some(CtDirection::Reply) => out.push_str(" --ctdir REPLY"),
        None => {}
    }
}

pub(super) fn print_state(state: &Not<CtStates>, out: &mut String) {
    out.push_str(" -m state");
    print_states("state", *state, out);
}

fn print_states(name: &str, state: Not<CtStates>, out: &mut String) {
    option(state.negated, name, out);
    names(PRINTED.iter().filter(|(_, bit)| state.value.contains(*bit)).map(|(name, _)| *name), out);
}

fn print_address(name: &str, address: Option<Not<Masked>>, out: &mut String) {
    if let Some(Not { negated, value }) = address {
        option(negated, name, out);
        value::print_masked(value, false, out);
    }
}
