//! Elements: `nf_tables_newsetelem`, `nf_tables_delsetelem`.
//!
//! Never: looks whether ranges overlap; elements are the same when key, end and flags are.

use super::chain::pointing;
use super::expression::verdict_target;
use super::request::{Attrs, Done, Failure, Message, NLM_F_EXCL, Policy, Slot};
use super::state::{Element, ElementKey, Ref, Set, State, Table, Validate};
use super::validate;
use crate::kernel::Errno;
use crate::netlink::attr::Reader;
use crate::nft::uapi::{
    NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_SET_ID, NFTA_SET_ELEM_LIST_TABLE,
};
use crate::nft::{self, ElementData, ElementFlags, SetData, SetFlags};

const POLICY: [Policy; 5] = [Policy::Any, Policy::Text(255), Policy::Text(255), Policy::Any, Policy::Int(4)];

pub(super) fn add(state: &mut State, message: Message<'_>, port: u32) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let list = attrs.need(NFTA_SET_ELEM_LIST_ELEMENTS)?;
    let table = table(state, message, &attrs, port)?;
    let set = find(table, &attrs, attrs.u32(NFTA_SET_ELEM_LIST_SET_ID))?;
    if closed(table, set, SetFlags::CONSTANT | SetFlags::ANONYMOUS) {
        return Err(Errno::BUSY.into());
    }
    let mut added = 0;
    let outcome = list.list().try_for_each(|(_, slot)| {
        added += usize::from(insert(table, set, slot, message.has(NLM_F_EXCL)).map_err(|errno| slot.bad(errno))?);
        Ok(())
    });
    let checked = match outcome {
        Ok(()) if table.validate == Validate::Do => validate::table(table).map_err(Failure::from),
        outcome => outcome,
    };
    state.changes += added;
    checked
}

fn table<'s>(
    state: &'s mut State,
    message: Message<'_>,
    attrs: &Attrs<'_>,
    port: u32,
) -> Result<&'s mut Table, Failure> {
    let name = attrs.get(NFTA_SET_ELEM_LIST_TABLE);
    state.table(message.family, name, port).map_err(|errno| pointing(name, errno))
}

fn find(table: &Table, attrs: &Attrs<'_>, id: Option<u32>) -> Result<u64, Failure> {
    let slot = attrs.get(NFTA_SET_ELEM_LIST_SET);
    let found = slot.ok_or(Errno::INVAL).and_then(|slot| table.set(&slot.text(), id));
    found.map_err(|errno| pointing(slot, errno))
}

/// Whether the set is in use and its flags say that it then does not change.
fn closed(table: &Table, set: u64, flags: SetFlags) -> bool {
    table.sets.get(&set).is_some_and(|set| !set.bindings.is_empty() && set.value.flags.intersects(flags))
}

/// `nft_add_set_elem`: says whether there was anything to add.
fn insert(table: &mut Table, set: u64, slot: Slot<'_>, exclusive: bool) -> Result<bool, Errno> {
    let value = nft::Element::decode(Reader::new(slot.payload)).map_err(|_| Errno::INVAL)?;
    let found = table.sets.get(&set).ok_or(Errno::NOENT)?;
    check(found, &value)?;
    let refs = refs(table, found, &value)?;
    let key = key_of(&value);
    if let Some(there) = found.elements.get(&key) {
        // Elements without a chain or object hold nothing, so a clash leaves nothing to give back.
        let same = there.value.data == value.data && there.value.object == value.object;
        return if same && !exclusive { Ok(false) } else { Err(Errno::EXIST) };
    }
    let jumps = refs.iter().any(|r| matches!(r, Ref::Chain(_)));
    let bound = !found.bindings.is_empty();
    let full = found.value.size.is_some_and(|size| found.elements.len() >= usize::try_from(size).unwrap_or(usize::MAX));
    let catch_all = value.flags.contains(ElementFlags::CATCHALL);
    for &reference in &refs {
        table.hold(reference, 0);
    }
    if jumps && bound {
        table.needs_validation();
    }
    if let Some(found) = table.sets.get_mut(&set) {
        found.elements.insert(key, Element { value, refs });
    }
    // The kernel adds the element and then says that it is one too many.
    if full && !catch_all { Err(Errno::NFILE) } else { Ok(true) }
}

fn key_of(value: &nft::Element) -> ElementKey {
    ElementKey {
        key: value.key.as_deref().unwrap_or_default().to_vec(),
        key_end: value.key_end.as_deref().map(<[u8]>::to_vec),
        flags: value.flags.bits(),
    }
}

