//! What the compiler wants to know of a rule: its key, what is left, what it does.
//!
//! Owns: [`Parts`], [`Action`], [`Effects`]: one rule looked at on its own.
//! Never: knows a chain; what a jump leads to is a name here.
//!
//! A rule that asks for something that has a memory (a limit's budget, the counters of an ipset) has no key: asked before
//! the key instead of after it, or once for many rules, it would count other packets.
//!
//! Invariant: key, rest and action together say what the rule says, comments aside.
//!
//! How it is tested: parts are put together again and compared; effects for one target of each kind.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::field::{Field, Fields, Key, address_bytes, name_bytes};
use crate::name::ChainName;
use crate::rule::targets::{Ct, CtZone, CtZoneId, Nat};
use crate::rule::{Family, InterfaceMatch, MarkMask, Masked, Match, Not, Rule, Target};

bitflags::bitflags! {
    /// What can become of a packet in a rule or chain, other than going on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Effects: u8 {
        /// It is accepted.
        const ACCEPT = 1 << 0;
        /// It is dropped.
        const DROP = 1 << 1;
        /// It leaves the chain that the rule is in.
        const RETURN = 1 << 2;
        /// Its way ends otherwise: rejected, translated, queued.
        const OTHER = 1 << 3;
        /// Something is changed or remembered that another rule may look at, or that is seen from outside: a mark, a
        /// log line, a limit's budget.
        const SIDE = 1 << 4;
    }
}

/// What a rule does when it matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// ACCEPT, DROP or RETURN.
    Verdict(Verdict),
    /// `-j CHAIN`.
    Jump(ChainName),
    /// `-g CHAIN`.
    Goto(ChainName),
    /// Stores a number or an address that a data map can give: `store` is the target with the value zero, `value` the
    /// value as the register holds it.
    Store {
        /// The target without its value.
        store: Target,
        /// The value.
        value: Box<[u8]>,
    },
    /// Any other target, or none.
    Other(Option<Target>),
}

/// A verdict that ends a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`.
    Drop,
    /// `-j RETURN`.
    Return,
}

/// A rule taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// What it asks to be one value, with the value; `None` when there is no such field.
    pub key: Option<(Fields, Key)>,
    /// Everything else that it asks: the rule without the key and without a target. Comments are left out.
    pub rest: Arc<Rule>,
    /// What it does.
    pub action: Action,
}

/// Takes a rule apart.
#[must_use]
pub fn analyse(rule: &Rule, family: Family) -> Parts {
    let action = Action::of(rule.target.as_ref(), family);
    let mut rest = rule.clone();
    rest.target = None;
    rest.matches.retain(|m| !matches!(m, Match::Comment(_)));
    let key = if rest.matches.iter().any(has_memory) { None } else { take_key(&mut rest, family) };
    Parts { key, rest: Arc::new(rest), action }
}

/// Whether a rule has a memory of its own, so that two equal rules are not one: a limit's budget.
#[must_use]
pub fn is_unique(rule: &Rule) -> bool {
    rule.matches.iter().any(|m| matches!(m, Match::Limit(_)))
}

/// Whether it counts that a rule is asked: what is asked before this match decides what it remembers.
#[must_use]
pub fn has_memory(m: &Match) -> bool {
    match m {
        Match::Limit(_) => true,
        Match::Set(set) => !(set.keep_counters && set.keep_subcounters),
        _ => false,
    }
}

/// What a rule does to packets by itself, without what the chain does that it jumps to.
#[must_use]
pub fn effects(rest: &Rule, action: &Action) -> Effects {
    let memory = if rest.matches.iter().any(has_memory) { Effects::SIDE } else { Effects::empty() };
    memory | action.effects()
}

/// Whether two rules may change places, given what may become of a packet in each (the chains that they jump to
/// included), although one packet may match both. Rules with disjoint keys always may.
#[must_use]
pub fn commute(a: Effects, b: Effects, same_action: bool) -> bool {
    let both = a | b;
    !both.contains(Effects::SIDE) && (same_action || Effects::DROP.contains(both))
}

impl Action {
    fn of(target: Option<&Target>, family: Family) -> Self {
        match target {
            Some(Target::Accept) => Self::Verdict(Verdict::Accept),
            Some(Target::Drop) => Self::Verdict(Verdict::Drop),
            Some(Target::Return) => Self::Verdict(Verdict::Return),
            Some(Target::Jump(chain)) => Self::Jump(chain.name().clone()),
            Some(Target::Goto(chain)) => Self::Goto(chain.name().clone()),
            Some(target) => match store(target, family) {
                Some((store, value)) => Self::Store { store, value },
                None => Self::Other(Some(target.clone())),
            },
            None => Self::Other(None),
        }
    }

    fn effects(&self) -> Effects {
        match self {
            Self::Verdict(Verdict::Accept) => Effects::ACCEPT,
            Self::Verdict(Verdict::Drop) => Effects::DROP,
            // What comes back from the chain that a goto led to goes on behind the caller.
            Self::Verdict(Verdict::Return) | Self::Goto(_) => Effects::RETURN,
            Self::Jump(_) | Self::Other(None) => Effects::empty(),
            Self::Store { store: target, .. } | Self::Other(Some(target)) => target_effects(target),
        }
    }
}

