//! The compiler by itself, and a fake kernel that does what its deltas say.

use nftwrap::compile::{AnonymousSet, NoIpsets, Program};
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::native::tlv::{Kind, Tags};
use nftwrap::layout::native::{ChainDelta, Compiler, Delta, Fate, Item, SetDelta};
use nftwrap::layout::{Native, Passes};
use nftwrap::name::{ChainName, WrapName};
use nftwrap::nft::expr::Expr;
use nftwrap::nft::{self, BaseChain, Chain, Elements, Table};
use nftwrap::rule::Family;
use nftwrap::transaction::{Batch, Origin};
use nftwrap::wrap::{ChainKind, Model, TableId, TableKind};

use crate::agree::{Tally, agree};
use crate::canonical::{canonical, difference};
use crate::random::packet::Shot;

const HERE: Origin = Origin(0);

/// A compiler and the kernel that has what it made.
pub(crate) struct Host {
    pub(crate) compiler: Compiler,
    pub(crate) kernel: Fake,
}

/// In how many cases each pass did something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) cases: usize,
    pub(crate) dispatched: usize,
    pub(crate) shared: usize,
    pub(crate) folded: usize,
    pub(crate) families: usize,
}

impl Seen {
    pub(crate) fn join(&mut self, other: Self) {
        self.cases += other.cases;
        self.dispatched += other.dispatched;
        self.shared += other.shared;
        self.folded += other.folded;
        self.families += other.families;
    }
}

impl Seen {
    /// Panics when a pass that was on did hardly anything, or one that was off did.
    #[track_caller]
    pub(crate) fn is_worth_it(&self, passes: Passes) {
        let Self { cases, dispatched, shared, folded, families } = *self;
        let counts = [
            (Passes::DISPATCH, dispatched),
            (Passes::SHARING, shared),
            (Passes::FOLDING, folded),
            (Passes::FAMILIES, families),
        ];
        for (pass, count) in counts {
            // Bodies of a family are reached by dispatch.
            let on = passes.contains(pass) && (pass != Passes::FAMILIES || passes.contains(Passes::DISPATCH));
            let wanted = if on { cases / 5..=cases } else { 0..=0 };
            assert!(wanted.contains(&count), "{passes:?}: {pass:?} in {count} of {cases} cases");
        }
    }
}

impl Host {
    pub(crate) fn new(model: &Model, passes: Passes) -> Self {
        let native = Native { passes, ..Native::default() };
        Self { compiler: Compiler::new(&native, model.component()), kernel: Fake::new() }
    }

    /// Brings the kernel to the model.
    pub(crate) fn apply(&mut self, model: &mut Model) -> Result<(), String> {
        let delta = self.compiler.update(model, &NoIpsets).map_err(|error| format!("compiler: {error}"))?;
        let batch = self.batch(&delta)?;
        self.kernel.commit(&batch.seal().unwrap()).map_err(|error| format!("kernel: {error}"))?;
        self.compiler.commit();
        model.mark_applied();
        Ok(())
    }

    /// As [`apply`](Self::apply), but that the kernel takes nothing.
    pub(crate) fn refused(&mut self, model: &Model) -> Result<(), String> {
        let delta = self.compiler.update(model, &NoIpsets).map_err(|error| format!("compiler: {error}"))?;
        self.batch(&delta)?;
        Ok(())
    }

    fn batch(&self, delta: &Delta) -> Result<Batch, String> {
        let mut batch = Batch::begin(None);
        let mut sets = 0;
        for table in &delta.tables {
            let family = nft::Family::from(table.id.family);
            let name = self.compiler.table_name(table.id).unwrap();
            if table.new {
                batch.create_table(&Table::new(family, name.clone()), HERE);
            }
            for SetDelta { fate, .. } in &table.sets {
                if let Fate::New(set) = fate {
                    sets += 1;
                    batch.create_set(&nft::Set { id: Some(sets), ..(**set).clone() }, HERE);
                }
            }
            for ChainDelta { name: chain, fate, policy, .. } in &table.chains {
                let plain = Chain::new(family, name.clone(), chain.clone());
                match (fate, policy) {
                    (Fate::New(head), _) => {
                        let (base, userdata) = (head.base.clone(), Some(head.userdata.clone()));
                        batch.create_chain(&Chain { base, userdata, ..plain }, HERE);
                    }
                    (_, Some(policy)) => {
                        let builtin = table.id.kind.builtin(chain.as_str()).unwrap();
                        let base = BaseChain {
                            kind: builtin.kind.into(),
                            hook: builtin.hook as u32,
                            priority: builtin.priority,
                            policy: Some(*policy),
                            devices: Vec::new(),
                        };
                        batch.add_chain(&Chain { base: Some(base), ..plain }, HERE);
                    }
                    _ => {}
                }
            }
            for chain in table.chains.iter().filter(|chain| chain.rules.is_some() || chain.fate == Fate::Gone) {
                batch.flush_chain(family, &name, &chain.name, HERE);
            }
            for chain in &table.chains {
                for item in chain.rules.iter().flatten() {
                    self.rule(&mut batch, table.id, &chain.name, item, &mut sets)?;
                }
            }
            let elements = |set: &SetDelta, list: &[nft::Element]| {
                let (table, set, elements) = (name.clone(), set.name.clone(), list.to_vec());
                Elements { family, table, set, set_id: None, elements }
            };
            for set in &table.sets {
                batch.delete_elements(&elements(set, &set.removed), HERE);
            }
            for set in &table.sets {
                batch.create_elements(&elements(set, &set.added), HERE);
            }
            for chain in table.chains.iter().filter(|chain| chain.fate == Fate::Gone) {
                batch.delete_chain(family, &name, &chain.name, HERE);
            }
            for set in table.sets.iter().filter(|set| set.fate == Fate::Gone) {
                batch.delete_set(family, &name, &set.name, HERE);
            }
        }
        Ok(batch)
    }

