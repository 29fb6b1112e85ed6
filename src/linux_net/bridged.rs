//! A component's table of the bridge family: groups of rules, each put in, exchanged or taken out in one transaction.
//!
//! Owns: the table `<component>-bridge`, its base chains, and which rules in it are of one group.
//! Never: touches another table, or a rule in this one that does not say which group of ours it is of.
//!
//! Each rule carries its group in its user data (an entry of type 0x7d beside the component's mark), so that a process
//! which comes after finds what stands, and changes nothing when that is what it wants.
//!
//! Invariant: a batch names the generation that it was computed from; when somebody was faster the table is read again, a
//! bounded number of times.
//!
//! Where the truth is: `net/bridge/netfilter/nf_tables_bridge.c`, `nft_meta_bridge.c`; priorities and the meaning of hooks
//! as in `ebtable_filter.c` and `ebtable_nat.c` (Linux v6.12).

use thiserror::Error;

use crate::kernel::{self, CommitError, Errno, Kernel};
use crate::name::{ChainName, Comment, InterfaceName, NameError, TableName, WrapName};
use crate::nft::expr::{
    Cmp, CmpOp, Data, Expr, Immediate, Meta, MetaKey, Operand, Payload, PayloadBase, Register, Verdict,
};
use crate::nft::uapi::{NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_PRE_ROUTING};
use crate::nft::userdata::{Entry, Owner, Role, Userdata, UserdataError};
use crate::nft::{BaseChain, Chain, Family, Policy, Rule, Table};
use crate::transaction::{Batch, Origin, SealError};

/// The user data entry that says of which group a rule is.
const GROUP: u8 = 0x7d;
/// How often a batch is computed anew because somebody else was faster.
const ATTEMPTS: u32 = 10;
const ORIGIN: Origin = Origin(0);

/// Why rules of bridges could not be changed. They are as they were.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The kernel cannot tell which bridge a port is of.
    #[error(
        "rules for bridge {bridge}: this kernel has no `meta ibrname` (CONFIG_NFT_BRIDGE_META); name the bridge's ports"
    )]
    NoBridgeName {
        /// The bridge that a rule is for.
        bridge: InterfaceName,
    },
    /// The table could not be read.
    #[error("cannot read the bridge table {table}: {source}")]
    Read {
        /// The table.
        table: TableName,
        /// What the kernel said.
        source: kernel::Error,
    },
    /// The transaction was not committed.
    #[error("cannot change the bridge table {table}: {source}")]
    Commit {
        /// The table.
        table: TableName,
        /// What the kernel said.
        source: CommitError,
    },
    /// A name or a rule's user data does not fit.
    #[error(transparent)]
    Name(#[from] NameError),
    /// As for names.
    #[error(transparent)]
    Userdata(#[from] UserdataError),
    /// The batch cannot be written.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl BridgeError {
    /// Whether the right to change nf_tables is missing.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.is_not_permitted(),
            Self::Commit { source, .. } => source.is_not_permitted(),
            _ => false,
        }
    }

    /// Whether this kernel lacks what the rules need.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        match self {
            Self::NoBridgeName { .. } => true,
            Self::Read { source, .. } => source.is_not_supported(),
            Self::Commit { source, .. } => source.is_not_supported(),
            _ => false,
        }
    }

    /// Whether others changed the ruleset during each of a number of attempts.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Commit { source, .. } if source.is_stale())
    }
}

/// The base chains, where ebtables has those of its tables `filter` and `nat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    /// What comes to a bridge, before it is known where it goes.
    Prerouting,
    /// What is for this host.
    Input,
    /// What goes from port to port.
    Forward,
    /// What this host sends.
    Output,
}

impl Hook {
    const ALL: [Self; 4] = [Self::Prerouting, Self::Input, Self::Forward, Self::Output];

