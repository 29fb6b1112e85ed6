//! What a part of a rule is bound to: a family, protocols, or a kind of table. Both encodings refuse the same rules.

use super::CompileError;
use crate::rule::{Family, Not, Protocol, Rule, Target};
use crate::wrap::TableKind;

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

/// Refuses a target that translates outside of `nat`. The kernel does so, too, but of a native expression it blames the
/// jump that leads there.
pub(crate) fn in_table(rule: &Rule, kind: TableKind) -> Result<(), CompileError> {
    let field = match &rule.target {
        Some(Target::Dnat(_)) => "-j DNAT",
        Some(Target::Masquerade(_)) => "-j MASQUERADE",
        Some(Target::Redirect(_)) => "-j REDIRECT",
        Some(Target::Snat(_)) => "-j SNAT",
        _ => return Ok(()),
    };
    let reason = "addresses and ports are translated in table nat only";
    if kind == TableKind::Nat { Ok(()) } else { Err(CompileError::Value { field, reason }) }
}
