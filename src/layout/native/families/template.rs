//! What a rule is without the constant that only its instance has.
//!
//! Owns: [`Template`], [`Hole`] and taking a rule apart into both.
//! Never: decides whether a template is worth a set; [`heat`](super::heat) counts, and the caller decides.
//!
//! Invariant: template and hole together are the rule. Two rules have the same template exactly when they differ in the
//! values of their holes only.

use std::sync::Arc;

use crate::layout::native::analysis::{Action, has_memory};
use crate::layout::native::field::{Field, Fields, Key, address_bytes};
use crate::layout::native::normal::normal;
use crate::name::ChainName;
use crate::rule::{Family, Masked, Match, Not, Rule};

/// A rule with a hole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    /// What is left, with the comment. The target is left as it is for [`Kind::Match`], has the value zero for
    /// [`Kind::Store`], and is gone for the other two.
    pub rule: Arc<Rule>,
    /// What fills the hole.
    pub kind: Kind,
}

/// What kind of constant was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The values of these fields, which a packet must have.
    Match(Fields),
    /// The value that the target stores.
    Store,
    /// The chain that the rule jumps to.
    Jump,
    /// The chain that the rule goes to.
    Goto,
}

/// The constant that fills a template's hole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hole {
    /// Values that the packet must have.
    Match(Key),
    /// The value that is stored, as the register holds it.
    Store(Box<[u8]>),
    /// The chain that a jump or goto leads to.
    Chain(ChainName),
}

/// A rule taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Taken {
    /// The rule without its constant.
    pub template: Template,
    /// The constant.
    pub hole: Hole,
}

impl Taken {
    /// Takes a rule apart: host addresses and a MAC, all of them; or, of a rule without, what its target stores; or where
    /// it leads. `None` when it has nothing of these, or has a memory of its own, which instances must not share.
    #[must_use]
    pub fn of(rule: &Rule, action: &Action, family: Family) -> Option<Self> {
        if rule.matches.iter().any(has_memory) {
            return None;
        }
        let mut left = rule.clone();
        let values = take_values(&mut left, family);
        let (kind, hole) = if values.is_empty() {
            match action {
                Action::Store { store, value } => {
                    left.target = Some(store.clone());
                    (Kind::Store, Hole::Store(value.clone()))
                }
                Action::Jump(to) => (Kind::Jump, Hole::Chain(to.clone())),
                Action::Goto(to) => (Kind::Goto, Hole::Chain(to.clone())),
                Action::Verdict(_) | Action::Other(_) => return None,
            }
        } else {
            let parts = values.iter().map(|(field, bytes)| (*field, bytes.as_slice()));
            let (fields, key) = Key::build(family, parts);
            (Kind::Match(fields), Hole::Match(key))
        };
        if matches!(kind, Kind::Jump | Kind::Goto) {
            left.target = None;
        }
        Some(Self { template: Template { rule: Arc::new(left), kind }, hole })
    }
}

impl Template {
    /// The same in words that another text of the rule would give, too.
    #[must_use]
    pub(crate) fn normal(&self, family: Family) -> Self {
        Self { rule: normal(&self.rule, family), kind: self.kind.clone() }
    }

    /// Whether the kernel takes a key of the fields that lead to the body and of those that were taken out.
    #[must_use]
    pub fn fits(&self, context: &Fields, family: Family) -> bool {
        match &self.kind {
            Kind::Match(fields) => context.join(fields).fit(family),
            Kind::Store | Kind::Jump | Kind::Goto => context.fit(family),
        }
    }
}

/// Takes host addresses and a MAC out of a rule.
fn take_values(rule: &mut Rule, family: Family) -> Vec<(Field, [u8; 16])> {
    type Side = fn(u8) -> Field;
    let mut values = Vec::new();
    let sides: [(_, Side); 2] = [(&mut rule.source, Field::Source), (&mut rule.destination, Field::Destination)];
    for (place, side) in sides {
        if let Some((bits, bytes)) = place.and_then(|asked| host(asked, family)) {
            values.push((side(bits), bytes));
            *place = None;
        }
    }
    let mac = rule.matches.iter().enumerate().find_map(|(at, m)| match m {
        Match::Mac(Not { negated: false, value }) => Some((at, *value)),
        _ => None,
    });
    if let Some((at, [a, b, c, d, e, f])) = mac {
        rule.matches.remove(at);
        values.push((Field::Mac, [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    }
    values
}

/// The address of a whole host.
fn host(asked: Not<Masked>, family: Family) -> Option<(u8, [u8; 16])> {
    let bits = match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    let Not { negated: false, value } = asked else { return None };
    (value.family() == family && value.prefix_len() == Some(bits)).then_some(())?;
    let (bytes, _) = address_bytes(match value {
        Masked::V4 { addr, .. } => addr.into(),
        Masked::V6 { addr, .. } => addr.into(),
    });
    Some((bits, bytes))
}
