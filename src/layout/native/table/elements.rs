//! The elements of runs and families, put when every chain has its kernel chain.
//!
//! Owns: what an element holds, and the uses of actions.
//! Never: decides which elements there are.
//!
//! Invariant: the number that an element of a choice holds is one that the verdict map has.

use super::{ChainIx, Choice, Comment, SetId, Table, Tags, Userdata};
use crate::layout::native::analysis::{Action, Verdict};
use crate::layout::native::declare::action_value;
use crate::layout::native::field::Key;
use crate::layout::native::rules::Known;
use crate::layout::native::sets::{Value, actions_of};
use crate::name::ChainName;
use crate::nft::ElementData;
use crate::rule::Match;

/// An element in the set of a family, and the chain that it leads to.
pub(super) type Held = (SetId, Key, Option<ChainIx>);

/// What an element of a family holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filling {
    /// Nothing: it is there.
    Member,
    /// What the target stores.
    Value(Box<[u8]>),
    /// The action that leads to a chain of the model.
    Chain { to: ChainName, goto: bool },
}

/// What any element holds.
enum Holds {
    Nothing,
    Value(Box<[u8]>),
    /// An action, and the kernel chain that it leads to.
    Action(Choice, Option<ChainName>),
}

impl Table {
    /// Puts the elements that changed.
    pub(super) fn fill(&mut self) {
        for (run, elements) in std::mem::take(&mut self.pending) {
            let lives = self.dispatch.run(run).is_some();
            let Some(set) = self.runs.get(&run).filter(|_| lives).map(|run| run.set) else { continue };
            for (key, rule) in elements {
                let id = rule.and_then(|rule| self.chains.get(&run.chain)?.rules.get(rule));
                let known = id.and_then(|id| self.rules.at(id));
                let value = known.and_then(|known| {
                    let (holds, tags) = self.of_rule(known)?;
                    Some((holds, userdata(comment(known), tags)))
                });
                self.put(set, &key, value);
            }
        }
        for ((set, key), filled) in std::mem::take(&mut self.fillings) {
            let value = filled.and_then(|(_, filling)| match filling {
                Filling::Member => Some((Holds::Nothing, None)),
                Filling::Value(value) => Some((Holds::Value(value), None)),
                Filling::Chain { to, goto } => {
                    let holds = self.leading(&to, goto)?;
                    Some((holds, userdata(None, Tags { name: Some(to), ..Tags::default() })))
                }
            });
            self.put(set, &key, value);
        }
    }

    /// Puts an element, or takes it away, and counts the action that it has.
    fn put(&mut self, set: SetId, key: &Key, value: Option<(Holds, Option<Box<[u8]>>)>) {
        let old = self.sets.action(set, key.bytes());
        let value = value.map(|(holds, userdata)| {
            let data = match holds {
                Holds::Nothing => None,
                Holds::Value(value) => Some(ElementData::Value(value)),
                Holds::Action(choice, name) => {
                    let number = self.sets.take_action(actions_of(set), choice, name.as_ref());
                    Some(ElementData::Value(action_value(number).into()))
                }
            };
            Value { data, userdata }
        });
        self.sets.put(set, key.bytes(), value);
        if let Some(old) = old {
            self.sets.release_action(actions_of(set), old);
        }
    }

    /// What the element of a rule in a run holds, and what it says of the model's chain.
    fn of_rule(&self, known: &Known) -> Option<(Holds, Tags)> {
        let named = |name: &ChainName| Tags { name: Some(name.clone()), ..Tags::default() };
        Some(match &known.action {
            Action::Verdict(verdict) => {
                let choice = match verdict {
                    Verdict::Accept => Choice::Accept,
                    Verdict::Drop => Choice::Drop,
                    Verdict::Return => Choice::Return,
                };
                (Holds::Action(choice, None), Tags::default())
            }
            Action::Jump(name) => (self.leading(name, false)?, named(name)),
            Action::Goto(name) => (self.leading(name, true)?, named(name)),
            Action::Store { value, .. } => (Holds::Value(value.clone()), Tags::default()),
            Action::Other(_) => (Holds::Nothing, Tags::default()),
        })
    }

    /// The action that leads to a chain of the model.
    fn leading(&self, name: &ChainName, goto: bool) -> Option<Holds> {
        let id = self.bodies.of(self.graph.find(name)?)?;
        let choice = if goto { Choice::Goto(id) } else { Choice::Jump(id) };
        Some(Holds::Action(choice, Some(self.bodies.at(id)?.name.clone())))
    }

    /// Notes the elements that a chain has in sets of families from now on.
    pub(super) fn hold(&mut self, ix: ChainIx, elements: Vec<(SetId, Key, Filling)>) {
        let Some(state) = self.chains.get_mut(&ix) else { return };
        if elements.is_empty() && state.elements.is_empty() {
            return;
        }
        self.listed.insert(ix);
        let target = |filling: &Filling| match filling {
            Filling::Chain { to, .. } => self.graph.find(to),
            Filling::Member | Filling::Value(_) => None,
        };
        let now: Vec<Held> = elements.iter().map(|(set, key, f)| (*set, key.clone(), target(f))).collect();
        let before = std::mem::replace(&mut state.elements, now.clone());
        for (set, key, to) in before {
            let place = self.fillings.entry((set, key)).or_default();
            // Another chain may have taken it over already.
            if place.as_ref().is_none_or(|(owner, _)| *owner == ix) {
                *place = None;
            }
            self.name(to, false);
        }
        for ((set, key, filling), (.., to)) in elements.into_iter().zip(now) {
            self.fillings.insert((set, key), Some((ix, filling)));
            self.name(to, true);
        }
    }

    /// One element more names a chain, or one less.
    fn name(&mut self, ix: Option<ChainIx>, more: bool) {
        let Some((ix, state)) = ix.and_then(|ix| Some((ix, self.chains.get_mut(&ix)?))) else { return };
        state.named = if more { state.named + 1 } else { state.named.saturating_sub(1) };
        self.listed.insert(ix);
    }
}

fn comment(known: &Known) -> Option<&Comment> {
    known.rule.matches.iter().rev().find_map(|m| match m {
        Match::Comment(comment) => Some(comment),
        _ => None,
    })
}

/// The user data of an element: the rule's comment, and the chain it leads to.
fn userdata(comment: Option<&Comment>, tags: Tags) -> Option<Box<[u8]>> {
    let userdata = Userdata { comment: comment.cloned(), owner: None, others: tags.entries() };
    let mut bytes = Vec::new();
    // A comment that leaves no room for the name goes: the name is what the rule is read back by.
    if userdata.encode(&mut bytes).is_err() {
        Userdata { comment: None, ..userdata }.encode(&mut bytes).ok()?;
    }
    (!bytes.is_empty()).then(|| bytes.into())
}
