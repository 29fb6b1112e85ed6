//! A sealed batch for people: one line an operation.

use std::fmt::{self, Display};

use super::Sealed;
use crate::name::TableName;
use crate::netlink::header::NewFlags;
use crate::netlink::message::{self, Messages};
use crate::nft::message::message_type;
use crate::nft::uapi::{NFT_MSG_DELRULE, NFTA_RULE_TABLE};
use crate::nft::{Chain, Elements, Family, Message, Rule, Set, listing};

/// `add rule ip filter INPUT: meta load l4proto => reg 1; ...`, in the order of the batch. A message that cannot be read
/// is shown as such: only [`Batch::operation`](super::Batch::operation) can have written it.
impl Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation() {
            Some(generation) => writeln!(f, "begin, generation {generation}")?,
            None => writeln!(f, "begin")?,
        }
        for message in Messages::new(self.bytes()) {
            let Ok(message) = message else { return writeln!(f, "unreadable") };
            let flags = NewFlags::from_bits_retain(message.header.flags);
            match Message::decode(&message) {
                Ok(decoded) => operation(&decoded, flags, f)?,
                Err(error) => match flushed_table(&message) {
                    Some((family, table)) => writeln!(f, "flush table {family} {table}")?,
                    None => writeln!(f, "message {}: {error}", message.header.seq)?,
                },
            }
        }
        writeln!(f, "end, {} operations, {} bytes", self.operations(), self.bytes().len())
    }
}

/// A deletion of rules that names no chain is no rule, so it does not decode as one.
fn flushed_table(message: &message::Message<'_>) -> Option<(Family, TableName)> {
    let (header, mut attributes) = message.family().ok()?;
    let table = attributes.next()?.ok().filter(|attr| attr.kind == NFTA_RULE_TABLE)?;
    let table = TableName::from_kernel(&table.string().ok()?);
    let is_flush = message.header.kind == message_type(NFT_MSG_DELRULE) && attributes.next().is_none();
    is_flush.then_some((Family::from_nfproto(header.family)?, table))
}

fn operation(message: &Message, flags: NewFlags, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let add = if flags.contains(NewFlags::EXCL) { "create" } else { "add" };
    match message {
        Message::NewTable(t) => writeln!(f, "{add} table {} {}", t.family, t.name),
        Message::DelTable(t) => writeln!(f, "delete table {} {}", t.family, t.name),
        Message::NewChain(c) => chain(c, add, f),
        Message::DelChain(c) => writeln!(f, "delete chain {} {} {}", c.family, c.table, c.name),
        Message::NewRule(r) => rule(r, flags, f),
        Message::DelRule(r) => match r.handle {
            Some(handle) => writeln!(f, "delete rule {} {} {} handle {handle}", r.family, r.table, r.chain),
            None => writeln!(f, "flush chain {} {} {}", r.family, r.table, r.chain),
        },
        Message::NewSet(s) => set(s, add, f),
        Message::DelSet(s) => writeln!(f, "delete set {} {} {}", s.family, s.table, s.name),
        Message::NewElements(e) => elements(e, add, f),
        Message::DelElements(e) if e.elements.is_empty() => writeln!(f, "flush set {} {} {}", e.family, e.table, e.set),
        Message::DelElements(e) => elements(e, "delete", f),
        Message::NewObject(o) => writeln!(f, "{add} object {} {} {}", o.family, o.table, o.name),
        Message::DelObject(o) => writeln!(f, "delete object {} {} {}", o.family, o.table, o.name),
        Message::BatchBegin { .. } | Message::BatchEnd => Ok(()),
        Message::NewGen(_) | Message::Other { .. } => writeln!(f, "{message:?}"),
    }
}

fn chain(chain: &Chain, add: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Chain { family, table, name, handle, base, .. } = chain;
    if let Some(handle) = handle {
        return writeln!(f, "rename chain {family} {table} handle {handle} to {name}");
    }
    write!(f, "{add} chain {family} {table} {name}")?;
    if let Some(base) = base {
        write!(f, " type {} hook {} priority {}", base.kind, base.hook, base.priority)?;
        if let Some(policy) = base.policy {
            write!(f, " policy {}", format!("{policy:?}").to_lowercase())?;
        }
    }
    writeln!(f)
}

fn rule(rule: &Rule, flags: NewFlags, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (verb, side) = match flags {
        _ if flags.contains(NewFlags::REPLACE) => ("replace", ""),
        _ if flags.contains(NewFlags::APPEND) => ("add", "after "),
        _ => ("insert", "before "),
    };
    write!(f, "{verb} rule {} {} {}", rule.family, rule.table, rule.chain)?;
    if let Some(handle) = rule.handle.or(rule.position) {
        write!(f, " {side}handle {handle}")?;
    }
    writeln!(f, ": {}", listing::compact(&rule.expressions))
}

fn set(set: &Set, add: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let what = if set.data.is_some() || set.object_kind.is_some() { "map" } else { "set" };
    writeln!(f, "{add} {what} {} {} {}", set.family, set.table, set.name)
}

fn elements(elements: &Elements, verb: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Elements { family, table, set, elements, .. } = elements;
    writeln!(f, "{verb} {} elements of {family} {table} {set}", elements.len())
}
