//! `-m set`: a lookup in a set of the rule's own table. Another program's ipset stays an xt extension.

use super::super::base::Side;
use super::super::condition::{Condition, Test};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::nft::expr::SetRef;
use crate::rule::matches::{Set, SetDirection};
use crate::rule::{Match, Not};

pub(super) fn compile(m: &Set, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    let Some(set) = w.sets.set(&m.name.value) else { return Ok(Form::Xt("nft cannot look into an ipset")) };
    let refuse = |reason| Err(CompileError::Value { field: "--match-set", reason });
    let side = match m.directions.as_slice() {
        [SetDirection::Source] => Side::Source,
        [SetDirection::Destination] => Side::Destination,
        _ => return refuse("a set of addresses has one direction"),
    };
    // Whether counters are kept up to date makes no difference where there are none.
    if m.packets.is_some() || m.bytes.is_some() {
        return refuse("members of a set in this layout have no counters");
    }
    if m.return_nomatch {
        return refuse("a set in this layout has no exceptions");
    }
    let set = SetRef { name: set.as_str().into(), id: 0 };
    w.test(Condition::new(side.whole(w.family), Test::Lookup { negated: m.name.negated, set }));
    Ok(Form::Native)
}

/// `None` when the lookup is in no set that rules have a name for.
pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let Test::Lookup { negated, set } = &c.test else { return None };
    let value = l.ipsets.named(&set.name)?;
    let direction = [(Side::Source, SetDirection::Source), (Side::Destination, SetDirection::Destination)]
        .into_iter()
        .find_map(|(side, direction)| (side.whole(l.family) == c.field).then_some(direction))?;
    (!c.hton && c.mask.is_none()).then_some(())?;
    l.push(Match::Set(Box::new(Set::new(Not { negated: *negated, value }, direction))))
}