fn target_effects(target: &Target) -> Effects {
    match target {
        Target::Accept => Effects::ACCEPT,
        Target::Drop => Effects::DROP,
        Target::Return | Target::Goto(_) => Effects::RETURN,
        Target::Jump(_) => Effects::empty(),
        Target::Dnat(_) | Target::Masquerade(_) | Target::Redirect(_) | Target::Reject(_) | Target::Snat(_) => {
            Effects::OTHER
        }
        Target::Checksum
        | Target::Classify(_)
        | Target::Connmark(_)
        | Target::Ct(_)
        | Target::Log(_)
        | Target::Mark(_)
        | Target::Nflog(_)
        | Target::Notrack
        | Target::Tcpmss(_) => Effects::SIDE,
    }
}

/// The target without its value, and the value as a register holds it, when the native encoding stores a register.
fn store(target: &Target, family: Family) -> Option<(Target, Box<[u8]>)> {
    let value: Box<[u8]> = match target {
        Target::Mark(MarkMask { value, mask: u32::MAX }) => (*value).to_ne_bytes().into(),
        Target::Classify(class) => class.to_ne_bytes().into(),
        Target::Ct(ct) => match &**ct {
            Ct {
                notrack: false,
                helper: None,
                timeout: None,
                events: None,
                expect_new: false,
                zone: Some(CtZone { id: CtZoneId::Number(zone), .. }),
            } => zone.to_ne_bytes().into(),
            _ => return None,
        },
        Target::Snat(nat) | Target::Dnat(nat) => match &**nat {
            Nat { addresses: Some((first, last)), ports: None, base_port: None, .. }
                if first == last && Family::of(*first) == family =>
            {
                let (bytes, len) = address_bytes(*first);
                bytes.get(..len)?.into()
            }
            _ => return None,
        },
        _ => return None,
    };
    with_value(target, &vec![0; value.len()]).map(|store| (store, value))
}

/// The target of [`Action::Store`] with a value: the inverse of taking it out.
#[must_use]
pub fn with_value(store: &Target, value: &[u8]) -> Option<Target> {
    let word = || Some(u32::from_ne_bytes(value.try_into().ok()?));
    let nat = |nat: &Nat| {
        let address = match value.len() {
            4 => <[u8; 4]>::try_from(value).ok()?.into(),
            _ => <[u8; 16]>::try_from(value).ok()?.into(),
        };
        Some(Box::new(Nat { addresses: Some((address, address)), ..nat.clone() }))
    };
    Some(match store {
        Target::Mark(_) => Target::Mark(MarkMask::exact(word()?)),
        Target::Classify(_) => Target::Classify(word()?),
        Target::Ct(ct) => {
            let id = CtZoneId::Number(u16::from_ne_bytes(value.try_into().ok()?));
            let zone = Some(CtZone { id, ..ct.zone? });
            Target::Ct(Box::new(Ct { zone, ..(**ct).clone() }))
        }
        Target::Snat(snat) => Target::Snat(nat(snat)?),
        Target::Dnat(dnat) => Target::Dnat(nat(dnat)?),
        _ => return None,
    })
}

/// Moves what asks for one value from the rule to a key, as far as the key has room.
fn take_key(rest: &mut Rule, family: Family) -> Option<(Fields, Key)> {
    let mut parts: Vec<(Field, [u8; 16])> = Vec::new();
    let room = |parts: &[(Field, [u8; 16])], field| {
        Fields::new(parts.iter().map(|(field, _)| *field).chain([field])).fit(family)
    };
    for (place, field) in [(&mut rest.input, Field::Input), (&mut rest.output, Field::Output)] {
        if let Some(Not { negated: false, value: InterfaceMatch::Name(name) }) = place
            && room(&parts, field)
        {
            parts.push((field, name_bytes(name)));
            *place = None;
        }
    }
    type Side = fn(u8) -> Field;
    let sides: [(_, Side); 2] = [(&mut rest.source, Field::Source), (&mut rest.destination, Field::Destination)];
    for (place, side) in sides {
        if let Some((prefix, bytes)) = place.and_then(|asked| prefix(asked, family))
            && room(&parts, side(prefix))
        {
            parts.push((side(prefix), bytes));
            *place = None;
        }
    }
    let mac = rest.matches.iter().enumerate().find_map(|(at, m)| match m {
        Match::Mac(Not { negated: false, value }) => Some((at, *value)),
        _ => None,
    });
    if let Some((at, [a, b, c, d, e, f])) = mac
        && room(&parts, Field::Mac)
    {
        parts.push((Field::Mac, [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        rest.matches.remove(at);
    }
    (!parts.is_empty()).then(|| Key::build(family, parts.iter().map(|(field, bytes)| (*field, bytes.as_slice()))))
}

/// The prefix that an address option asks for: its length and the address.
fn prefix(asked: Not<Masked>, family: Family) -> Option<(u8, [u8; 16])> {
    let Not { negated: false, value } = asked else { return None };
    let len = value.prefix_len().filter(|&len| len > 0 && value.family() == family)?;
    let (bytes, _) = address_bytes(match value {
        Masked::V4 { addr, .. } => addr.into(),
        Masked::V6 { addr, .. } => addr.into(),
    });
    Some((len, bytes))
}
