//! Random changes beside the definition, written down as such.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::layout::native::field::{Field, overlaps};
use crate::wrap::Place;

const CHAINS: u32 = 3;

/// An [`Entry`] that owns its key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    signature: Option<SignatureId>,
    key: Option<(Fields, Key)>,
    action: u64,
    effects: Effects,
    verdict_only: bool,
}

impl Owned {
    fn entry(&self) -> Entry<'_> {
        Entry {
            signature: self.signature,
            key: self.key.as_ref().map(|(fields, key)| (fields, key)),
            action: self.action,
            effects: self.effects,
            verdict_only: self.verdict_only,
        }
    }
}

type Rules = BTreeMap<RuleKey, Owned>;

/// What a dispatcher is made of, the runs with all they have.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Rule(RuleKey),
    Run(SignatureId, Vec<(Key, RuleKey)>),
}

fn commute(a: &Owned, b: &Owned, whatever_the_keys: bool) -> bool {
    let keys = |owned: &Owned| owned.key.clone();
    let disjoint = match (keys(a), keys(b)) {
        (Some(a), Some(b)) => !overlaps((&a.0, &a.1), (&b.0, &b.1), Family::Ipv4),
        _ => false,
    };
    let effects = a.effects | b.effects;
    let harmless = a.action == b.action || Effects::DROP.contains(effects);
    (disjoint && !whatever_the_keys) || (harmless && !effects.contains(Effects::SIDE))
}

/// The definition in the documentation of the module, step by step.
fn defined(rules: &Rules, reached: bool) -> Option<Vec<Part>> {
    let rules: Vec<(RuleKey, &Owned)> = rules.iter().map(|(rule, owned)| (*rule, owned)).collect();
    let count = |signature| rules.iter().filter(|(_, r)| r.signature == Some(signature)).count();
    let is_keyed = |r: &Owned| r.signature.is_some_and(|signature| count(signature) >= DISPATCH_MIN);
    let keyed: Vec<&Owned> = rules.iter().map(|(_, r)| *r).filter(|r| is_keyed(r)).collect();
    if keyed.is_empty() || (reached && keyed.iter().all(|r| r.verdict_only)) {
        return None;
    }
    let several = keyed.iter().any(|r| r.signature != keyed[0].signature);
    let apart = several && keyed.iter().any(|a| keyed.iter().any(|b| !commute(a, b, true)));

    let mut groups: Vec<(SignatureId, Vec<(Key, RuleKey)>)> = Vec::new();
    let (mut cut, mut last) = (0, None);
    let mut open: Vec<usize> = Vec::new();
    for (at, (rule, owned)) in rules.iter().enumerate() {
        let later = &rules[at + 1..];
        if !is_keyed(owned) {
            if later.iter().any(|(_, r)| is_keyed(r) && !commute(owned, r, false)) {
                cut = groups.len();
            }
            continue;
        }
        let signature = owned.signature.unwrap();
        if apart && last.replace(signature).is_some_and(|last| last != signature) {
            cut = groups.len();
        }
        open.retain(|group| *group >= cut);
        let key = owned.key.clone().unwrap().1;
        let free = open.iter().find(|group| {
            let (other, elements) = &groups[**group];
            *other == signature && elements.iter().all(|(k, _)| *k != key)
        });
        match free {
            Some(group) => groups[*group].1.push((key, *rule)),
            None => {
                open.push(groups.len());
                groups.push((signature, vec![(key, *rule)]));
            }
        }
    }
    groups.retain(|(_, elements)| elements.len() >= DISPATCH_MIN);
    let in_runs: BTreeSet<RuleKey> = groups.iter().flat_map(|(_, e)| e.iter().map(|(_, rule)| *rule)).collect();
    let parts = rules.iter().filter_map(|(rule, _)| {
        let run = groups.iter().find(|(_, elements)| elements[0].1 == *rule);
        match run {
            Some((signature, elements)) => Some(Part::Run(*signature, elements.clone())),
            None => (!in_runs.contains(rule)).then_some(Part::Rule(*rule)),
        }
    });
    Some(parts.collect())
}

/// What somebody knows who is told nothing but changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Mirror {
    dispatchers: BTreeSet<ChainIx>,
    pieces: BTreeMap<ChainIx, Vec<Piece>>,
    runs: BTreeMap<RunId, BTreeMap<Key, RuleKey>>,
    rules: BTreeMap<(ChainIx, RuleKey), (Standing, u64)>,
}

