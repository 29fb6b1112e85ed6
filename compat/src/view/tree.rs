//! Chains as a tree of jumps.
//!
//! In the native layout it also says how a packet gets there: the map that a rule is an element of, and the kernel chain
//! that several chains share. Rules of chains that share one are printed once, unless they differ in what the family
//! looks up.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use nftwrap::name::{ChainName, SetName};
use nftwrap::nft::Policy;
use nftwrap::nft::listing;

use super::{ChainView, RuleView, TableView, View};
use crate::print;

impl View {
    /// Each built-in chain with its rules, and below each jump the chain it leads to. A chain that is reached again is
    /// named and not repeated; chains that nothing leads to come last.
    #[must_use]
    pub fn tree(&self) -> String {
        let mut out = String::new();
        for table in &self.tables {
            let mut tree = Tree {
                table,
                chains: table.chains.iter().map(|c| (&c.name, c)).collect(),
                seen: HashSet::new(),
                bodies: HashMap::new(),
                out: &mut out,
            };
            tree.print();
        }
        out
    }
}

/// The kernel chain that does the work of this one and others.
fn body(chain: &ChainView) -> String {
    match &chain.body {
        Some(body) if body.sharing > 1 => format!("  ({}, shared by {} chains)", body.name, body.sharing),
        _ => String::new(),
    }
}

struct Tree<'a> {
    table: &'a TableView,
    chains: HashMap<&'a ChainName, &'a ChainView>,
    seen: HashSet<&'a ChainName>,
    /// The first chain that was printed of those that share a kernel chain.
    bodies: HashMap<&'a ChainName, &'a ChainView>,
    out: &'a mut String,
}

impl<'a> Tree<'a> {
    fn print(&mut self) {
        match &self.table.native {
            None => {
                let _ = writeln!(self.out, "{}", self.table.id);
            }
            Some(native) => {
                let chains = native.chains.len();
                let elements: usize = native.sets.iter().map(|(_, elements)| elements.len()).sum();
                let _ = writeln!(
                    self.out,
                    "{} (native table {}: {} chains in {chains} kernel chains, {} sets and maps with {elements} elements)",
                    self.table.id,
                    self.table.name,
                    self.table.chains.len(),
                    native.sets.len(),
                );
            }
        }
        for chain in self.table.chains.iter().filter(|c| c.base.is_some()) {
            self.root(chain, "");
        }
        let reached: HashSet<&ChainName> =
            self.table.chains.iter().flat_map(|c| c.rules.iter().filter_map(RuleView::target)).collect();
        for chain in self.table.chains.iter().filter(|c| c.base.is_none() && !reached.contains(&c.name)) {
            self.root(chain, ", not reached");
        }
    }

    fn root(&mut self, chain: &'a ChainView, note: &str) {
        let policy = match chain.base.as_ref().and_then(|b| b.policy) {
            Some(Policy::Accept) => ", policy ACCEPT",
            Some(Policy::Drop) => ", policy DROP",
            None => "",
        };
        let owner = chain.owner().map(|o| format!(", of {o}")).unwrap_or_default();
        let body = body(chain);
        let _ = writeln!(self.out, "  {}{policy}{owner}{note}{body}", chain.name);
        self.seen.insert(&chain.name);
        if let Some(same) = self.printed(chain) {
            let _ = writeln!(self.out, "  └─ the rules of {same}");
            return;
        }
        self.rules(chain, "  ");
    }

    /// Prints the rules of a chain, each jump followed by where it leads. The way down is kept in a list: the kernel
    /// follows at most 16 jumps, but a view may be of any shape.
    fn rules(&mut self, chain: &'a ChainView, indent: &str) {
        let mut levels = vec![(chain.rules.iter().peekable(), indent.to_owned(), None::<SetName>)];
        while let Some((rules, indent, before)) = levels.last_mut() {
            let Some(rule) = rules.next() else {
                levels.pop();
                continue;
            };
            let last = rules.peek().is_none();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let mut line = format!("{indent}{branch}{}", self.text(rule));
            // One line of a run says which map it is.
            let run = rule.set.as_ref().filter(|set| before.replace((*set).clone()).as_ref() != Some(*set));
            if rule.set.is_none() {
                *before = None;
            }
            if let Some(set) = run {
                let _ = writeln!(self.out, "{indent}│  elements of {set}:");
            }
            let deeper = format!("{indent}{below}");
            let target = rule.target().and_then(|t| self.chains.get(t).copied());
            if let Some(target) = target
                && !target.rules.is_empty()
            {
                if !self.seen.insert(&target.name) {
                    line.push_str("  (see above)");
                } else if let Some(same) = self.printed(target) {
                    let _ = write!(line, "  (the rules of {same}, above)");
                } else {
                    line.push_str(&body(target));
                    levels.push((target.rules.iter().peekable(), deeper, None));
                }
            }
            let _ = writeln!(self.out, "{line}");
        }
    }

    /// The chain whose rules were printed already and are those of this one, as they are done by one kernel chain.
    fn printed(&mut self, chain: &'a ChainView) -> Option<&'a ChainName> {
        let body = chain.body.as_ref().filter(|body| body.sharing > 1)?;
        let first = *self.bodies.entry(&body.name).or_insert(chain);
        let same = first.name != chain.name
            && first.rules.len() == chain.rules.len()
            && first.rules.iter().zip(&chain.rules).all(|(a, b)| a.rule == b.rule);
        same.then_some(&first.name)
    }

    fn text(&self, rule: &RuleView) -> String {
        let mut text = match &rule.rule {
            Ok(rule) => print::rule(rule, self.table.id.family),
            Err(_) => listing::compact(&rule.expressions).to_string(),
        };
        if text.is_empty() {
            text.push_str("(counts only)");
        }
        if let Some(counter) = rule.counter.filter(|c| c.packets != 0) {
            let _ = write!(text, "  [{}:{}]", counter.packets, counter.bytes);
        }
        text
    }
}
