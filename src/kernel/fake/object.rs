//! Named objects: `nf_tables_newobj`, `nf_tables_delobj`.

use super::chain::pointing;
use super::request::{Done, Failure, Message, NLM_F_EXCL, NLM_F_REPLACE, Policy};
use super::state::{Object, State};
use crate::kernel::Errno;
use crate::netlink::attr::Reader;
use crate::nft::uapi::{NFTA_OBJ_DATA, NFTA_OBJ_HANDLE, NFTA_OBJ_NAME, NFTA_OBJ_TABLE, NFTA_OBJ_TYPE};
use crate::nft::{self, Family, ObjectData};

const POLICY: [Policy; 9] = [
    Policy::Any,
    Policy::Text(255),
    Policy::Text(255),
    Policy::Int(4),
    Policy::Any,
    Policy::Any,
    Policy::Int(8),
    Policy::Any,
    Policy::Bytes(256),
];

pub(super) fn add(state: &mut State, message: Message<'_>, port: u32) -> Done {
    let attrs = message.attrs(&POLICY)?;
    for needed in [NFTA_OBJ_TYPE, NFTA_OBJ_NAME, NFTA_OBJ_DATA] {
        attrs.need(needed)?;
    }
    let table_name = attrs.get(NFTA_OBJ_TABLE);
    let table = state.table(message.family, table_name, port).map_err(|errno| pointing(table_name, errno))?;
    let family = Family::from_nfproto(message.family).ok_or(Errno::NOENT)?;
    let mut value =
        nft::Object::decode(family, Reader::new(message.body())).map_err(|_| Failure::from(Errno::INVAL))?;
    let name = attrs.need(NFTA_OBJ_NAME)?;
    if let Some(there) = table.object(&value.name, value.data.kind()).ok().and_then(|h| table.objects.get_mut(&h)) {
        if message.has(NLM_F_EXCL) {
            return Err(name.bad(Errno::EXIST));
        }
        if message.has(NLM_F_REPLACE) {
            return Err(Errno::OPNOTSUPP.into());
        }
        // Of the objects known here only a quota's settings can change.
        if matches!(there.value.data, ObjectData::Quota(_)) {
            there.value.data = value.data;
            state.changes += 1;
        }
        return Ok(());
    }
    let handle = table.allocate();
    value.handle = Some(handle);
    table.uses += 1;
    table.objects.insert(handle, Object { handle, value, uses: 0, deleted: false });
    state.changes += 1;
    Ok(())
}

pub(super) fn delete(state: &mut State, message: Message<'_>, port: u32, destroy: bool) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let kind = attrs.need(NFTA_OBJ_TYPE)?.u32();
    let by_handle = attrs.get(NFTA_OBJ_HANDLE);
    let slot = by_handle.or(attrs.get(NFTA_OBJ_NAME)).ok_or(Errno::INVAL)?;
    let table_name = attrs.get(NFTA_OBJ_TABLE);
    let table = state.table(message.family, table_name, port).map_err(|errno| pointing(table_name, errno))?;
    let found = match by_handle.map(super::request::Slot::u64) {
        Some(handle) => {
            let live = table.objects.get(&handle).filter(|o| !o.deleted && o.value.data.kind() == kind);
            live.map(|o| o.handle).ok_or(Errno::NOENT)
        }
        None => table.object(&slot.text(), kind),
    };
    let handle = match found {
        Ok(handle) => handle,
        Err(Errno::NOENT) if destroy => return Ok(()),
        Err(errno) => return Err(slot.bad(errno)),
    };
    if let Some(object) = table.objects.get_mut(&handle) {
        if object.uses > 0 {
            return Err(slot.bad(Errno::BUSY));
        }
        object.deleted = true;
    }
    table.uses = table.uses.saturating_sub(1);
    state.changes += 1;
    Ok(())
}
