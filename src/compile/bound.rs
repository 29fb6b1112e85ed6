//! What a part of a rule is bound to: a family, or protocols. Both encodings refuse the same rules.

use super::CompileError;
use crate::rule::{Family, Not, Protocol};

/// Refuses a part that only exists in the other family.
pub(super) fn only(family: Family, wanted: Family, field: &'static str) -> Result<(), CompileError> {
    if family == wanted { Ok(()) } else { Err(CompileError::Family { field, family }) }
}

/// Refuses a rule that is not bound to one of these protocols. The kernel checks xt extensions so; native expressions it
/// would run on any protocol's bytes.
pub(super) fn needs(
    protocol: Option<Not<Protocol>>,
    wanted: &[Protocol],
    field: &'static str,
    reason: &'static str,
) -> Result<(), CompileError> {
    match protocol {
        Some(Not { negated: false, value }) if wanted.contains(&value) => Ok(()),
        _ => Err(CompileError::Value { field, reason }),
    }
}
