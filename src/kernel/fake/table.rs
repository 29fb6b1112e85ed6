//! Tables: `nf_tables_newtable`, `nf_tables_deltable`.

use std::collections::{BTreeMap, HashMap};

use super::request::{Done, Message, NLM_F_EXCL, NLM_F_NONREC, NLM_F_REPLACE, Policy, Slot};
use super::state::{State, Table};
use crate::kernel::Errno;
use crate::nft::Family;
use crate::nft::uapi::{
    NFT_TABLE_F_DORMANT, NFT_TABLE_F_OWNER, NFT_TABLE_F_PERSIST, NFTA_TABLE_FLAGS, NFTA_TABLE_HANDLE, NFTA_TABLE_NAME,
    NFTA_TABLE_USERDATA,
};

const FLAGS: u32 = NFT_TABLE_F_DORMANT | NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST;

pub(super) const POLICY: [Policy; 8] = [
    Policy::Any,
    Policy::Text(255),
    Policy::Int(4),
    Policy::Any,
    Policy::Int(8),
    Policy::Any,
    Policy::Bytes(256),
    Policy::Any,
];

pub(super) fn add(state: &mut State, message: Message<'_>, port: u32) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let family = Family::from_nfproto(message.family).ok_or(Errno::OPNOTSUPP)?;
    let name = attrs.get(NFTA_TABLE_NAME);
    match state.table(message.family, name, port) {
        Ok(table) => {
            if message.has(NLM_F_EXCL) {
                return Err(name.map_or(Errno::EXIST.into(), |n| n.bad(Errno::EXIST)));
            }
            if message.has(NLM_F_REPLACE) {
                return Err(Errno::OPNOTSUPP.into());
            }
            if update(table, attrs.u32(NFTA_TABLE_FLAGS), port)? {
                state.changes += 1;
            }
            return Ok(());
        }
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = attrs.u32(NFTA_TABLE_FLAGS).unwrap_or(0);
    if flags & (!FLAGS | state.unknown_flags) != 0 {
        return Err(Errno::OPNOTSUPP.into());
    }
    state.next_table += 1;
    state.changes += 1;
    state.tables.push(Table {
        family,
        name: attrs.need(NFTA_TABLE_NAME)?.text().into(),
        flags,
        handle: state.next_table,
        owner: if flags & NFT_TABLE_F_OWNER == 0 { 0 } else { port },
        userdata: attrs.get(NFTA_TABLE_USERDATA).map(|u| u.payload.into()),
        uses: 0,
        next_handle: 0,
        chains: BTreeMap::new(),
        chain_names: HashMap::new(),
        sets: BTreeMap::new(),
        set_names: HashMap::new(),
        objects: BTreeMap::new(),
        validate: state.validate,
        deleted: false,
        updated: false,
        chains_updated: false,
    });
    Ok(())
}

/// `nf_tables_updtable`: says whether anything changed.
fn update(table: &mut Table, flags: Option<u32>, port: u32) -> Result<bool, Errno> {
    let Some(flags) = flags else { return Ok(false) };
    if flags & !FLAGS != 0 {
        return Err(Errno::OPNOTSUPP);
    }
    if flags == table.flags {
        return Ok(false);
    }
    // An orphan is a persistent table whose owner's socket is gone; only such a table takes a new owner.
    let orphan = table.flags & (NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST) == NFT_TABLE_F_PERSIST;
    let owned = table.flags & NFT_TABLE_F_OWNER != 0;
    if (owned && flags & NFT_TABLE_F_OWNER == 0) || (flags & NFT_TABLE_F_OWNER != 0 && !orphan) {
        return Err(Errno::OPNOTSUPP);
    }
    if (flags ^ table.flags) & NFT_TABLE_F_PERSIST != 0 {
        return Err(Errno::OPNOTSUPP);
    }
    if table.updated || table.chains_updated {
        return Err(Errno::INVAL);
    }
    if flags & NFT_TABLE_F_OWNER != 0 {
        table.owner = port;
    }
    table.flags = flags;
    table.updated = true;
    Ok(true)
}

pub(super) fn delete(state: &mut State, message: Message<'_>, port: u32, destroy: bool) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let (name, handle) = (attrs.get(NFTA_TABLE_NAME), attrs.get(NFTA_TABLE_HANDLE));
    let Some(slot) = handle.or(name).filter(|_| message.family != 0) else {
        return flush(state, message.family, name.map(Slot::text).as_deref(), port);
    };
    let found = match handle.map(Slot::u64) {
        Some(handle) => state.find(port, |t| t.handle == handle && t.family.nfproto() == message.family),
        None => state.table(message.family, name, port),
    };
    let table = match found {
        Ok(table) => table,
        Err(Errno::NOENT) if destroy => return Ok(()),
        Err(errno) => return Err(slot.bad(errno)),
    };
    if message.has(NLM_F_NONREC) && table.uses > 0 {
        return Err(Errno::BUSY.into());
    }
    let changes = drop_table(table);
    state.changes += changes;
    Ok(())
}

/// `nft_flush`: all tables (of a family, with a name) that no other socket owns.
fn flush(state: &mut State, family: u8, name: Option<&str>, port: u32) -> Done {
    let mut changes = 0;
    for table in state.tables.iter_mut().filter(|t| !t.deleted) {
        let foreign = table.flags & NFT_TABLE_F_OWNER != 0 && table.owner != port;
        let meant = family == 0 || table.family.nfproto() == family;
        if meant && !foreign && name.is_none_or(|name| *table.name == *name) {
            changes += drop_table(table);
        }
    }
    state.changes += changes;
    Ok(())
}

/// `nft_flush_table`: rules, sets, objects, chains, then the table.
fn drop_table(table: &mut Table) -> usize {
    for chain in live(table.chains.iter().map(|(&h, c)| (h, c.deleted))) {
        table.drop_rules(chain);
    }
    for set in live(table.sets.iter().map(|(&h, s)| (h, s.deleted || s.is_anonymous()))) {
        table.drop_set(set);
        table.uses = table.uses.saturating_sub(1);
    }
    for object in table.objects.values_mut().filter(|o| !o.deleted) {
        object.deleted = true;
        table.uses = table.uses.saturating_sub(1);
    }
    for chain in live(table.chains.iter().map(|(&h, c)| (h, c.deleted))) {
        table.drop_chain(chain);
    }
    table.deleted = true;
    1
}

fn live(handles: impl Iterator<Item = (u64, bool)>) -> Vec<u64> {
    handles.filter(|&(_, deleted)| !deleted).map(|(handle, _)| handle).collect()
}
