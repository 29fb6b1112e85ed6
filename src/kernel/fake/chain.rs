//! Chains: `nf_tables_newchain`, `nf_tables_delchain`.
//!
//! Owns: making, changing, renaming and deleting chains, and which types, hooks and priorities go together.
//! Never: walks jumps (`validate.rs`) or looks into rules.
//!
//! Invariant: checks come in the kernel's order, so that of several mistakes the same one is reported.
//!
//! Where the truth is: `nf_tables_newchain`, `nf_tables_addchain`, `nf_tables_updchain`, `nf_tables_delchain`,
//! `net/netfilter/nf_tables_api.c` (Linux v6.12).

use std::sync::Arc;

use super::request::{Attrs, Done, Failure, Message, NLM_F_EXCL, NLM_F_NONREC, NLM_F_REPLACE, Policy, Slot};
use super::state::{Base, Chain, ChainKind, State, Table};
use crate::kernel::Errno;
use crate::nft::expr::Counter;
use crate::nft::uapi::{
    NF_INET_FORWARD, NF_INET_INGRESS, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING,
    NFT_CHAIN_BASE, NFT_CHAIN_BINDING, NFT_CHAIN_HW_OFFLOAD, NFTA_CHAIN_COUNTERS, NFTA_CHAIN_FLAGS, NFTA_CHAIN_HANDLE,
    NFTA_CHAIN_HOOK, NFTA_CHAIN_ID, NFTA_CHAIN_NAME, NFTA_CHAIN_POLICY, NFTA_CHAIN_TABLE, NFTA_CHAIN_TYPE,
    NFTA_CHAIN_USERDATA, NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS, NFTA_HOOK_DEV, NFTA_HOOK_DEVS, NFTA_HOOK_HOOKNUM,
    NFTA_HOOK_PRIORITY,
};
use crate::nft::{Family, Policy as Verdict};

pub(super) const POLICY: [Policy; 13] = [
    Policy::Any,
    Policy::Text(255),
    Policy::Int(8),
    Policy::Text(255),
    Policy::Any,
    Policy::Int(4),
    Policy::Any,
    Policy::Text(20),
    Policy::Any,
    Policy::Any,
    Policy::Int(4),
    Policy::Int(4),
    Policy::Bytes(256),
];
const HOOK: [Policy; 5] = [Policy::Any, Policy::Int(4), Policy::Int(4), Policy::Text(15), Policy::Any];
const COUNTERS: [Policy; 3] = [Policy::Any, Policy::Int(8), Policy::Int(8)];
/// `NF_IP_PRI_CONNTRACK`: translation needs tracked connections, so it comes after.
const CONNTRACK: i32 = -200;

impl ChainKind {
    /// The kernel's word (`struct nft_chain_type`).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Route => "route",
            Self::Nat => "nat",
        }
    }

    /// The hooks of a type in a family, as bits; `None` when the family has no such type.
    fn hooks(self, family: Family) -> Option<u32> {
        let inet = 1 << NF_INET_PRE_ROUTING
            | 1 << NF_INET_LOCAL_IN
            | 1 << NF_INET_FORWARD
            | 1 << NF_INET_LOCAL_OUT
            | 1 << NF_INET_POST_ROUTING;
        match (self, family) {
            (Self::Filter, Family::Ip | Family::Ip6 | Family::Bridge) => Some(inet),
            (Self::Filter, Family::Inet) => Some(inet | 1 << NF_INET_INGRESS),
            (Self::Filter, Family::Arp | Family::Netdev) => Some(0b11),
            (Self::Route, Family::Ip | Family::Ip6 | Family::Inet) => Some(1 << NF_INET_LOCAL_OUT),
            (Self::Nat, Family::Ip | Family::Ip6 | Family::Inet) => Some(inet & !(1 << NF_INET_FORWARD)),
            _ => None,
        }
    }

    fn lookup(name: &str, family: Family) -> Option<Self> {
        let kind = [Self::Filter, Self::Route, Self::Nat].into_iter().find(|kind| kind.name() == name)?;
        kind.hooks(family).map(|_| kind)
    }
}

