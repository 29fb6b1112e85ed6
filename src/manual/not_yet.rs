//! Where this version does less than its design, or does it in another way.
//!
//! - **Layouts.** [`layout::Layout`](crate::layout::Layout) is there and [`Manager`](crate::Manager) does not take it yet:
//!   what is applied has the form of iptables-nft. Of the native layout the compiler stands
//!   ([`layout::native::Compiler`](crate::layout::native::Compiler): dispatch, sharing, incremental deltas, seeds for a
//!   restart), the way back ([`lift`](crate::layout::native::lift)) and the transaction of a delta in `apply/native`; the
//!   passes folding and families are written and tested on their own, and the compiler does not call them yet. A
//!   refused update makes the compiler start from the model and the kernel instead of being taken back in place. The
//!   command takes `--layout iptables` only, and says so.
//! - **No content hash.** The design has a hash of each chain's content in its user data, so that a restarted agent sees
//!   what is current without reading rules. Here a restart reads the rules of the chains that concern it and compares
//!   programs: that costs one dump, sees through a rule that somebody changed by hand, which a hash in the chain
//!   would not, and adopts what the iptables tools left, which has no hash. A hash may come back as a shortcut for
//!   hosts where the dump hurts.
//! - **A model, not a manager builder.** The design builds a manager (`Manager::builder("nova-compute")...open()`). Here
//!   the builder makes a [`Model`](crate::wrap::Model), a plain value without a kernel, and
//!   [`Manager::open`](crate::Manager::open) or [`Manager::with_kernel`](crate::Manager::with_kernel) joins the two. So
//!   models are built, checked and tested without any privilege, and the choice of kernel (live, in a namespace, fake)
//!   is one argument.
//! - **Anonymous sets** exist in programs of the native encoding and in messages; the applying code sends none, because the
//!   iptables layout has none.
//! - **Host plumbing** (links, addresses, routes) is not here, and with it rtnetlink.
//! - **The drop-in tools** (`iptables`, `iptables-restore` and their like under their own names) are not here; their
//!   rule language, save files and output are, in `compat`.