/// What an element may have in this set.
fn check(set: &Set, value: &nft::Element) -> Result<(), Errno> {
    check_key(set, value)?;
    let end = value.flags.contains(ElementFlags::INTERVAL_END);
    let spec = &set.value;
    if (spec.data.is_some() && value.data.is_none() && !end) || (spec.data.is_none() && value.data.is_some()) {
        return Err(Errno::INVAL);
    }
    let maps_to_objects = spec.flags.contains(SetFlags::OBJECT);
    if (maps_to_objects && value.object.is_none() && !end) || (!maps_to_objects && value.object.is_some()) {
        return Err(Errno::INVAL);
    }
    let bare = value.data.is_none()
        && value.object.is_none()
        && value.timeout.is_none()
        && value.expiration.is_none()
        && value.userdata.is_none()
        && value.expressions.is_empty();
    let timed = value.timeout.is_some() || value.expiration.is_some();
    if (end && !bare) || (timed && !spec.flags.contains(SetFlags::TIMEOUT)) {
        return Err(Errno::INVAL);
    }
    match (&spec.data, &value.data) {
        (Some(SetData::Value { len, .. }), Some(ElementData::Value(bytes))) => length(bytes, *len),
        (Some(SetData::Verdict), Some(ElementData::Verdict(_))) | (_, None) => Ok(()),
        _ => Err(Errno::INVAL),
    }
}

fn check_key(set: &Set, value: &nft::Element) -> Result<(), Errno> {
    let spec = &set.value;
    let end = value.flags.contains(ElementFlags::INTERVAL_END);
    let catch_all = value.flags.contains(ElementFlags::CATCHALL);
    if value.flags.bits() & !(ElementFlags::INTERVAL_END | ElementFlags::CATCHALL).bits() != 0 {
        return Err(Errno::OPNOTSUPP);
    }
    let ranges_of_fields = spec.flags.contains(SetFlags::CONCAT | SetFlags::INTERVAL);
    let bad_end = if ranges_of_fields { end || value.key_end.is_some() && catch_all } else { value.key_end.is_some() };
    if (end && (catch_all || !spec.flags.contains(SetFlags::INTERVAL))) || catch_all == value.key.is_some() || bad_end {
        return Err(Errno::INVAL);
    }
    value.key.iter().chain(&value.key_end).try_for_each(|key| length(key, spec.key_len))
}

/// `nft_value_init`.
fn length(bytes: &[u8], want: u32) -> Result<(), Errno> {
    match bytes.len() {
        0 => Err(Errno::INVAL),
        len if len > 64 => Err(Errno::OVERFLOW),
        len if u32::try_from(len) != Ok(want) => Err(Errno::INVAL),
        _ => Ok(()),
    }
}

fn refs(table: &Table, set: &Set, value: &nft::Element) -> Result<Vec<Ref>, Errno> {
    let mut refs = Vec::new();
    if let (Some(name), Some(kind)) = (&value.object, set.value.object_kind) {
        refs.push(Ref::Object(table.object(name, kind)?));
    }
    if let Some(ElementData::Verdict(verdict)) = &value.data {
        refs.extend(verdict_target(table, verdict)?.map(Ref::Chain));
    }
    Ok(refs)
}

pub(super) fn delete(state: &mut State, message: Message<'_>, port: u32, destroy: bool) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let table = table(state, message, &attrs, port)?;
    let set = find(table, &attrs, None)?;
    if table.sets.get(&set).is_some_and(Set::is_anonymous) {
        return Err(Errno::OPNOTSUPP.into());
    }
    if closed(table, set, SetFlags::CONSTANT) {
        return Err(Errno::BUSY.into());
    }
    let Some(list) = attrs.get(NFTA_SET_ELEM_LIST_ELEMENTS) else {
        let keys = table.sets.get(&set).map(|s| s.elements.keys().cloned().collect()).unwrap_or_else(Vec::new);
        let flushed = keys.into_iter().filter(|key| remove(table, set, key)).count();
        state.changes += flushed;
        return Ok(());
    };
    let mut removed = 0;
    let outcome = list.list().try_for_each(|(_, slot)| {
        let value = nft::Element::decode(Reader::new(slot.payload)).map_err(|_| slot.bad(Errno::INVAL))?;
        if let Some(found) = table.sets.get(&set) {
            check_key(found, &value).map_err(|errno| slot.bad(errno))?;
        }
        let gone = remove(table, set, &key_of(&value));
        removed += usize::from(gone);
        if gone || destroy { Ok(()) } else { Err(slot.bad(Errno::NOENT)) }
    });
    state.changes += removed;
    outcome
}

fn remove(table: &mut Table, set: u64, key: &ElementKey) -> bool {
    let gone = table.sets.get_mut(&set).and_then(|set| set.elements.remove(key));
    for reference in gone.iter().flat_map(|element| element.refs.clone()) {
        table.release(reference, 0);
    }
    gone.is_some()
}
