//! A rule in its chain: the typed rule and what only the model knows about it.
//!
//! Owns: place, tag, counters and source line of a rule; what makes two rules the same one.
//! Never: looks into other rules.
//!
//! Invariant: an entry's rule names chains by kernel name only; `$name` is resolved before it gets here.

use std::hash::{BuildHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::nft::expr::Counter;
use crate::rule::{Match, Rule};

/// Where a rule stands among the component's rules of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Place {
    /// Before all others, in the order of adding among themselves.
    Top,
    /// In the order of adding.
    #[default]
    Normal,
    /// After all others; every component that shares the chain keeps it last.
    Bottom,
}

/// A rule's place in its chain: keys are in the order of the rules, and none is given twice to a chain of that name, be
/// it removed and added again. (After four billion rules a chain begins anew; [`Chain::edits`](super::Chain::edits) is
/// `None` then.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleKey {
    pub(super) place: Place,
    pub(super) serial: u32,
}

impl RuleKey {
    /// No key is less.
    pub const MIN: Self = Self { place: Place::Top, serial: 0 };
    /// No key is greater.
    pub const MAX: Self = Self { place: Place::Bottom, serial: u32::MAX };

    /// A key, for tests of what is ordered by keys.
    #[cfg(test)]
    pub(crate) const fn new(place: Place, serial: u32) -> Self {
        Self { place, serial }
    }
}

/// A rule to be added: `Addition::new(rule).top().tagged("floating_ip")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub(super) rule: Arc<Rule>,
    pub(super) place: Place,
    pub(super) tag: Option<Arc<str>>,
    pub(super) counters: Option<Counter>,
    pub(super) line: Option<u32>,
}

impl Addition {
    /// The rule, in the order of adding, without a tag.
    pub fn new(rule: impl Into<Arc<Rule>>) -> Self {
        Self { rule: rule.into(), place: Place::Normal, tag: None, counters: None, line: None }
    }

    /// Stands at that place.
    #[must_use]
    pub fn place(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Stands before all rules that are not `top`.
    #[must_use]
    pub fn top(self) -> Self {
        self.place(Place::Top)
    }

    /// Stands after all rules that are not `bottom`.
    #[must_use]
    pub fn bottom(self) -> Self {
        self.place(Place::Bottom)
    }

    /// Carries a tag, by which [`Table::clear_by_tag`](super::Table::clear_by_tag) removes it.
    #[must_use]
    pub fn tagged(self, tag: impl Into<Arc<str>>) -> Self {
        Self { tag: Some(tag.into()), ..self }
    }

    /// Starts with these counters (`[packets:bytes]` of a save file).
    #[must_use]
    pub fn counters(self, counters: Counter) -> Self {
        Self { counters: Some(counters), ..self }
    }

    /// Came from that line of the input.
    #[must_use]
    pub fn line(self, line: u32) -> Self {
        Self { line: Some(line), ..self }
    }
}

impl From<Rule> for Addition {
    fn from(rule: Rule) -> Self {
        Self::new(rule)
    }
}

impl From<Arc<Rule>> for Addition {
    fn from(rule: Arc<Rule>) -> Self {
        Self::new(rule)
    }
}

impl From<&Rule> for Addition {
    fn from(rule: &Rule) -> Self {
        Self::new(rule.clone())
    }
}

/// A rule of a chain. Kept at 24 bytes: a host has a hundred thousand of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(Form);

/// Both have the place and the numbers beside what they hold, not around it, so that the compiler can put the variant
/// where a struct would have padding.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Plain(Place, Numbers, Arc<Rule>),
    Rare(Place, Numbers, Box<Rare>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    line: Option<NonZeroU32>,
    hash: u32,
    /// Its number among all rules that the chain ever had.
    serial: u32,
}

/// A rule with what few rules have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rare {
    rule: Arc<Rule>,
    tag: Option<Arc<str>>,
    counters: Option<Counter>,
}

impl Entry {
    /// Makes the entry of an addition whose rule is resolved.
    pub(super) fn new(addition: Addition, hash: u32) -> Self {
        let Addition { rule, place, tag, counters, line } = addition;
        let numbers = Numbers { line: line.and_then(NonZeroU32::new), hash, serial: 0 };
        Self(match (&tag, counters) {
            (None, None) => Form::Plain(place, numbers, rule),
            _ => Form::Rare(place, numbers, Box::new(Rare { rule, tag, counters })),
        })
    }

