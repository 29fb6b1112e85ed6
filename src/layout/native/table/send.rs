//! What an update changes, put together for whoever sends it.
//!
//! Owns: the directory, chains with their user data, and the programs of items.
//! Never: keeps anything from one update to the next but what it holds.

use super::{
    BTreeMap, BaseChain, BodyId, ChainDelta, ChainHead, ChainIx, ChainKind, Code, Comment, CompileError, DIRECTORY,
    Error, Fallback, Fate, Fields, Form, Hash, Ipsets, Item, Known, Owner, Program, Role, Table, TableDelta, Tags,
    Userdata, codegen, content_hash,
};
use crate::layout::native::declare::DIRECTORY_KEY_LEN;
use crate::layout::native::sets::{Value, actions_of};
use crate::name::ChainName;
use crate::nft::{ElementData, Policy};

/// The directory's number for a kernel chain that has the name itself.
const ITSELF: u32 = 0;

impl Table {
    /// What the kernel lacks.
    pub(super) fn delta(&mut self) -> Result<TableDelta, Error> {
        self.bodies.end_seeds();
        self.list_kernel_chains();
        for ix in std::mem::take(&mut self.listed) {
            self.list(ix);
        }
        let mut chains = BTreeMap::new();
        for (id, was) in self.bodies.changes() {
            let delta = match (was, self.bodies.at(id)) {
                (None, None) => continue,
                (Some(was), None) => ChainDelta { name: was.name.clone(), fate: Fate::Gone, policy: None, rules: None },
                (Some(was), Some(body)) if was.content == body.content => continue,
                (was, Some(body)) => {
                    let fate = if was.is_some() { Fate::Kept } else { Fate::New(self.head(id, body.own)?) };
                    ChainDelta { name: body.name.clone(), fate, policy: None, rules: Some(body.content.to_vec()) }
                }
            };
            chains.insert(id, delta);
        }
        for ix in &self.policies {
            let Some(id) = self.bodies.of(*ix) else { continue };
            let Some(policy) = self.chains.get(ix).and_then(|state| state.policy) else { continue };
            let name = self.graph.at(*ix).map(|node| node.name.clone());
            match (chains.get_mut(&id), name) {
                (Some(chain), _) => chain.policy = Some(policy),
                (None, Some(name)) => {
                    chains.insert(id, ChainDelta { name, fate: Fate::Kept, policy: Some(policy), rules: None });
                }
                (None, None) => {}
            }
        }
        let unfolded = self.unfolded.iter().filter_map(|(ix, rules)| Some((self.graph.at(*ix)?.name.clone(), *rules)));
        let mut unfolded: Vec<_> = unfolded.collect();
        unfolded.sort_unstable();
        let (chains, sets) = (chains.into_values().collect(), self.sets.changes());
        Ok(TableDelta { id: self.id, new: self.new, chains, sets, unfolded })
    }

    fn content_hash(&self, items: &[Item]) -> Hash {
        content_hash(items, self.id.family, &self.rules, (&self.sets, self.named.own()), &self.bodies)
    }

    /// Enters kernel chains that changed in the directory, with the hash of what they hold.
    fn list_kernel_chains(&mut self) {
        for name in std::mem::take(&mut self.left) {
            self.enter(&name, None);
        }
        for id in std::mem::take(&mut self.touched) {
            let Some(body) = self.bodies.at(id) else { continue };
            let hash = self.content_hash(&body.content);
            let number = if body.own.is_some() { ITSELF } else { id.0 };
            let name = body.name.clone();
            self.enter(&name, Some((number, Tags { hash: Some(hash.0), ..Tags::default() })));
        }
    }

