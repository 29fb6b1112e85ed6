//! Wrapped iptables chains, compiled to nftables and committed in one netlink transaction.
//!
//! ```text
//! text ─parse─> Rule ─add─> Model ─plan─> Plan ─compile─> Program ─encode─> Batch ─seal─> Sealed ─commit─> kernel
//!      compat   rule        wrap          ruleset         compile           transaction            kernel
//! ```
//!
//! A component (nova-compute, an L3 agent, a sandbox host) states its chains and rules as values in a
//! [`Model`](wrap::Model); a [`Manager`] brings the kernel to that state in one transaction over all tables of both
//! families, and leaves what belongs to others alone. Every arrow above is one function, and only the last one does I/O.
//!
//! ```
//! use nftwrap::Manager;
//! use nftwrap::kernel::Fake;
//! use nftwrap::rule::{PortRange, Rule};
//! use nftwrap::wrap::{Model, Profile};
//!
//! let model = Model::builder().component("nova-compute".parse()?).profile(Profile::Nova).build()?;
//! let mut firewall = Manager::with_kernel(model, Fake::new()); // `Manager::open(model)` for the running kernel
//! firewall.model_mut().filter().chain("inst-7")?.replace([
//!     Rule::new().tcp().dport(PortRange::single(22)).accept(),
//!     Rule::new().discard(),
//! ])?;
//! let report = firewall.apply()?;
//! assert!(report.messages > 0);
//! assert_eq!(firewall.apply()?.messages, 0); // nothing has changed, so nothing is sent
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layers
//!
//! A module uses only what stands below it; `tests/layers.rs` holds that. Checked names ([`name`]) are below all of them,
//! the public [`Error`] above all stages.
//!
//! | layer | module | has | does I/O |
//! |---|---|---|---|
//! | 11 | [`l3_router`] | routers of neutron's L3 agent, each in a namespace | through all of them |
//! | 11 | [`virt_firewall`] | instances, ports and security groups as units of a writer | through the writer |
//! | 10 | [`writer`] | changes of many threads, merged into transactions | through the manager |
//! | 10 | [`linux_net`] | bridges, gateways and what else nova-network did to a host | through all of them |
//! | 9 | [`Manager`] | a model and a kernel | through the kernel |
//! | 8 | [`apply`] | the loop: read, plan, seal, commit; again when stale | through the kernel |
//! | 7 | [`kernel`] | the trait, the live kernel, the fake, probes | `kernel::Live` |
//! | 6 | [`transaction`] | batches | no |
//! | 5 | [`ruleset`] | what stands, and the plan from there to what should stand | no |
//! | 4 | [`compile`] | rules to register programs and back, in two encodings | no |
//! | 3 | [`wrap`] | wrapped chains: the wanted state | no |
//! | 2 | [`rule`] | an iptables rule as a value | no |
//! | 1 | [`nft`] | tables, chains, rules, sets, expressions as the kernel has them | no |
//! | 1 | [`rtnl`] | links, addresses, routes and neighbours of a namespace | through neli |
//! | 1 | [`conntrack`] | connections that the kernel tracks: listed and deleted | through a transport |
//! | 1 | [`ipset`] | ipsets: made, filled, listed and destroyed | through a transport |
//! | 0 | [`netlink`] | attributes, messages, the socket, namespaces | `socket`, `namespace` |
//!
//! Rule text, save files, the string API and the command are in the crate `nftwrap-compat`.
//!
//! # Where to start reading
//!
//! - To use it: [`Manager`], [`wrap`], [`rule::Rule`].
//! - To understand it: [`manual::pipeline`] walks one rule through everything; [`manual`] has the reasons.
//! - To change how a match is encoded: its file in `rule/matches`, `compile/stock/matches`,
//!   `compile/native/matches` and the other crate's `ext`, always under the same name.
//! - To change what is sent: [`ruleset`] finds the changes, `apply/encode.rs` writes them.
//! - To test without a kernel: [`kernel::Fake`].
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test is a panic"
    )
)]

pub mod apply;
pub mod compile;
pub mod conntrack;
pub mod error;
pub mod ipset;
pub mod kernel;
pub mod l3_router;
pub mod layout;
pub mod linux_net;
mod manager;
pub mod manual;
pub mod name;
pub mod netlink;
pub mod nft;
pub mod rtnl;
pub mod rule;
pub mod ruleset;
pub mod transaction;
pub mod virt_firewall;
pub mod wrap;
pub mod writer;

pub use error::Error;
pub use manager::{Manager, ManagerBuilder};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
