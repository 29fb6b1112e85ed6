//! What stands in the kernel, as people and programs want to see it.
//!
//! Owns: reading the iptables tables of a namespace into values ([`View`]), and printing them as iptables-save text, nft
//! commands, JSON and a tree.
//! Never: changes anything; hides what it does not understand: a rule that no iptables text has is shown by its
//! expressions.
//!
//! Invariant: everything printed comes from the kernel alone.

mod json;
mod nft_text;
mod read;
mod save;
mod tree;

use nftwrap::compile::Opaque;
use nftwrap::kernel::{self, Kernel};
use nftwrap::name::{ChainName, WrapName};
use nftwrap::nft::expr::{Counter, Expr};
use nftwrap::nft::{BaseChain, userdata::Userdata};
use nftwrap::rule::Rule;
use nftwrap::wrap::TableId;

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
    /// Built-in chains in the order of their hooks, then the others by name.
    pub chains: Vec<ChainView>,
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
    /// Its rules in order.
    pub rules: Vec<RuleView>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct RuleView {
    /// The rule, or why its program is no iptables rule.
    pub rule: Result<Rule, Opaque>,
    /// Its program.
    pub expressions: Vec<Expr>,
    /// Its counter, if it has one.
    pub counter: Option<Counter>,
    /// Its handle.
    pub handle: Option<u64>,
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

    /// Keeps what belongs to a component: its chains, and of the shared chains its rules and those that lead to it.
    pub fn retain_component(&mut self, component: &WrapName) {
        for table in &mut self.tables {
            table.chains.retain_mut(|chain| {
                if chain.owner() == Some(component) {
                    return true;
                }
                let shared = chain.base.is_some() || chain.is_common();
                chain.rules.retain(|rule| shared && (rule.owner() == Some(component) || rule.is_common()));
                !chain.rules.is_empty()
            });
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