pub(super) fn add(state: &mut State, message: Message<'_>, port: u32) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let table = table(state, message, &attrs, port)?;
    let (found, named_by) = find(table, &attrs)?;
    let base = found.map(|chain| chain.base.is_some());
    let policy = policy(&attrs, base)?;
    let flags = attrs.u32(NFTA_CHAIN_FLAGS).or(found.map(|chain| chain.flags)).unwrap_or(0);
    if flags & !(NFT_CHAIN_BASE | NFT_CHAIN_HW_OFFLOAD | NFT_CHAIN_BINDING) != 0 {
        return Err(Errno::OPNOTSUPP.into());
    }
    let Some(chain) = found else {
        create(table, &attrs, policy, flags)?;
        state.changes += 1;
        return Ok(());
    };
    if message.has(NLM_F_EXCL) {
        return Err(named_by.map_or(Errno::EXIST.into(), |slot| slot.bad(Errno::EXIST)));
    }
    if message.has(NLM_F_REPLACE) || chain.flags != flags | chain.flags & NFT_CHAIN_BASE {
        return Err(Errno::OPNOTSUPP.into());
    }
    let handle = chain.handle;
    update(table, handle, &attrs, policy, named_by)?;
    state.changes += 1;
    Ok(())
}

fn table<'s>(
    state: &'s mut State,
    message: Message<'_>,
    attrs: &Attrs<'_>,
    port: u32,
) -> Result<&'s mut Table, Failure> {
    let name = attrs.get(NFTA_CHAIN_TABLE);
    state.table(message.family, name, port).map_err(|errno| pointing(name, errno))
}

/// The failure that points at an attribute, if it is there.
pub(super) fn pointing(slot: Option<Slot<'_>>, errno: Errno) -> Failure {
    slot.map_or(errno.into(), |slot| slot.bad(errno))
}

/// The chain that a request names, and the attribute that names it.
fn find<'t, 'a>(table: &'t Table, attrs: &Attrs<'a>) -> Result<(Option<&'t Chain>, Option<Slot<'a>>), Failure> {
    let name = attrs.get(NFTA_CHAIN_NAME);
    if let Some(slot) = attrs.get(NFTA_CHAIN_HANDLE) {
        let handle = table.chain_by_handle(slot.u64()).map_err(|errno| slot.bad(errno))?;
        return Ok((table.chains.get(&handle), Some(slot)));
    }
    match name {
        Some(_) => Ok((table.chain(name).ok().and_then(|handle| table.chains.get(&handle)), name)),
        None if attrs.get(NFTA_CHAIN_ID).is_some() => Ok((None, None)),
        None => Err(Errno::INVAL.into()),
    }
}

fn policy(attrs: &Attrs<'_>, base: Option<bool>) -> Result<Option<Verdict>, Failure> {
    let Some(slot) = attrs.get(NFTA_CHAIN_POLICY) else { return Ok(None) };
    if !base.unwrap_or(attrs.get(NFTA_CHAIN_HOOK).is_some()) {
        return Err(slot.bad(Errno::OPNOTSUPP));
    }
    match slot.u32() {
        0 => Ok(Some(Verdict::Drop)),
        1 => Ok(Some(Verdict::Accept)),
        _ => Err(Errno::INVAL.into()),
    }
}

