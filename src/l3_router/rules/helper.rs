//! Helpers of connection tracking, for protocols that open connections beside the first.
//!
//! Owns: `cth` and `cth-...` of `raw`, and `PREROUTING` of it.

use super::{Chains, Context, jump};
use crate::l3_router::state::StateError;
use crate::rule::targets::Ct;
use crate::rule::{Rule, Target};
use crate::wrap::TableKind::Raw;

const ALL: &str = "cth";

pub(super) fn write(context: &Context<'_>, chains: &mut Chains) -> Result<(), StateError> {
    for &family in context.families() {
        chains.declare(family, Raw, "PREROUTING");
        if context.router.helpers.is_empty() {
            continue;
        }
        chains.push(family, Raw, "PREROUTING", jump(Rule::new(), ALL)?);
        for (helper, chain) in context.router.helpers.iter().zip(&context.names.helpers) {
            chains.push(family, Raw, ALL, jump(Rule::new(), chain)?);
            let asked = Rule::new().protocol(helper.protocol).dport(helper.port);
            let ct = Ct { helper: Some(helper.helper.text()), ..Ct::default() };
            chains.push(family, Raw, chain, asked.target(Target::Ct(Box::new(ct))));
        }
    }
    Ok(())
}
