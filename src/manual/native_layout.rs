//! The native layout: what becomes of wrapped chains, and why a change costs what changed.
//!
//! [`Layout::Iptables`](crate::layout::Layout::Iptables) puts each chain where iptables-nft would. A packet then passes one
//! rule for each instance on the host, and the kernel checks every chain of a table again whenever a rule with a verdict is
//! added. [`Layout::Native`](crate::layout::Layout::Native) has tables of its own, in which it need not look like iptables.
//!
//! [`layout::native`](crate::layout::native) has the parts: taking rules apart, finding runs, folding, families, sharing,
//! writing kernel rules and sets, and reading them back as chains. What is compiled is a function of the rules alone.
//! `apply` brings it to the kernel: the first time it reads what stands and sends the difference, then only what changed.
//!
//! ```no_run
//! use nftwrap::Manager;
//! use nftwrap::layout::Layout;
//!
//! let mut firewall = Manager::builder("nova-compute").layout(Layout::native()).open()?;
//! firewall.apply()?;
//! # Ok::<(), nftwrap::Error>(())
//! ```
//!
//! # Tables
//!
//! Each group has private tables `<group>-filter`, `-nat` and so on for IPv4 and IPv6, with base chains at the hooks of
//! iptables. Names that the compiler makes begin with the component's name and a slash (`C/` here), as no chain of the model does.
//!
//! ```text
//!   base chain            dispatcher                        bodies
//!   FORWARD ──jump──> sg-chain                          C/1  state; tcp 22; fallback
//!                       load iifname ─┐                 C/2  state; udp @set; fallback
//!                       C/map/1: port -> number     ┌─> ...
//!                       C/actions/1: number -> jump ┘
//! ```
//!
//! # Two steps to a body
//!
//! A *dispatcher* has many rules that differ in a key: an interface, an address, a pair of them. Eight of them or more, in a
//! row as far as order demands, become one kernel rule with two lookups: the key gives a number in a data map, the number a
//! verdict in a small verdict map. A verdict map alone would be as fast for packets, but not for changes: for each element
//! with a jump the kernel checks the whole table, for an element of a data map it checks nothing. One more instance with a
//! known body is one element of a data map.
//!
//! A *body* is any other chain. Chains whose rules are the same are one kernel chain.
//!
//! Each data map has a verdict map of its own. To the kernel a rule may jump to whatever is in the verdict map that it looks
//! into: with one for all, a chain below a dispatcher that dispatches itself would be a loop.
//!
//! # Within a body
//!
//! [`compile_body`](crate::layout::native::families::compile_body) makes pieces of its rules, in this order:
//!
//! 1. [`families`](crate::layout::native::families): what only this instance has (its addresses, MAC, zone, chain) moves
//!    to a set or map by the key that led here, if many bodies have the like. The bodies that are left are equal.
//! 2. [`folding`](crate::layout::native::folding): rules in a row that differ in one field, or in a pair of fields, become
//!    one rule and a constant set. Equal sets can be one, as their contents depend on the rules alone.
//!
//! Families go first: a set of each instance's own addresses would make all bodies different.
//!
//! # Named sets
//!
//! A set of the model ([`Table::add_set`](crate::wrap::Table::add_set)) is one set of the table, `C/addresses/NAME` or
//! `C/prefixes/NAME`, and `-m set --match-set NAME src` looks the address up there. A member that joins or leaves is one
//! element: no rule is compiled, no chain is looked at. Of prefixes one inside another only the outermost are elements. To
//! the passes such a match is a condition without memory, equal where the name is: rules that differ in a port beside it
//! fold, and chains that look into the same set are shared. A name that the model does not have is another program's
//! ipset, and asked by the xt extension.
//!
//! # An example
//!
//! Two ports of a hypervisor, with rules as an agent writes them, by interface:
//!
//! ```text
//! -A sg-chain -i tapA -j oA            -A oA -j sA                  -A sA -s 10.0.0.11 -m mac --mac-source M1 -j RETURN
//! -A sg-chain -i tapB -j oB            -A oA -p udp --dport 67 ...  -A sA -j DROP
//! ...                                  -A oB -j sB                  -A sB -s 10.0.0.100 -m mac --mac-source M2 -j RETURN
//!                                      -A oB -p udp --dport 67 ...  -A sB -s 10.0.0.12 -m mac --mac-source M2 -j RETURN
//!                                                                   -A sB -j DROP
//! ```
//!
//! With eight ports or more `sg-chain` is a dispatcher by `-i`. All chains `s...` have the template
//! `(-s ADDRESS, -m mac) -j RETURN`; the rules of `sB` for two addresses are one piece. So `sA` and `sB` have the same
//! content:
//!
//! ```text
//! iifname . ip saddr . ether saddr @family return      { tapA . 10.0.0.11 . M1, tapB . 10.0.0.100 . M2, tapB . 10.0.0.12 . M2 }
//! drop
//! ```
//!
//! Then `oA` and `oB` are equal as well, because both jump to that one chain: chains are shared from the leaves up. Another
//! port is an element of the dispatcher's map and one for each of its addresses.
//!
//! # What `nft` lists
//!
//! `nft list ruleset` shows all of it with the names above. Versions up to 1.0.6 at least leave out the first of the two
//! lookups: `iifname vmap @C/actions/1` is `iifname map @C/map/1 vmap @C/actions/1`; and they print flags that they do not
//! know (`owner`, `persist`) as nothing. `nftwrap show --format nft` prints both lookups, and what an action leads to.
//!
//! # Why it is exact
//!
//! - Rules of a run have different values of one key: a packet matches one of them at most, and their order is of no matter.
//!   Where a rule between them could tell the difference, the run ends ([`commute`](crate::layout::native::analysis::commute)).
//! - A fold or family of rules whose target decides (ACCEPT, DROP, RETURN, REJECT, goto, NAT) does once what the first
//!   match would have done. For all other targets it is made only of values that exclude each other.
//! - Rules with a memory, such as a limit's budget, are never put together, and belong to one instance each.
//! - What is compiled is a function of the model. However it came about, the same model gives the same runs and pieces.
//!
//! # What a change costs
//!
//! | change | what is sent |
//! |---|---|
//! | an instance with a known body comes or goes | an element of the dispatcher's map |
//! | the same, with its own addresses, MAC and zone | and an element for each of these |
//! | a rule of one instance | its body, new or known, and that element |
//! | a rule of all instances in the same way | the shared body, once |
//!
//! # A packet on its way
//!
//! A transaction comes into effect between two packets, but for those that are on their way. The kernel reads the generation
//! once, when a packet enters a base chain, and takes the rules of all chains by it (`nft_do_chain` in `nf_tables_core.c`);
//! a lookup takes the elements of the generation in which it happens (`nft_genmask_cur`, `nft_set_hash.c`). So a packet can
//! meet old rules with new elements, never new rules with old elements. Therefore a change is made before it breaks:
//!
//! | what changes for a key | what a packet would meet in one transaction | what is sent |
//! |---|---|---|
//! | comes, goes, or leads to another known body | the old body or the new one | one transaction |
//! | its body, in place | the old rules: all of them are of one generation | one transaction |
//! | leads to a new body | a chain without rules: a new one has none in the old generation (`nf_tables_addchain`) | the body; then the element |
//! | leads to a body that changes as well | that body's old rules, which are another instance's | that body; then the element |
//! | leads elsewhere, and nothing to the old body any more | a number that has no verdict any more | the element; then the removal |
//! | its map goes | none: elements of maps go at once (`nft_map_deactivate`) | the rules; then the removal |
//! | a rule comes that looks into a new set of ranges | an empty set, until the commit has ended (`nft_pipapo_commit`) | the set; then the rule |
//!
//! An update with several of these is four transactions at the most, one after the other, each with all tables of both families
//! (`apply/native/phases.rs`; [`Report::transactions`](crate::apply::Report::transactions) counts them). After each of them
//! every instance has its old rules or its new ones. When the kernel refuses one of them, what is left is tried as one; when
//! that fails as well, the error is returned, and the next application reads what stands and goes on from there.
//!
//! With 2,000 rules in front of the lookup, so that packets were nearly always on their way, 1,000 changes cost 23 packets when
//! they led to a new body and 75 to one that changed as well, and 11 when two instances exchanged bodies; in transactions of their own
//! none. What remains, of a single packet each:
//!
//! - A table that goes or is made anew as a whole (another layout, group or priority) takes its maps with it: a packet in it finds no
//!   element and goes on with the next rule. End a chain that dispatches with what unknown keys deserve.
//! - The kernel has two generations. A packet that is on its way during two transactions, because its processor was taken away, can
//!   meet rules and elements of the third.
//! - A packet of an instance that goes with elements of its own (addresses, MAC) can find these gone before its rules.
//! - In a first load, rules can meet a set of ranges before its elements do.
//! - Linux 6.12 does not repeat a lookup during which a commit has taken the old element away and not yet put the new one
//!   (`nft_lookup_eval`).
//!
//! # Rules that need a table of iptables
//!
//! The kernel ties some extensions to the *name* of a table: CHECKSUM to `mangle`, CT with anything but a zone to `raw`, DNAT
//! to a shifted range of ports to `nat`, `-m rpfilter --accept-local` to `raw` or `mangle` (`.table` in `xt_CHECKSUM.c`,
//! `xt_CT.c` and `xt_nat.c`, `rpfilter_check`; `nft_compat.c` passes on the name of the table that the rule is in, and looks
//! for extensions of families `ip` and `ip6` in tables of these families only). No native expression does the same:
//!
//! | what | why nothing else does |
//! |---|---|
//! | CHECKSUM | no expression computes the checksum that a device was to fill in |
//! | CT with a helper, timeout or events | named objects and `ct event set` need the connection, which `raw` comes before |
//! | CT with the zone of the mark | the zone is that of the mark where tracking begins, not where the rule stands |
//! | DNAT to a shifted range | a map of ports gives one port, the extension the next free one |
//! | rpfilter, accepting local addresses | two looks at the routes, of which either may hold |
//!
//! As chains of one table cannot lead to another, the component's *whole table* then stands with those of iptables, as in
//! [`Layout::Iptables`](crate::layout::Layout::Iptables): in the same transaction, beside what other programs have there,
//! without the group's offset of priorities. Its other tables stay native. A plan says so
//! ([`Fallback::Table`](crate::apply::Fallback::Table)). The table moves back with the
//! change that takes the last such rule. A model without a component cannot tell its rules from others in those tables: there such a rule is
//! refused by name ([`OtherTable`](crate::compile::CompileError::OtherTable)); give the model a component, or use the
//! other layout.
//!
//! # Whose a table is
//!
//! - **A group of one component** has tables with owner and persist flags where the kernel has both (Linux 6.9; it is asked
//!   when it refuses a transaction, and for a plan). Nobody else can change such a table, `nft flush ruleset` passes it by,
//!   and transactions need no guard. A second process of the component is told who the owner is
//!   ([`Error::TableOwned`](crate::Error::TableOwned)). The owner flag without persist is not used: the kernel would
//!   delete the table with its owner, and open the host.
//! - **On older kernels** the tables are plain. Transactions name the generation that they were computed from; when
//!   another program was faster, everything is read and compared again. Plan, report and log say so
//!   ([`Fallback::Feature`](crate::apply::Fallback::Feature)).
//! - **A shared group** ([`Native::shared`](crate::layout::Native::shared)) has plain tables everywhere. Base chains and
//!   unwrapped chains belong to all components, with rules marked as in the [tables of iptables](super::ownership); wrapped
//!   chains, bodies and sets belong to one. Base chains and unwrapped chains do not dispatch. When a component is flushed
//!   its part goes; the tables go with the last one, unless somebody has put a rule or chain there by hand.
//!
//! # A process ends, and another begins
//!
//! When the owner ends, however it ends, the kernel takes the owner flag off and keeps the table: filtering goes on. The next
//! process finds its own mark in the table's user data and takes the orphan over in the transaction that brings it up to
//! date. Nothing is emptied in between:
//!
//! 1. Tables, sets and elements are read, and all rules of a table that others could have changed meanwhile.
//! 2. The compiler is told the numbers that bodies, sets and actions have, so that what is wanted again has the same name.
//! 3. What stands is taken away from what is wanted: elements by value, rules by their expressions. The rest is sent.
//!
//! A process that finds all that it wants sends one message a table, its claim. `tests/native/packets.rs` has a stream of
//! packets pass through restarts with and without changes: none that may pass is lost, none
//! passes that may not.
//!
//! A table that stands in a form that the kernel cannot change (a base chain of another priority) is deleted and made anew in
//! one transaction. What the component had in the tables of iptables, or in another group, goes in that transaction as well.
//!
//! # Limits
//!
//! - Sets are a list in the kernel: [`Limits::sets`](crate::layout::Limits::sets) bounds what folding may make. A fold
//!   names the rules that it stands for, so that they can be written as they are instead.
//! - A set is worth its cost only from some number of rules on; [`folding`](crate::layout::native::folding) has what was
//!   measured. A family takes [eight different rules](crate::layout::native::families), most of them used once.
//! - A key has 60 bytes and five fields at most ([`Fields::fit`](crate::layout::native::field::Fields::fit)).
//! - A comment is part of what rules of a fold or family have in common: a text with the instance's own name keeps them
//!   apart. A dispatcher's elements have their own comments.
//! - A rule of more than a hundred expressions stands in several kernel rules, which lead from one to the next
//!   (`C/rest/x...`); reading back joins them. The kernel's limit is 128, and 4 KiB of them. In a chain that components
//!   share such a rule is refused by name, as are more than ten parts of rules that return in one chain.
//! - Members of a set of the model have no counters or exceptions; a rule that asks for these (`--packets-gt`,
//!   `--return-nomatch`) is refused. When a name of another program's ipset becomes one of ours while rules have it, everything
//!   is read and compared again.
//! - A table that stands with those of iptables, for an extension that the kernel takes only there, cannot look into sets of the
//!   model: the rule is refused, as there is no ipset of that name.
//! - Bridge ports (`-m physdev`) and ipsets of others (`-m set`) have no expression of nf_tables in these tables: their extensions
//!   are asked, and they are no fields of a key.
