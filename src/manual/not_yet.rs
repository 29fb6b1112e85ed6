//! Where this version does less than its design, or does it in another way.
//!
//! - **Layouts.** There is no type `Layout` yet: tables, chains and rules take the form that iptables-nft gives them,
//!   and no other. The second encoding, [`compile::native`](crate::compile::native), is complete for single rules and
//!   tested against `nft` and packets; `nftwrap translate` shows it. What is missing for a native layout are tables of
//!   our own, dispatch by maps and shared chains. The command takes `--layout iptables` only, and says so.
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
