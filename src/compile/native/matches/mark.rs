//! `-m mark` and `-m connmark`: `meta mark` and `ct mark`, in host order.

use super::super::condition::{Condition, Field};
use super::super::{Form, Writer};
use crate::rule::{MarkMask, Not};

pub(super) fn compile(m: Not<MarkMask>, field: Field, w: &mut Writer<'_>) -> Form {
    let Not { negated, value: MarkMask { value, mask } } = m;
    w.test(match mask {
        u32::MAX => Condition::equals(field, negated, value.to_ne_bytes()),
        // A value with bits outside the mask never matches, as with xt.
        mask => Condition::masked(field, negated, mask.to_ne_bytes(), value.to_ne_bytes()),
    });
    Form::Native
}

pub(super) fn lift(c: &Condition) -> Option<Not<MarkMask>> {
    let (negated, mask, value) = c.as_masked()?;
    Some(Not { negated, value: MarkMask { value: u32::from_ne_bytes(value), mask: u32::from_ne_bytes(mask) } })
}
