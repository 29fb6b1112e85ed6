//! Sets and maps: `nf_tables_newset`, `nf_tables_delset`.

use std::collections::BTreeMap;

use super::chain::pointing;
use super::request::{Done, Failure, Message, NLM_F_CREATE, NLM_F_EXCL, NLM_F_NONREC, NLM_F_REPLACE, Policy};
use super::state::{Set, State, Table};
use crate::kernel::Errno;
use crate::name::SetName;
use crate::netlink::attr::Reader;
use crate::nft::uapi::{
    NFT_DATA_VALUE_MAXLEN, NFTA_SET_HANDLE, NFTA_SET_ID, NFTA_SET_KEY_LEN, NFTA_SET_NAME, NFTA_SET_TABLE,
};
use crate::nft::{self, Family, SetData, SetFlags};

const POLICY: [Policy; 19] = [
    Policy::Any,
    Policy::Text(255),
    Policy::Text(255),
    Policy::Int(4),
    Policy::Int(4),
    Policy::Int(4),
    Policy::Int(4),
    Policy::Int(4),
    Policy::Int(4),
    Policy::Any,
    Policy::Int(4),
    Policy::Int(8),
    Policy::Int(4),
    Policy::Bytes(256),
    Policy::Any,
    Policy::Int(4),
    Policy::Int(8),
    Policy::Any,
    Policy::Any,
];

pub(super) fn add(state: &mut State, message: Message<'_>, port: u32) -> Done {
    let attrs = message.attrs(&POLICY)?;
    for needed in [NFTA_SET_TABLE, NFTA_SET_NAME, NFTA_SET_KEY_LEN, NFTA_SET_ID] {
        attrs.need(needed)?;
    }
    let family = Family::from_nfproto(message.family).ok_or(Errno::NOENT)?;
    let mut set = nft::Set::decode(family, Reader::new(message.body())).map_err(|_| Failure::from(Errno::INVAL))?;
    check(&set)?;
    let table_name = attrs.get(NFTA_SET_TABLE);
    let table = state.table(message.family, table_name, port).map_err(|errno| pointing(table_name, errno))?;
    let name = attrs.need(NFTA_SET_NAME)?;
    if let Some(there) = table.set(set.name.as_str(), None).ok().and_then(|handle| table.sets.get_mut(&handle)) {
        if message.has(NLM_F_EXCL) {
            return Err(name.bad(Errno::EXIST));
        }
        if message.has(NLM_F_REPLACE) || there.is_anonymous() {
            return Err(Errno::OPNOTSUPP.into());
        }
        if !is_same(&there.value, &set) {
            return Err(name.bad(Errno::EXIST));
        }
        there.value.timeout = set.timeout.or(there.value.timeout);
        there.value.gc_interval = set.gc_interval.or(there.value.gc_interval);
        there.value.size = set.size.or(there.value.size);
        state.changes += 1;
        return Ok(());
    }
    if !message.has(NLM_F_CREATE) {
        return Err(Errno::NOENT.into());
    }
    set.name = final_name(table, &set.name)?;
    let id = set.id.take();
    let handle = table.allocate();
    set.handle = Some(handle);
    table.uses += 1;
    table.set_names.insert(set.name.clone(), handle);
    let elements = BTreeMap::new();
    let set = Set { handle, id, value: set, elements, bindings: Vec::new(), deleted: false, fresh: true, bound: false };
    table.sets.insert(handle, set);
    state.changes += 1;
    Ok(())
}

