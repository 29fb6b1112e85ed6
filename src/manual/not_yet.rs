//! Where this version does less than its design, or does it in another way.
//!
//! - **No content hash in the layout of iptables.** The design has a hash of each chain's content in its user data, so that a
//!   restarted agent sees what is current without reading rules. The native layout has them, in the directory of each table
//!   that has an owner. In the tables of iptables, which anybody can change, a restart reads the rules of the chains
//!   that concern it and compares programs: that costs one dump, sees through a rule that somebody changed by hand,
//!   which a hash would not, and adopts what the iptables tools left, which has no hash.
//! - **Bridge ports.** nf_tables has no expression for `-m physdev` outside the bridge family: such a rule stays an xt match in
//!   any layout, and is no key of a dispatch. Hosts whose ports are told apart by `-i` and `-o` are compiled.
//! - **What dispatches is not folded.** A chain with many rules that differ in a key keeps its other rules one by one.
//! - **Host plumbing** (links, addresses, routes) is not here, and with it rtnetlink.
//! - **The drop-in tools** (`iptables`, `iptables-restore` and their like under their own names) are not here; their
//!   rule language, save files and output are, in `compat`.
