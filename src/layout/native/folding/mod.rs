//! Consecutive rules that differ in one field become one rule and a set.
//!
//! Owns: [`fold`]: which rules of a list become one, what is left of them, and the elements of the set.
//! Never: names a set or counts them; equal sets are one set, and the bound on their number is the caller's. A caller that
//! may make no more sets writes the rules of a [`Folded::Set`] as they are: nothing else changes.
//!
//! # What may be folded
//!
//! Rules in a row with the same target and comment that ask the same but for one field: an address or prefix, an
//! interface, a MAC, a port, a range or list of ports. Or but for two fields, when one does not do: the set then holds
//! pairs. What a rule asks besides, negations among it, stays in the one rule that is left and so must be equal.
//!
//! A packet that several of the rules match is treated once instead of several times. So it depends on the target:
//!
//! - ACCEPT, DROP, RETURN, REJECT, a goto, NAT and no target at all: the first rule that matches decides, or none does
//!   anything. Ranges may overlap, and are joined.
//! - All others (jumps, MARK, LOG, ...): only as long as no packet can match two of the rules. No target that goes on
//!   changes a field of the above, so that a packet that matched one of the rules does not match a later one either.
//!
//! Rules with a memory of their own (a limit's budget, counters of an ipset) are never folded, and nothing is across them.
//!
//! # When it pays
//!
//! Measured on Linux 6.18, two cores: kernel time of a commit of 400 sets, and packets through 200 such blocks.
//!
//! | form | a set with its rule | each element | a packet that it does not match |
//! |---|---|---|---|
//! | rules, one each | | 2.7 us | 11 ns a rule |
//! | hash, single values | 15 us | 0.6 us | 36 ns |
//! | tree, prefixes and ranges | 20 us | 1.8 us | 123 ns for 4, 283 ns for 64 |
//! | hash of pairs | 18 us | 0.5 us | 48 ns |
//! | pipapo, pairs with ranges | 58 us | 7.3 us | 62 to 82 ns |
//!
//! So for a packet a hash is worth four rules, a tree about twenty, pairs three or four rules of two conditions each, with
//! ranges six. Packets that match early gain less, and a commit gains only from seven rules for a hash and twenty for a
//! tree, and never with pipapo. `Form::least` has the numbers that follow: where both are even or better, and for
//! pipapo, where a packet is worth more than a commit, what keeps a commit below three times that of the rules.
//!
//! Invariant: the same list gives the same result. The folds and single rules are in order and cover the list.
//!
//! Where the truth is: `nft_set_hash.c`, `nft_set_rbtree.c`, `nft_set_pipapo.c` (Linux v6.12); `nft_select_set_ops` chooses.
//!
//! How it is tested: random lists with overlaps against a packet evaluator that knows no sets, and sets in a kernel.

mod axis;
mod span;
#[cfg(test)]
pub(super) mod tests;

use std::ops::Range;

use super::analysis::has_memory;
use super::field::{Fields, Key};
use crate::rule::{Family, Rule, Target};
use axis::{Axis, Split};
use span::{Disjoint, Span, joined};

/// A part of a list of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folded {
    /// A rule as it is, by its index.
    One(usize),
    /// One rule for several.
    Set {
        /// The rules that it stands for.
        rules: Range<usize>,
        /// What all of them say, without the fields below.
        rule: Box<Rule>,
        /// What the set is asked for; addresses are whole.
        fields: Fields,
        /// Elements, first and last value of each, both included and equal for a single value. Sorted; none overlap. Of
        /// several fields each is a range of its own, as in sets of the kernel.
        ranges: Vec<(Key, Key)>,
    },
}

/// The most elements of a set of pairs: each new one is compared with all that are there.
const PAIRS_MAX: usize = 1024;

/// What a set is in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Hash,
    Tree,
    PairHash,
    Pipapo,
}

impl Form {
    fn of(pair: bool, ranges: bool) -> Self {
        match (pair, ranges) {
            (false, false) => Self::Hash,
            (false, true) => Self::Tree,
            (true, false) => Self::PairHash,
            (true, true) => Self::Pipapo,
        }
    }

    /// The fewest rules that are worth a set.
    const fn least(self) -> usize {
        match self {
            Self::Hash | Self::PairHash => 6,
            Self::Tree => 20,
            Self::Pipapo => 16,
        }
    }
}

/// The fewest rules that any set is worth.
pub(super) const FOLD_MIN: usize = Form::Hash.least();

/// Folds a list of rules, in order.
#[must_use]
pub fn fold(rules: &[&Rule], family: Family) -> Vec<Folded> {
    let mut out = Vec::with_capacity(rules.len());
    let mut rest = rules;
    while let Some((first, _)) = rest.split_first() {
        let at = rules.len() - rest.len();
        let once = Once::of(first);
        let len = match once {
            Once::Never => 1,
            _ => rest.iter().take_while(|rule| rule.target == first.target && Once::of(rule) == once).count(),
        };
        let (stretch, after) = rest.split_at(len);
        if len < FOLD_MIN {
            out.extend((at..at + len).map(Folded::One));
        } else {
            fold_stretch(stretch, at, once, family, &mut out);
        }
        rest = after;
    }
    out
}

/// When doing a rule's target once is the same as doing it for every rule that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Once {
    /// The first match decides, or nothing is done.
    Always,
    /// When at most one of them matches.
    Disjoint,
    /// The rule has a memory.
    Never,
}

impl Once {
    pub(super) fn of(rule: &Rule) -> Self {
        if rule.matches.iter().any(has_memory) {
            return Self::Never;
        }
        match rule.target {
            None
            | Some(
                Target::Accept
                | Target::Drop
                | Target::Return
                | Target::Goto(_)
                | Target::Reject(_)
                | Target::Dnat(_)
                | Target::Snat(_)
                | Target::Masquerade(_)
                | Target::Redirect(_),
            ) => Self::Always,
            Some(_) => Self::Disjoint,
        }
    }
}

