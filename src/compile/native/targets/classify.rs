//! `-j CLASSIFY`: `meta priority set`.

use super::super::{Form, Writer};
use super::{Place, Store, Value};
use crate::nft::expr::MetaKey;
use crate::rule::Target;

pub(super) fn compile(class: u32, w: &mut Writer<'_>) -> Form {
    let value = Value::Constant(class.to_ne_bytes().into());
    Store { to: Place::Meta(MetaKey::PRIORITY), value }.write(w);
    Form::Native
}

pub(super) fn lift(store: &Store) -> Option<Target> {
    let Value::Constant(data) = store.value else { return None };
    Some(Target::Classify(u32::from_ne_bytes(data.as_bytes().try_into().ok()?)))
}
