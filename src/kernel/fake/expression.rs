//! Expressions: what of them the kernel checks against the rest of the table when a rule is added.
//!
//! Never: looks at what concerns the expression alone (an xt extension's bytes, a register's contents): that is for the
//! real kernel to say, and for the decoder.

use std::sync::Arc;

use super::request::{Policy, Slot};
use super::state::{Ref, Table};
use crate::kernel::Errno;
use crate::netlink::attr::Reader;
use crate::nft::SetFlags;
use crate::nft::expr::{Dynset, Expr, Lookup, Objref, Operand, Register, SetRef, Verdict};
use crate::nft::uapi::NFTA_EXPR_NAME;

const POLICY: [Policy; 3] = [Policy::Any, Policy::Text(19), Policy::Any];
/// Expressions of the kernel that `Expr` has no type for.
const OTHERS: [&str; 12] =
    ["dup", "flow_offload", "fwd", "inner", "last", "osf", "queue", "rt", "secmark", "synproxy", "tunnel", "xfrm"];

/// `nf_tables_expr_parse`: whether there is an expression with this name.
pub(super) fn known(element: Slot<'_>) -> Result<(), Errno> {
    let attrs = element.nested(&POLICY).map_err(|failure| failure.errno)?;
    let slot = attrs.get(NFTA_EXPR_NAME).ok_or(Errno::INVAL)?;
    let name = slot.text();
    if Expr::NAMES.contains(&&*name) || OTHERS.contains(&&*name) { Ok(()) } else { Err(Errno::NOENT) }
}

/// The expressions of a rule in the making, with what they hold.
#[derive(Debug, Default)]
pub(super) struct Program {
    expressions: Vec<Expr>,
    refs: Vec<Ref>,
}

impl Program {
    /// Sets up one expression (`nf_tables_newexpr`).
    pub(super) fn add(&mut self, table: &mut Table, chain: u64, element: Slot<'_>) -> Result<(), Errno> {
        let mut expr = Expr::decode(Reader::new(element.payload)).map_err(|_| Errno::INVAL)?;
        let reference = match &mut expr {
            Expr::Immediate(immediate) => match &immediate.data {
                Operand::Verdict(_) if immediate.dreg != Register::VERDICT => return Err(Errno::INVAL),
                Operand::Verdict(verdict) => verdict_target(table, verdict)?.map(Ref::Chain),
                Operand::Value(_) if immediate.dreg == Register::VERDICT => return Err(Errno::INVAL),
                Operand::Value(_) => None,
            },
            Expr::Lookup(lookup) => Some(bind_lookup(table, lookup)?),
            Expr::Dynset(dynset) => Some(bind_dynset(table, dynset)?),
            Expr::Objref(objref) => Some(bind_object(table, objref)?),
            _ => None,
        };
        if let Some(reference) = reference {
            table.hold(reference, chain);
            self.refs.push(reference);
        }
        self.expressions.push(expr);
        Ok(())
    }

    /// Gives everything back after a failure.
    pub(super) fn undo(self, table: &mut Table, chain: u64) {
        for reference in self.refs {
            table.release(reference, chain);
        }
    }

    /// Whether the rule can make the jump graph invalid: some expression has a `validate` operation.
    pub(super) fn needs_validation(&self) -> bool {
        let plain = |expr: &Expr| matches!(expr.name(), "bitwise" | "byteorder" | "cmp" | "counter" | "ct" | "payload");
        !self.expressions.iter().all(plain)
    }

    pub(super) fn finish(self) -> (Arc<[Expr]>, Arc<[Ref]>) {
        (self.expressions.into(), self.refs.into())
    }
}

/// Whether the expression has an entry in its rule's [`refs`](super::state::Rule::refs).
pub(super) fn refers(expr: &Expr) -> bool {
    match expr {
        Expr::Immediate(immediate) => matches!(&immediate.data, Operand::Verdict(verdict) if verdict.chain().is_some()),
        Expr::Lookup(_) | Expr::Dynset(_) | Expr::Objref(_) => true,
        _ => false,
    }
}

/// `nft_verdict_init`: the chain that a jump or goto leads to.
pub(super) fn verdict_target(table: &Table, verdict: &Verdict) -> Result<Option<u64>, Errno> {
    let name = match verdict {
        Verdict::Accept | Verdict::Drop | Verdict::Continue | Verdict::Break | Verdict::Return => return Ok(None),
        Verdict::Jump(name) | Verdict::Goto(name) => name,
        Verdict::Other(_) => return Err(Errno::INVAL),
    };
    let handle = table.chain_named(name.as_str())?;
    let base = table.chains.get(&handle).is_some_and(|chain| chain.base.is_some());
    if base { Err(Errno::OPNOTSUPP) } else { Ok(Some(handle)) }
}

/// `nft_set_lookup_global`; the reference gets the name that the kernel dumps.
fn resolve(table: &Table, reference: &mut SetRef) -> Result<u64, Errno> {
    let id = (reference.id != 0).then_some(reference.id);
    let handle = table.set(&reference.name, id)?;
    if let Some(set) = table.sets.get(&handle) {
        *reference = SetRef { name: set.value.name.as_str().into(), id: 0 };
    }
    Ok(handle)
}

/// `nft_lookup_init`.
fn bind_lookup(table: &Table, lookup: &mut Lookup) -> Result<Ref, Errno> {
    let handle = resolve(table, &mut lookup.set)?;
    let set = table.sets.get(&handle).ok_or(Errno::NOENT)?;
    match lookup.dreg {
        Some(_) if lookup.inverted || !set.is_map() => return Err(Errno::INVAL),
        Some(dreg) if (dreg == Register::VERDICT) != set.is_verdict_map() => {
            return Err(Errno::INVAL);
        }
        None if set.is_map() && set.is_anonymous() => return Err(Errno::INVAL),
        _ => {}
    }
    if set.is_anonymous() && !set.bindings.is_empty() {
        return Err(Errno::BUSY);
    }
    Ok(Ref::Set(handle))
}

/// `nft_dynset_init`.
fn bind_dynset(table: &Table, dynset: &mut Dynset) -> Result<Ref, Errno> {
    let handle = resolve(table, &mut dynset.set)?;
    let set = table.sets.get(&handle).ok_or(Errno::NOENT)?;
    if set.is_anonymous() {
        return Err(Errno::OPNOTSUPP);
    }
    if set.value.flags.contains(SetFlags::CONSTANT) {
        return Err(Errno::BUSY);
    }
    if dynset.sreg_data.is_some() != set.is_map() {
        return Err(Errno::INVAL);
    }
    Ok(Ref::Set(handle))
}

/// `nft_objref_init`, `nft_objref_map_init`.
fn bind_object(table: &Table, objref: &mut Objref) -> Result<Ref, Errno> {
    match objref {
        Objref::Name { kind, name } => table.object(name, *kind).map(Ref::Object),
        Objref::Map { set, .. } => {
            let handle = resolve(table, set)?;
            let is_object_map = table.sets.get(&handle).is_some_and(|s| s.value.flags.contains(SetFlags::OBJECT));
            if is_object_map { Ok(Ref::Set(handle)) } else { Err(Errno::INVAL) }
        }
    }
}
