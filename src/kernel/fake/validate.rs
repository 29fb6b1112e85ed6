//! The jump graph: `nft_table_validate`.
//!
//! Owns: depth and loops of jumps, through rules and verdict maps, and the hooks that an expression may run in.

use std::collections::HashMap;

use super::expression::refers;
use super::state::{Base, ChainKind, Ref, Rule, Table};
use crate::kernel::Errno;
use crate::nft::Family;
use crate::nft::expr::{Expr, Fib, FibFlags, FibResult, NatKind};
use crate::nft::uapi::{
    NF_INET_FORWARD, NF_INET_INGRESS, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING,
};

/// `NFT_JUMP_STACK_SIZE`: a base chain and 15 more.
const DEPTH: u32 = 16;
const PRE: u32 = 1 << NF_INET_PRE_ROUTING;
const IN: u32 = 1 << NF_INET_LOCAL_IN;
const FORWARD: u32 = 1 << NF_INET_FORWARD;
const OUT: u32 = 1 << NF_INET_LOCAL_OUT;
const POST: u32 = 1 << NF_INET_POST_ROUTING;

/// Walks the graph from every base chain.
pub(super) fn table(table: &Table) -> Result<(), Errno> {
    let mut walk = Walk { table, deepest: HashMap::new() };
    for chain in table.chains.values() {
        if let Some(base) = &chain.base {
            walk.chain(chain.handle, base, 0)?;
        }
    }
    Ok(())
}

struct Walk<'t> {
    table: &'t Table,
    /// The deepest level that a chain was found good at, for each kind of base chain that leads to it.
    deepest: HashMap<(u64, &'static str, u32), u32>,
}

impl Walk<'_> {
    fn chain(&mut self, handle: u64, base: &Base, level: u32) -> Result<(), Errno> {
        if level == DEPTH {
            return Err(Errno::MLINK);
        }
        let Some(chain) = self.table.chains.get(&handle) else { return Ok(()) };
        let key = (handle, base.kind.name(), base.hook);
        if level > 0 {
            if chain.base.is_some() {
                return Err(Errno::LOOP);
            }
            if self.deepest.get(&key).is_some_and(|&deepest| deepest >= level) {
                return Ok(());
            }
        }
        for rule in chain.rules.iter().filter(|rule| !rule.deleted) {
            // Only a base chain's own hook is checked: in a chain that is jumped to, `nft_chain_validate_hooks` looks
            // at the base chain that the walk started from.
            self.rule(rule, base, level)?;
        }
        self.deepest.insert(key, level);
        Ok(())
    }

    fn rule(&mut self, rule: &Rule, base: &Base, level: u32) -> Result<(), Errno> {
        let mut refs = rule.refs.iter();
        for expr in rule.expressions.iter() {
            runs_in(expr, base, self.table.family)?;
            if !refers(expr) {
                continue;
            }
            match refs.next() {
                Some(&Ref::Chain(target)) => self.chain(target, base, level + 1)?,
                Some(&Ref::Set(set)) if matches!(expr, Expr::Lookup(_)) => self.elements(set, base, level)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn elements(&mut self, set: u64, base: &Base, level: u32) -> Result<(), Errno> {
        let Some(set) = self.table.sets.get(&set).filter(|set| set.is_verdict_map()) else { return Ok(()) };
        for element in set.elements.values() {
            for reference in &element.refs {
                if let Ref::Chain(target) = reference {
                    self.chain(*target, base, level + 1)?;
                }
            }
        }
        Ok(())
    }
}

/// The `validate` operations of expressions: which chain types and hooks they may be reached from.
fn runs_in(expr: &Expr, base: &Base, family: Family) -> Result<(), Errno> {
    let inet = matches!(family, Family::Ip | Family::Ip6 | Family::Inet);
    let (hooks, nat) = match expr {
        Expr::Nat(nat) if nat.kind == NatKind::Snat => (POST | IN, true),
        Expr::Nat(_) | Expr::Redir(_) => (PRE | OUT, true),
        Expr::Masq(_) => (POST, true),
        Expr::Reject(_) if inet => {
            (IN | FORWARD | OUT | PRE | u32::from(family == Family::Inet) << NF_INET_INGRESS, false)
        }
        Expr::Fib(fib) if inet => (fib_hooks(fib), false),
        Expr::Tproxy(_) => (PRE, false),
        Expr::Socket(_) => (PRE | IN | OUT, false),
        _ => return Ok(()),
    };
    let fits = hooks.checked_shr(base.hook).unwrap_or(0) & 1 == 1;
    if fits && (!nat || base.kind == ChainKind::Nat) { Ok(()) } else { Err(Errno::OPNOTSUPP) }
}

fn fib_hooks(fib: &Fib) -> u32 {
    match fib.result {
        FibResult::AddrType if fib.flags.contains(FibFlags::IIF) => PRE | IN | FORWARD,
        FibResult::AddrType if fib.flags.contains(FibFlags::OIF) => OUT | POST | FORWARD,
        FibResult::AddrType => IN | OUT | FORWARD | PRE | POST,
        _ => PRE | IN | FORWARD,
    }
}
