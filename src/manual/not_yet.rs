//! Where this version does less than its design, or does it in another way.
//!
//! - **The hash is not believed after a restart.** The design has a content hash for each chain, so that a restarted agent
//!   sees what is current without reading rules. The native layout has them, in its directory of chains, and a restart
//!   finds bodies by them; but while nobody owned the table anybody could have changed a rule and left the hash, so the rules
//!   are read and compared: one dump. Only where the process has owned the table all the time
//!   ([`Manager::refresh`](crate::Manager::refresh)) the hash decides. The iptables layout has no hashes.
//! - **Bridge ports.** nf_tables has no expression for `-m physdev` outside the bridge family: such a rule stays an xt match in
//!   any layout, and is no key of a dispatch. Hosts whose ports are told apart by `-i` and `-o` are compiled.
//! - **Targets of the native layout.** Of a load of 10,000 instances, 136 ms, compiling takes 66, text and model 31 and the
//!   kernel 34: twelve times faster than `iptables-nft-restore`, not twenty. What is left is work for each instance, not for each
//!   rule. One instance more is 21 us in a row, 12 of them compiling and 5 the kernel's, and 150 to 340 us with cold caches, as the
//!   bench finds them after a pause (then the kernel takes 30 to 40): it should be four times the kernel's. A rule of 110,000
//!   takes some 200 bytes in memory, not 100; in the layout of iptables 95. A rule that changes in each of 10,000 chains costs eight
//!   tenths of a load, in a chain that they share a hundred and sixtieth.
//!   A hundred mixed changes to 10,000 chains that nobody shares are 43 ms, 1.5 times the kernel's; the record in the
//!   README still has the 1.15 s of an earlier version.
//! - **A packet and a transaction at the same time.** The kernel chooses the rules of a chain when a packet enters the base chain, and
//!   looks at the elements of a set when a rule asks. What is changed in place is made before it breaks
//!   ([`native_layout`](super::native_layout)). Where a whole table goes, as when the layout is switched, old and new change places
//!   in one transaction, and a packet on its way can miss its element and be dropped, or have its hooks from before and find them
//!   without rules: of 3,286 forbidden ones during twelve switches on a busy emulated machine, one passed. To make the new tables
//!   in one transaction and take the old ones away in a second would end that.
//! - **Counters of elements** begin anew when the instance's chain becomes another kernel chain.
//! - **Bounds.** [`Limits::sets`](crate::layout::Limits) bounds the constant sets of folding. Nothing bounds the maps of chains
//!   that dispatch: ten thousand chains with eight jumps by address each are as many maps, and maps are a list in the kernel. When
//!   there is room again, chains that were left unfolded stay so until they change.
//! - **Heat.** Whether the rules of a place become a family is counted for a template as a whole, so that a change at the edge
//!   compiles all chains of the place again; and a jump that all instances have in common is looked up as well when the other jumps are a family.
//! - **What dispatches is not folded.** A chain with many rules that differ in a key keeps its other rules one by one.
//! - **A model without a component has no leftovers.** Its rules carry no name, so a change of layout or group does not take
//!   away what it had before: flush first.
//! - **Host plumbing.** Open vSwitch is not here. Virtual functions (SR-IOV) are set by the bytes that `ip` sends, and no real card
//!   has seen it. A process that is killed while it makes an address the first of a gateway can leave that one address away.
//! - **Ports that come later.** Where the kernel has no `meta ibrname`, what is routed instead of bridged is so for the ports that the
//!   bridge had at the call; call again when a guest's port has come.
//! - **An owner's socket** ([`Manager`](crate::Manager) in the native layout) is known to the kernel by its port number. When a
//!   child process still holds a closed one, its late end could take the owner off a table that a new manager has made under
//!   the same number; the next reading takes the table over again.
//! - **The drop-in tools** (`iptables`, `iptables-restore` and their like under their own names) are not here; their
//!   rule language, save files and output are, in `compat`.
//! - **Routers.** The namespace of a distributed router's floating addresses, high availability, the NDP proxy, radvd and Open vSwitch
//!   ports are not here. The first update of a router that an earlier process left cannot take that one's rules back when an address
//!   is refused. Where a second label of the same start came or went while no agent ran, whose the chain with that start is cannot be
//!   told, and both begin to count anew.
//! - **Guards and the tables of iptables.** The rules against spoofing are committed apart, and every commit moves the kernel's generation,
//!   by which the tables of iptables (and tables without an owner, before Linux 6.9) are guarded: the change that follows reads everything
//!   anew. With 10,000 instances that makes a boot 7.3 s where it was 0.08 s without a guard in between; in owned tables of the native
//!   layout it costs nothing. Whoever commits both should tell the manager of its own commit, or put both into one batch.
//! - **Connections that a closed group had let in** are deleted, but where the instance itself goes on sending, its packets make them anew,
//!   as nova lets out whatever an instance sends: answers come in again. With `net.netfilter.nf_conntrack_tcp_loose` at 0 the host takes
//!   up no TCP connection halfway, and they end; that is the host's to decide, and for UDP there is no such setting. When more than 32
//!   members leave at once, all connections to those that the group let in are ended, and tracked anew if they are allowed. Ports of a rule with a range are not told apart, so
//!   other connections of its protocol are deleted, too, and tracked again; a rule of the provider that comes ends none.
//! - **Ports.** What a port says by ARP is not checked, as in neutron since 2023; before, its agent for Linux bridges did it by
//!   `ebtables` (neutron 14.96).
//! - **Members of ports' groups.** A set that a prefix has joined stays one of ranges as long as rules name it, also when the prefix
//!   has left: one more among 10,000 then takes 0.9 ms, two thirds of it the kernel's, where a set of addresses takes 0.04 ms at any size.
//! - **Whose an ipset was** nothing in the kernel tells. One that an earlier process left under neutron's name of a group is taken over
//!   by the group that is cut to this name now. If that is another one than then, which takes two UUIDs alike in 24 characters and only
//!   one of them known at each time, its members are those of the earlier one until the commit has ended.
//! - **Networks that are alike** in the first eleven characters have one bridge name, and so one zone, with neutron's plain driver; no
//!   host could have both bridges.
//! - **What was refused** is tried again with operations that come when it is due, and by `retry`; no thread of ours does it by itself,
//!   as agents have a periodic task already.
