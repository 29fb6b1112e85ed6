//! One table of one family, as the originals' `IptablesTable`.
//!
//! Owns: the operations over strings, with the originals' names and arguments.
//! Never: keeps a rule's text; two spellings of a rule are one rule.

use nftwrap::name::Comment;
use nftwrap::rule::{ChainRef, Match, Rule, Target};
use nftwrap::wrap::{Addition, Chain, Entry, Place, Table};

use super::error::FacadeError;
use super::names::{Names, Style};
use crate::{parse, print};

/// The keyword arguments of `add_rule` and `remove_rule`: `wrap=True, top=False, tag=None, comment=None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct RuleArgs<'a> {
    wrap: bool,
    top: bool,
    tag: Option<&'a str>,
    comment: Option<&'a str>,
}

impl Default for RuleArgs<'_> {
    fn default() -> Self {
        Self { wrap: true, top: false, tag: None, comment: None }
    }
}

impl<'a> RuleArgs<'a> {
    /// Whether the chain is a wrapped one; yes if not given.
    pub fn wrap(self, wrap: bool) -> Self {
        Self { wrap, ..self }
    }

    /// Whether the rule stands before those that are not `top`; no if not given.
    pub fn top(self, top: bool) -> Self {
        Self { top, ..self }
    }

    /// A tag for [`IptablesTable::clear_rules_by_tag`]; the empty one is none.
    pub fn tag(self, tag: &'a str) -> Self {
        Self { tag: Some(tag).filter(|tag| !tag.is_empty()), ..self }
    }

    /// A comment, which the rule carries when the manager has comments on; the empty one is none.
    pub fn comment(self, comment: &'a str) -> Self {
        Self { comment: Some(comment).filter(|comment| !comment.is_empty()), ..self }
    }

    fn place(self) -> Place {
        if self.top { Place::Top } else { Place::Normal }
    }
}

/// A table of a manager.
#[derive(Debug)]
pub struct IptablesTable<'m> {
    pub(super) table: &'m mut Table,
    pub(super) names: &'m mut Names,
    pub(super) comments: bool,
}

