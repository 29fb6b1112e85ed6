//! Where this version does less than its design, or does it in another way.
//!
//! - **The hash is not believed after a restart.** The design has a content hash for each chain, so that a restarted agent
//!   sees what is current without reading rules. The native layout has them, in its directory of chains, and a restart
//!   finds bodies by them; but while nobody owned the table anybody could have changed a rule and left the hash, so the rules
//!   are read and compared: one dump. Only where the process has owned the table all the time
//!   ([`Manager::refresh`](crate::Manager::refresh)) the hash decides. The iptables layout has no hashes.
//! - **Bridge ports.** nf_tables has no expression for `-m physdev` outside the bridge family: such a rule stays an xt match in
//!   any layout, and is no key of a dispatch. Hosts whose ports are told apart by `-i` and `-o` are compiled.
//! - **What dispatches is not folded.** A chain with many rules that differ in a key keeps its other rules one by one.
//! - **A model without a component has no leftovers.** Its rules carry no name, so a change of layout or group does not take
//!   away what it had before: flush first.
//! - **Host plumbing** (links, addresses, routes) is not here, and with it rtnetlink.
//! - **The drop-in tools** (`iptables`, `iptables-restore` and their like under their own names) are not here; their
//!   rule language, save files and output are, in `compat`.
