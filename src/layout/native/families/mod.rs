//! What one instance has for itself becomes an element; what all have becomes one kernel chain.
//!
//! Owns: [`compile_body`], which makes [`Piece`]s of a body's rules: families first, then folding between them.
//! Never: knows which templates are hot, or by which key a body is reached; whoever calls says so.
//!
//! Bodies that a dispatch on a key leads to (an interface, an address) can load that key again. A rule there with a
//! constant of its own (`-s 10.0.0.11/32 -m mac --mac-source fa:16:3e:11:11:11 -j RETURN`) becomes a [`Template`] without
//! it, and a lookup of `key . constant` in one set for all such bodies; a stored value (`-j CT --zone 4097`) and the chain
//! of a jump come from a map by key. The bodies that are left are equal, and become one kernel chain: another port is
//! elements, not a chain. A [`Template`] is worth that when it is hot: many rules, each used once.
//!
//! Families go first, because folding would make a set of each instance's own addresses, and with it bodies that have
//! nothing in common; what folding finds between families is the same in all instances, so that its sets are shared.
//!
//! Rules in a row with one hot template become one piece, such as a port with several allowed addresses. That is right
//! under the same conditions as in [`folding`](super::folding): the first match decides, or no two can match. Of the
//! second kind, a value that comes again starts another piece, with the next [`occurrence`](Piece::Family), as do rules
//! elsewhere in the body with the same template: each occurrence has its own set, as its place in the list is another.
//!
//! Invariant: pieces are in order and cover the list; the same list and the same hot templates give the same pieces. For
//! packets of an instance, a piece whose set has the elements of the instance does what its own rules say.
//!
//! How it is tested: random bodies of several instances, compiled to pieces with filled sets, against the original
//! rules, packet by packet.

pub(super) mod heat;
mod template;
#[cfg(test)]
mod tests;

use std::ops::Range;

use foldhash::HashMap;

use super::field::{Fields, Key};
use super::folding::{Folded, Once, fold};
use crate::layout::Passes;
use crate::name::ChainName;
use crate::rule::{Family, Rule};

pub use template::{Hole, Kind, Taken, Template};

/// A rule of a body.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The rule taken apart, when its template is hot and [`fits`](Template::fits) the key that leads to the body.
    pub hot: Option<&'a Taken>,
}

/// A part of a body: one kernel rule, or several when a set cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A rule as it is, by its index.
    Concrete(usize),
    /// One rule and a constant set for several: see [`Folded::Set`].
    Folded {
        /// The rules that it stands for.
        rules: Range<usize>,
        /// What all of them say, without the fields below.
        rule: Box<Rule>,
        /// What the set is asked for.
        fields: Fields,
        /// The elements.
        ranges: Vec<(Key, Key)>,
    },
    /// The template's rule applies when the set holds the packet's key and fields.
    Family {
        /// The rules that it stands for.
        rules: Range<usize>,
        /// What they have in common, of [`Kind::Match`].
        template: Template,
        /// The values of this body, without the key that leads to it. None comes twice.
        keys: Vec<Key>,
        /// How many pieces of this template came before.
        occurrence: u32,
    },
    /// The template's target stores what the map gives for the packet's key.
    FamilyStore {
        /// The rule.
        rule: usize,
        /// The rule without its value, of [`Kind::Store`].
        template: Template,
        /// This body's value.
        value: Box<[u8]>,
        /// How many pieces of this template came before.
        occurrence: u32,
    },
    /// The template's rule jumps or goes to the chain of which the map gives the action for the packet's key.
    FamilyChain {
        /// The rule.
        rule: usize,
        /// The rule without its target, of [`Kind::Jump`] or [`Kind::Goto`].
        template: Template,
        /// This body's chain.
        to: ChainName,
        /// How many pieces of this template came before.
        occurrence: u32,
    },
}

/// Makes pieces of a body's rules, by the passes `FAMILIES` and `FOLDING` as far as they are on.
#[must_use]
pub fn compile_body(lines: &[Line<'_>], family: Family, passes: Passes) -> Vec<Piece> {
    let families = passes.contains(Passes::FAMILIES);
    let pieces = if families { abstract_rules(lines) } else { (0..lines.len()).map(Piece::Concrete).collect() };
    if passes.contains(Passes::FOLDING) { fold_between(lines, pieces, family) } else { pieces }
}

/// Makes pieces of the rules whose templates are hot; the others stay as they are.
fn abstract_rules(lines: &[Line<'_>]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(lines.len());
    let mut occurrences = Occurrences::default();
    for (at, line) in lines.iter().enumerate() {
        let Some(Taken { template, hole }) = line.hot else {
            pieces.push(Piece::Concrete(at));
            continue;
        };
        match hole {
            Hole::Match(key) => {
                if !extend(pieces.last_mut(), at, line.rule, template, key) {
                    let occurrence = occurrences.next(template);
                    let (rules, keys) = (at..at + 1, vec![key.clone()]);
                    pieces.push(Piece::Family { rules, template: template.clone(), keys, occurrence });
                }
            }
            Hole::Store(value) => {
                let (occurrence, value) = (occurrences.next(template), value.clone());
                pieces.push(Piece::FamilyStore { rule: at, template: template.clone(), value, occurrence });
            }
            Hole::Chain(to) => {
                let (occurrence, to) = (occurrences.next(template), to.clone());
                pieces.push(Piece::FamilyChain { rule: at, template: template.clone(), to, occurrence });
            }
        }
    }
    pieces
}

/// Takes one more rule into the last piece, if it can.
fn extend(last: Option<&mut Piece>, at: usize, rule: &Rule, template: &Template, key: &Key) -> bool {
    let Some(Piece::Family { rules, template: before, keys, .. }) = last else { return false };
    if before != template {
        return false;
    }
    let again = keys.contains(key);
    if again && Once::of(rule) != Once::Always {
        return false;
    }
    rules.end = at + 1;
    if !again {
        keys.push(key.clone());
    }
    true
}

/// How often each template has come in a body.
#[derive(Default)]
struct Occurrences<'a>(HashMap<&'a Template, u32>);

impl<'a> Occurrences<'a> {
    fn next(&mut self, template: &'a Template) -> u32 {
        let count = self.0.entry(template).or_default();
        let occurrence = *count;
        *count += 1;
        occurrence
    }
}

/// Folds the rules between families.
fn fold_between(lines: &[Line<'_>], pieces: Vec<Piece>, family: Family) -> Vec<Piece> {
    let mut out = Vec::with_capacity(pieces.len());
    let mut plain: Vec<&Rule> = Vec::new();
    let mut from = 0;
    for piece in pieces {
        if let Piece::Concrete(at) = piece {
            if plain.is_empty() {
                from = at;
            }
            plain.extend(lines.get(at).map(|line| line.rule));
            continue;
        }
        flush(&mut plain, from, family, &mut out);
        out.push(piece);
    }
    flush(&mut plain, from, family, &mut out);
    out
}

fn flush(plain: &mut Vec<&Rule>, from: usize, family: Family, out: &mut Vec<Piece>) {
    out.extend(fold(plain, family).into_iter().map(|folded| match folded {
        Folded::One(at) => Piece::Concrete(from + at),
        Folded::Set { rules, rule, fields, ranges } => {
            Piece::Folded { rules: from + rules.start..from + rules.end, rule, fields, ranges }
        }
    }));
    plain.clear();
}