impl IptablesTable<'_> {
    /// Adds a chain; nothing happens when it is there.
    ///
    /// # Errors
    /// [`FacadeError`] when the name does not fit, or would be another chain's after cutting.
    pub fn add_chain(&mut self, name: &str, wrap: bool) -> Result<(), FacadeError> {
        let chain = self.names.chain(self.table, name, wrap)?;
        self.table.add_chain(&chain)?;
        Ok(())
    }

    /// Whether the chain was added, or is built in.
    #[must_use]
    pub fn has_chain(&mut self, name: &str, wrap: bool) -> bool {
        self.names.chain(self.table, name, wrap).is_ok_and(|chain| self.table.has_chain(&chain))
    }

    /// Adds a rule as the last of its chain; a rule that is there stays where it is. Returns whether it is new.
    ///
    /// # Errors
    /// [`FacadeError`] when the text is no rule, the rule cannot stand here, or a wrapped chain was not added before.
    pub fn add_rule(&mut self, chain: &str, rule: &str, args: RuleArgs<'_>) -> Result<bool, FacadeError> {
        let (chain, rule) = self.read(chain, rule, args)?;
        let mut addition = Addition::new(rule).place(args.place());
        if let Some(tag) = args.tag {
            addition = addition.tagged(tag);
        }
        Ok(self.table.add_rule(&chain, addition)?)
    }

    /// Removes a rule, in any spelling of it, with or without its comment. Returns whether it was there.
    ///
    /// # Errors
    /// [`FacadeError`] when the text is no rule.
    pub fn remove_rule(&mut self, chain: &str, rule: &str, args: RuleArgs<'_>) -> Result<bool, FacadeError> {
        let (chain, rule) = self.read(chain, rule, args)?;
        Ok(self.table.remove_rule(&chain, &rule, args.place())?)
    }

    /// Removes a chain, its rules and every jump to it. Returns whether it was there.
    ///
    /// # Errors
    /// [`FacadeError`] when the chain is built in.
    pub fn remove_chain(&mut self, name: &str, wrap: bool) -> Result<bool, FacadeError> {
        let chain = self.names.chain(self.table, name, wrap)?;
        Ok(self.table.remove_chain(&chain)?)
    }

    /// Makes sure that the chain is not there.
    ///
    /// # Errors
    /// As [`remove_chain`](IptablesTable::remove_chain).
    pub fn ensure_remove_chain(&mut self, name: &str, wrap: bool) -> Result<(), FacadeError> {
        self.remove_chain(name, wrap).map(drop)
    }

    /// Removes all our rules of a chain; the chain stays.
    ///
    /// # Errors
    /// [`FacadeError`] when the name cannot be one.
    pub fn empty_chain(&mut self, chain: &str, wrap: bool) -> Result<(), FacadeError> {
        let chain = self.names.chain(self.table, chain, wrap)?;
        self.table.empty_chain(&chain)?;
        Ok(())
    }

    /// Removes every rule that was added with the tag, and no other. Returns how many there were.
    pub fn clear_rules_by_tag(&mut self, tag: &str) -> usize {
        if tag.is_empty() { 0 } else { self.table.clear_by_tag(tag) }
    }

    /// Removes every rule that `is` takes. Returns how many there were.
    pub fn remove_rules_where(&mut self, is: impl FnMut(&Chain, &Entry) -> bool) -> usize {
        self.table.remove_rules_where(is)
    }

    /// Removes every rule whose line `is` takes: `-A CHAIN ...`, as `iptables-save` prints it. Returns how many there
    /// were. In place of `remove_rules_regex`; a test on fields says better what is meant.
    pub fn remove_rules_matching(&mut self, mut is: impl FnMut(&str) -> bool) -> usize {
        let family = self.table.id().family;
        let mut line = String::new();
        self.table.remove_rules_where(|chain, entry| {
            line.clear();
            line.push_str("-A ");
            line.push_str(chain.name().as_str());
            print::rule_into(&mut line, entry.rule(), family);
            is(&line)
        })
    }

    /// The rules of a chain in their order, each as `iptables-save` prints it behind `-A CHAIN`; none when there is no
    /// such chain.
    #[must_use]
    pub fn get_chain(&mut self, name: &str, wrap: bool) -> Vec<String> {
        let Ok(chain) = self.names.chain(self.table, name, wrap) else { return Vec::new() };
        let rules = self.table.chain(&chain).into_iter().flat_map(Chain::rules);
        rules.map(|entry| print::rule(entry.rule(), self.table.id().family)).collect()
    }

    /// Whether the chain has none of our rules.
    #[must_use]
    pub fn is_chain_empty(&mut self, name: &str, wrap: bool) -> bool {
        let Ok(chain) = self.names.chain(self.table, name, wrap) else { return true };
        self.table.chain(&chain).is_none_or(Chain::is_empty)
    }

    /// The typed table below.
    #[must_use]
    pub fn typed(&mut self) -> &mut Table {
        self.table
    }

    /// Chain and rule as the model takes them.
    fn read(&mut self, chain: &str, text: &str, args: RuleArgs<'_>) -> Result<(ChainRef, Rule), FacadeError> {
        let table = self.table.id();
        let chain = self.names.chain(self.table, chain, args.wrap)?;
        let mut rule = parse::rule(text, table.family).map_err(|error| FacadeError::Rule {
            table,
            rule: text.to_owned(),
            error: Box::new(error),
        })?;
        parse::check_in_chain(&rule, table.kind, &chain).map_err(|error| FacadeError::Chain {
            table,
            rule: text.to_owned(),
            error,
        })?;
        if let Some(Target::Jump(target) | Target::Goto(target)) = &mut rule.target
            && let ChainRef::Wrapped(name) = target
        {
            let whole = name.clone();
            *target = self.names.chain(self.table, whole.as_str(), true)?;
        }
        if let Some(comment) = args.comment.filter(|_| self.comments) {
            rule.matches.push(Match::Comment(Comment::new(comment)?));
        }
        Ok((chain, rule))
    }
}

impl Style {
    /// Whether the style has comments at all.
    pub(super) fn has_comments(self) -> bool {
        self == Self::Neutron
    }
}
