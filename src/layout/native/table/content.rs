//! What a chain of the model is in the kernel: its items, and the elements that it has in sets of families.
//!
//! Owns: the call of the passes `families` and `folding`, and the step from their pieces to items.
//! Never: decides which kernel chain the items become; [`sharing`](crate::layout::native::sharing) does.
//!
//! Invariant: a chain with an item of a family has in its set an element for every key that leads to the chain.

use std::sync::Arc;

use super::context::Context;
use super::elements::Filling;
use super::{ChainIx, Form, Item, Move, Passes, RuleId, SetId, Table, inconsistent};
use crate::layout::native::dispatch;
use crate::layout::native::error::Error;
use crate::layout::native::families::{self, Hole, Line, Piece, Taken, Template, compile_body};
use crate::layout::native::field::{Fields, Key};
use crate::layout::native::folding::FOLD_MIN;
use crate::layout::native::names::is_rest;
use crate::layout::native::rules::TemplateId;
use crate::rule::{Family, Rule};
use crate::wrap::ChainKind;

/// A rule of a family: its template, and the constant that fills it.
type Apart = (TemplateId, Arc<Taken>);

/// The rules of a chain, and what is known of them.
struct Rules<'a> {
    ids: &'a [RuleId],
    /// For each rule, what it is apart when it belongs to a family; empty if none does.
    hot: &'a [Option<Apart>],
    context: Option<&'a Context>,
}

/// What a chain becomes.
#[derive(Default)]
struct Made {
    items: Vec<Item>,
    elements: Vec<(SetId, Key, Filling)>,
    /// Rules that a set would stand for, were there not too many.
    unfolded: usize,
}

impl Table {
    /// What a chain of the model is to be.
    pub(super) fn content(&mut self, ix: ChainIx, kind: ChainKind) -> Result<Move, Error> {
        let state = self.chains.get(&ix).ok_or_else(inconsistent)?;
        let common = self.setup.is_common(kind);
        let dispatches = self.dispatch.is_dispatcher(ix);
        let unique = state.unique > 0;
        let content = if dispatches {
            // It may have ten thousand rules of which one has changed: what is looked at is the few that they become.
            self.hold(ix, Vec::new());
            self.dispatched(ix)?
        } else {
            match common {
                true => self.plain(&state.rules.ids().collect::<Vec<_>>())?.into(),
                false => self.body(ix)?,
            }
        };
        let shared = matches!(kind, ChainKind::Wrapped | ChainKind::Shared) && !common;
        // Rules that remember something, such as a limit, remember it for their own chain.
        let alone = !shared || dispatches || unique || !self.passes().contains(Passes::SHARING);
        // A chain that another goes on in belongs to that one.
        let own = self.graph.at(ix).filter(|node| alone || is_rest(&node.name)).map(|node| node.name.clone());
        Ok(Move { chain: ix, content, own })
    }

    /// The content of a dispatcher.
    fn dispatched(&self, ix: ChainIx) -> Result<Arc<[Item]>, Error> {
        let state = self.chains.get(&ix).ok_or_else(inconsistent)?;
        let pieces = self.dispatch.pieces(ix).map(|piece| match piece {
            dispatch::Piece::Rule(key) => self.item(state.rules.get(key)?),
            dispatch::Piece::Run(run) => Some(self.runs.get(&run)?.item),
        });
        pieces.collect::<Option<_>>().ok_or_else(inconsistent)
    }

    /// Rules as they stand.
    fn plain(&self, rules: &[RuleId]) -> Result<Vec<Item>, Error> {
        rules.iter().map(|id| self.item(*id)).collect::<Option<_>>().ok_or_else(inconsistent)
    }

    /// A rule as it stands, leading to the kernel chain of its target.
    fn item(&self, rule: RuleId) -> Option<Item> {
        let form = match self.rules.at(rule)?.target() {
            None => Form::Plain,
            Some(name) => Form::To(self.bodies.of(self.graph.find(name)?)?),
        };
        Some(Item { rule, form })
    }

    /// The content of a chain that does not dispatch.
    fn body(&mut self, ix: ChainIx) -> Result<Arc<[Item]>, Error> {
        let state = self.chains.get(&ix).ok_or_else(inconsistent)?;
        let list = state.rules.list().map(|list| list.id());
        let context = state.context.clone().filter(|context| {
            let counted = state.counted.iter().flat_map(|(_, list)| list.known_templates());
            counted.into_iter().any(|(template, _)| self.heat.is_hot(context.place, *template))
        });
        if context.is_none()
            && let Some((items, unfolded)) = list.and_then(|list| self.folded.get(&list)).cloned()
        {
            self.hold(ix, Vec::new());
            self.note_unfolded(ix, unfolded);
            return Ok(items);
        }
        let ids: Vec<RuleId> = state.rules.ids().collect();
        let hot = context.as_ref().map_or_else(Vec::new, |context| self.hot(context, &ids));
        let families = hot.iter().any(Option::is_some);
        let mut made = Made::default();
        if families || (ids.len() >= FOLD_MIN && self.passes().contains(Passes::FOLDING)) {
            self.compile_rules(&Rules { ids: &ids, hot: &hot, context: context.as_deref() }, &mut made)?;
        } else {
            made.items = self.plain(&ids)?;
        }
        let items: Arc<[Item]> = made.items.into();
        self.hold(ix, made.elements);
        if let Some(list) = list.filter(|_| !families) {
            self.folded.insert(list, (items.clone(), made.unfolded));
        }
        self.note_unfolded(ix, made.unfolded);
        Ok(items)
    }