/// `nf_tables_addchain`.
fn create(table: &mut Table, attrs: &Attrs<'_>, policy: Option<Verdict>, flags: u32) -> Done {
    let base = match attrs.get(NFTA_CHAIN_HOOK) {
        Some(hook) => {
            if table.updated {
                return Err(Errno::INVAL.into());
            }
            let mut base = hook_of_new(table.family, hook, attrs)?;
            base.policy = policy.unwrap_or(Verdict::Accept);
            base.counters = attrs.get(NFTA_CHAIN_COUNTERS).map(counters).transpose()?;
            Some(base)
        }
        None if flags & NFT_CHAIN_BASE != 0 => return Err(Errno::INVAL.into()),
        None => None,
    };
    // Offload and chains that are bound to one rule need what this fake has not got.
    if flags & (NFT_CHAIN_HW_OFFLOAD | NFT_CHAIN_BINDING) != 0 {
        return Err(Errno::OPNOTSUPP.into());
    }
    let handle = table.allocate();
    let name: Arc<str> = attrs.need(NFTA_CHAIN_NAME)?.text().into();
    table.uses += 1;
    table.chain_names.insert(Arc::clone(&name), handle);
    let flags = if base.is_some() { flags | NFT_CHAIN_BASE } else { flags };
    let userdata = attrs.get(NFTA_CHAIN_USERDATA).map(|slot| slot.payload.into());
    let id = attrs.u32(NFTA_CHAIN_ID);
    let rules = Vec::new();
    let chain = Chain { name, handle, id, base, flags, userdata, uses: 0, rules, deleted: false, renamed: None };
    table.chains.insert(handle, chain);
    Ok(())
}

/// `nft_chain_parse_hook` for a new chain.
fn hook_of_new(family: Family, hook: Slot<'_>, attrs: &Attrs<'_>) -> Result<Base, Failure> {
    let nested = hook.nested(&HOOK)?;
    let (Some(number), Some(priority)) = (nested.u32(NFTA_HOOK_HOOKNUM), nested.u32(NFTA_HOOK_PRIORITY)) else {
        return Err(pointing(attrs.get(NFTA_CHAIN_NAME), Errno::NOENT));
    };
    let kind = match attrs.get(NFTA_CHAIN_TYPE) {
        Some(slot) => ChainKind::lookup(&slot.text(), family).ok_or_else(|| slot.bad(Errno::NOENT))?,
        None => ChainKind::Filter,
    };
    let hooks = kind.hooks(family).unwrap_or(0);
    if hooks.checked_shr(number).unwrap_or(0) & 1 == 0 {
        return Err(Errno::OPNOTSUPP.into());
    }
    let priority = priority.cast_signed();
    if kind == ChainKind::Nat && priority <= CONNTRACK {
        return Err(Errno::OPNOTSUPP.into());
    }
    let devices = devices(family, number, &nested)?;
    Ok(Base { kind, hook: number, priority, policy: Verdict::Accept, devices, counters: None })
}

fn devices(family: Family, hook: u32, nested: &Attrs<'_>) -> Result<Vec<Arc<str>>, Failure> {
    let (one, many) = (nested.get(NFTA_HOOK_DEV), nested.get(NFTA_HOOK_DEVS));
    let by_device = family == Family::Netdev || family == Family::Inet && hook == NF_INET_INGRESS;
    match (one, many) {
        (None, None) => Ok(Vec::new()),
        _ if !by_device => Err(Errno::OPNOTSUPP.into()),
        (Some(slot), _) => Ok(vec![slot.text().into()]),
        (None, Some(slot)) => Ok(slot.list().map(|(_, device)| device.text().into()).collect()),
    }
}

fn counters(slot: Slot<'_>) -> Result<Counter, Failure> {
    let nested = slot.nested(&COUNTERS)?;
    match (nested.get(NFTA_COUNTER_PACKETS), nested.get(NFTA_COUNTER_BYTES)) {
        (Some(packets), Some(bytes)) => Ok(Counter { packets: packets.u64(), bytes: bytes.u64() }),
        _ => Err(Errno::INVAL.into()),
    }
}

