//! What the component has left in the tables of iptables, from the time it used the other layout.
//!
//! Owns: finding it, as a plan that removes it.
//! Never: touches what carries no mark of the component.
//!
//! The plan goes into the transaction that makes the native tables, so that no packet meets both layouts or neither.

use crate::apply::read;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::name::WrapName;
use crate::ruleset::{self, Extent, KnownIpsets, Plan};
use crate::wrap::Model;

use super::Attempt;

/// The plan, and the generation that it was made from; none when there is nothing to remove.
pub(super) fn find<K: Kernel + ?Sized>(
    kernel: &mut K,
    component: Option<&WrapName>,
) -> Result<Option<(Plan, u32)>, Attempt> {
    let Some(component) = component else { return Ok(None) };
    let nothing = Model::builder().component(component.clone()).build();
    let nothing = nothing.map_err(|error| Error::Model(vec![error]))?;
    let observed = read::observe(kernel, &nothing)?;
    let (plan, _) = ruleset::plan(&nothing, &observed, &KnownIpsets::default(), Extent::Removal)?;
    if plan.is_empty() {
        return Ok(None);
    }
    read::check_references(kernel, &nothing, &observed, &plan)?;
    Ok(Some((plan, observed.generation)))
}
