//! What stands in the kernel, as people and programs want to see it.
//!
//! Owns: reading the iptables tables and those of the native layout of a namespace into values ([`View`]), and printing
//! them as iptables-save text, nft commands, JSON and a tree.
//! Never: changes anything; hides what it does not understand: a rule that no iptables text has is shown by its
//! expressions.
//!
//! Invariant: everything printed comes from the kernel alone.
//!
//! Both layouts show the same chains and rules. Only the nft form is the kernel's own, with maps and shared chains.
//!
//! How it is tested: `tests/cli` beside the stock tools, `tests/roundtrip.rs` for the native layout.

mod groups;
mod json;
mod native;
mod nft_text;
mod read;
mod save;
mod tree;

use std::sync::Arc;

use nftwrap::compile::Opaque;
use nftwrap::kernel::{self, Kernel};
use nftwrap::layout::native::lift::KernelChain;
use nftwrap::name::{ChainName, SetName, TableName, WrapName};
use nftwrap::nft::expr::{Counter, Expr};
use nftwrap::nft::{BaseChain, Element, Set, userdata::Userdata};
use nftwrap::rule::Rule;
use nftwrap::wrap::TableId;

pub use groups::Group;
pub use native::{element, kernel_rule};

/// The iptables tables of a namespace.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Tables: IPv4 before IPv6, each family in the order in which packets meet them.
    pub tables: Vec<TableView>,
}

/// One table.
#[derive(Debug, Clone)]
pub struct TableView {
    /// Which one.
    pub id: TableId,
    /// What the kernel calls it: `filter`, or `nova-compute-filter` in the native layout.
    pub name: TableName,
    /// The kernel's own form of a table of the native layout; `None` for one of iptables.
    pub native: Option<NativeForm>,
    /// Built-in chains in the order of their hooks, then the others by name.
    pub chains: Vec<ChainView>,
}

/// A table of the native layout as it is in the kernel.
#[derive(Debug, Clone, Default)]
pub struct NativeForm {
    /// The components that have chains or maps in it.
    pub components: Vec<WrapName>,
    /// Its chains.
    pub chains: Vec<KernelChain>,
    /// Its named sets and maps with their elements.
    pub sets: Vec<(Set, Vec<Element>)>,
}

/// The kernel chain that does a chain's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its name.
    pub name: ChainName,
    /// How many chains it stands for.
    pub sharing: usize,
}

/// One chain.
#[derive(Debug, Clone)]
pub struct ChainView {
    /// Its name.
    pub name: ChainName,
    /// Hook and policy, if it is built in.
    pub base: Option<BaseChain>,
    /// Packets and bytes that met the policy.
    pub counters: Option<Counter>,
    /// The mark and comment in its user data.
    pub userdata: Userdata,
    /// In the native layout, the kernel chain that does its work.
    pub body: Option<Body>,
    /// Its rules in order; in the native layout, those of a map in the order of their keys.
    pub rules: Vec<RuleView>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct RuleView {
    /// The rule, or why its program is no iptables rule.
    pub rule: Result<Rule, Opaque>,
    /// Its program; that of the kernel rule that does its work.
    pub expressions: Arc<[Expr]>,
    /// Its counter, if it has one.
    pub counter: Option<Counter>,
    /// Its handle; that of the kernel rule that does its work.
    pub handle: Option<u64>,
    /// The set or map that has it as an element.
    pub set: Option<SetName>,
    /// The mark and comment in its user data.
    pub userdata: Userdata,
}

impl View {
    /// Reads the namespace that `kernel` talks to.
    ///
    /// # Errors
    /// [`kernel::Error`] when the kernel cannot be asked.
    pub fn read<K: Kernel + ?Sized>(kernel: &mut K) -> Result<Self, kernel::Error> {
        read::read(kernel)
    }

    /// Keeps the tables of a group of the native layout.
    pub fn retain_group(&mut self, group: &str) {
        self.tables.retain(|table| {
            let kind = table.name.as_str().strip_prefix(group).and_then(|rest| rest.strip_prefix('-'));
            table.native.is_some() && kind == Some(table.id.kind.name())
        });
    }

    /// Keeps what belongs to a component: its chains, and of the shared chains its rules and those that lead to it.
    pub fn retain_component(&mut self, component: &WrapName) {
        for table in &mut self.tables {
            // Where nobody else has anything, what carries no mark is the component's, too.
            let alone = table.native.as_ref().is_some_and(|native| native.components == [component.clone()]);
            table.chains.retain_mut(|chain| {
                if chain.owner() == Some(component) {
                    return true;
                }
                let shared = chain.base.is_some() || chain.is_common();
                let mine = |rule: &RuleView| match rule.owner() {
                    Some(owner) => owner == component,
                    None => alone || rule.is_common(),
                };
                chain.rules.retain(|rule| (shared || alone) && mine(rule));
                !chain.rules.is_empty()
            });
            if let Some(native) = &mut table.native {
                let kept =
                    |name: &ChainName| table.chains.iter().any(|c| c.body.as_ref().is_some_and(|b| b.name == *name));
                native.chains.retain(|chain| kept(&chain.name));
                let ours =
                    |set: &Set| set.name.as_str().strip_prefix(component.as_str()).is_some_and(|r| r.starts_with('/'));
                native.sets.retain(|(set, _)| ours(set));
            }
        }
        self.tables.retain(|table| !table.chains.is_empty());
    }
}

impl ChainView {
    /// The component it belongs to.
    #[must_use]
    pub fn owner(&self) -> Option<&WrapName> {
        self.userdata.owner.as_ref()?.component.as_ref()
    }

    /// Whether it is common to all components of a profile.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.userdata.owner.as_ref().is_some_and(|o| o.component.is_none())
    }
}

impl RuleView {
    /// The component it belongs to, in a shared chain.
    #[must_use]
    pub fn owner(&self) -> Option<&WrapName> {
        self.userdata.owner.as_ref()?.component.as_ref()
    }

    /// Whether it is common to all components of a profile.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.userdata.owner.as_ref().is_some_and(|o| o.component.is_none())
    }

    /// The chain that it jumps or goes to.
    #[must_use]
    pub fn target(&self) -> Option<&ChainName> {
        self.rule.as_ref().ok()?.chain_ref().map(|c| c.name())
    }
}
