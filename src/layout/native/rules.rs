//! The distinct rules of a table, each analysed once.
//!
//! Owns: the numbers of rules and signatures, and what [`analysis`](super::analysis) says of each.
//! Never: knows in which chain a rule stands.
//!
//! A rule that stands in ten thousand chains is one number here. The model shares equal rules, so most are found by
//! their address alone; the address only counts while this table holds the rule itself.
//!
//! Invariant: equal rules have one number, comments included; a number lives while anything uses it.

use std::cell::OnceCell;
use std::sync::Arc;

use foldhash::HashMap;

use super::analysis::{self, Action, Effects, Verdict};
use super::dispatch::SignatureId;
use super::families::{Taken, Template};
use super::field::{Fields, Key};
use super::item::RuleId;
use super::normal::normal;
use super::table::Own;
use crate::name::{ChainName, IpsetName};
use crate::rule::{Family, Rule, Target};

/// What rules of a run have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Signature {
    /// What they differ in.
    pub(super) fields: Fields,
    /// The rule of the run: what all ask, and the target if it is the same in all but a value.
    pub(super) rule: Arc<Rule>,
    /// What the run's map holds.
    pub(super) class: Class,
}

/// What a run does with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Each key has a verdict or a chain of its own.
    Choice,
    /// Each key has a value that the target stores, of that many bytes.
    Store(usize),
    /// Each key has the same target.
    Same,
}

/// A distinct rule.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) rule: Arc<Rule>,
    /// The rule as the passes look at it: what it remembers in a set of the table's own is nothing.
    pub(super) asked: Arc<Rule>,
    /// Key and signature, if the rule can be in a run.
    pub(super) keyed: Option<(SignatureId, Fields, Key)>,
    pub(super) action: Action,
    pub(super) effects: Effects,
    /// Whether it has a memory of its own.
    pub(super) unique: bool,
    /// What it is without the constant that only its instance has, once that was asked for.
    taken: OnceCell<Option<(TemplateId, Arc<Taken>)>>,
    /// Its normal form, once that was asked for.
    normal: OnceCell<Arc<Rule>>,
    uses: u32,
}

/// A distinct template, as [`Rules`] has numbered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TemplateId(pub(super) u32);

impl Signature {
    /// The same in words that another text of the rules would give, too.
    pub(super) fn normal(&self, family: Family) -> Self {
        Self { rule: normal(&self.rule, family), ..self.clone() }
    }
}

impl Known {
    /// The chain that the rule jumps or goes to.
    pub(super) fn target(&self) -> Option<&ChainName> {
        match &self.action {
            Action::Jump(name) | Action::Goto(name) => Some(name),
            _ => None,
        }
    }

    /// The rule as it would be read back.
    pub(super) fn normal(&self, family: Family) -> &Rule {
        self.normal.get_or_init(|| normal(&self.rule, family))
    }

    /// Whether the rule ends with a plain verdict.
    pub(super) fn is_verdict(&self) -> bool {
        matches!(self.action, Action::Verdict(_))
    }

    /// What the rule does, as a number that is the same for the same action; `target` is its chain's.
    pub(super) fn action_id(&self, id: RuleId, target: Option<u32>) -> u64 {
        let target = u64::from(target.unwrap_or(0));
        match &self.action {
            Action::Verdict(Verdict::Accept) => 1,
            Action::Verdict(Verdict::Drop) => 2,
            Action::Verdict(Verdict::Return) => 3,
            Action::Jump(_) => 1 << 32 | target,
            Action::Goto(_) => 2 << 32 | target,
            // Two rules that store the same value count as different: then order is kept, which is always right.
            Action::Store { .. } => 3 << 32 | u64::from(id.0),
            Action::Other(_) => match &self.keyed {
                Some((signature, ..)) => 4 << 32 | u64::from(signature.0),
                None => 3 << 32 | u64::from(id.0),
            },
        }
    }
}

/// The rules of a table.
#[derive(Debug, Default)]
pub(super) struct Rules {
    known: Vec<Option<Known>>,
    by_address: HashMap<usize, RuleId>,
    by_value: HashMap<Arc<Rule>, RuleId>,
    signatures: Vec<Signature>,
    by_signature: HashMap<Signature, SignatureId>,
    /// Numbers of templates, and how many rules have each.
    templates: HashMap<Template, (TemplateId, u32)>,
    next_template: u32,
    /// Which sets are the table's own; rules that are known were looked at with it.
    own: Arc<Own>,
    /// How many rules name each set.
    by_set: HashMap<IpsetName, u32>,
    /// Unused since the last sweep; swept when a transaction ends, so that no number changes its meaning within one.
    idle: Vec<RuleId>,
    free: Vec<RuleId>,
}

impl Rules {
    /// The rule of that number.
    pub(super) fn at(&self, id: RuleId) -> Option<&Known> {
        self.known.get(id.0 as usize)?.as_ref()
    }

    /// Whether the rule has a number. It may have one and not be known by this address.
    pub(super) fn knows(&self, rule: &Arc<Rule>) -> bool {
        let id = self.by_address.get(&Arc::as_ptr(rule).addr());
        id.and_then(|id| self.at(*id)).is_some_and(|known| Arc::ptr_eq(&known.rule, rule))
    }

    /// These are the table's own sets from now on. No rule that is known names another one than before.
    pub(super) fn know_sets(&mut self, own: Arc<Own>) {
        self.own = own;
    }

