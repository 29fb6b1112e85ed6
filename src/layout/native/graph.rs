//! The chains of a table and the jumps between them.
//!
//! Owns: chain numbers, who refers to whom, how high each chain stands above what it leads to, and what can become of a
//! packet in it.
//! Never: compiles; looks at a rule beyond its target and effects.
//!
//! Height is the longest way down: 0 for a chain that leads nowhere. It orders the work of an update (what is below is
//! compiled first) and finds loops: in a loop it grows without end, so it is cut off at [`MAX_HEIGHT`]. That is more than
//! packets come down (`NFT_JUMP_STACK_SIZE`), as chains that nothing leads to may stand above each other at will.
//!
//! Invariant: height and effects of a chain are those of its rules and of the chains that these lead to; a change goes up
//! only as far as it changes anything.

use std::collections::{BTreeSet, VecDeque};

use foldhash::HashMap;

use super::analysis::Effects;
use super::dispatch::ChainIx;
use super::referrers::Referrers;
use crate::name::ChainName;
use crate::wrap::RuleKey;

/// More chains above each other are taken for a loop.
pub(super) const MAX_HEIGHT: u8 = u8::MAX;

/// How often each effect is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally([u32; 5]);

impl Tally {
    /// So many more have these effects, or fewer.
    pub(super) fn count(&mut self, effects: Effects, more: i32) {
        for (_, count) in self.0.iter_mut().enumerate().filter(|(bit, _)| effects.bits() >> bit & 1 == 1) {
            *count = count.saturating_add_signed(more);
        }
    }

    fn turn(&mut self, less: &Self, more: &Self) {
        for ((count, less), more) in self.0.iter_mut().zip(less.0).zip(more.0) {
            *count = (*count + more).saturating_sub(less);
        }
    }

    fn effects(&self) -> Effects {
        let bits = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        Effects::from_bits_truncate(bits.fold(0, |all, (bit, _)| all | 1 << bit))
    }
}

/// Rules that come or go: what they do themselves, and the chains they lead to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) tally: &'a Tally,
    pub(super) leading: &'a [(RuleKey, ChainIx)],
}

/// What a rule adds to the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// What can become of a packet by the rule itself.
    pub(super) effects: Effects,
    /// The chain it leads to.
    pub(super) target: Option<ChainIx>,
}

/// What a chain is to rules that lead there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Below {
    height: u8,
    effects: Effects,
}

/// That something became of the chain that a rule leads to.
#[derive(Debug, Clone, Copy)]
struct News {
    /// The rule's chain.
    to: ChainIx,
    before: Below,
    now: Below,
}

/// A chain in the graph.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: ChainName,
    /// Heights of chains that rules lead to, ascending, with how many rules do.
    below: Vec<(u8, u32)>,
    /// How often each effect is there: once for a rule of its own, once for what it leads to.
    with: Tally,
    /// The rules that lead here.
    pub(super) referrers: Referrers,
}

/// All chains of a table, also those that are only jumped to.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Option<Node>>,
    by_name: HashMap<ChainName, ChainIx>,
    free: Vec<ChainIx>,
    /// Chains whose effects changed since [`Graph::take_changed`].
    changed: BTreeSet<ChainIx>,
    /// Chains whose height is cut off.
    cut_off: usize,
}

impl Node {
    fn height(&self) -> u8 {
        self.below.last().map_or(0, |(highest, _)| highest.saturating_add(1))
    }

    /// What can become of a packet that a rule sends here.
    pub(super) fn effects(&self) -> Effects {
        self.with.effects() - Effects::RETURN
    }

    fn seen(&self) -> Below {
        Below { height: self.height(), effects: self.effects() }
    }

    /// So many more rules lead to chains like that, or fewer.
    fn count(&mut self, below: Below, more: i32) {
        let place = self.below.binary_search_by_key(&below.height, |(height, _)| *height);
        match (place, more) {
            (Ok(place), more) => {
                let Some((_, count)) = self.below.get_mut(place) else { return };
                *count = count.saturating_add_signed(more);
                if *count == 0 {
                    self.below.remove(place);
                }
            }
            (Err(place), 1..) => self.below.insert(place, (below.height, more.unsigned_abs())),
            (Err(_), _) => {}
        }
        self.with.count(below.effects, more);
    }
}

impl Graph {
    /// The chain of that number.
    pub(super) fn at(&self, ix: ChainIx) -> Option<&Node> {
        self.nodes.get(ix.0 as usize)?.as_ref()
    }

    fn at_mut(&mut self, ix: ChainIx) -> Option<&mut Node> {
        self.nodes.get_mut(ix.0 as usize)?.as_mut()
    }

