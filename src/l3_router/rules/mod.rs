//! From a router to its rules: state in, rules out.
//!
//! Owns: every rule of every chain of a router, in both families, and their order.
//! Never: applies anything; looks at what stood before: a chain that is to be empty is stated as empty, so that no rule of
//! a gateway, an address or a scope that is gone can stay.
//!
//! Each feature is a file here, which writes into chains; a chain is of one feature, but for the built-in
//! ones' wrapped chains, whose order is that of the calls in [`rules`].
//!
//! Invariant: the same router, marks and options give the same rules in the same order.
//! Invariant: what a family does not need it is not given, and what both need is written once for both.
//!
//! Where the truth is: neutron's `agent/l3` and `services/metering` (August 2026; [`Release`] for icehouse). Differences are
//! listed in [`manual::parity`](crate::manual::parity).
//!
//! How it is tested: `tests/l3_router`, by the stock tools' own listing and by packets, in both layouts.

mod floating;
mod forwarding;
mod helper;
mod icehouse;
mod metadata;
mod metering;
mod scope;
mod snat;

pub use metadata::{METADATA_V4, METADATA_V6};
pub(super) use metering::counting as counting_chain;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::marks::ScopeMarks;
use super::names::Names;
use super::state::{FloatingIp, FloatingState, Role, Router, StateError};
use crate::name::InterfaceName;
use crate::rule::matches::{Conntrack, CtStates};
use crate::rule::targets::{Nat, NatOptions};
use crate::rule::{ChainRef, Family, InterfaceMatch, MarkMask, Match, Not, Rule, Target};
use crate::wrap::TableKind;

/// The bits of the packet's mark that are neither a scope's nor anybody else's.
const ROUTER_MASK: u32 = 0xffff;

/// What an operator decides about rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOptions {
    /// Whose rules.
    pub release: Release,
    /// Whether IPv6 has rules.
    pub ipv6: bool,
    /// Whether ports of source translation are chosen at random; off keeps those of the guests where possible.
    pub random_fully: bool,
    /// Whether rules carry their comments.
    pub comments: bool,
    /// The mark of questions to the metadata address.
    pub metadata_mark: u16,
    /// The mark of what comes in by the gateway.
    pub ingress_mark: u16,
    /// Whether all tables are made from the start, as neutron does; each is made when it is needed if not.
    pub all_tables: bool,
}

impl Default for RuleOptions {
    fn default() -> Self {
        Self {
            release: Release::Head,
            ipv6: true,
            random_fully: true,
            comments: true,
            metadata_mark: 0x1,
            ingress_mark: 0x2,
            all_tables: false,
        }
    }
}

/// The releases of neutron whose rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Release {
    /// 2014: IPv4 `filter` and `nat` only, a rule for each network; no scopes, forwardings, helpers or roles.
    Icehouse,
    /// August 2026.
    #[default]
    Head,
}

/// The rules of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainRules {
    /// The family of the table.
    pub family: Family,
    /// The table.
    pub table: TableKind,
    /// The wrapped chain, by its logical name.
    pub chain: String,
    /// All rules of it, in order.
    pub rules: Vec<Rule>,
}

/// All rules of a router.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleSet {
    /// Those of the component `neutron-l3-agent`.
    pub router: Vec<ChainRules>,
    /// Those of the component `neutron-meter`.
    pub metering: Vec<ChainRules>,
}

/// The rules of a router. `marks` has to have a mark for each of its scopes ([`ScopeMarks::assign`]).
///
/// # Errors
/// [`StateError`] when the state does not hold together, or asks for what the release does not have.
pub fn rules(router: &Router, marks: &ScopeMarks, options: &RuleOptions) -> Result<RuleSet, StateError> {
    router.check()?;
    named_rules(router, &Names::of(router)?, marks, options)
}

