//! `-j CONNMARK`: `ct mark set`, and `meta mark set ct mark`.
//!
//! Saving and restoring native means that the whole of the other mark is replaced: mixing bits of two marks takes an
//! operation on two registers, which kernels before 6.13 do not have.

use super::super::{Form, Writer};
use super::{Place, Store, Value, mark};
use crate::nft::expr::{CtKey, MetaKey};
use crate::rule::Target;
use crate::rule::targets::{Connmark, ConnmarkOp};

const MARK: Place = Place::Meta(MetaKey::MARK);
const CONNMARK: Place = Place::Ct(CtKey::MARK, None);

pub(super) fn compile(t: Connmark, w: &mut Writer<'_>) -> Form {
    if !(-31..=31).contains(&t.shift) {
        return Form::Xt("nft shifts by 31 bits at most");
    }
    let copy = |from, mask| Value::Loaded {
        from,
        bits: if mask == u32::MAX { None } else { Some((mask, 0)) },
        shift: t.shift,
    };
    let store = match t.op {
        ConnmarkOp::Set(m) => Store { to: CONNMARK, value: mark::set(CONNMARK, m, t.shift) },
        ConnmarkOp::Save { nfmask, ctmask: u32::MAX } => Store { to: CONNMARK, value: copy(MARK, nfmask) },
        ConnmarkOp::Restore { ctmask, nfmask: u32::MAX } => Store { to: MARK, value: copy(CONNMARK, ctmask) },
        ConnmarkOp::Save { .. } | ConnmarkOp::Restore { .. } => {
            return Form::Xt("nft cannot mix bits of two marks");
        }
    };
    store.write(w);
    Form::Native
}

pub(super) fn lift(store: &Store) -> Option<Target> {
    let (op, shift) = match (store.to, store.value) {
        (CONNMARK, Value::Loaded { from: MARK, bits, shift }) => {
            (ConnmarkOp::Save { nfmask: only_and(bits)?, ctmask: u32::MAX }, shift)
        }
        (MARK, Value::Loaded { from: CONNMARK, bits, shift }) => {
            (ConnmarkOp::Restore { nfmask: u32::MAX, ctmask: only_and(bits)? }, shift)
        }
        (CONNMARK, _) => {
            let (m, shift) = mark::as_set(store)?;
            (ConnmarkOp::Set(m), shift)
        }
        _ => return None,
    };
    Some(Target::Connmark(Connmark { op, shift }))
}

fn only_and(bits: Option<(u32, u32)>) -> Option<u32> {
    match bits {
        None => Some(u32::MAX),
        Some((and, 0)) => Some(and),
        Some(_) => None,
    }
}