/// Flags and sizes that do not go together.
fn check(set: &nft::Set) -> Result<(), Errno> {
    let has = |flags: SetFlags| set.flags.contains(flags);
    if set.key_len == 0 || set.key_len > NFT_DATA_VALUE_MAXLEN {
        return Err(Errno::INVAL);
    }
    let known = SetFlags::ANONYMOUS
        | SetFlags::CONSTANT
        | SetFlags::INTERVAL
        | SetFlags::MAP
        | SetFlags::TIMEOUT
        | SetFlags::EVAL
        | SetFlags::OBJECT
        | SetFlags::CONCAT
        | SetFlags::EXPR;
    let anonymous_timeout = has(SetFlags::ANONYMOUS | SetFlags::TIMEOUT) && !has(SetFlags::EVAL);
    if set.flags.bits() & !known.bits() != 0
        || has(SetFlags::MAP | SetFlags::OBJECT)
        || has(SetFlags::EVAL | SetFlags::OBJECT)
        || anonymous_timeout
        || has(SetFlags::CONSTANT | SetFlags::TIMEOUT)
    {
        return Err(Errno::OPNOTSUPP);
    }
    let data = match set.data {
        Some(SetData::Value { len, .. }) => (1..=NFT_DATA_VALUE_MAXLEN).contains(&len),
        Some(SetData::Verdict) | None => true,
    };
    let timed = set.timeout.is_some() || set.gc_interval.is_some();
    if !data
        || set.data.is_some() != has(SetFlags::MAP)
        || set.object_kind.is_some() != has(SetFlags::OBJECT)
        || (timed && !has(SetFlags::TIMEOUT))
    {
        return Err(Errno::INVAL);
    }
    let fields: u32 = set.fields.iter().map(|len| len.next_multiple_of(4)).sum();
    if (!set.fields.is_empty() && fields != set.key_len) || (set.fields.len() > 1) != has(SetFlags::CONCAT) {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// `nft_set_is_same`.
fn is_same(there: &nft::Set, set: &nft::Set) -> bool {
    there.key_kind == set.key_kind
        && there.data == set.data
        && there.flags == set.flags
        && there.key_len == set.key_len
        && there.fields == set.fields
        && there.expressions.len() == set.expressions.len()
}

/// `nf_tables_set_alloc_name`: `%d` becomes the first number that is free.
fn final_name(table: &Table, name: &SetName) -> Result<SetName, Errno> {
    let Some((before, after)) = name.as_str().split_once('%') else { return Ok(name.clone()) };
    let Some(after) = after.strip_prefix('d').filter(|rest| !rest.contains('%') && name.as_str().len() < 16) else {
        return Err(Errno::INVAL);
    };
    // The kernel reads the names with sscanf, which does not look at what follows the number.
    let number = |name: &SetName| {
        let rest = name.as_str().strip_prefix(before)?;
        rest.get(..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))?.parse::<u32>().ok()
    };
    let used: std::collections::BTreeSet<u32> = table.set_names.keys().filter_map(number).collect();
    let free = (0..).find(|n| !used.contains(n)).unwrap_or(u32::MAX);
    SetName::new(&format!("{before}{free}{after}")).map_err(|_| Errno::INVAL)
}

pub(super) fn delete(state: &mut State, message: Message<'_>, port: u32, destroy: bool) -> Done {
    let attrs = message.attrs(&POLICY)?;
    if message.family == 0 {
        return Err(Errno::AFNOSUPPORT.into());
    }
    let table_name = attrs.get(NFTA_SET_TABLE);
    let table = state.table(message.family, table_name, port).map_err(|errno| pointing(table_name, errno))?;
    let by_handle = attrs.get(NFTA_SET_HANDLE);
    let slot = by_handle.or(attrs.get(NFTA_SET_NAME));
    let found = match (by_handle, slot) {
        (Some(handle), _) => {
            let handle = handle.u64();
            table.sets.get(&handle).filter(|s| !s.deleted).map(|s| s.handle).ok_or(Errno::NOENT)
        }
        (None, Some(name)) => table.set(&name.text(), None),
        (None, None) => Err(Errno::INVAL),
    };
    let handle = match found {
        Ok(handle) => handle,
        Err(Errno::NOENT) if destroy => return Ok(()),
        Err(errno) => return Err(pointing(slot, errno)),
    };
    let full = |set: &Set| message.has(NLM_F_NONREC) && !set.elements.is_empty();
    if table.sets.get(&handle).is_some_and(|set| !set.bindings.is_empty() || full(set)) {
        return Err(pointing(slot, Errno::BUSY));
    }
    table.drop_set(handle);
    table.uses = table.uses.saturating_sub(1);
    state.changes += 1;
    Ok(())
}
