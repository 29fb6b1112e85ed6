//! Random expressions: any value of any field, whether the kernel would take it or not.
//!
//! The oracle crate includes this file too, so it takes all that it needs from the module it stands in.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn register() -> impl Strategy<Value = Register> {
    (0u32..24).prop_map(Register)
}

fn data() -> impl Strategy<Value = Data> {
    vec(any::<u8>(), 1..=Data::MAX).prop_map(|bytes| Data::new(&bytes).unwrap())
}

fn set() -> impl Strategy<Value = SetRef> {
    ("[a-zA-Z_%][a-zA-Z0-9_%-]{0,31}", 0u32..1000).prop_map(|(name, id)| SetRef { name: name.into(), id })
}

fn name() -> impl Strategy<Value = std::sync::Arc<str>> {
    "[a-zA-Z0-9_]{1,28}".prop_map(Into::into)
}

fn info() -> impl Strategy<Value = std::sync::Arc<[u8]>> {
    vec(any::<u8>(), 0..200).prop_map(Into::into)
}

fn chain() -> impl Strategy<Value = ChainName> {
    "[a-zA-Z_][a-zA-Z0-9_-]{0,60}".prop_map(|name| ChainName::new(&name).unwrap())
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        select(vec![Verdict::Accept, Verdict::Drop, Verdict::Continue, Verdict::Break, Verdict::Return]),
        chain().prop_map(Verdict::Jump),
        chain().prop_map(Verdict::Goto),
        (2i32..0x10_0000).prop_map(Verdict::Other),
    ]
}

fn nat_flags() -> impl Strategy<Value = NatFlags> {
    any::<u32>().prop_map(NatFlags::from_bits_retain)
}

fn base() -> impl Strategy<Value = PayloadBase> {
    select(vec![PayloadBase::Link, PayloadBase::Network, PayloadBase::Transport, PayloadBase::Inner])
}

fn cmp_op() -> impl Strategy<Value = CmpOp> {
    select(vec![CmpOp::Eq, CmpOp::Neq, CmpOp::Lt, CmpOp::Lte, CmpOp::Gt, CmpOp::Gte])
}

fn exthdr_op() -> impl Strategy<Value = ExthdrOp> {
    select(vec![ExthdrOp::Ipv6, ExthdrOp::TcpOpt, ExthdrOp::Ipv4, ExthdrOp::Sctp, ExthdrOp::Dccp])
}

fn bitwise_op() -> impl Strategy<Value = BitwiseOp> {
    prop_oneof![
        (data(), data()).prop_map(|(mask, xor)| BitwiseOp::MaskXor { mask, xor }),
        any::<u32>().prop_map(BitwiseOp::Lshift),
        any::<u32>().prop_map(BitwiseOp::Rshift),
    ]
}

/// Expressions that read or write the packet and its meta data.
fn packet() -> impl Strategy<Value = Expr> {
    let words = || (any::<u32>(), any::<u32>());
    prop_oneof![
        (register(), register(), any::<u32>(), bitwise_op()).prop_map(|(sreg, dreg, len, op)| Bitwise {
            sreg,
            dreg,
            len,
            op
        }
        .into()),
        (register(), register(), select(vec![ByteorderOp::Ntoh, ByteorderOp::Hton]), words())
            .prop_map(|(sreg, dreg, op, (len, size))| Byteorder { sreg, dreg, op, len, size }.into()),
        (register(), cmp_op(), data()).prop_map(|(sreg, op, data)| Cmp { sreg, op, data }.into()),
        (register(), any::<u8>(), words(), exthdr_op(), any::<bool>()).prop_map(
            |(dreg, kind, (offset, len), op, present)| Exthdr::Load { dreg, kind, offset, len, op, present }.into()
        ),
        (register(), any::<u8>(), words(), exthdr_op()).prop_map(|(sreg, kind, (offset, len), op)| Exthdr::Store {
            sreg,
            kind,
            offset,
            len,
            op
        }
        .into()),
        (any::<u8>(), exthdr_op()).prop_map(|(kind, op)| Exthdr::Strip { kind, op }.into()),
        (register(), data()).prop_map(|(dreg, data)| Immediate { dreg, data: Operand::Value(data) }.into()),
        (register(), verdict()).prop_map(|(dreg, verdict)| Immediate { dreg, data: Operand::Verdict(verdict) }.into()),
        (any::<u32>(), register()).prop_map(|(key, dreg)| Meta::Load { key: MetaKey(key), dreg }.into()),
        (any::<u32>(), register()).prop_map(|(key, sreg)| Meta::Store { key: MetaKey(key), sreg }.into()),
        (register(), base(), words())
            .prop_map(|(dreg, base, (offset, len))| Payload::Load { dreg, base, offset, len }.into()),
        (register(), base(), words(), 0u32..3, words()).prop_map(
            |(sreg, base, (offset, len), csum_type, (csum_offset, csum_flags))| {
                Payload::Store { sreg, base, offset, len, csum_type, csum_offset, csum_flags }.into()
            }
        ),
        (register(), select(vec![CmpOp::Eq, CmpOp::Neq]), data(), data()).prop_map(|(sreg, op, from, to)| Range {
            sreg,
            op,
            from,
            to
        }
        .into()),
    ]
}