    /// Name, `NF_BR_*`, which has the numbers of `NF_INET_*`, and `NF_BR_PRI_*`.
    fn parts(self) -> (&'static str, u32, i32) {
        match self {
            Self::Prerouting => ("PREROUTING", NF_INET_PRE_ROUTING, -300),
            Self::Input => ("INPUT", NF_INET_LOCAL_IN, -200),
            Self::Forward => ("FORWARD", NF_INET_FORWARD, -200),
            Self::Output => ("OUTPUT", NF_INET_LOCAL_OUT, 200),
        }
    }

    fn chain(self, table: &TableName) -> Result<Chain, NameError> {
        let (name, hook, priority) = self.parts();
        let policy = Some(Policy::Accept);
        let base = BaseChain { kind: "filter".into(), hook, priority, policy, devices: Vec::new() };
        Ok(Chain { base: Some(base), ..Chain::new(Family::Bridge, table.clone(), ChainName::new(name)?) })
    }
}

/// A group of rules: what it is called, for programs and for people, and what it is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Bytes that no other group has.
    pub(super) key: Vec<u8>,
    /// For those who list the table.
    pub(super) comment: String,
    /// The rules in their order; none takes the group out.
    pub(super) rules: Vec<(Hook, Vec<Expr>)>,
}

/// Makes the group's rules those that it states. Returns whether anything changed.
pub(super) fn ensure<K: Kernel>(kernel: &mut K, component: &WrapName, group: &Group) -> Result<bool, BridgeError> {
    let table = TableName::new(&format!("{component}-bridge"))?;
    let wanted = rules(&table, component, group)?;
    for attempt in 1.. {
        let read = |source| BridgeError::Read { table: table.clone(), source };
        let generation = kernel.generation().map_err(read)?;
        let all = kernel.rules(Family::Bridge, &table, None).map_err(read)?;
        let (old, others): (Vec<&Rule>, Vec<&Rule>) = all.iter().partition(|rule| is_of(rule, &group.key));
        if is_same(&old, &wanted) {
            return Ok(false);
        }
        let mut batch = Batch::begin(Some(generation));
        batch.add_table(&Table::new(Family::Bridge, table.clone()), ORIGIN);
        if wanted.is_empty() && others.is_empty() {
            batch.delete_table(Family::Bridge, &table, ORIGIN);
        } else {
            for hook in Hook::ALL.into_iter().filter(|hook| group.rules.iter().any(|(other, _)| other == hook)) {
                batch.add_chain(&hook.chain(&table)?, ORIGIN);
            }
            for rule in old {
                if let Some(handle) = rule.handle {
                    batch.delete_rule(Family::Bridge, &table, &rule.chain, handle, ORIGIN);
                }
            }
            for rule in &wanted {
                batch.add_rule(rule, ORIGIN);
            }
        }
        match kernel.commit(&batch.seal()?) {
            Ok(_) => return Ok(true),
            Err(error) if error.is_stale() && attempt < ATTEMPTS => {
                log::debug!("bridge table {table}: somebody else was faster, attempt {attempt}");
            }
            Err(source) => return Err(BridgeError::Commit { table, source }),
        }
    }
    Ok(false)
}

/// Whether the kernel can tell which bridge a port is of (`nft_meta_bridge.c`, `CONFIG_NFT_BRIDGE_META`).
pub(super) fn has_bridge_names<K: Kernel>(kernel: &mut K) -> Result<bool, BridgeError> {
    let table = TableName::new("nftwrap.probe~")?;
    let chain = ChainName::new("probe")?;
    let mut batch = Batch::begin(None);
    batch.create_table(&Table::new(Family::Bridge, table.clone()), ORIGIN);
    batch.add_chain(&Chain::new(Family::Bridge, table.clone(), chain.clone()), ORIGIN);
    let expressions = vec![Meta::Load { key: MetaKey::BRI_IIFNAME, dreg: Register::R1 }.into()];
    batch.add_rule(&rule(&table, chain, expressions, None), ORIGIN);
    match kernel.check(&batch.seal()?) {
        Ok(_) => Ok(true),
        Err(error) if error.has(Errno::OPNOTSUPP) || error.is_not_found() => Ok(false),
        Err(source) => Err(BridgeError::Commit { table, source }),
    }
}

