//! The chains of a table and the jumps between them.
//!
//! Owns: chain numbers, who refers to whom, how high each chain stands above what it leads to, and what can become of a
//! packet in it.
//! Never: compiles; looks at a rule beyond its target and effects.
//!
//! Height is the longest way down: 0 for a chain that leads nowhere. It orders the work of an update (what is below is
//! compiled first) and finds loops: in a loop it grows without end, so it is cut off at [`MAX_HEIGHT`], where the
//! kernel's own bound on nested jumps lies.
//!
//! Invariant: height and effects of a chain are those of its rules and of the chains that these lead to; a change goes up
//! only as far as it changes anything.

use std::collections::{BTreeSet, VecDeque};

use foldhash::HashMap;

use super::analysis::Effects;
use super::dispatch::ChainIx;
use crate::name::ChainName;
use crate::wrap::RuleKey;

/// One more than the kernel lets jumps nest below a base chain (`NFT_JUMP_STACK_SIZE`).
pub(super) const MAX_HEIGHT: u8 = 16;

/// What a rule adds to the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// What can become of a packet by the rule itself.
    pub(super) effects: Effects,
    /// The chain it leads to.
    pub(super) target: Option<ChainIx>,
}

/// A chain in the graph.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: ChainName,
    /// Rules that lead to chains of each height.
    below: [u32; MAX_HEIGHT as usize + 1],
    /// How often each effect is there: once for a rule of its own, once for what it leads to.
    with: [u32; 5],
    /// The rules that lead here.
    pub(super) referrers: BTreeSet<(ChainIx, RuleKey)>,
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
        let highest = self.below.iter().rposition(|&count| count > 0);
        highest.map_or(0, |below| u8::try_from(below + 1).unwrap_or(MAX_HEIGHT)).min(MAX_HEIGHT)
    }

    /// What can become of a packet that a rule sends here.
    pub(super) fn effects(&self) -> Effects {
        let bits = self.with.iter().enumerate().filter(|(_, count)| **count > 0);
        Effects::from_bits_truncate(bits.fold(0, |all, (bit, _)| all | 1 << bit)) - Effects::RETURN
    }

    /// One rule more has these effects, or one less.
    fn count(&mut self, effects: Effects, more: bool) {
        for (_, count) in self.with.iter_mut().enumerate().filter(|(bit, _)| effects.bits() >> bit & 1 == 1) {
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
        }
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
        let node = Node { name: name.clone(), below: Default::default(), with: [0; 5], referrers: BTreeSet::new() };
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

    /// Whether there is a loop, or jumps nest too deep.
    pub(super) fn is_too_high(&self) -> bool {
        self.cut_off > 0
    }

    /// How high a chain stands.
    pub(super) fn height(&self, ix: ChainIx) -> u8 {
        self.at(ix).map_or(0, Node::height)
    }

    /// What can become of a packet by a rule, in the chain it leads to included.
    pub(super) fn effects(&self, edge: Edge) -> Effects {
        edge.effects | self.below(edge).1
    }

    /// Height and effects of the chain that a rule leads to.
    fn below(&self, edge: Edge) -> (Option<u8>, Effects) {
        let target = edge.target.and_then(|target| self.at(target));
        target.map_or((None, Effects::empty()), |node| (Some(node.height()), node.effects()))
    }

    /// Chains whose effects changed since this was last asked, which no longer can be what their referrers believe.
    pub(super) fn take_changed(&mut self) -> BTreeSet<ChainIx> {
        std::mem::take(&mut self.changed)
    }

    /// Notes a rule.
    pub(super) fn link(&mut self, from: ChainIx, rule: RuleKey, edge: Edge) {
        if let Some(node) = edge.target.and_then(|target| self.at_mut(target)) {
            node.referrers.insert((from, rule));
        }
        let (height, below) = self.below(edge);
        self.change(from, Change { height: (None, height), without: NOTHING, with: [edge.effects, below] });
    }

    /// Takes a rule back.
    pub(super) fn unlink(&mut self, from: ChainIx, rule: RuleKey, edge: Edge) {
        let (height, below) = self.below(edge);
        // First, as in a loop the change would come back to the rule that is no more.
        if let Some(node) = edge.target.and_then(|target| self.at_mut(target)) {
            node.referrers.remove(&(from, rule));
        }
        self.change(from, Change { height: (height, None), without: [edge.effects, below], with: NOTHING });
    }

    /// Counts one rule's height and effects anew, and goes up while that changes the chain's own.
    fn change(&mut self, ix: ChainIx, change: Change) {
        // First in, first out: in a loop a chain changes several times, and who refers to it is to hear of that in order.
        let mut work = VecDeque::new();
        let mut next = Some((ix, change));
        while let Some((ix, Change { height: (lower, higher), without, with })) = next {
            let (now, then) = match self.at_mut(ix) {
                Some(node) => {
                    let then = (node.height(), node.effects());
                    count(&mut node.below, lower.map(usize::from), higher.map(usize::from));
                    without.into_iter().for_each(|effects| node.count(effects, false));
                    with.into_iter().for_each(|effects| node.count(effects, true));
                    ((node.height(), node.effects()), then)
                }
                None => Default::default(),
            };
            if now.1 != then.1 {
                self.changed.insert(ix);
            }
            match (then.0 >= MAX_HEIGHT, now.0 >= MAX_HEIGHT) {
                (false, true) => self.cut_off += 1,
                (true, false) => self.cut_off -= 1,
                _ => {}
            }
            if now != then
                && let Some(node) = self.at(ix)
            {
                let height = (Some(then.0), Some(now.0));
                let change = Change { height, without: [then.1, Effects::empty()], with: [now.1, Effects::empty()] };
                work.extend(node.referrers.iter().map(|(from, _)| (*from, change)));
            }
            next = work.pop_front();
        }
    }
}

/// What changes of a rule: the height of the chain it leads to, and its effects by itself and by that chain.
#[derive(Debug, Clone, Copy)]
struct Change {
    height: (Option<u8>, Option<u8>),
    without: [Effects; 2],
    with: [Effects; 2],
}

/// No effect by either.
const NOTHING: [Effects; 2] = [Effects::empty(); 2];

/// Moves one from one counter to another.
fn count<const N: usize>(counters: &mut [u32; N], from: Option<usize>, to: Option<usize>) {
    if let Some(counter) = from.and_then(|from| counters.get_mut(from)) {
        *counter = counter.saturating_sub(1);
    }
    if let Some(counter) = to.and_then(|to| counters.get_mut(to)) {
        *counter += 1;
    }
}
