//! Which bytes are in whose order.
//!
//! Nothing here relies on the order of the machine that it was written on: the [`Writer`](crate::netlink::attr::Writer)
//! has `u16_be` and `u16_ne`, and so on, and every call says which one is meant. There is no default.
//!
//! | what | order |
//! |---|---|
//! | netlink header, attribute length and type | host |
//! | `nfgenmsg.res_id` | big endian |
//! | attributes of nf_tables objects and expressions: handles, priorities, registers, lengths, counters, the generation | big endian |
//! | `NFTA_RULE_COMPAT_PROTO`, `NFTA_RULE_COMPAT_FLAGS`, revisions of xt extensions | big endian |
//! | constants of `cmp`, `bitwise`, `range`, `immediate`, set elements | the order in which the load puts the field into the register |
//! | the structs of xt matches and targets | as the C struct of that machine has them: numbers in host order (ports of `xt_tcp` and `xt_multiport` too), addresses and the ports of NAT ranges as on the wire |
//! | addresses and ports in expressions | big endian, as on the wire |
//! | marks, interface numbers, user ids, lengths from `meta` and `ct` in registers | host, as the kernel keeps them |
//! | the magic number and lengths of user data | single bytes |
//!
//! Register contents are the place where mistakes hide. `payload` copies packet bytes, so a port in a register is big
//! endian. `meta mark` and `ct mark` store a number of the CPU, so it is in host order; comparing such a number by `range`,
//! which compares bytes, takes a `byteorder` expression first. The compiler's
//! [`Data`](crate::nft::expr::Data) are bytes and nothing else: whoever builds them has said the order.
//!
//! xt structs are `repr(C)` types that `zerocopy` reads and writes as bytes (`compile/stock/`). Fields in wire order are
//! arrays of bytes, so they cannot be taken for numbers; padding is written out, to multiples of eight bytes as
//! `XT_ALIGN` asks for on 64-bit machines, and sizes are checked at compile time.
//!
//! Tested on little endian only. Golden bytes of the tests are of such a machine; the oracle tests compare with
//! libnftnl on the machine that runs them.