/// `nf_tables_updchain`.
fn update(
    table: &mut Table,
    handle: u64,
    attrs: &Attrs<'_>,
    policy: Option<Verdict>,
    named_by: Option<Slot<'_>>,
) -> Done {
    let family = table.family;
    let Some(chain) = table.chains.get(&handle) else { return Err(Errno::NOENT.into()) };
    if let Some(hook) = attrs.get(NFTA_CHAIN_HOOK) {
        let Some(base) = &chain.base else { return Err(pointing(named_by, Errno::EXIST)) };
        same_hook(family, base, hook, attrs, named_by)?;
    }
    let renamed = attrs.get(NFTA_CHAIN_NAME).filter(|_| attrs.get(NFTA_CHAIN_HANDLE).is_some());
    if let Some(slot) = renamed {
        let name = slot.text();
        let promised = table.chains.values().any(|c| c.renamed.as_deref() == Some(&*name));
        if promised || table.chain_named(&name).is_ok() {
            return Err(slot.bad(Errno::EXIST));
        }
    }
    let counters = attrs.get(NFTA_CHAIN_COUNTERS).map(counters).transpose()?;
    let Some(chain) = table.chains.get_mut(&handle) else { return Err(Errno::NOENT.into()) };
    match (&mut chain.base, counters) {
        (None, Some(_)) => return Err(Errno::OPNOTSUPP.into()),
        (Some(base), counters) => {
            base.policy = policy.unwrap_or(base.policy);
            base.counters = counters.or(base.counters);
        }
        (None, None) => {}
    }
    if let Some(slot) = renamed {
        chain.renamed = Some(slot.text().into());
    }
    table.chains_updated = true;
    Ok(())
}

/// `nft_chain_parse_hook` for a chain that is there: hook, priority and type cannot change.
fn same_hook(family: Family, base: &Base, hook: Slot<'_>, attrs: &Attrs<'_>, named_by: Option<Slot<'_>>) -> Done {
    let nested = hook.nested(&HOOK)?;
    let number = nested.u32(NFTA_HOOK_HOOKNUM);
    let priority = nested.u32(NFTA_HOOK_PRIORITY).map(u32::cast_signed);
    if number.is_some_and(|n| n != base.hook) || priority.is_some_and(|p| p != base.priority) {
        return Err(Errno::OPNOTSUPP.into());
    }
    if let Some(slot) = attrs.get(NFTA_CHAIN_TYPE) {
        let kind = ChainKind::lookup(&slot.text(), family).ok_or_else(|| slot.bad(Errno::NOENT))?;
        if kind != base.kind {
            return Err(pointing(named_by, Errno::EXIST));
        }
    }
    // Without hook and priority the request compares as hook 0 at priority 0.
    if number.unwrap_or(0) != base.hook || priority.unwrap_or(0) != base.priority {
        return Err(pointing(named_by, Errno::EXIST));
    }
    devices(family, base.hook, &nested).map(|_| ())
}

pub(super) fn delete(state: &mut State, message: Message<'_>, port: u32, destroy: bool) -> Done {
    let attrs = message.attrs(&POLICY)?;
    let table = table(state, message, &attrs, port)?;
    let by_handle = attrs.get(NFTA_CHAIN_HANDLE);
    let slot = by_handle.or(attrs.get(NFTA_CHAIN_NAME));
    let found = match by_handle {
        Some(slot) => table.chain_by_handle(slot.u64()),
        None => table.chain(slot),
    };
    let handle = match found {
        Ok(handle) => handle,
        Err(Errno::NOENT) if destroy => return Ok(()),
        Err(errno) => return Err(pointing(slot, errno)),
    };
    let uses = table.chains.get(&handle).map_or(0, |chain| chain.uses);
    if message.has(NLM_F_NONREC) && uses > 0 {
        return Err(Errno::BUSY.into());
    }
    let rules = table.drop_rules(handle);
    // References from other rules and from elements stay; even one from the chain itself counts.
    if usize::try_from(uses).unwrap_or(usize::MAX) > rules {
        return Err(pointing(slot, Errno::BUSY));
    }
    let base = table.chains.get(&handle).is_some_and(|chain| chain.base.is_some());
    table.chains_updated |= base;
    table.drop_chain(handle);
    state.changes += 1;
    Ok(())
}
