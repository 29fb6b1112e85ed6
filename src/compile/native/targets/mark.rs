//! `-j MARK`: `meta mark set`.

use super::super::{Form, Writer};
use super::{Place, Store, Value};
use crate::nft::expr::MetaKey;
use crate::rule::{MarkMask, Target};

const MARK: Place = Place::Meta(MetaKey::MARK);

pub(super) fn compile(m: MarkMask, w: &mut Writer<'_>) -> Form {
    Store { to: MARK, value: set(MARK, m, 0) }.write(w);
    Form::Native
}

/// `place = (place & ~mask) ^ value`, then shifted.
pub(super) fn set(place: Place, m: MarkMask, shift: i8) -> Value {
    match m.mask {
        u32::MAX if shift == 0 => Value::Constant(m.value.to_ne_bytes().into()),
        mask => Value::Loaded { from: place, bits: Some((!mask, m.value)), shift },
    }
}

/// The inverse of [`set`].
pub(super) fn as_set(store: &Store) -> Option<(MarkMask, i8)> {
    match store.value {
        Value::Constant(data) => Some((MarkMask::exact(u32::from_ne_bytes(data.as_bytes().try_into().ok()?)), 0)),
        Value::Loaded { from, bits: Some((and, value)), shift } if from == store.to => {
            Some((MarkMask { value, mask: !and }, shift))
        }
        Value::Loaded { .. } => None,
    }
}

pub(super) fn lift(store: &Store) -> Option<Target> {
    as_set(store).filter(|(_, shift)| *shift == 0).map(|(m, _)| Target::Mark(m))
}