impl Mirror {
    fn follow(&mut self, changes: Changes, index: &Index) {
        for (chain, now) in changes.chains {
            let was = if now { !self.dispatchers.insert(chain) } else { self.dispatchers.remove(&chain) };
            assert_eq!(was, !now, "{chain:?}");
        }
        self.pieces.retain(|chain, _| self.dispatchers.contains(chain));
        for chain in changes.pieces {
            self.pieces.insert(chain, index.pieces(chain).collect());
        }
        for RuleChange { chain, rule, before, after } in changes.rules {
            let was = match after {
                Some(after) => self.rules.insert((chain, rule), after),
                None => self.rules.remove(&(chain, rule)),
            };
            assert_eq!(was, before, "{chain:?} {rule:?}");
        }
        for RunChange { run, change } in changes.runs {
            match change {
                Elements::New => {
                    let elements = index.elements(run).map(|(key, rule)| (key.clone(), rule)).collect();
                    assert_eq!(self.runs.insert(run, elements), None);
                }
                Elements::Gone => assert!(self.runs.remove(&run).is_some()),
                Elements::Changed(elements) => {
                    let known = self.runs.get_mut(&run).unwrap();
                    for ElementChange { key, before, after } in elements {
                        assert_eq!(known.get(&key).copied(), before);
                        match after {
                            Some(rule) => known.insert(key, rule),
                            None => known.remove(&key),
                        };
                    }
                }
            }
        }
    }

    /// What the index says when it is asked.
    fn of(index: &Index) -> Self {
        let mut mirror = Self::default();
        for chain in (0..CHAINS).map(ChainIx).filter(|chain| index.is_dispatcher(*chain)) {
            mirror.dispatchers.insert(chain);
            mirror.pieces.insert(chain, index.pieces(chain).collect());
            for rule in index.dispatchers[&chain].rules.keys() {
                mirror.rules.insert((chain, *rule), index.standing(chain, *rule).unwrap());
            }
            for run in
                index.pieces(chain).filter_map(|piece| if let Piece::Run(run) = piece { Some(run) } else { None })
            {
                mirror.runs.insert(run, index.elements(run).map(|(key, rule)| (key.clone(), rule)).collect());
            }
        }
        mirror
    }
}

fn parts(index: &Index, chain: ChainIx) -> Vec<Part> {
    let part = |piece| match piece {
        Piece::Rule(rule) => Part::Rule(rule),
        Piece::Run(run) => {
            let Run { signature, len } = index.run(run).unwrap();
            let elements: Vec<_> = index.elements(run).map(|(key, rule)| (key.clone(), rule)).collect();
            assert_eq!((run.chain, len), (chain, elements.len()));
            Part::Run(signature, elements)
        }
    };
    index.pieces(chain).map(part).collect()
}

/// A chain as it should be.
#[derive(Debug, Default)]
struct Chain {
    rules: Rules,
    reached: bool,
}

#[derive(Debug)]
struct World {
    index: Index,
    chains: HashMap<ChainIx, Chain>,
    mirror: Mirror,
}

impl World {
    fn new() -> Self {
        let chains = (0..CHAINS).map(|chain| (ChainIx(chain), Chain::default())).collect();
        Self { index: Index::new(Family::Ipv4), chains, mirror: Mirror::default() }
    }

    fn load(&mut self, chain: ChainIx) {
        let Chain { rules, reached } = &self.chains[&chain];
        self.index.load(chain, *reached, rules.iter().map(|(rule, owned)| (*rule, owned.entry())));
    }

    fn run(&mut self, op: &Op) {
        let chain = op.chain();
        let model = self.chains.get_mut(&chain).unwrap();
        let held = self.index.is_dispatcher(chain);
        match op.clone() {
            Op::Insert(_, rule, owned) => {
                if held {
                    self.index.insert(chain, rule, owned.entry());
                }
                model.rules.insert(rule, owned);
            }
            Op::Fill(_, rules) => {
                for (rule, owned) in rules {
                    if held {
                        self.index.insert(chain, rule, owned.entry());
                    }
                    model.rules.insert(rule, owned);
                }
            }
            Op::Remove(_, at) => {
                let Some(rule) = model.rules.keys().copied().nth(at % model.rules.len().max(1)) else { return };
                model.rules.remove(&rule);
                self.index.remove(chain, rule);
            }
            Op::Empty(_) => {
                for (rule, _) in std::mem::take(&mut model.rules) {
                    self.index.remove(chain, rule);
                }
            }
            Op::Update(_, at, action, effects) => {
                let rules = model.rules.len().max(1);
                let Some((rule, owned)) = model.rules.iter_mut().nth(at % rules) else { return };
                (owned.action, owned.effects) = (action, effects);
                self.index.update(chain, *rule, action, effects);
            }
            Op::Reach(_, reached) => {
                model.reached = reached;
                if self.index.set_reached(chain, reached) {
                    self.load(chain);
                }
                return;
            }
            Op::Forget(_) => {
                *model = Chain::default();
                self.index.forget(chain);
            }
            Op::Load(_, rules) => {
                model.rules = rules;
                self.load(chain);
            }
            Op::Again(_, rule) => {
                if !model.rules.contains_key(&rule) {
                    self.index.remove(chain, rule);
                }
                self.load(chain);
            }
            Op::Take => self.take(),
        }
        if !self.index.is_dispatcher(chain) {
            self.load(chain);
        }
    }

    fn take(&mut self) {
        let changes = self.index.take_changes();
        // Chains that ceased to be dispatchers change without the index from here on.
        self.mirror.follow(changes, &self.index);
        self.check();
    }

