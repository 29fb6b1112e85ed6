//! From dumps to a [`View`].
//!
//! Owns: which dumps are taken, and the order of tables and chains in a view: tables as a packet meets them, base chains by
//! hook, others by name.
//! Never: drops a rule: one that cannot be read as a rule keeps its expressions and the reason.

use std::collections::{BTreeSet, HashMap};

use nftwrap::compile::{Ipsets, stock};
use nftwrap::kernel::{Error, Kernel};
use nftwrap::name::IpsetName;
use nftwrap::nft::expr::Expr;
use nftwrap::nft::userdata::Userdata;
use nftwrap::nft::{self};
use nftwrap::rule::Family;
use nftwrap::wrap::{TableId, TableKind};

use super::{ChainView, RuleView, TableView, View, native};

pub(super) fn read<K: Kernel + ?Sized>(kernel: &mut K) -> Result<View, Error> {
    let mut view = View::default();
    for family in Family::BOTH {
        let nft_family = nft::Family::from(family);
        let tables = kernel.tables(nft_family)?;
        let kind = |t: &nft::Table| kind_of(t.name.as_str());
        let mut tables: Vec<(TableKind, nft::Table)> =
            tables.into_iter().filter_map(|t| Some((kind(&t)?, t))).collect();
        // Tables of iptables before others of the same kind.
        tables.sort_by_cached_key(|(kind, t)| (*kind, t.name.as_str() != kind.name(), t.name.clone()));
        if tables.is_empty() {
            continue;
        }
        let mut chains = kernel.chains(nft_family)?;
        for (kind, table) in tables {
            let id = TableId::new(family, kind);
            let (mine, rest) = chains.into_iter().partition(|c| c.table == table.name);
            chains = rest;
            if table.name.as_str() == kind.name() {
                view.tables.push(read_stock(kernel, id, mine)?);
            } else {
                view.tables.extend(native::read(kernel, id, &table, &mine)?);
            }
        }
    }
    Ok(view)
}

/// The kind of a table of iptables, or of a name that one of the native layout could have.
fn kind_of(name: &str) -> Option<TableKind> {
    TableKind::from_name(name.rsplit_once('-').map_or(name, |(_, kind)| kind))
}

fn read_stock<K: Kernel + ?Sized>(kernel: &mut K, id: TableId, chains: Vec<nft::Chain>) -> Result<TableView, Error> {
    let rules = kernel.rules(id.family.into(), &id.kind.table_name(), None)?;
    let sets = names(kernel, &rules)?;
    let mut by_chain: HashMap<_, Vec<RuleView>> = HashMap::new();
    for rule in rules {
        let userdata = userdata(rule.userdata.as_deref());
        let view = RuleView {
            rule: stock::lift(&rule.expressions, userdata.comment.as_ref(), id.family, &sets),
            counter: stock::counter(&rule.expressions),
            handle: rule.handle,
            expressions: rule.expressions.into(),
            set: None,
            userdata,
        };
        by_chain.entry(rule.chain).or_default().push(view);
    }
    let mut chains: Vec<ChainView> = chains
        .into_iter()
        .map(|chain| ChainView {
            rules: by_chain.remove(&chain.name).unwrap_or_default(),
            userdata: userdata(chain.userdata.as_deref()),
            name: chain.name,
            base: chain.base,
            counters: chain.counters,
            body: None,
        })
        .collect();
    sort(&mut chains);
    Ok(TableView { id, name: id.kind.table_name(), native: None, chains })
}

/// Base chains by hook, then the others by name.
pub(super) fn sort(chains: &mut [ChainView]) {
    chains.sort_by_cached_key(|chain| match &chain.base {
        Some(base) => (0, base.hook, chain.name.clone()),
        None => (1, 0, chain.name.clone()),
    });
}

/// User data that is not in the common form says nothing to us.
pub(super) fn userdata(bytes: Option<&[u8]>) -> Userdata {
    bytes.and_then(|b| Userdata::decode(b).ok()).unwrap_or_default()
}

/// The names of the ipsets that rules refer to by number.
pub(super) struct Names(HashMap<u16, IpsetName>);

impl Ipsets for Names {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        self.0.iter().find(|(_, n)| *n == name).map(|(index, _)| *index)
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.0.get(&index).cloned()
    }
}

pub(super) fn names<K: Kernel + ?Sized>(kernel: &mut K, rules: &[nft::Rule]) -> Result<Names, Error> {
    // The number is the first field of the struct of `-m set`, in host order.
    let numbers: BTreeSet<u16> = rules
        .iter()
        .flat_map(|rule| &rule.expressions)
        .filter_map(|e| match e {
            Expr::Match(m) if &*m.name == "set" => m.info.first_chunk().map(|b| u16::from_ne_bytes(*b)),
            _ => None,
        })
        .collect();
    let mut names = HashMap::new();
    for number in numbers {
        if let Some(name) = kernel.ipset_name(number)? {
            names.insert(number, name);
        }
    }
    Ok(Names(names))
}