/// Folds rules with the same target, of which the first has index `at`.
fn fold_stretch(rules: &[&Rule], at: usize, once: Once, family: Family, out: &mut Vec<Folded>) {
    let splits: Vec<Split> = rules.iter().map(|rule| Split::of(rule, family)).collect();
    let mut from = 0;
    while let (Some(rest), Some(rule)) = (splits.get(from..), rules.get(from)) {
        let single = Fold::grow(rest, 1, once);
        let pair = Fold::grow(rest, 2, once).filter(|pair| pair.rules > single.as_ref().map_or(0, |fold| fold.rules));
        let rules = at + from;
        match pair.or(single) {
            Some(fold) => {
                let (fields, ranges) = fold.elements(family);
                let rule = Box::new(axis::without(rule, &fold.axes, family));
                out.push(Folded::Set { rules: rules..rules + fold.rules, rule, fields, ranges });
                from += fold.rules;
            }
            None => {
                out.push(Folded::One(rules));
                from += 1;
            }
        }
    }
}

/// Rules that can be one.
struct Fold {
    /// How many.
    rules: usize,
    /// The fields of the set, one or two.
    axes: Vec<Axis>,
    cells: Vec<Cell>,
}

/// Values of each axis; of the second all, when there is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell(Span, Span);

const WHOLE: Span = Span { first: 0, last: 0 };

impl Fold {
    /// The longest fold that begins with the first rule and has so many fields, if it pays.
    fn grow(splits: &[Split], dimensions: usize, once: Once) -> Option<Self> {
        let axes = axes(splits, dimensions)?;
        let alike = splits.iter().take_while(|split| is_alike(splits, split, &axes));
        let (rules, cells) = match *axes {
            [axis] => gather(alike.map(|split| split.values(axis)), once),
            [a, b] => gather_pairs(alike.map(|split| (split.values(a), split.values(b))), once),
            _ => return None,
        };
        let ranges = cells.iter().any(|cell| !(cell.0.is_one() && cell.1.is_one()));
        let form = Form::of(dimensions == 2, ranges);
        (rules >= form.least()).then_some(Self { rules, axes, cells })
    }

    fn elements(&self, family: Family) -> (Fields, Vec<(Key, Key)>) {
        let mut cells = self.cells.clone();
        cells.sort_unstable();
        let fields = Fields::new(self.axes.iter().map(|axis| axis.field(family)));
        let key = |values: [u128; 2]| {
            let values = values.map(u128::to_be_bytes);
            let parts = self.axes.iter().zip(&values).map(|(axis, bytes)| {
                let field = axis.field(family);
                (field, bytes.get(bytes.len().saturating_sub(field.len(family))..).unwrap_or_default())
            });
            Key::build(family, parts).1
        };
        let range = |&Cell(a, b): &Cell| (key([a.first, b.first]), key([a.last, b.last]));
        let ranges = cells.iter().map(range).collect();
        (fields, ranges)
    }
}

/// The fields in which the rules differ from the first one, as long as they are no more than `dimensions`.
fn axes(splits: &[Split], dimensions: usize) -> Option<Vec<Axis>> {
    let (first, others) = splits.split_first()?;
    let mut axes: Vec<Axis> = Vec::with_capacity(dimensions);
    for split in others.iter().take_while(|split| split.is_like(first)) {
        let new: Vec<Axis> = first.differs(split).filter(|axis| !axes.contains(axis)).collect();
        if axes.len() + new.len() > dimensions {
            break;
        }
        axes.extend(new);
    }
    axes.sort_unstable();
    (axes.len() == dimensions).then_some(axes)
}

/// Whether a rule differs from the first one in these fields only.
fn is_alike(splits: &[Split], split: &Split, axes: &[Axis]) -> bool {
    splits.first().is_some_and(|first| split.is_like(first) && first.differs(split).all(|axis| axes.contains(&axis)))
}

/// Values of one field, as far as they can be in one set.
fn gather<'a>(values: impl Iterator<Item = &'a [Span]>, once: Once) -> (usize, Vec<Cell>) {
    let (mut all, mut taken) = (Vec::new(), Disjoint::default());
    let mut rules = 0;
    for spans in values {
        if once != Once::Always && !taken.insert(spans) {
            break;
        }
        all.extend_from_slice(spans);
        rules += 1;
    }
    (rules, joined(all).into_iter().map(|span| Cell(span, WHOLE)).collect())
}

/// Pairs of values, as far as they can be in one set: the kernel refuses pairs of ranges that overlap.
fn gather_pairs<'a>(values: impl Iterator<Item = (&'a [Span], &'a [Span])>, once: Once) -> (usize, Vec<Cell>) {
    let mut all: Vec<Cell> = Vec::new();
    let mut rules = 0;
    for (a, b) in values {
        let cells: Vec<Cell> = a.iter().flat_map(|&a| b.iter().map(move |&b| Cell(a, b))).collect();
        let mut new = Vec::with_capacity(cells.len());
        for cell in cells {
            let mut met = all.iter().filter(|there| there.0.meets(cell.0) && there.1.meets(cell.1)).peekable();
            if met.peek().is_none() {
                new.push(cell);
            } else if once != Once::Always || !met.any(|there| there.0.holds(cell.0) && there.1.holds(cell.1)) {
                return (rules, all);
            }
        }
        if all.len() + new.len() > PAIRS_MAX {
            break;
        }
        all.append(&mut new);
        rules += 1;
    }
    (rules, all)
}