    fn check(&self) {
        for (chain, Chain { rules, reached }) in &self.chains {
            let wanted = defined(rules, *reached);
            assert_eq!(self.index.is_dispatcher(*chain), wanted.is_some(), "{chain:?}");
            assert_eq!(parts(&self.index, *chain), wanted.unwrap_or_default(), "{chain:?}");
        }
        assert_eq!(self.mirror, Mirror::of(&self.index));
    }
}

#[derive(Debug, Clone)]
enum Op {
    Insert(ChainIx, RuleKey, Owned),
    /// Many alike, so that signatures become active.
    Fill(ChainIx, Rules),
    Remove(ChainIx, usize),
    Empty(ChainIx),
    Update(ChainIx, usize, u64, Effects),
    Reach(ChainIx, bool),
    Forget(ChainIx),
    Load(ChainIx, Rules),
    /// Loaded as it is, and told that a rule is gone that was not there.
    Again(ChainIx, RuleKey),
    Take,
}

impl Op {
    fn chain(&self) -> ChainIx {
        match self {
            Self::Insert(chain, ..)
            | Self::Fill(chain, _)
            | Self::Remove(chain, _)
            | Self::Empty(chain)
            | Self::Update(chain, ..)
            | Self::Reach(chain, _)
            | Self::Forget(chain)
            | Self::Load(chain, _)
            | Self::Again(chain, _) => *chain,
            Self::Take => ChainIx(0),
        }
    }
}

fn position() -> impl Strategy<Value = RuleKey> {
    let place = prop_oneof![1 => Just(Place::Top), 8 => Just(Place::Normal), 1 => Just(Place::Bottom)];
    (place, 0..200u32).prop_map(|(place, serial)| RuleKey::new(place, serial))
}

/// An action with what can become of a packet in it; the first ones are verdicts.
fn action() -> impl Strategy<Value = (u64, Effects)> {
    let jump = prop_oneof![
        8 => Just(Effects::DROP),
        2 => Just(Effects::empty()),
        4 => Just(Effects::ACCEPT | Effects::DROP),
        1 => Just(Effects::SIDE | Effects::DROP),
    ];
    prop_oneof![
        2 => Just((1, Effects::ACCEPT)),
        6 => Just((2, Effects::DROP)),
        1 => Just((3, Effects::RETURN)),
        4 => (4..8u64, jump),
    ]
}

/// Signatures: addresses, networks, and addresses on the other side; each value is one of a few.
fn owned(signatures: std::ops::Range<u32>, values: u8) -> impl Strategy<Value = Owned> {
    (signatures, 0..values, action()).prop_map(|(signature, value, (action, effects))| {
        let field = match signature {
            0 | 3 => Field::Source(32),
            1 => Field::Source(24),
            _ => Field::Destination(32),
        };
        let key = Key::build(Family::Ipv4, [(field, &[10, 0, value / 8, value][..])]);
        // The fourth is a key without a signature, the fifth is neither.
        let (signature, key) = match signature {
            3 => (None, Some(key)),
            4 => (None, None),
            _ => (Some(SignatureId(signature)), Some(key)),
        };
        Owned { signature, key, action, effects, verdict_only: action < 4 }
    })
}

fn fill(values: u8) -> impl Strategy<Value = Rules> {
    let rule = move |signature: u32| (position(), owned(signature..signature + 1, values));
    (0..3u32)
        .prop_flat_map(move |signature| prop::collection::btree_map(position(), rule(signature), 6..20))
        .prop_map(|rules| rules.into_iter().map(|(at, (_, owned))| (at, owned)).collect())
}

fn op(values: u8) -> impl Strategy<Value = Op> {
    let chain = || (0..CHAINS * 2).prop_map(|n| ChainIx(n.saturating_sub(CHAINS)));
    prop_oneof![
        12 => (chain(), position(), owned(0..5, values)).prop_map(|(c, r, o)| Op::Insert(c, r, o)),
        3 => (chain(), fill(values)).prop_map(|(c, rules)| Op::Fill(c, rules)),
        10 => (chain(), any::<usize>()).prop_map(|(c, at)| Op::Remove(c, at)),
        1 => chain().prop_map(Op::Empty),
        4 => (chain(), any::<usize>(), action()).prop_map(|(c, at, (a, e))| Op::Update(c, at, a, e)),
        2 => (chain(), any::<bool>()).prop_map(|(c, reached)| Op::Reach(c, reached)),
        1 => chain().prop_map(Op::Forget),
        1 => (chain(), fill(values)).prop_map(|(c, rules)| Op::Load(c, rules)),
        1 => (chain(), position()).prop_map(|(c, rule)| Op::Again(c, rule)),
        6 => Just(Op::Take),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4000, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_index_is_what_is_defined(
        ops in (6..60u8).prop_flat_map(|values| prop::collection::vec(op(values), 1..120))
    ) {
        let mut world = World::new();
        ops.iter().for_each(|op| world.run(op));
        world.take();
    }
}