    fn rule(
        &self,
        batch: &mut Batch,
        id: TableId,
        chain: &ChainName,
        item: &Item,
        sets: &mut u32,
    ) -> Result<(), String> {
        let (family, table) = (nft::Family::from(id.family), self.compiler.table_name(id).unwrap());
        let mut program = Program::default();
        self.compiler.program(id, item, &NoIpsets, &mut program).map_err(|error| format!("{item:?}: {error}"))?;
        for set in &program.sets {
            let (declared, elements) = set.declare(family, &table, *sets + set.id).unwrap();
            batch.add_set(&declared, HERE);
            batch.add_elements(&elements, HERE);
        }
        for expression in &mut program.expressions {
            if let Expr::Lookup(lookup) = expression
                && &*lookup.set.name == AnonymousSet::TEMPLATE
            {
                lookup.set.id += *sets;
            }
        }
        *sets += program.sets.len() as u32;
        let (handle, position, userdata) = (None, None, None);
        let Program { expressions, compat, .. } = program;
        let chain = chain.clone();
        batch.add_rule(&nft::Rule { family, table, chain, handle, position, expressions, compat, userdata }, HERE);
        Ok(())
    }

    pub(crate) fn check(&mut self, model: &Model, shots: &[Shot]) -> Result<Tally, String> {
        let compiler = &self.compiler;
        let table = |kind: TableKind| compiler.table_name(TableId { family: Family::Ipv4, kind }).unwrap();
        agree(model, &mut self.kernel, table, shots)
    }

    /// Whether the kernel has what it would have if this were the first model.
    pub(crate) fn is_as_new(&mut self, model: &Model, passes: Passes) -> Result<(), String> {
        let mut anew = Host::new(model, passes);
        anew.apply(&mut model.clone())?;
        let prefix = model.component().map_or("nftwrap", WrapName::as_str);
        let [found, wanted] = [self, &mut anew].map(|host| canonical(&mut host.kernel, prefix));
        if found == wanted { Ok(()) } else { Err(format!("not as from scratch\n{}", difference(&wanted, &found))) }
    }

    /// What the passes made of the model.
    pub(crate) fn seen(&mut self, model: &Model) -> Seen {
        let mut seen = Seen { cases: 1, ..Seen::default() };
        for family in [nft::Family::Ip, nft::Family::Ip6] {
            for table in self.kernel.tables(family).unwrap() {
                for set in self.kernel.sets(family, &table.name).unwrap() {
                    let tags = set.userdata.as_deref().map(|userdata| Tags::decode(userdata).unwrap());
                    match tags.and_then(|tags| tags.set).map(|set| set.kind) {
                        Some(Kind::Choice | Kind::Store | Kind::Member) => seen.dispatched = 1,
                        Some(Kind::Constant) => seen.folded = 1,
                        Some(Kind::FamilyMember | Kind::FamilyChoice | Kind::FamilyStore) => seen.families = 1,
                        _ => {}
                    }
                }
            }
        }
        let wrapped = |kind| matches!(kind, ChainKind::Wrapped | ChainKind::Shared);
        let chains = model.tables().flat_map(|table| table.chains()).filter(|chain| wrapped(chain.kind())).count();
        let bodies: usize = [nft::Family::Ip, nft::Family::Ip6]
            .into_iter()
            .map(|family| self.kernel.chains(family).unwrap().iter().filter(|chain| chain.base.is_none()).count())
            .sum();
        seen.shared = usize::from(bodies < chains);
        seen
    }
}
