//! One table of a save file.

use nftwrap::nft::Policy;
use nftwrap::rule::{ChainRef, Family, Rule};

use super::{chain_ref, rule_into};
use crate::parse::Counters;
use crate::value;

/// A chain as a save file declares it.
#[derive(Debug, Clone, Copy)]
pub struct SaveChain<'a> {
    /// Its name.
    pub name: &'a ChainRef,
    /// The policy of a base chain; `None` for all others.
    pub policy: Option<Policy>,
    /// Packets and bytes that met the policy.
    pub counters: Counters,
}

/// A rule as a save file states it.
#[derive(Debug, Clone, Copy)]
pub struct SaveRule<'a> {
    /// The chain it stands in.
    pub chain: &'a ChainRef,
    /// The rule.
    pub rule: &'a Rule,
    /// Packets and bytes, printed in front as `[P:B]`; `None` prints nothing there.
    pub counters: Option<Counters>,
}

/// Appends a table: `*table`, its chains, its rules, `COMMIT`. They are printed in the order given; `iptables-save`
/// puts the base chains first, in hook order, then the others by name, and the rules chain by chain in the same order.
pub fn table_into<'a>(
    out: &mut String,
    family: Family,
    table: &str,
    chains: impl IntoIterator<Item = SaveChain<'a>>,
    rules: impl IntoIterator<Item = SaveRule<'a>>,
) {
    value::print(out, format_args!("*{table}\n"));
    for SaveChain { name, policy, counters: (packets, bytes) } in chains {
        chain_ref(":", name, out);
        let policy = match policy {
            Some(Policy::Accept) => "ACCEPT",
            Some(Policy::Drop) => "DROP",
            None => "-",
        };
        value::print(out, format_args!(" {policy} [{packets}:{bytes}]\n"));
    }
    for SaveRule { chain, rule, counters } in rules {
        if let Some((packets, bytes)) = counters {
            value::print(out, format_args!("[{packets}:{bytes}] "));
        }
        chain_ref("-A ", chain, out);
        rule_into(out, rule, family);
        out.push('\n');
    }
    out.push_str("COMMIT\n");
}
