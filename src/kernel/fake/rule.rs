//! Rules: `nf_tables_newrule`, `nf_tables_delrule`.

use super::chain::pointing;
use super::expression::{self, Program};
use super::request::{
    Attrs, Done, Failure, Message, NLM_F_APPEND, NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE, Policy, Slot,
};
use super::state::{Rule, State, Table, Validate};
use super::validate;
use crate::kernel::Errno;
use crate::nft::uapi::{
    NFTA_LIST_ELEM, NFTA_RULE_CHAIN, NFTA_RULE_CHAIN_ID, NFTA_RULE_EXPRESSIONS, NFTA_RULE_HANDLE, NFTA_RULE_ID,
    NFTA_RULE_POSITION, NFTA_RULE_POSITION_ID, NFTA_RULE_TABLE, NFTA_RULE_USERDATA,
};

pub(super) const POLICY: [Policy; 12] = [
    Policy::Any,
    Policy::Text(255),
    Policy::Text(255),
    Policy::Int(8),
    Policy::Any,
    Policy::Any,
    Policy::Int(8),
    Policy::Bytes(256),
    Policy::Any,
    Policy::Int(4),
    Policy::Int(4),
    Policy::Int(4),
];
/// `NFT_RULE_MAXEXPRS`.
const MAX_EXPRESSIONS: usize = 128;

pub(super) fn add(state: &mut State, message: Message<'_>, port: u32) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let table = table(state, message, &attrs, port)?;
    let chain = chain(table, &attrs)?.ok_or(Errno::INVAL)?;
    let (handle, anchor) = place(table, chain, message, &attrs)?;
    let elements = attrs.get(NFTA_RULE_EXPRESSIONS).map(elements).transpose()?.unwrap_or_default();
    let mut program = Program::default();
    for element in elements {
        if let Err(errno) = program.add(table, chain, element) {
            program.undo(table, chain);
            return Err(element.bad(errno));
        }
    }
    if program.needs_validation() {
        table.needs_validation();
    }
    let (expressions, refs) = program.finish();
    let userdata = attrs.get(NFTA_RULE_USERDATA).map(|s| s.payload).filter(|u| !u.is_empty()).map(Into::into);
    let rule = Rule { handle, id: attrs.u32(NFTA_RULE_ID), expressions, refs, userdata, deleted: false };
    insert(table, chain, rule, anchor, message)?;
    let checked = if table.validate == Validate::Do { validate::table(table) } else { Ok(()) };
    if message.has(NLM_F_ECHO) {
        state.echoes.push((message.seq, handle));
    }
    state.changes += 1;
    checked.map_err(Failure::from)
}

fn table<'s>(
    state: &'s mut State,
    message: Message<'_>,
    attrs: &Attrs<'_>,
    port: u32,
) -> Result<&'s mut Table, Failure> {
    let name = attrs.get(NFTA_RULE_TABLE);
    state.table(message.family, name, port).map_err(|errno| pointing(name, errno))
}

/// The chain that a request names; `None` when it names none.
fn chain(table: &Table, attrs: &Attrs<'_>) -> Result<Option<u64>, Failure> {
    if let Some(slot) = attrs.get(NFTA_RULE_CHAIN) {
        return table.chain(Some(slot)).map(Some).map_err(|errno| slot.bad(errno));
    }
    let Some(slot) = attrs.get(NFTA_RULE_CHAIN_ID) else { return Ok(None) };
    let id = Some(slot.u32());
    let found = table.chains.values().find(|c| !c.deleted && c.id == id);
    found.map(|c| Some(c.handle)).ok_or_else(|| slot.bad(Errno::NOENT))
}