    /// Whether a rule that is known names the set.
    pub(super) fn names_set(&self, name: &IpsetName) -> bool {
        self.by_set.contains_key(name)
    }

    /// The rule without the constant that only its instance has; `None` when it has none.
    pub(super) fn take_apart(&mut self, id: RuleId, family: Family) -> Option<(TemplateId, &Arc<Taken>)> {
        let known = self.known.get(id.0 as usize)?.as_ref()?;
        let (templates, next) = (&mut self.templates, &mut self.next_template);
        let taken = known.taken.get_or_init(|| {
            let taken = Taken::of(&known.asked, &known.action, family)?;
            let (number, uses) = templates.entry(taken.template.clone()).or_insert_with(|| {
                *next += 1;
                (TemplateId(*next), 0)
            });
            *uses += 1;
            Some((*number, Arc::new(taken)))
        });
        taken.as_ref().map(|(number, taken)| (*number, taken))
    }

    /// The signature of that number.
    pub(super) fn signature(&self, id: SignatureId) -> Option<&Signature> {
        self.signatures.get(id.0 as usize)
    }

    /// The number of a rule, counted as used once more.
    pub(super) fn take(&mut self, rule: &Arc<Rule>, family: Family) -> RuleId {
        let id = self.number(rule, family);
        self.hold(id);
        id
    }

    /// The number of a rule. It is good until the next [`sweep`](Self::sweep) when nobody [holds](Self::hold) it.
    pub(super) fn number(&mut self, rule: &Arc<Rule>, family: Family) -> RuleId {
        let known = self.by_address.get(&Arc::as_ptr(rule).addr()).copied();
        let id = known.filter(|id| self.at(*id).is_some_and(|known| Arc::ptr_eq(&known.rule, rule)));
        id.or_else(|| self.by_value.get(rule).copied()).unwrap_or_else(|| {
            let id = self.make(rule, family);
            self.idle.push(id);
            id
        })
    }

    /// Takes one use back.
    pub(super) fn release(&mut self, id: RuleId) {
        if let Some(Some(known)) = self.known.get_mut(id.0 as usize) {
            known.uses = known.uses.saturating_sub(1);
            if known.uses == 0 {
                self.idle.push(id);
            }
        }
    }

    /// Counts one use more of a number that is in use.
    pub(super) fn hold(&mut self, id: RuleId) {
        if let Some(Some(known)) = self.known.get_mut(id.0 as usize) {
            known.uses += 1;
        }
    }

    /// Forgets rules that nothing uses. To be called when nothing that was sent or is to be undone names them.
    pub(super) fn sweep(&mut self) {
        for id in std::mem::take(&mut self.idle) {
            let Some(slot) = self.known.get_mut(id.0 as usize) else { continue };
            let Some(known) = slot.take_if(|known| known.uses == 0) else { continue };
            self.by_address.remove(&Arc::as_ptr(&known.rule).addr());
            self.by_value.remove(&known.rule);
            self.free.push(id);
            for set in known.rule.set_names() {
                if let Some(uses) = self.by_set.get_mut(set) {
                    *uses -= 1;
                    if *uses == 0 {
                        self.by_set.remove(set);
                    }
                }
            }
            if let Some(Some((_, taken))) = known.taken.get()
                && let Some((_, uses)) = self.templates.get_mut(&taken.template)
            {
                *uses -= 1;
                if *uses == 0 {
                    self.templates.remove(&taken.template);
                }
            }
        }
    }

    fn make(&mut self, rule: &Arc<Rule>, family: Family) -> RuleId {
        let asked = self.own.without_memory(rule);
        let analysis::Parts { key, rest, action } = analysis::analyse(&asked, family);
        let effects = analysis::effects(&rest, &action);
        let keyed = key.map(|(fields, key)| {
            let (rule, class) = match &action {
                Action::Verdict(_) | Action::Jump(_) | Action::Goto(_) => (rest, Class::Choice),
                Action::Store { store, value } => (with_target(&rest, Some(store)), Class::Store(value.len())),
                Action::Other(target) => (with_target(&rest, target.as_ref()), Class::Same),
            };
            let signature = self.sign(Signature { fields: fields.clone(), rule, class });
            (signature, fields, key)
        });
        let unique = analysis::is_unique(rule);
        let (taken, normal) = (OnceCell::new(), OnceCell::new());
        for set in rule.set_names() {
            *self.by_set.entry(set.clone()).or_default() += 1;
        }
        let known = Some(Known { rule: rule.clone(), asked, keyed, action, effects, unique, taken, normal, uses: 0 });
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.known.push(None);
                RuleId(u32::try_from(self.known.len() - 1).unwrap_or(u32::MAX))
            }
        };
        if let Some(slot) = self.known.get_mut(id.0 as usize) {
            *slot = known;
        }
        self.by_address.insert(Arc::as_ptr(rule).addr(), id);
        self.by_value.insert(rule.clone(), id);
        id
    }

    fn sign(&mut self, signature: Signature) -> SignatureId {
        if let Some(&id) = self.by_signature.get(&signature) {
            return id;
        }
        let id = SignatureId(u32::try_from(self.signatures.len()).unwrap_or(u32::MAX));
        self.signatures.push(signature.clone());
        self.by_signature.insert(signature, id);
        id
    }
}

fn with_target(rest: &Arc<Rule>, target: Option<&Target>) -> Arc<Rule> {
    match target {
        None => rest.clone(),
        Some(target) => Arc::new(Rule { target: Some(target.clone()), ..Rule::clone(rest) }),
    }
}