    fn numbers(&self) -> &Numbers {
        let (Form::Plain(_, numbers, _) | Form::Rare(_, numbers, _)) = &self.0;
        numbers
    }

    fn rare(&self) -> Option<&Rare> {
        match &self.0 {
            Form::Plain(..) => None,
            Form::Rare(_, _, rare) => Some(rare),
        }
    }

    /// The part of its identity that it is found by.
    pub(super) fn hash(&self) -> u32 {
        self.numbers().hash
    }

    /// Its number among all rules that the chain ever had.
    pub(super) fn serial(&self) -> u32 {
        self.numbers().serial
    }

    pub(super) fn set_serial(&mut self, serial: u32) {
        let (Form::Plain(_, numbers, _) | Form::Rare(_, numbers, _)) = &mut self.0;
        numbers.serial = serial;
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Arc<Rule> {
        match &self.0 {
            Form::Plain(_, _, rule) => rule,
            Form::Rare(_, _, rare) => &rare.rule,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        let (Form::Plain(place, ..) | Form::Rare(place, ..)) = &self.0;
        *place
    }

    /// Which rule of its chain it is.
    #[must_use]
    pub fn key(&self) -> RuleKey {
        RuleKey { place: self.place(), serial: self.serial() }
    }

    /// The rule, when the entry goes.
    pub(super) fn into_rule(self) -> Arc<Rule> {
        match self.0 {
            Form::Plain(_, _, rule) => rule,
            Form::Rare(_, _, rare) => rare.rule,
        }
    }

    /// The tag that it was added with.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.rare().and_then(|rare| rare.tag.as_deref())
    }

    /// The counters that it starts with.
    #[must_use]
    pub fn counters(&self) -> Option<Counter> {
        self.rare().and_then(|rare| rare.counters)
    }

    /// The line of the input that it came from.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.numbers().line.map(NonZeroU32::get)
    }

    /// Whether an addition is this entry again: the same rule, with its comment, at the same place for the same owner.
    pub(super) fn is(&self, addition: &Addition) -> bool {
        self.place() == addition.place && *self.rule() == addition.rule && self.tag() == addition.tag.as_deref()
    }
}

/// A hash of what the rule does: comments do not count, so that a rule is found again without naming its comment.
pub(super) fn identity(rule: &Rule, state: &impl BuildHasher) -> u64 {
    // Every field is named, so that a new one cannot be forgotten here.
    let Rule { source, destination, input, output, protocol, fragment, matches, target } = rule;
    let mut hasher = state.build_hasher();
    (source, destination, input, output, protocol, fragment).hash(&mut hasher);
    matches.iter().filter(|m| !is_comment(m)).for_each(|m| m.hash(&mut hasher));
    target.hash(&mut hasher);
    hasher.finish()
}

/// Whether two rules differ in nothing but comments.
pub(super) fn same_but_comments(a: &Rule, b: &Rule) -> bool {
    let Rule { source, destination, input, output, protocol, fragment, matches, target } = a;
    (source, destination, input, output) == (&b.source, &b.destination, &b.input, &b.output)
        && (protocol, fragment, target) == (&b.protocol, &b.fragment, &b.target)
        && matches.iter().filter(|m| !is_comment(m)).eq(b.matches.iter().filter(|m| !is_comment(m)))
}

fn is_comment(m: &Match) -> bool {
    matches!(m, Match::Comment(_))
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;
    use crate::name::Comment;
    use crate::rule::PortRange;

    #[test]
    fn an_entry_is_24_bytes_and_so_is_a_hole() {
        assert_eq!(size_of::<Option<Entry>>(), 24);
        assert_eq!(size_of::<RuleKey>(), 8);
    }

    #[test]
    fn comments_do_not_count_in_the_identity() {
        let plain = Rule::new().tcp().dport(PortRange::single(22)).accept();
        let with = |text| Rule::new().tcp().dport(PortRange::single(22)).comment(Comment::new(text).unwrap()).accept();
        let state = RandomState::new();
        assert_eq!(identity(&plain, &state), identity(&with("ssh"), &state));
        assert!(same_but_comments(&with("a"), &with("b")));
        assert!(!same_but_comments(&plain, &Rule::new().tcp().accept()));
    }
}
