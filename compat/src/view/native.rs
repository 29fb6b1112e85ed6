//! Tables of the native layout: from dumps to a view, and as nft would list them.
//!
//! Owns: what is read of such a table, and how a table of somebody else with a like name is told from one.
//! Never: knows how chains are lifted; [`lift`](nftwrap::layout::native::lift) does.

mod text;

use nftwrap::kernel::{Error, Kernel};
use nftwrap::layout::native::lift::{self, LiftedChain, LiftedRule, Standing};
use nftwrap::nft::{self, Element, Set, SetFlags};
use nftwrap::wrap::TableId;

use super::read::{names, sort, userdata};
use super::{Body, ChainView, NativeForm, RuleView, TableView};

pub(super) use text::print;
pub use text::{element, kernel_rule};

/// Reads a table; `None` when it is none of the layout's: neither it nor a set in it has our mark.
pub(super) fn read<K: Kernel + ?Sized>(
    kernel: &mut K,
    id: TableId,
    table: &nft::Table,
    chains: &[nft::Chain],
) -> Result<Option<TableView>, Error> {
    let family = id.family.into();
    let declared = kernel.sets(family, &table.name)?;
    let marked = userdata(table.userdata.as_deref()).owner.is_some();
    if !marked && !declared.iter().any(lift::is_ours) {
        return Ok(None);
    }
    let rules = kernel.rules(family, &table.name, None)?;
    let mut sets: Vec<(Set, Vec<Element>)> = Vec::with_capacity(declared.len());
    for set in declared {
        let elements = kernel.elements(family, &table.name, &set.name)?;
        sets.push((set, elements));
    }
    let ipsets = names(kernel, &rules)?;
    let lifted = lift::lift(&Standing { family: id.family, chains, rules: &rules, sets: &sets }, &ipsets);
    sets.retain(|(set, _)| !set.flags.contains(SetFlags::ANONYMOUS));
    sets.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let mut chains: Vec<ChainView> = lifted.chains.into_iter().map(chain).collect();
    sort(&mut chains);
    let native = NativeForm { components: lifted.components, chains: lifted.kernel, sets };
    Ok(Some(TableView { id, name: table.name.clone(), native: Some(native), chains }))
}

fn chain(chain: LiftedChain) -> ChainView {
    ChainView {
        name: chain.name,
        base: chain.base,
        counters: chain.counters,
        userdata: chain.userdata,
        body: Some(Body { name: chain.body, sharing: chain.sharing }),
        rules: chain.rules.into_iter().map(rule).collect(),
    }
}

fn rule(rule: LiftedRule) -> RuleView {
    RuleView {
        rule: rule.rule,
        expressions: rule.expressions,
        counter: rule.counter,
        handle: rule.handle,
        set: rule.set,
        userdata: rule.userdata,
    }
}
