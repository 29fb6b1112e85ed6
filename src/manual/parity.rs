//! Where nftwrap differs from its references on purpose: the reference does X, we do Y, because.
//!
//! The numbers in brackets are those of the defects in the reference that the decision avoids.
//!
//! # Wrapped chains
//!
//! - **Jumps.** Both managers drop every rule whose text contains `-j NAME` when a chain goes, so `inst-1` takes the
//!   jumps to `inst-10` along (nova 7.1, neutron D1); we compare the target as a whole name and take gotos as well.
//! - **Names.** Both cut names (16 for the component, neutron 11 and 28 for chains), and two chains may become one
//!   (nova 7.3, neutron D2, D40); we refuse what does not fit and what collides. Only the string facade cuts, as its
//!   callers expect, and it refuses a collision that cutting made.
//! - **Adding twice.** nova compares text, neutron stores the copy (D8); for us the same typed rule at the same place
//!   with the same tag is one rule, and stays where it was first.
//! - **Owners.** Equal rules with different tags are different rules; clearing a tag removes those with that tag and no
//!   other (D9), because each owner's removal must leave the other's rule.
//! - **Comments.** neutron ignores comments in memory and compares them in the kernel, so a rule removed without naming
//!   its comment stays there (D5); we find a rule without its comment, and remove that very one.
//! - **`$name`.** nova expands it when adding only, and inside text (7.11); we resolve it in typed rules, for adding and
//!   removing alike.
//! - **`empty_chain`.** The originals leave unwrapped rules in the kernel (7.11); ours go with the next apply.
//! - **`remove_chain("OUTPUT")`.** nova drops the shared `-A OUTPUT` rules too, as wrapped and unwrapped chains of one
//!   logical name share their rules there (7.11); here chains are told apart by kernel name.
//! - **Declaring again.** nova marks the table as changed; we do not, so an apply that changes nothing sends nothing.
//! - **Changes.** nova clears its dirty flag before the restore, neutron its removal lists (7.4, 7.8, 7.9, D3); ours is
//!   cleared after the commit, and an element removed and added again in between is just there.
//! - **Bottom.** The jump to the shared bottom chain is last only by luck of order in the originals (7.34, D11); it has
//!   a place of its own here, after every normal rule.
//! - **Tables.** The originals make every table at start (D35); we make them on first use, unless told otherwise.
//! - **`initialize_nat_table`.** neutron replaces the `nat` tables and forgets their rules; we add what is missing.
//! - **Deferral.** One flag in the originals, so an inner end is the outer's too (7.15); ours is counted and scoped.
//! - **Places instead of patterns.** nova moves lines that match `iptables_top_regex` above its own rules and those of
//!   `iptables_bottom_regex` to the end of the table (nova 1.9, 6.1.15 to 6.1.17), in other programs' chains as well. We
//!   have no such options: a rule of ours has a place (top, normal, bottom), a foreign rule is not moved.
//! - **Order of components.** In nova the component that applied last comes first, so precedence changes with every apply
//!   (nova 1.8.3, 7.33), and two neutron managers fight for the first place (D10); ours keep the order in which they
//!   first came.
//!
//! # Other programs' rules
//!
//! - **Whose is it.** The originals take every line that contains the component's name for their own (nova 7.2, D12); we
//!   go by marks and whole names, see [`ownership`](super::ownership).
//! - **Duplicates.** nova merges equal lines of a table, foreign ones too, and so changes what they mean (7.6). Foreign
//!   rules stay as they are, however many are equal.
//! - **`top` by substring.** nova took a foreign `-j nova-filter-top-x` for its own jump, moved it and left out its own
//!   (7.7); we compare the whole target.
//! - **Adoption.** A foreign rule that equals one that we want, in that chain, counts as ours, so it is not added twice. The
//!   originals do the same with unwrapped rules, by text.
//! - **Policies.** A save file that is loaded for a component may state policies of built-in chains; they are ignored, as they
//!   are the host's. Without a component they are set, as by `iptables-restore`.
//!
//! # Applying
//!
//! - **No lock, no `-w`.** neutron tries again with `-w 10` when the xtables lock is taken, and remembers that for all
//!   managers (neutron 14.24 to 14.29, D36). nf_tables has no such lock: a conflict is a generation that moved, and
//!   leads to a fresh look and another try ([`generations`](super::generations)). What these cases say about logging the
//!   payload around a failed line becomes: the error names the rule.
//! - **Sets of security groups.** neutron changes up to four members one by one, and from five on fills a second set and
//!   swaps (neutron 10); we send the differences, however many, as an element costs the same either way, and swap only when a
//!   set has to grow. Its set has the type `hash:net` for all groups; ours can be `hash:ip`. In the native layout sets are in
//!   the transaction. Failures to delete and destroy are ignored by neutron; what cannot go after a commit is in our
//!   report and tried again with the next application; without a commit it is an error, and what was done is taken back.
//! - **Sets of an earlier run.** An ipset bears no mark of who made it. One of a wanted name and type is taken over, one of
//!   another type is an error, and one that nobody wants any more stays when the process that made it is gone; neutron has a
//!   cleaning tool for these.
//! - **Leftovers and restarts.** nova's first apply deletes all chains of its predecessor; until each guest is prepared
//!   again its traffic meets no filter (7.14). Here too the model states the whole wanted state, so what is not in it goes
//!   with the first apply, but in the same transaction as what comes, and what is equal stays. An agent that fills its
//!   model step by step holds a deferral until all guests are in it.
//! - **One transaction.** Tables and families are separate ones in the originals (nova 7.13, D7); here a failure of any rule
//!   leaves all as it was.
//! - **Counters.** nova restarts those of all wrapped chains at each apply (nova 1.8.5, 7.12); rules that do not change keep
//!   theirs.
//! - **`random-fully`.** neutron asks the tool's version and a global option (neutron 14.33, D41); here it is an option of
//!   a rule (`--random-fully`), and whoever writes the rule decides.
//!
//! # Form of rules
//!
//! - **Bytes.** Expressions, their order and their registers are those of iptables-nft 1.8.9: interfaces, protocol, source,
//!   destination, fragment, matches, counter, target; the protocol as `meta l4proto`. Forms of
//!   other versions (padded interface names, ranges as two comparisons) are read and never written. Where we differ
//!   from 1.8.9 is in [`compile::stock`](crate::compile::stock).
//! - **Comments** go to user data, which costs a packet nothing, and stock tools print them as `-m comment`. 1.8.9 writes
//!   a match of 256 bytes, which every packet runs through. The match is kept for comments that do not stand last or
//!   do not fit.
//! - **`! -s 0.0.0.0/0`** and its like match nothing and are accepted. iptables-nft sends a program that the kernel refuses
//!   (`EINVAL`); the legacy tool accepts it.
//! - **Limits** are kept reduced (120 a minute is 2 a second), as iptables sends and prints them; two spellings of one
//!   rate are one rule.
//! - **`CLASSIFY`** is printed with four digits each (`0001:0002`), as by 1.8.9, and takes neither a sign nor a number
//!   beyond 16 bits, which 1.8.9 cuts.
//!
//! # Save files
//!
//! Where the reader is stricter than `iptables-restore`. Each refusal is an error with line and place, and a file with one
//! is refused whole.
//!
//! - A table or a base chain that stands twice in a file: the second would silently undo the first.
//! - Ports with `! -p tcp`: iptables-nft takes them, and its rule then reads bytes of other protocols as ports.
//! - `--zone` with `--zone-orig` or `--zone-reply`: one of them would be ignored.
//! - `CONNMARK --set-mark` with `--mask`: 1.8.9 takes it for the mask of the value, which has a form of
//!   its own (`1/2`).
//! - A quoted word that does not end; iptables takes the rest of the line with the line break into it.
//! - Control characters anywhere in a line, and text that is not UTF-8.
//! - Host names for addresses: nothing here asks a name server.
//! - Commands that do not state something (`-D`, `-F`, `-X`, `-R`, `-Z`, `-E`): a file states the wanted state.
//!
//! # The string managers
//!
//! - **`$name` in an unwrapped rule.** neutron cuts it to 28 characters and puts the component in front all the same
//!   (D40); we cut to 11 everywhere, by the one function that makes names.
//! - **`remove_rules_regex`.** nova matches a regular expression against the whole line, so that it also takes rules
//!   which name the address elsewhere (nova 7.23); we take a test on typed fields, or on the canonical line.
//! - **Rule text.** The originals paste it into the input of `iptables-restore` (nova 7.5, 7.22, neutron D6); we parse it
//!   when it is added and refuse that one rule, with the place of the mistake.
//! - **`get_traffic_counters`.** neutron lists the chain of the bare name, also for a wrapped one, and resets counters in
//!   the kernel with `zero`; we read the chain that is meant, and remember what was counted.
//! - **`apply` under deferral.** Returns a report that says so, where the originals return nothing.
//! - **Unknown chains and rules on removal.** The originals log; we return `false`, and the caller logs.
//!
//! # Host plumbing
//!
//! - **Another bridge's port.** nova takes "already a member of a bridge" for success, whichever bridge that is, and goes on
//!   to take the interface's addresses (2.8); we refuse when it is another one, and name it.
//! - **Moving addresses.** nova deletes first, parses what `ip` prints, and is cut off when that is refused half-way (7.24);
//!   we add before we delete, keep every flag, lifetime and attribute, and put all of it back when a step fails.
//! - **What moves.** nova moves IPv4 addresses and the IPv4 routes of the main table that have a gateway; the kernel drops
//!   the others with the last address. We move global addresses of both families and every route that is no link-local
//!   one, from all tables and with all ways.
//! - **`remove_bridge`.** nova leaves the host without them (7.27); we give them back to the interface that is named,
//!   except those of the network that is passed along.
//! - **`net_attrs`.** Ignored by nova since diablo, against its own documentation; we honour it when it is given.
//! - **A device that is no bridge** is an error for us where nova would enslave to it or delete it.
//! - **A device of a VLAN's name** is nova's to set and delete, whatever it is (6.3.44, 6.3.45); we look at its kind, its number and,
//!   when we use it, at the device that carries it.
//! - **First address.** nova removes all addresses of a gateway before it adds them again; we take one after the other, with
//!   a spare for each that ends by itself, so that the device always has one and keeps its routes.
//! - **Tolerance.** nova tolerates exit code 2, which is any refusal (7.25); we tolerate `EEXIST` on adding, and what says
//!   that it is gone on removal.
//! - **Locks.** nova holds a lock for bridges, one for VLANs and one for gateways; each step here takes another agent's
//!   work for its own, so there is none.
//! - **Virtual functions.** nova changes the card and then looks for the function's own interface; we look everything up first. A card
//!   in switch mode has an interface for each function, of which nova may take one for the card's; we do not.
//! - **`create_tap_dev`.** nova makes the device and then sets it up, so one that was interrupted stays half-made; ours
//!   becomes persistent last. There is no second try by `tunctl`: both make the same system call.
//!
//! # DHCP and router advertisements
//!
//! - **Words of tenants.** nova pastes host names and the label of a network into lines and arguments (7.22); we take
//!   letters, digits, hyphens, underscores and dots, and refuse the rest with the guest and the field. A label like the
//!   tag of an interface (`NW-7`) is refused too, as the network's guests would all have its options.
//! - **Long host names** are shortened in nova's hosts file only; ours are in all three, or the name in the DNS and that of
//!   the lease would be another one.
//! - **Hardware addresses** are written in small letters, as the kernel does; dnsmasq compares their bytes.
//! - **Whose process.** nova looks for a file name anywhere in a command line, so an editor will do; we compare an
//!   argument as a whole (`--dhcp-hostsfile=<path>`, for radvd the path), and signal through a descriptor of the process.
//! - **What a signal does not carry.** nova sends `SIGHUP` to whatever runs; when arguments, environment or namespace are
//!   not what they should be, we end the process and start another.
//! - **Garbage in a pid file** is an error for radvd in nova; for us it is no process, for both programs.
//! - **Servers.** nova lengthens its configured list at each start (7.29); ours is put together anew each time.
//! - **One after the other.** nova does not wait for a process that it has told to end, and its locks hold in one process;
//!   we wait, and lock the directory of the files, which holds between processes as well.
//! - **Leases.** nova's script asks and tells the database, by way of other services; ours keeps a file for each network
//!   beside dnsmasq's own ([`LeaseBook`](crate::linux_net::dhcpbridge::LeaseBook)), which the agent reads and watches. A lease whose guest
//!   gave a name that is none is kept without it, and a file that cannot be read is no empty one: dnsmasq does not start.
//! - **Options of icehouse** (6.4.67) left out the lines of first interfaces, which have the router by default. Ours are those of later
//!   releases; a guest is told the same.
//! - **Giving an address back** when the network's device is not there (6.4.78): nova writes the files and starts dnsmasq all the same;
//!   we do nothing, and the next setup says it.
//! - **The lease script** is run through a shell by dnsmasq, so a path with characters that a shell reads is refused.
//!
//! # The host's networks
//!
//! - **An IPv6 metadata host.** nova writes it with `/32` into IPv4 rules, and the whole restore fails (7.5); we leave out
//!   the rule that cannot be, and keep the others.
//! - **Floating addresses.** nova removes every line that names the address before it adds its five (7.23); we remove what
//!   associates it, known by chain and fields. What stands already is not written again. An association ends whatever
//!   interface it was made with; nova needs the same one.
//! - **Bridges.** What a bridge has as a gateway goes when it is closed, and the other way round; nova adds behind it. Its
//!   non-gateway rules go when it does (7.28).
//! - **VPN.** It can be taken out again (7.28); what lets packets through to the instance stays while another port
//!   leads there.
//! - **Teardown** takes a network's source translation, its exemptions and its leases along; nova leaves them until it is
//!   started anew, and with flat DHCP it never lets go of a network: its teardown is our `update`.
//! - **Recorded addresses** (6.2.33). nova chooses between its option and the record and skips those without a guest; here the caller
//!   names interface and guest for each, and none can be missing.
//! - **Open vSwitch** (6.3.59). nova wraps what `ovs-vsctl` said in an error of its own; our driver for it is an error that says that
//!   it is not supported, and starts nothing.
//! - **Tries** (6.3.50 to 6.3.53). nova knows another `ebtables` by its text, and waits longer each time, three times; the kernel tells us
//!   that its generation moved, and we read again, ten times, without waiting. Anything else is an error at once, in both.
//! - **ebtables.** A table of the bridge family, each group of rules exchanged in one transaction and in its written order
//!   (7.35). The chains stand at the priorities of ebtables. Removal takes the table with the last group.
//! - **`redirect`.** The frame's destination is written by the rule, so the bridge's hardware address has to be given. A
//!   rule of `force_snat_range` is for one bridge, nova's is for all of a host. Where the kernel has no `meta ibrname` the
//!   ports are named instead of the bridge.
//! - **`CHECKSUM`.** The kernel takes it only in a table named `mangle`: in the native layout too, a component's `mangle` then
//!   stands with the tables of iptables.
//! - **Announcements** that cannot be sent (2.1) are logged, as in nova; that the right to send them is missing is an error.
//! - **Creating networks** (3.5, 6.5.107 and 108). nova derives the values of a network while it writes them to its database;
//!   [`plan`](crate::linux_net::plan) derives them, and keeps nothing: which VLANs are taken is told. Sizes are checked for each range, the
//!   address of the VPN's instance is reserved as well, and a VLAN above 4094 is refused, also behind the highest that is taken.
//! - **Connections.** Only entries that match are deleted, each named by its tuple, zone and number; errors are returned,
//!   where nova logs them.
//!
//! # Routers
//!
//! - **State in, rules out.** neutron edits its rule lists step by step, and what no step clears stays (D17: rules of a lost
//!   gateway); we compute all rules of a router from its state, so that there is nothing to clear.
//! - **One transaction.** One update is up to three rounds of save and restore for each family there (8.2); here rules of
//!   all tables and both families are one, and those of metering a second one that takes the first back when it fails.
//! - **What fails.** neutron reports floating addresses as failed and leaves the router in between (14.45); we take back rules,
//!   addresses, routes and devices, and report only the addresses that the update brought.
//! - **Order.** Rules before addresses when they come, after them when they go. neutron has windows in which the router
//!   answers itself, or lets metadata questions out (D21); redirect and drop come with the first rules here.
//! - **Metadata.** While the program is not there, questions are dropped in a chain of that feature's own; the safety drop of
//!   neutron goes with the first pass of address scopes (D18). The redirect keeps its place when floating addresses change
//!   (8.2). The router has the IPv6 metadata address on its devices, or nobody would answer for it on the wire.
//! - **Order of devices** in two rules of address scopes changes from run to run in neutron (D16); ours is the gateway's first,
//!   then that of the ports.
//! - **Marks of scopes.** Lost with the agent there; here a new process reads them from the kernel's rules, and believes those that are
//!   clear.
//! - **Names.** neutron cuts identifiers to 7, 8, 11 and 12 characters without a look (D2). Devices that would have one name
//!   are refused, chains are named by a hash.
//! - **Port forwardings** of ranges of different sizes are taken, with a warning, as in neutron; ports that two of them have are
//!   refused. In the native layout a range that is counted from its first port keeps `nat` in the tables of iptables.
//! - **Addresses.** neutron takes stale /32 addresses off the gateway's device (14.53); we take every global address off a
//!   router's devices that the state does not ask for, and every static route of the main table.
//! - **conntrack** entries of what is not translated any more go after the commit, over one socket (D34); neutron deletes
//!   before, by a process for each.
//! - **A namespace that is gone** ends all further work on the router (14.25, D37), also when another one stands in its place.
//! - **Locks.** One for each router (D32), held while it is changed.
//! - **Metering.** The component that counts is always in the tables of iptables, where each rule counts. Labels count both
//!   families; neutron's count IPv4. Reading does not lose packets between reading and resetting where the kernel does both at
//!   once (Linux 6.2); elsewhere we remember what was read, so that a new process counts from the beginning again. In the native layout
//!   packets that the router drops may be counted, as the order of two tables at a hook is that of their making. A
//!   label whose chain somebody took away is set up again (14.95).
//! - **Rules of 2014.** The profile of icehouse has its rules, with the tables that they need.
//! - **Distributed routers.** Their rules are here (8.6); the namespace of their floating addresses, its routing rules and proxy ARP
//!   are not.
//! - **Removal.** Devices that were made go, devices that were given go back, then the namespace; neutron keeps it unless told
//!   otherwise in 2014.
//!
//! # The firewall of ports
//!
//! - **Rebuilding.** neutron makes all ports anew for each change (D13), and twice as many rules when told twice (D8); we make the one that
//!   changes. Ports stand in the order in which they came, and those of one call by identifier; neutron sorts all of them.
//! - **Names.** Cut as neutron does (D2). A second port that is cut to the same has a name of a digest; a device that another port has is
//!   refused. Sets have neutron's names in the tables of iptables, unless two groups of the host are alike in 24 characters: then
//!   both have names of digests, whoever came first, and neither takes the other's over. In the native layout, and for
//!   identifiers that are no UUIDs, a set is called after the whole identifier, or its digest.
//! - **Refusals.** One port of neutron stops the change of all (D6). A port's change is one piece here, a group's one for its sets and
//!   one for each port: a port that the kernel refuses keeps no other from its effect.
//! - **No address.** neutron lets a port without addresses send everything from its hardware address, and checks no source in a family in which
//!   a port has none (D24). For us neither may send more than what gets it an address;
//!   [`ByMac`](crate::virt_firewall::ports::Unaddressed) brings the former back.
//! - **Kinds of sets.** neutron's are of prefixes. In the native layout they are of addresses, which costs the same at any size, until a
//!   member is a prefix.
//! - **Members** are always a set, also where neutron has no ipset; the port's own address is in it, which changes nothing. A set without
//!   members stands, where neutron leaves out the rule, so that who comes and goes changes no rule.
//! - **Packets to the host.** neutron's rule in INPUT asks for `--physdev-is-bridged`, which only holds for packets with a way out: it checks
//!   none. It stands so with the tables of iptables; the native layout, or
//!   [`host_input`](crate::virt_firewall::ports::Settings), asks for the port alone.
//! - **Connections.** neutron starts a process for each address and direction, beside the change of the rules (D34); we delete after the
//!   commit, on one thread, with one look at the table for all that waits. A rule's prefix counts, and what another rule of the port still
//!   allows stays. Connections of addresses that a port loses end, too, and all of a port that is not filtered any more or is behind
//!   another device: its zone may be used again, and what it had would be let pass.
//! - **Zones** are of the device, so that a restart finds them (D22), in either layout. All of its name counts; neutron keeps eleven
//!   characters, so that two devices can have one zone. A number below 4097 is never taken over.
//! - **Settings of the kernel.** neutron warns when packets of bridges do not come by (D31);
//!   [`bridge`](crate::virt_firewall::ports::bridge) answers whoever asks.
//! - **Unused groups.** neutron forgets their rules and members; we keep what the agent told until it says otherwise, and the kernel has
//!   none of it.
//!
//! # The firewall of instances
//!
//! - **Given, not asked.** nova's driver asks the database for rules and members while it works (1062314); ours is given them.
//! - **Who is computed.** nova computes every instance of the host for each group that changes (7.17); we compute those that
//!   use it, and with a chain for each list of groups none.
//! - **Source groups.** One rule for each address of each member in each chain, IPv4 only (7.17, 7.20); ours is one set of a
//!   group and family, whose differences are sent.
//! - **Prepared again.** nova adds what is new behind the drop at the end (7.19); the chain is replaced here, in place.
//! - **ICMPv6.** nova drops type and code of a rule, which opens more than was asked for (7.20); they are matched.
//! - **Family.** A group rule without a prefix is IPv4 in nova; it is of both families here, unless it names a type of ICMP or
//!   ICMPv6. One with neither prefix nor group is no rule in nova, and rejected by name here.
//! - **DHCP.** nova's two rules for requests are never removed (7.28); they go with the last instance that needs them. Where a
//!   subnet of IPv6 has a DHCP server, there is the same for DHCPv6.
//! - **Without IPv6** nova lets all of it reach the instances (7.20); here none does.
//! - **Link-local addresses** meet no instance's chain in nova; they do with the option `link_local`, the default in the native
//!   layout. nova's dumps do not have it.
//! - **An unknown instance** is a `KeyError` on refresh (7.21); it is an error with a type here. To end one is no error in both.
//! - **Bad rules.** One stops the update of all (7.5), and a line break in one is more rules (7.22); here it is left out by name.
//! - **Rules without effect** are left out by name, too, for instances and ports alike: a type of ICMP with TCP, ports of GRE or ICMP
//!   (neutron 14.60 ignores them, so the rule opens more than was asked for), a header of IPv6 as protocol, prefixes of IPv4 in IPv6 form.
//! - **Egress.** nova's rules have no direction: its chains stand where packets go to an instance, and what it sends is held to its
//!   addresses alone. There is nothing that a rule for egress could open, and a chain that closes the rest would cut off every
//!   instance whose groups have no such rule, which is all of nova's. So it is rejected; the firewall of ports has both directions.
//! - **A refusal** by the kernel is told to the caller, kept, and tried again ever more rarely or when asked; nova takes it for done (7.4).
//! - **Names.** An identifier that is too long for its chain is refused; nothing is cut.
//! - **`apply_instance_filter`** does nothing in nova; here it makes sure.
//! - **Restart.** As all of nova's changes are deferred at its start when `defer_iptables_apply` says so (7.14), a driver sends
//!   nothing before its first operation, so that a deferral around all of them replaces the predecessor at once.
//! - **Spoofing.** nova has libvirt write a filter for each interface; ours is one table of fixed rules with sets. It holds
//!   what nova's filters say for IPv4 and ARP, the same for IPv6 and its neighbour messages, and drops answers of other DHCP
//!   servers and advertisements of other routers, which nova's filters only do not mention.
//! - **Other protocols.** libvirt's filters let frames pass that are neither ARP nor IP, and so anything behind a VLAN tag; of
//!   those only RARP passes here.
//! - **No address.** To an interface that has none nova lets everything through, as no rule leads to its chain; here it is DHCP and
//!   the discovery of neighbours. What is sent to one host has to be for an address of it.
//! - **Devices.** nova's filters have the name of instance and hardware address, and nobody looks whether two claim one device; here a
//!   device is one instance's until that one is unfiltered, so that no instance's guard is replaced or ended by another.
//! - **Connections** that a rule, a member or a group of the instance had let in go on in nova when that is taken away (7.31), as the second
//!   rule of its chain says. Here they end after the commit, unless another rule of the instance says the same, or
//!   [`end_connections`](crate::virt_firewall::instances::Options) is off. One that the instance opened stays, and one in which it
//!   goes on sending comes again ([`not_yet`](super::not_yet)).
//! - **Settings of the kernel.** nova's chains are void between two ports of a bridge while `net.bridge.bridge-nf-call-iptables` is off, and
//!   nobody says so (7.32). We do not set it either, as it changes what other programs' rules see; the first instance says it in the log, and
//!   [`bridge_filtering`](crate::virt_firewall::NftablesFirewallDriver::bridge_filtering) says it to whoever asks.
//! - **Filters in use** are tried again by nova up to 30 times (6.5.105) and collide by name (6.5.106); elements do neither.
