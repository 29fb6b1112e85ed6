//! Pass `sharing`: chains that say the same are one kernel chain.
//!
//! Owns: the kernel chains of a table: number, name, content, and how many chains of the model each stands for.
//! Never: compiles a chain; it is given the content.
//!
//! Contents are compared whole. What a content leads to is in it by number, so that equality goes up the graph of jumps
//! when the chains below are settled first.
//!
//! When all chains of a body come to say something else, and the same, the body keeps its number and is filled anew:
//! ten thousand instances of a security group change with one chain, and no element that leads there changes. That is
//! why the moves of one level are gathered ([`Bodies::settle`]).
//!
//! What the kernel has of a body that changed is kept until [`Bodies::commit`]: a transaction that is refused is sent with
//! the next one, and a change that is taken back before that is no change.
//!
//! Invariant: two bodies never have the same content, unless they have a name of their own.
//! Invariant: numbers are not used again, but for a body that comes back before the kernel has heard that it went.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::dispatch::ChainIx;
use super::hash::Hash;
use super::item::{BodyId, Item};
use crate::name::ChainName;

/// A kernel chain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Body {
    pub(super) name: ChainName,
    pub(super) content: Arc<[Item]>,
    /// The chain of the model that it alone stands for, and whose name it has.
    pub(super) own: Option<ChainIx>,
    /// Chains of the model that it stands for.
    pub(super) users: BTreeSet<ChainIx>,
}

/// What a kernel chain was before an update.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Was {
    pub(super) name: ChainName,
    pub(super) content: Arc<[Item]>,
}

/// What a chain of the model is to become.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) chain: ChainIx,
    pub(super) content: Arc<[Item]>,
    /// A name of its own, with which it is not shared.
    pub(super) own: Option<ChainName>,
}

/// The kernel chains of a table.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    bodies: HashMap<BodyId, Body>,
    by_content: HashMap<Arc<[Item]>, BodyId>,
    of: HashMap<ChainIx, BodyId>,
    next: u32,
    seeds: HashMap<Hash, u32>,
    /// What the kernel has of bodies that changed; `None`: nothing.
    before: BTreeMap<BodyId, Option<Was>>,
    /// Bodies that the kernel has and that are no more: by name if it was their own, else by content.
    gone_names: HashMap<ChainName, BodyId>,
    gone_contents: HashMap<Arc<[Item]>, BodyId>,
    /// What became of contents, for those who count what they use.
    turns: Vec<Turn>,
}

/// A content that came or went.
#[derive(Debug)]
pub(super) enum Turn {
    Came(BodyId, Arc<[Item]>),
    Went(BodyId, ChainName, Arc<[Item]>),
}

impl Bodies {
    /// Takes the numbers of kernel chains that stand, by the hash of their content, and the first number that is free.
    pub(super) fn seed(&mut self, seeds: HashMap<Hash, u32>, next: u32) {
        self.seeds = seeds;
        self.next = self.next.max(next);
    }

    /// The kernel chain of that number.
    pub(super) fn at(&self, id: BodyId) -> Option<&Body> {
        self.bodies.get(&id)
    }

    /// The kernel chain that a chain of the model is.
    pub(super) fn of(&self, chain: ChainIx) -> Option<BodyId> {
        self.of.get(&chain).copied()
    }

    /// Settles chains whose content is new and does not depend on each other. Returns those that are another kernel
    /// chain now, with the one that they were. `hash` tells what a content is called in the kernel, `name` what a body of a number is.
    pub(super) fn settle(
        &mut self,
        mut moves: Vec<Move>,
        hash: impl Fn(&[Item], &Self) -> Hash,
        name: impl Fn(u32) -> Option<ChainName>,
    ) -> Vec<(ChainIx, Option<BodyId>)> {
        moves.retain(|m| !self.stays(m));
        let before: Vec<_> = moves.iter().map(|m| (m.chain, self.of(m.chain))).collect();
        let mut leaving: BTreeMap<BodyId, BTreeMap<ChainIx, usize>> = BTreeMap::new();
        for (place, m) in moves.iter().enumerate() {
            if let Some(from) = self.of(m.chain) {
                leaving.entry(from).or_default().insert(m.chain, place);
            }
        }
        let emptied = leaving.iter().filter(|(id, who)| self.at(**id).is_some_and(|b| b.users.len() == who.len()));
        let claims: Vec<(BodyId, usize)> =
            emptied.filter_map(|(id, who)| Some((*id, self.heir(*id, who.values().copied(), &moves)?))).collect();
        for (id, place) in claims {
            if let Some(m) = moves.get(place)
                && (m.own.is_some() || !self.by_content.contains_key(&m.content))
            {
                self.refill(id, m.content.clone());
            }
        }
        for m in moves {
            let to = match &m.own {
                Some(own) => self.own(m.chain, own, &m.content),
                None => self.shared(&m.content, &hash, &name),
            };
            if let Some(to) = to {
                self.join(m.chain, to);
            }
        }
        before.into_iter().filter(|(chain, was)| self.of(*chain) != *was).collect()
    }

    fn stays(&self, m: &Move) -> bool {
        let body = self.of(m.chain).and_then(|id| self.at(id));
        body.is_some_and(|body| body.content == m.content && body.own == m.own.as_ref().map(|_| m.chain))
    }

