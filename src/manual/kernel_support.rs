//! What is asked of the kernel, and which privilege it takes.
//!
//! Features are found by asking ([`probe`](crate::kernel::probe)), never by the version's number: distributions carry
//! features back. The versions below say where a feature came in.
//!
//! | kernel, x86-64 | tested |
//! |---|---|
//! | 6.18, everything built in | all tests, packets and benches |
//! | 6.12, Debian's for virtual machines, with modules | the tests of `tests/vm/tests.list`: socket and live kernel, the fake beside the kernel, expressions, both layouts, packets, and the stock tools beside us |
//! | 6.1, the same | the same; the tables of the native layout have no owner |
//! | others | not |
//!
//! `tests/vm/run` has the older ones, in virtual machines.
//!
//! | feature | since | used for | how it is found |
//! |---|---|---|---|
//! | nf_tables, families ip and ip6 | 3.13 | everything | a dump answers |
//! | `nft_compat` (xt matches and targets) | 3.13 (0ca743a55991) | matches and targets without a native form | [`probe::xt_revision`](crate::kernel::probe::xt_revision): `NFNL_MSG_COMPAT_GET`, per name and revision |
//! | extended acknowledgements | 4.12 | text and place of an error | not probed: without it errors are only a number, as those about the length of a value are up to 6.12 |
//! | generation in a batch | 4.11 (8c4d4e8b5626) | the guard against lost updates | `batch_generation` of [`Features`](crate::kernel::probe::Features): a batch of a wrong generation must be refused |
//! | user data of chains | 5.10 (002f21765320) | a chain says whose it is | `chain_userdata`: too much of it must be refused |
//! | tables with an owner | 5.12 (6001a930ce03) | with the next one | `table_owner`: a batch that is checked and dropped |
//! | owned tables that persist | 6.9 (da5141bbe0c2) | tables of the native layout that others cannot change; without it they are plain ([`Fallback::Feature`](crate::apply::Fallback::Feature)) | `table_persist`: the same |
//! | descriptors of processes | 5.3 (32fcb426ec00) | signals to dnsmasq and radvd | not probed: without it starting and ending them fails |
//!
//! The applying code asks for no more than the last of the nf_tables features: what the kernel refuses is reported with the rule it is about.
//! Without chain user data, chains cannot be told apart after a restart; without the generation, two programs may
//! overwrite each other. Ask [`probe::features`](crate::kernel::probe::features) where that matters.
//!
//! The kernel's configuration also decides: `CONFIG_NFT_COMPAT`, and one module for each xt extension
//! (`compat/README.md` lists the extensions). ipsets are looked up by `getsockopt(SO_IP_SET)`, which the module `ip_set` answers;
//! sets of the model are made by netlink, of the types `hash:ip` (revision 4) and `hash:net` (revision 6), since Linux 3.18. In the
//! native layout they need no module.
//!
//! # Privilege
//!
//! | to do | needs |
//! |---|---|
//! | parse, build models, the fake kernel, `translate` | nothing |
//! | read or change nf_tables | `CAP_NET_ADMIN` in the user namespace that owns the network namespace; the kernel shows rulesets to nobody else |
//! | `-m set` | `CAP_NET_RAW` there as well, for the socket that ipsets are asked by |
//! | work in another network namespace (`--netns`) | `CAP_SYS_ADMIN` there and in one's own user namespace |
//! | make a namespace (`--sandbox`) | `CAP_SYS_ADMIN`, or a system that lets users make user namespaces |
//! | send a batch that does not fit the socket's buffer as it is | see below |
//!
//! # User namespaces and the send buffer
//!
//! A batch must fit the send buffer of the socket. `SO_SNDBUFFORCE` makes it as large as is needed, and takes
//! `CAP_NET_ADMIN` in the *initial* user namespace. Root in a user namespace does not have that: there `SO_SNDBUF` is
//! all there is, and the kernel caps it silently at twice `net.core.wmem_max`:
//!
//! | `net.core.wmem_max` | largest batch | rules of a nova-compute host, some 320 bytes each |
//! |---|---|---|
//! | 212,992, as on many systems | 425,952 bytes | 1,300 |
//! | 4,194,304, as on the 6.18 this was tested on | 8,388,576 bytes | 26,000 |
//!
//! More is an error that names the batch's size, the limit and the value of `net.core.wmem_max` that would do
//! ([`TransportError::TooLarge`](crate::netlink::transport::TransportError)); nothing is sent.