    /// The number of a chain, if it has one.
    pub(super) fn find(&self, name: &ChainName) -> Option<ChainIx> {
        self.by_name.get(name).copied()
    }

    /// The number of a chain.
    pub(super) fn number(&mut self, name: &ChainName) -> ChainIx {
        if let Some(ix) = self.find(name) {
            return ix;
        }
        let node =
            Node { name: name.clone(), below: Vec::new(), with: Tally::default(), referrers: Referrers::default() };
        let ix = match self.free.pop() {
            Some(ix) => ix,
            None => {
                self.nodes.push(None);
                ChainIx(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
            }
        };
        if let Some(slot) = self.nodes.get_mut(ix.0 as usize) {
            *slot = Some(node);
        }
        self.by_name.insert(name.clone(), ix);
        ix
    }

    /// Forgets a chain that has no rules and that nobody leads to.
    pub(super) fn forget(&mut self, ix: ChainIx) {
        if let Some(node) = self.nodes.get_mut(ix.0 as usize).and_then(Option::take) {
            self.by_name.remove(&node.name);
            self.changed.remove(&ix);
            self.free.push(ix);
        }
    }

    /// The chain that alone leads to this one.
    pub(super) fn parent(&self, ix: ChainIx) -> Option<ChainIx> {
        let referrers = &self.at(ix)?.referrers;
        let (first, last) = (referrers.first()?.0, referrers.last()?.0);
        (first == last).then_some(first)
    }

    /// Whether there is a loop, or what cannot be told from one.
    pub(super) fn is_too_high(&self) -> bool {
        self.cut_off > 0
    }

    /// How high a chain stands.
    pub(super) fn height(&self, ix: ChainIx) -> u8 {
        self.at(ix).map_or(0, Node::height)
    }

    /// What can become of a packet by a rule, in the chain it leads to included.
    pub(super) fn effects(&self, edge: Edge) -> Effects {
        let below = edge.target.and_then(|target| self.at(target)).map(Node::effects);
        edge.effects | below.unwrap_or_default()
    }

    /// Chains whose effects changed since this was last asked, which no longer can be what their referrers believe.
    pub(super) fn take_changed(&mut self) -> BTreeSet<ChainIx> {
        std::mem::take(&mut self.changed)
    }

    /// Takes rules of a chain back and notes others, at once: what was possible in the chain and still is stays so in
    /// between. Otherwise a dispatcher would learn ten thousand times that it is not, and that it is.
    pub(super) fn relink(&mut self, from: ChainIx, gone: Side<'_>, come: Side<'_>) {
        let Some(node) = self.at(from) else { return };
        let then = node.seen();
        // What is below now, before anything is changed: in a loop the change comes back to this very chain.
        let below = |(_, target): &(RuleKey, ChainIx)| self.at(*target).map(Node::seen);
        let more: Vec<_> = come.leading.iter().filter_map(below).collect();
        let less: Vec<_> = gone.leading.iter().filter_map(below).collect();
        for (rule, target) in gone.leading {
            if let Some(node) = self.at_mut(*target) {
                node.referrers.remove((from, *rule));
            }
        }
        for (rule, target) in come.leading {
            if let Some(node) = self.at_mut(*target) {
                node.referrers.insert((from, *rule));
            }
        }
        let Some(node) = self.at_mut(from) else { return };
        node.with.turn(gone.tally, come.tally);
        more.into_iter().for_each(|below| node.count(below, 1));
        less.into_iter().for_each(|below| node.count(below, -1));
        // First in, first out: in a loop a chain changes several times, and who refers to it is to hear of that in order.
        let mut work = VecDeque::new();
        self.tell(from, then, &mut work);
        while let Some(News { to, before, now }) = work.pop_front() {
            let Some(node) = self.at_mut(to) else { continue };
            let then = node.seen();
            node.count(now, 1);
            node.count(before, -1);
            self.tell(to, then, &mut work);
        }
    }

    /// Notes what became of a chain's height and effects, and for each rule that leads here that it is to be counted anew.
    fn tell(&mut self, ix: ChainIx, before: Below, work: &mut VecDeque<News>) {
        let Some(node) = self.at(ix) else { return };
        let now = node.seen();
        if now == before {
            return;
        }
        work.extend(node.referrers.iter().map(|(to, _)| News { to: *to, before, now }));
        if now.effects != before.effects {
            self.changed.insert(ix);
        }
        match (before.height == MAX_HEIGHT, now.height == MAX_HEIGHT) {
            (false, true) => self.cut_off += 1,
            (true, false) => self.cut_off -= 1,
            _ => {}
        }
    }
}