fn rules(table: &TableName, component: &WrapName, group: &Group) -> Result<Vec<Rule>, BridgeError> {
    let userdata = Userdata {
        comment: Some(Comment::new(&group.comment)?),
        owner: Some(Owner { role: Role::Normal, component: Some(component.clone()) }),
        others: vec![Entry { kind: GROUP, value: group.key.clone().into() }],
    };
    let mut bytes = Vec::new();
    userdata.encode(&mut bytes)?;
    let rules = group.rules.iter().map(|(hook, expressions)| {
        let chain = ChainName::new(hook.parts().0)?;
        Ok(rule(table, chain, expressions.clone(), Some(bytes.clone().into())))
    });
    rules.collect()
}

fn rule(table: &TableName, chain: ChainName, expressions: Vec<Expr>, userdata: Option<Box<[u8]>>) -> Rule {
    let (handle, position, compat) = (None, None, None);
    Rule { family: Family::Bridge, table: table.clone(), chain, handle, position, expressions, compat, userdata }
}

fn is_of(rule: &Rule, key: &[u8]) -> bool {
    let userdata = rule.userdata.as_deref().and_then(|bytes| Userdata::decode(bytes).ok());
    userdata.is_some_and(|userdata| userdata.others.iter().any(|other| other.kind == GROUP && *other.value == *key))
}

/// Whether each chain has the same rules in the same order.
fn is_same(old: &[&Rule], wanted: &[Rule]) -> bool {
    let of = |chain: &ChainName| -> Vec<&[Expr]> {
        old.iter().filter(|rule| rule.chain == *chain).map(|rule| rule.expressions.as_slice()).collect()
    };
    let states = |chain: &ChainName| -> Vec<&[Expr]> {
        wanted.iter().filter(|rule| rule.chain == *chain).map(|rule| rule.expressions.as_slice()).collect()
    };
    old.len() == wanted.len() && wanted.iter().all(|rule| of(&rule.chain) == states(&rule.chain))
}

/// Which way a packet passes a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// `meta iifname`, `meta oifname`: in this family the bridge's port, as `-i` and `-o` of ebtables.
pub(super) fn port(way: Way, name: &InterfaceName) -> [Expr; 2] {
    let key = if way == Way::In { MetaKey::IIFNAME } else { MetaKey::OIFNAME };
    named(key, name)
}

/// `meta ibrname`: the bridge that the port is of, as `--logical-in`.
pub(super) fn bridge(name: &InterfaceName) -> [Expr; 2] {
    named(MetaKey::BRI_IIFNAME, name)
}

fn named(key: MetaKey, name: &InterfaceName) -> [Expr; 2] {
    // Compared whole, with the zeros behind the name.
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.as_str().bytes()).for_each(|(to, from)| *to = from);
    [Meta::Load { key, dreg: Register::R1 }.into(), compare(CmpOp::Eq, bytes)]
}

/// Some bytes of a header, compared.
pub(crate) fn field<const N: usize>(base: PayloadBase, offset: u32, op: CmpOp, value: [u8; N]) -> [Expr; 2] {
    #[allow(clippy::cast_possible_truncation, reason = "no more than a register's 16 bytes")]
    let len = N as u32;
    [Payload::Load { dreg: Register::R1, base, offset, len }.into(), compare(op, value)]
}

/// The protocol in the Ethernet header, which of a tagged frame is the tag's, as for ebtables.
pub(crate) fn ethertype(number: u16) -> [Expr; 2] {
    field(PayloadBase::Link, 12, CmpOp::Eq, number.to_be_bytes())
}

/// Compares what the expression before loaded.
pub(crate) fn compare<const N: usize>(op: CmpOp, value: [u8; N]) -> Expr {
    Cmp { sreg: Register::R1, op, data: Data::from(value) }.into()
}

pub(crate) fn verdict(verdict: Verdict) -> Expr {
    Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) }.into()
}