    /// The move that takes over a body which all its chains leave: the content that most of them come to have, the
    /// first of these when there are several.
    fn heir(&self, id: BodyId, leaving: impl Iterator<Item = usize>, moves: &[Move]) -> Option<usize> {
        let body = self.at(id)?;
        let mut counts: HashMap<&Arc<[Item]>, (usize, usize)> = HashMap::default();
        for place in leaving {
            let m = moves.get(place)?;
            let fits = match (body.own, &m.own) {
                (Some(chain), Some(_)) => chain == m.chain,
                (None, None) => !self.by_content.contains_key(&m.content),
                _ => false,
            };
            if fits {
                counts.entry(&m.content).or_insert((0, place)).0 += 1;
            }
        }
        let most = counts.into_values().max_by_key(|(count, first)| (*count, std::cmp::Reverse(*first)));
        most.map(|(_, place)| place)
    }

    fn touch(&mut self, id: BodyId) {
        let body = self.bodies.get(&id);
        self.before
            .entry(id)
            .or_insert_with(|| body.map(|body| Was { name: body.name.clone(), content: body.content.clone() }));
    }

    fn refill(&mut self, id: BodyId, content: Arc<[Item]>) {
        self.touch(id);
        if let Some(body) = self.bodies.get_mut(&id) {
            let old = std::mem::replace(&mut body.content, content.clone());
            if body.own.is_none() {
                self.by_content.remove(&old);
                self.by_content.insert(content.clone(), id);
            }
            // What came is counted first, so that nothing that both have goes in between.
            self.turns.push(Turn::Came(id, content));
            self.turns.push(Turn::Went(id, body.name.clone(), old));
        }
    }

    /// The kernel chain that has the chain's own name.
    fn own(&mut self, chain: ChainIx, name: &ChainName, content: &Arc<[Item]>) -> Option<BodyId> {
        let has = self.of(chain).filter(|id| self.at(*id).is_some_and(|body| body.own.is_some()));
        if let Some(id) = has {
            self.refill(id, content.clone());
            return Some(id);
        }
        let id = self.gone_names.remove(name).unwrap_or_else(|| self.number());
        self.make(id, Body { name: name.clone(), content: content.clone(), own: Some(chain), users: BTreeSet::new() });
        Some(id)
    }

    /// The kernel chain of that content, made if there is none.
    fn shared(
        &mut self,
        content: &Arc<[Item]>,
        hash: impl Fn(&[Item], &Self) -> Hash,
        name: impl Fn(u32) -> Option<ChainName>,
    ) -> Option<BodyId> {
        if let Some(&id) = self.by_content.get(content) {
            return Some(id);
        }
        let known = if self.seeds.is_empty() {
            self.gone_contents.remove(content)
        } else {
            let hash = hash(content, self);
            self.seeds.remove(&hash).map(BodyId)
        };
        let id = known.unwrap_or_else(|| self.number());
        self.by_content.insert(content.clone(), id);
        self.make(id, Body { name: name(id.0)?, content: content.clone(), own: None, users: BTreeSet::new() });
        Some(id)
    }

    fn make(&mut self, id: BodyId, body: Body) {
        self.touch(id);
        self.turns.push(Turn::Came(id, body.content.clone()));
        self.bodies.insert(id, body);
    }

    fn number(&mut self) -> BodyId {
        // Zero is what the directory says of a chain that has a name of its own.
        self.next = self.next.max(1) + 1;
        BodyId(self.next - 1)
    }

    fn join(&mut self, chain: ChainIx, to: BodyId) {
        if self.of(chain) == Some(to) {
            return;
        }
        self.leave(chain);
        self.of.insert(chain, to);
        if let Some(body) = self.bodies.get_mut(&to) {
            body.users.insert(chain);
        }
    }

    /// A chain of the model that is no more. Its kernel chain goes with the last one.
    pub(super) fn leave(&mut self, chain: ChainIx) {
        let Some(id) = self.of.remove(&chain) else { return };
        let Some(body) = self.bodies.get_mut(&id) else { return };
        body.users.remove(&chain);
        if !body.users.is_empty() {
            return;
        }
        self.touch(id);
        let Some(body) = self.bodies.remove(&id) else { return };
        if body.own.is_none() {
            self.by_content.remove(&body.content);
        }
        if let Some(Some(was)) = self.before.get(&id) {
            match body.own {
                Some(_) => drop(self.gone_names.insert(was.name.clone(), id)),
                None => drop(self.gone_contents.insert(was.content.clone(), id)),
            }
        }
        self.turns.push(Turn::Went(id, body.name, body.content));
    }

    /// Contents that came and went since this was last asked, in that order.
    pub(super) fn take_turns(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.turns)
    }

    /// The kernel chains that changed, with what the kernel has of them.
    pub(super) fn changes(&self) -> impl Iterator<Item = (BodyId, Option<&Was>)> {
        self.before.iter().map(|(id, was)| (*id, was.as_ref()))
    }

    /// No number of what stands is waited for any more.
    pub(super) fn end_seeds(&mut self) {
        self.seeds.clear();
    }

    /// The kernel has it all.
    pub(super) fn commit(&mut self) {
        self.before.clear();
        self.gone_names.clear();
        self.gone_contents.clear();
    }
}