/// The new rule's handle, and the rule it stands beside or replaces. A rule that this transaction has deleted still
/// counts as a place.
fn place(
    table: &mut Table,
    chain: u64,
    message: Message<'_>,
    attrs: &Attrs<'_>,
) -> Result<(u64, Option<u64>), Failure> {
    let has = |table: &Table, is: &dyn Fn(&Rule) -> bool| {
        table.chains.get(&chain).and_then(|c| c.rules.iter().find(|r| is(r))).map(|r| r.handle).ok_or(Errno::NOENT)
    };
    if let Some(slot) = attrs.get(NFTA_RULE_HANDLE) {
        let handle = slot.u64();
        let rule = has(table, &|rule| rule.handle == handle).map_err(|errno| slot.bad(errno))?;
        if message.has(NLM_F_EXCL) {
            return Err(slot.bad(Errno::EXIST));
        }
        if !message.has(NLM_F_REPLACE) {
            return Err(Errno::OPNOTSUPP.into());
        }
        return Ok((handle, Some(rule)));
    }
    if !message.has(NLM_F_CREATE) || message.has(NLM_F_REPLACE) {
        return Err(Errno::INVAL.into());
    }
    let handle = table.allocate();
    let anchor = if let Some(slot) = attrs.get(NFTA_RULE_POSITION) {
        let position = slot.u64();
        Some(has(table, &|rule| rule.handle == position).map_err(|errno| slot.bad(errno))?)
    } else if let Some(slot) = attrs.get(NFTA_RULE_POSITION_ID) {
        let id = Some(slot.u32());
        Some(has(table, &|rule| rule.id == id).map_err(|errno| slot.bad(errno))?)
    } else {
        None
    };
    Ok((handle, anchor))
}

/// The list elements, one an expression. All names are looked up before any expression is set up.
fn elements(list: Slot<'_>) -> Result<Vec<Slot<'_>>, Failure> {
    let mut found = Vec::new();
    for (kind, element) in list.list() {
        if kind != NFTA_LIST_ELEM || found.len() == MAX_EXPRESSIONS {
            return Err(Errno::INVAL.into());
        }
        expression::known(element).map_err(|errno| element.bad(errno))?;
        found.push(element);
    }
    Ok(found)
}

fn insert(table: &mut Table, chain: u64, rule: Rule, anchor: Option<u64>, message: Message<'_>) -> Done {
    let refs = rule.refs.clone();
    let outcome = (|| {
        let at = |table: &Table| {
            let rules = table.chains.get(&chain).map(|c| c.rules.as_slice()).unwrap_or_default();
            anchor.and_then(|anchor| rules.iter().position(|r| r.handle == anchor))
        };
        let replace = message.has(NLM_F_REPLACE);
        let place = at(table);
        if let (true, Some(old)) = (replace, anchor) {
            table.drop_rule(chain, old)?;
        }
        let Some(found) = table.chains.get_mut(&chain) else { return Err(Errno::NOENT) };
        let index = match place {
            Some(place) if message.has(NLM_F_APPEND) && !replace => place + 1,
            Some(place) => place,
            None if message.has(NLM_F_APPEND) => found.rules.len(),
            None => 0,
        };
        found.uses += 1;
        found.rules.insert(index, rule);
        Ok(())
    })();
    if outcome.is_err() {
        for &reference in refs.iter() {
            table.release(reference, chain);
        }
    }
    outcome.map_err(Failure::from)
}

pub(super) fn delete(state: &mut State, message: Message<'_>, port: u32, destroy: bool) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let table = table(state, message, &attrs, port)?;
    let Some(slot) = attrs.get(NFTA_RULE_CHAIN) else {
        let live: Vec<u64> = table.chains.values().filter(|c| !c.deleted).map(|c| c.handle).collect();
        let dropped: usize = live.into_iter().map(|chain| table.drop_rules(chain)).sum();
        state.changes += dropped;
        return Ok(());
    };
    let chain = match table.chain(Some(slot)) {
        Ok(chain) => chain,
        Err(Errno::NOENT) if destroy => return Ok(()),
        Err(errno) => return Err(slot.bad(errno)),
    };
    let rules = table.chains.get(&chain).map(|c| c.rules.as_slice()).unwrap_or_default();
    let (found, slot) = if let Some(slot) = attrs.get(NFTA_RULE_HANDLE) {
        let handle = slot.u64();
        // A replaced rule and its replacement share the handle; the live one comes first.
        (rules.iter().find(|r| r.handle == handle), slot)
    } else if let Some(slot) = attrs.get(NFTA_RULE_ID) {
        let id = Some(slot.u32());
        (rules.iter().find(|r| r.id == id), slot)
    } else {
        let dropped = table.drop_rules(chain);
        state.changes += dropped;
        return Ok(());
    };
    match found.map(|rule| rule.handle) {
        Some(handle) => {
            table.drop_rule(chain, handle)?;
            state.changes += 1;
            Ok(())
        }
        None if destroy && attrs.get(NFTA_RULE_HANDLE).is_some() => Ok(()),
        None => Err(slot.bad(Errno::NOENT)),
    }
}