/// The same, of a router that was checked, when its things have these names.
pub(super) fn named_rules(
    router: &Router,
    names: &Names,
    marks: &ScopeMarks,
    options: &RuleOptions,
) -> Result<RuleSet, StateError> {
    let context = Context { router, names, marks, options };
    let mut chains = Chains::default();
    if options.release == Release::Icehouse {
        icehouse::write(&context, &mut chains)?;
    } else {
        scope::frame(&context, &mut chains)?;
        scope::write(&context, &mut chains)?;
        snat::write(&context, &mut chains)?;
        floating::write(&context, &mut chains)?;
        metadata::write(&context, &mut chains)?;
        forwarding::write(&context, &mut chains)?;
        helper::write(&context, &mut chains)?;
    }
    let mut counted = Chains::default();
    metering::write(&context, &mut counted)?;
    Ok(RuleSet { router: chains.finish(), metering: counted.finish() })
}

/// What every feature looks at.
struct Context<'a> {
    router: &'a Router,
    names: &'a Names,
    marks: &'a ScopeMarks,
    options: &'a RuleOptions,
}

impl Context<'_> {
    fn families(&self) -> &'static [Family] {
        if self.options.ipv6 { &Family::BOTH } else { &[Family::Ipv4] }
    }

    /// The device that leads outside, if the router has a way out.
    fn external(&self) -> Option<&InterfaceName> {
        self.names.external.as_ref().filter(|_| self.router.gateway.is_some())
    }

    /// Floating addresses that are translated here.
    fn floating(&self) -> impl Iterator<Item = &FloatingIp> {
        let here = self.external().is_some();
        self.router.floating.iter().filter(move |ip| {
            let role = match self.router.role {
                Role::Centralized => true,
                Role::Compute { .. } => !ip.at_snat,
                Role::Snat => ip.at_snat,
            };
            here && role && ip.state == FloatingState::Active
        })
    }

    /// `--to-source`, with the option of the operator.
    fn to_source(&self, address: impl Into<IpAddr>) -> Target {
        let options = if self.options.random_fully { NatOptions::RANDOM_FULLY } else { NatOptions::empty() };
        let address = address.into();
        Target::Snat(Box::new(Nat { addresses: Some((address, address)), options, ..Nat::default() }))
    }
}

/// `--to-destination`.
fn to_destination(address: impl Into<IpAddr>) -> Target {
    let address = address.into();
    Target::Dnat(Box::new(Nat { addresses: Some((address, address)), ..Nat::default() }))
}

fn jump(rule: Rule, chain: &str) -> Result<Rule, StateError> {
    Ok(rule.jump(ChainRef::new(&format!("${chain}"))?))
}

/// `-m conntrack --ctstate DNAT`: whether the connection's destination was translated.
fn translated(is: impl FnOnce(CtStates) -> Not<CtStates>) -> Match {
    Match::Conntrack(Box::new(Conntrack { state: Some(is(CtStates::DNAT)), ..Conntrack::default() }))
}

/// `-j MARK --set-xmark`.
fn set_mark(rule: Rule, mark: MarkMask) -> Rule {
    rule.target(Target::Mark(mark))
}

fn router_mark(value: u16) -> MarkMask {
    MarkMask { value: value.into(), mask: ROUTER_MASK }
}

fn from(device: &InterfaceName) -> Rule {
    Rule::new().input(InterfaceMatch::Name(device.clone()))
}

fn out_by(device: &InterfaceName) -> Rule {
    Rule::new().output(InterfaceMatch::Name(device.clone()))
}

/// Chains being written.
#[derive(Default)]
struct Chains(BTreeMap<(Family, TableKind, String), Vec<Rule>>);

impl Chains {
    /// States a chain, which may stay empty.
    fn declare(&mut self, family: Family, table: TableKind, chain: &str) {
        self.0.entry((family, table, chain.to_owned())).or_default();
    }

    /// States a rule behind those that the chain has.
    fn push(&mut self, family: Family, table: TableKind, chain: &str, rule: Rule) {
        self.0.entry((family, table, chain.to_owned())).or_default().push(rule);
    }

    fn finish(self) -> Vec<ChainRules> {
        self.0.into_iter().map(|((family, table, chain), rules)| ChainRules { family, table, chain, rules }).collect()
    }
}