    /// Hook and user data of a chain that is new.
    fn head(&self, id: BodyId, own: Option<ChainIx>) -> Result<ChainHead, Error> {
        let founder = self.bodies.at(id).and_then(|body| body.users.first().copied());
        let state = founder.and_then(|ix| self.chains.get(&ix));
        let kind = state.and_then(|state| state.kind);
        let base = match kind {
            Some(ChainKind::Builtin(builtin)) => Some(BaseChain {
                kind: builtin.kind.into(),
                hook: builtin.hook as u32,
                priority: builtin.priority.saturating_add(self.setup.native.priority),
                policy: Some(state.and_then(|state| state.policy).unwrap_or(Policy::Accept)),
                devices: Vec::new(),
            }),
            _ => None,
        };
        let component = match kind {
            Some(kind) if self.setup.is_common(kind) => None,
            _ => self.setup.component.clone(),
        };
        let comment = match (own, founder.and_then(|ix| self.graph.at(ix))) {
            (None, Some(node)) => Some(Comment::new(node.name.as_str())?),
            _ => None,
        };
        let owner = Some(Owner { role: Role::Normal, component });
        let mut userdata = Vec::new();
        // A name and a comment made of a name always fit.
        let _ = Userdata { comment, owner, others: Vec::new() }.encode(&mut userdata);
        Ok(ChainHead { base, userdata: userdata.into() })
    }

    /// A chain of the model is in the directory when its name is to be seen nowhere else.
    fn list(&mut self, ix: ChainIx) {
        let Some(name) = self.graph.at(ix).map(|node| node.name.clone()) else { return };
        let state = self.chains.get(&ix);
        let reached = state.is_some_and(|state| state.reached > 0 || state.named > 0);
        // The body of a family does not say which elements are the chain's; one of its keys does.
        let context = state.filter(|state| !state.elements.is_empty()).and_then(|state| state.context.as_ref());
        let key = context.and_then(|context| context.keys.first()).map(|key| key.bytes().into());
        let body = self.bodies.of(ix).and_then(|id| Some((id, self.bodies.at(id)?)));
        match body {
            // The kernel chain of that name has an entry of its own.
            Some((_, body)) if body.own.is_some() => {}
            Some((id, _)) if !reached => self.enter(&name, Some((id.0, Tags { key, ..Tags::default() }))),
            _ => self.enter(&name, None),
        }
    }

    /// A chain that is no more is in no directory.
    pub(super) fn unlist(&mut self, ix: ChainIx) {
        if let Some(name) = self.graph.at(ix).map(|node| node.name.clone()) {
            self.enter(&name, None);
        }
    }

    fn enter(&mut self, name: &ChainName, entry: Option<(u32, Tags)>) {
        let mut key = [0; DIRECTORY_KEY_LEN];
        key.iter_mut().zip(name.as_str().bytes()).for_each(|(to, from)| *to = from);
        let value = entry.map(|(number, tags)| Value {
            data: Some(ElementData::Value(number.to_ne_bytes().into())),
            userdata: tags.encode().ok().filter(|bytes| !bytes.is_empty()),
        });
        if value.is_some() || self.sets.value(DIRECTORY, &key).is_some() {
            self.sets.put(DIRECTORY, &key, value);
        }
    }

    /// The expressions of a kernel rule.
    pub(in crate::layout::native) fn program(
        &self,
        item: &Item,
        ipsets: &dyn Ipsets,
        out: &mut Program,
    ) -> Result<Vec<Fallback>, CompileError> {
        let none = Fields::default();
        let Some(known) = self.rules.at(item.rule) else { return Ok(Vec::new()) };
        let set = item.set();
        let fields = set.and_then(|set| self.fields.get(&set)).unwrap_or(&none);
        let to = match item.form {
            Form::To(body) | Form::MemberTo(_, body) => self.bodies.at(body).map(|body| &body.name),
            _ => None,
        };
        let actions = set.and_then(|set| self.sets.name(actions_of(set)));
        let code = match (item.form, set.and_then(|set| self.sets.name(set)), actions) {
            (Form::Member(_) | Form::MemberTo(..), Some(set), _) => Code::Member { set, fields },
            (Form::Choose(_), Some(map), Some(actions)) => Code::Choose { map, actions, fields },
            (Form::Assign(_), Some(map), _) => Code::Assign { map, fields },
            _ => Code::Plain,
        };
        let ipsets = Known::new(&self.named, &self.setup.names, ipsets);
        codegen::write(&known.rule, to, &code, self.id.family, &ipsets, out)
    }
}