    /// Has the passes compile rules.
    fn compile_rules(&mut self, rules: &Rules<'_>, made: &mut Made) -> Result<(), Error> {
        let lines = rules.ids.iter().enumerate().filter_map(|(at, id)| {
            let hot = rules.hot.get(at).and_then(|hot| hot.as_ref()).map(|(_, taken)| &**taken);
            Some(Line { rule: &self.rules.at(*id)?.asked, hot })
        });
        let pieces = compile_body(&lines.collect::<Vec<_>>(), self.id.family, self.passes());
        pieces.into_iter().try_for_each(|piece| self.write(piece, rules, made))
    }

    /// Notes how many rules of a chain a set would stand for, were there not too many.
    fn note_unfolded(&mut self, ix: ChainIx, rules: usize) {
        match rules {
            0 => drop(self.unfolded.remove(&ix)),
            rules => drop(self.unfolded.insert(ix, rules)),
        }
    }

    /// For each rule, what it is apart when it belongs to a family.
    fn hot(&mut self, context: &Context, ids: &[RuleId]) -> Vec<Option<Apart>> {
        let family = self.id.family;
        let mut hot = Vec::with_capacity(ids.len());
        for id in ids {
            let apart = self.rules.take_apart(*id, family).map(|(template, taken)| (template, taken.clone()));
            hot.push(apart.filter(|(template, taken)| {
                self.heat.is_hot(context.place, *template)
                    && taken.template.fits(&context.fields, family)
                    && can_match(context, taken, family)
            }));
        }
        hot
    }

    /// Writes a piece of a body.
    fn write(&mut self, piece: Piece, rules: &Rules<'_>, made: &mut Made) -> Result<(), Error> {
        match piece {
            Piece::Concrete(at) => {
                let item = rules.ids.get(at).and_then(|id| self.item(*id));
                made.items.push(item.ok_or_else(inconsistent)?);
            }
            Piece::Folded { rules: range, rule, fields, ranges } => match self.constant(fields, ranges)? {
                Some(set) => made.items.push(self.member(set, &Arc::from(rule))?),
                None => {
                    made.unfolded += range.len();
                    made.items.extend(self.plain(rules.ids.get(range).unwrap_or_default())?);
                }
            },
            Piece::Family { rules: range, template, keys, occurrence } => {
                let (context, id) = rules.family(range.start)?;
                let families::Kind::Match(fields) = &template.kind else { return Err(inconsistent()) };
                let set = self.family_set(context, id, &template, occurrence)?;
                for outer in &context.keys {
                    let outer = (&context.fields, outer);
                    let joined = keys.iter().filter_map(|inner| Key::concat(outer, (fields, inner), self.id.family));
                    made.elements.extend(joined.map(|(_, key)| (set, key, Filling::Member)));
                }
                made.items.push(self.member(set, &template.rule)?);
            }
            Piece::FamilyStore { rule, template, value, occurrence } => {
                let set = self.mapped(rules, rule, &template, occurrence, &Filling::Value(value), made)?;
                let rule = self.borrow_rule(&template.rule);
                made.items.push(Item { rule, form: Form::Assign(set) });
            }
            Piece::FamilyChain { rule, template, to, occurrence } => {
                let filling = Filling::Chain { to, goto: template.kind == families::Kind::Goto };
                let set = self.mapped(rules, rule, &template, occurrence, &filling, made)?;
                let rule = self.borrow_rule(&template.rule);
                made.items.push(Item { rule, form: Form::Choose(set) });
            }
        }
        Ok(())
    }

    /// The map of a family, with the same for every key of the chain.
    fn mapped(
        &mut self,
        rules: &Rules<'_>,
        at: usize,
        template: &Template,
        occurrence: u32,
        filling: &Filling,
        made: &mut Made,
    ) -> Result<SetId, Error> {
        let (context, id) = rules.family(at)?;
        let set = self.family_set(context, id, template, occurrence)?;
        made.elements.extend(context.keys.iter().map(|key| (set, key.clone(), filling.clone())));
        Ok(set)
    }

    /// A rule that applies when a set has the packet's fields.
    fn member(&mut self, set: SetId, rule: &Arc<Rule>) -> Result<Item, Error> {
        let rule = self.borrow_rule(rule);
        let form = match self.item(rule).ok_or_else(inconsistent)?.form {
            Form::To(body) => Form::MemberTo(set, body),
            _ => Form::Member(set),
        };
        Ok(Item { rule, form })
    }

    /// The number of a rule that the model does not have. The kernel chain that it comes to stand in holds it.
    fn borrow_rule(&mut self, rule: &Arc<Rule>) -> RuleId {
        let id = self.rules.take(rule, self.id.family);
        self.rules.release(id);
        id
    }
}

impl Rules<'_> {
    /// The context, and the template of a rule that belongs to a family.
    fn family(&self, at: usize) -> Result<(&Context, TemplateId), Error> {
        let apart = self.hot.get(at).and_then(Option::as_ref);
        self.context.zip(apart).map(|(context, (id, _))| (context, *id)).ok_or_else(inconsistent)
    }
}

/// Whether a packet with any of the keys can match. A rule that asks for another value of what is in the key never
/// does; it has no element, and stays as it is to be seen.
fn can_match(context: &Context, taken: &Taken, family: Family) -> bool {
    let (families::Kind::Match(fields), Hole::Match(inner)) = (&taken.template.kind, &taken.hole) else { return true };
    let disjoint = |fields: &Fields| fields.iter().all(|field| !context.fields.iter().any(|other| other == field));
    disjoint(fields)
        || context.keys.iter().all(|key| Key::concat((&context.fields, key), (fields, inner), family).is_some())
}