/// Expressions that keep or read state.
fn stateful() -> impl Strategy<Value = Expr> {
    let direction = || of(select(vec![CtDirection::Original, CtDirection::Reply]));
    let kinds = || select(vec![LimitKind::Packets, LimitKind::Bytes]);
    let jenkins = (register(), any::<u32>(), of(any::<u32>())).prop_map(|(sreg, len, seed)| HashKind::Jenkins {
        sreg,
        len,
        seed,
    });
    prop_oneof![
        (any::<u32>(), any::<bool>()).prop_map(|(count, over)| Connlimit { count, over }.into()),
        (any::<u64>(), any::<u64>()).prop_map(|(packets, bytes)| Counter { packets, bytes }.into()),
        (any::<u32>(), register(), direction()).prop_map(|(key, dreg, direction)| Ct::Load {
            key: CtKey(key),
            dreg,
            direction
        }
        .into()),
        (any::<u32>(), register(), direction()).prop_map(|(key, sreg, direction)| Ct::Store {
            key: CtKey(key),
            sreg,
            direction
        }
        .into()),
        (prop_oneof![jenkins, Just(HashKind::Symmetric)], register(), any::<u32>(), any::<u32>())
            .prop_map(|(kind, dreg, modulus, offset)| Hash { kind, dreg, modulus, offset }.into()),
        (any::<u64>(), any::<u64>(), any::<u32>(), kinds(), any::<bool>())
            .prop_map(|(rate, unit, burst, kind, over)| Limit { rate, unit, burst, kind, over }.into()),
        (register(), any::<u32>(), select(vec![NumgenKind::Incremental, NumgenKind::Random]), any::<u32>())
            .prop_map(|(dreg, modulus, kind, offset)| Numgen { dreg, modulus, kind, offset }.into()),
        (any::<u64>(), any::<bool>(), any::<u64>())
            .prop_map(|(bytes, over, consumed)| Quota { bytes, over, consumed }.into()),
        (set(), register(), of(register()), any::<bool>()).prop_map(|(set, sreg, dreg, inverted)| Lookup {
            set,
            sreg,
            dreg,
            inverted
        }
        .into()),
        (any::<u32>(), name()).prop_map(|(kind, name)| Objref::Name { kind, name }.into()),
        (set(), register()).prop_map(|(set, sreg)| Objref::Map { set, sreg }.into()),
    ]
}

/// Expressions that decide about the packet, log it, or translate it.
fn action() -> impl Strategy<Value = Expr> {
    let range = || (of(register()), of(register()));
    let families = || select(vec![Family::Inet, Family::Ip, Family::Ip6]);
    let fib = select(vec![FibResult::Oif, FibResult::OifName, FibResult::AddrType]);
    let rejects = select(vec![RejectKind::IcmpUnreach, RejectKind::TcpRst, RejectKind::IcmpxUnreach]);
    let sockets = prop_oneof![
        select(vec![SocketKey::Transparent, SocketKey::Mark, SocketKey::Wildcard]),
        any::<u32>().prop_map(|level| SocketKey::Cgroupv2 { level }),
    ];
    let prefix = || of("[ -~]{0,127}".prop_map(std::sync::Arc::<str>::from));
    prop_oneof![
        (register(), fib, any::<u32>()).prop_map(|(dreg, result, flags)| {
            Fib { dreg, result, flags: FibFlags::from_bits_retain(flags) }.into()
        }),
        (of(any::<u16>()), prefix(), of(any::<u32>()), of(any::<u16>()), of(any::<u32>()), of(any::<u32>())).prop_map(
            |(group, prefix, snaplen, qthreshold, level, flags)| {
                Log { group, prefix, snaplen, qthreshold, level, flags }.into()
            }
        ),
        (nat_flags(), range()).prop_map(|(flags, (proto_min, proto_max))| Masq { flags, proto_min, proto_max }.into()),
        (nat_flags(), range()).prop_map(|(flags, (proto_min, proto_max))| Redir { proto_min, proto_max, flags }.into()),
        (select(vec![NatKind::Snat, NatKind::Dnat]), families(), range(), range(), nat_flags()).prop_map(
            |(kind, family, (addr_min, addr_max), (proto_min, proto_max), flags)| {
                Nat { kind, family, addr_min, addr_max, proto_min, proto_max, flags }.into()
            }
        ),
        (name(), any::<u32>(), info()).prop_map(|(name, revision, info)| Match { name, revision, info }.into()),
        (name(), any::<u32>(), info()).prop_map(|(name, revision, info)| Target { name, revision, info }.into()),
        Just(Notrack.into()),
        (rejects, any::<u8>()).prop_map(|(kind, code)| Reject { kind, code }.into()),
        (sockets, register()).prop_map(|(key, dreg)| Socket { key, dreg }.into()),
        (any::<u8>(), of(register()), of(register()))
            .prop_map(|(family, addr, port)| Tproxy { family, addr, port }.into()),
    ]
}

fn dynset() -> impl Strategy<Value = Expr> {
    let op = select(vec![DynsetOp::Add, DynsetOp::Update, DynsetOp::Delete]);
    (set(), op, register(), of(register()), of(any::<u64>()), any::<bool>(), vec(stateful(), 0..3)).prop_map(
        |(set, op, sreg_key, sreg_data, timeout, inverted, exprs)| {
            Dynset { set, op, sreg_key, sreg_data, timeout, inverted, exprs }.into()
        },
    )
}

/// Any expression that this crate has a type for.
pub(crate) fn expression() -> impl Strategy<Value = Expr> {
    prop_oneof![4 => packet(), 3 => stateful(), 3 => action(), 1 => dynset()]
}
