//! Chains as a tree of jumps.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use nftwrap::name::ChainName;
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
                out: &mut out,
            };
            tree.print();
        }
        out
    }
}

struct Tree<'a> {
    table: &'a TableView,
    chains: HashMap<&'a ChainName, &'a ChainView>,
    seen: HashSet<&'a ChainName>,
    out: &'a mut String,
}

impl<'a> Tree<'a> {
    fn print(&mut self) {
        let _ = writeln!(self.out, "{}", self.table.id);
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
        let _ = writeln!(self.out, "  {}{policy}{owner}{note}", chain.name);
        self.seen.insert(&chain.name);
        self.rules(chain, "  ");
    }

    /// Prints the rules of a chain, each jump followed by where it leads. The way down is kept in a list: the kernel
    /// follows at most 16 jumps, but a view may be of any shape.
    fn rules(&mut self, chain: &'a ChainView, indent: &str) {
        let mut levels = vec![(chain.rules.iter().peekable(), indent.to_owned())];
        while let Some((rules, indent)) = levels.last_mut() {
            let Some(rule) = rules.next() else {
                levels.pop();
                continue;
            };
            let last = rules.peek().is_none();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let mut line = format!("{indent}{branch}{}", self.text(rule));
            let deeper = format!("{indent}{below}");
            let target = rule.target().and_then(|t| self.chains.get(t).copied());
            if let Some(target) = target
                && !target.rules.is_empty()
            {
                if self.seen.insert(&target.name) {
                    levels.push((target.rules.iter().peekable(), deeper));
                } else {
                    line.push_str("  (see above)");
                }
            }
            let _ = writeln!(self.out, "{line}");
        }
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
