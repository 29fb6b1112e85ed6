//! One rule from its text to the bytes and back.
//!
//! ```text
//! text ─parse─> Rule ─add─> Model ─plan─> Plan ─compile─> Program ─encode─> Batch ─seal─> Sealed ─commit─> kernel
//! kernel ─dump─> nft objects ─normalize─> Normal ─┘ (only what differs is in the plan)
//! kernel ─dump─> nft objects ─lift─> Rule ─print─> text
//! ```
//!
//! | step | function | from | to |
//! |---|---|---|---|
//! | parse | `nftwrap_compat::restore::SaveFile::parse`, `nftwrap_compat::parse::rule` | text | [`Rule`](crate::rule::Rule), with its line |
//! | add | `nftwrap_compat::load::load`, [`Filling::push_rules`](crate::wrap::Filling::push_rules) | `Rule` | [`Entry`](crate::wrap::Entry) of a [`Model`](crate::wrap::Model) |
//! | read | `observe` in `apply/read.rs` | dumps | `Observed`: [`ObservedTable`](crate::ruleset::ObservedTable)s of one generation |
//! | check | [`Model::check`](crate::wrap::Model::check) | model | loops, depth, jumps to nowhere, each naming the rule |
//! | diff | [`chain_diff::diff`](crate::ruleset::chain_diff::diff), called by `plan` in `ruleset/plan.rs` | model and observed state | [`Plan`](crate::ruleset::Plan) of [`Change`](crate::ruleset::Change)s |
//! | compile | [`stock::compile`](crate::compile::stock::compile) | `Rule` | [`Program`](crate::compile::Program) |
//! | encode | [`expr::encode_list`](crate::nft::expr::encode_list), [`Batch::rule_with`](crate::transaction::Batch::rule_with), called by `batch` in `apply/encode.rs` | `Plan` | [`Batch`](crate::transaction::Batch) |
//! | seal | [`Batch::seal`](crate::transaction::Batch::seal) | `Batch` | [`Sealed`](crate::transaction::Sealed) |
//! | commit | [`Kernel::commit`](crate::kernel::Kernel::commit) | `Sealed` | [`Committed`](crate::kernel::Committed), or why not |
//! | lift | [`stock::lift`](crate::compile::stock::lift) | expressions of a dump | `Rule` |
//! | print | `nftwrap_compat::print::rule` | `Rule` | the text of `iptables-save` |
//!
//! [`Manager`](crate::Manager) holds a model and a kernel; `Memory` in `apply/mod.rs` is the loop over these steps.
//!
//! # Sets
//!
//! A set of addresses that rules refer to is no rule and has a way of its own. [`Table`](crate::wrap::Table) keeps members
//! and what changed of them ([`SetEdits`](crate::wrap::SetEdits)). In the tables of iptables `apply/ipsets.rs` makes orders
//! of that ([`ipset::Order`](crate::ipset::Order)): new sets and members before the commit, what leaves and goes after it.
//! They are no part of the transaction; what came before one that is refused is taken back. In the native layout they are sets
//! and elements in the transaction itself ([`native_layout`](super::native_layout)).
//!
//! # One rule
//!
//! `-A $local -d 10.0.0.7 -j $inst-7`, for the component `nova-compute`.
//!
//! 1. **parse** makes a typed value: an address with its mask, a jump to a wrapped chain. What cannot be parsed is
//!    refused here, with its place in the text; no later stage takes a bare string.
//! 2. **add** resolves `$inst-7` to the kernel's name `nova-compute-inst-7` and shares the value with equal rules of the
//!    table. The chain is dirty now.
//! 3. **diff** finds that the rule does not stand: [`Change::AddRule`](crate::ruleset::Change::AddRule), with the handle
//!    of the rule that it goes before, if it does not go to the end.
//! 4. **compile** writes the four expressions that iptables-nft writes.
//! 5. **encode** writes them as nested attributes into the one buffer of the batch, **seal** ends it.
//!
//! ```
//! use std::net::IpAddr;
//!
//! use nftwrap::compile::{NoIpsets, Program, stock};
//! use nftwrap::name::{ChainName, TableName};
//! use nftwrap::nft::{self, expr, listing};
//! use nftwrap::rule::{ChainRef, Family, Rule};
//! use nftwrap::transaction::{Batch, Origin, RuleHead, RuleVerb};
//!
//! let rule = Rule::new().destination("10.0.0.7".parse::<IpAddr>()?).jump(ChainRef::new("nova-compute-inst-7")?);
//!
//! let mut program = Program::default();
//! stock::compile(&rule, Family::Ipv4, None, &NoIpsets, &mut program)?;
//! let lines: Vec<String> = program.expressions.iter().map(|e| listing::expression(e).to_string()).collect();
//! assert_eq!(lines, [
//!     "[ payload load 4b @ network header + 16 => reg 1 ]",
//!     "[ cmp eq reg 1 0x0700000a ]",
//!     "[ counter pkts 0 bytes 0 ]",
//!     "[ immediate reg 0 jump -> nova-compute-inst-7 ]",
//! ]);
//!
//! let head = RuleHead {
//!     family: nft::Family::Ip,
//!     table: &TableName::new("filter")?,
//!     chain: &ChainName::new("nova-compute-local")?,
//!     verb: RuleVerb::Append(None),
//!     compat: program.compat,
//!     userdata: &[],
//! };
//! let mut batch = Batch::begin(Some(42)); // the generation that the change was computed from
//! batch.rule_with(&head, Origin(0), |w| expr::encode_list(&program.expressions, w));
//! let sealed = batch.seal()?;
//! assert_eq!(sealed.messages(), 3); // begin, the rule, end: one datagram
//!
//! // And back.
//! assert_eq!(stock::lift(&program.expressions, None, Family::Ipv4, &NoIpsets)?, rule);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Three kinds of equality
//!
//! "The same rule" is asked in three places, and each needs another answer.
//!
//! **By value, in the model.** Is the rule that is added there already, and which one is to be removed?
//! [`Table`](crate::wrap::Table) compares typed rules ([`Rule`](crate::rule::Rule) with place and tag; `wrap/entry.rs`
//! says what counts) and finds them by hash (`wrap/slots.rs`); equal ones share one `Arc` (`wrap/pool.rs`). Not by
//! text, because one rule has many spellings; not by program, because a model can be filled without a kernel, and
//! an ipset's number, which a program needs, is known only there.
//!
//! **By program, against the kernel.** Does what stands there do what the rule wants?
//! [`stock::Normal`](crate::compile::stock::Normal) is a program with what may differ taken out: counters, the way a
//! comment is carried, bytes of an extension that the kernel does not look at, and the handle, which is no part of it.
//! Not by value, because that would need a rule for every program: other tools write programs that no rule has, and
//! those must be left alone, not misread. Not by bytes, because the kernel fills in what we leave out and iptables
//! pads with what it finds. A rule read from the kernel that was found equal is known by its value from then on.
//!
//! **By address, when encoding** (`Compiled` in `apply/encode.rs`) **and at the unchanged ends of a chain** (`same_ends`
//! in `ruleset/merge.rs`). Was this very value compiled a moment ago, or sent last time? Here a wrong "no" only costs
//! time, and a wrong "yes" cannot be: both sides hold the `Arc`, so its address cannot come to mean another value. Hashing a
//! rule's value would cost more than what it saves.
//!
//! From the last to the first: one address is one value, and one value (in one family, with the same ipsets) is one program.
//! No code relies on the reverse.
