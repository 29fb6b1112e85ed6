//! Values for the tests: every expression, with every attribute present and absent.
//!
//! The oracle crate includes this file too, so it takes all that it needs from the module it stands in.

use super::*;

fn chain() -> ChainName {
    ChainName::new("nova-compute-inst-42").unwrap()
}

fn set(id: u32) -> SetRef {
    SetRef { name: "__set%d".into(), id }
}

/// Each in normal form, so that a round trip is the identity. A new variant needs a case here: a test counts them.
pub(crate) fn all() -> Vec<Expr> {
    let (r1, r2, word) = (Register::R1, Register::R2, Register::word(3));
    let four = Data::from([10, 0, 0, 1]);
    let mask = Data::from([255, 255, 255, 0]);
    let mut all: Vec<Expr> = Vec::new();
    for op in [BitwiseOp::MaskXor { mask, xor: Data::from([0; 4]) }, BitwiseOp::Lshift(3), BitwiseOp::Rshift(31)] {
        all.push(Bitwise { sreg: r1, dreg: r2, len: 4, op }.into());
    }
    for op in [ByteorderOp::Ntoh, ByteorderOp::Hton] {
        all.push(Byteorder { sreg: r1, dreg: r1, op, len: 8, size: 8 }.into());
    }
    for op in [CmpOp::Eq, CmpOp::Neq, CmpOp::Lt, CmpOp::Lte, CmpOp::Gt, CmpOp::Gte] {
        all.push(Cmp { sreg: r1, op, data: four }.into());
    }
    for bytes in [&[6][..], &[0, 22], b"tap0\0\0\0", &[7; 16]] {
        all.push(Cmp { sreg: word, op: CmpOp::Eq, data: Data::new(bytes).unwrap() }.into());
    }
    for over in [false, true] {
        all.push(Connlimit { count: 20, over }.into());
        all.push(Quota { bytes: 1 << 40, over, consumed: 0 }.into());
        all.push(Quota { bytes: 1 << 40, over, consumed: 77 }.into());
        for kind in [LimitKind::Packets, LimitKind::Bytes] {
            all.push(Limit { rate: 100, unit: 60, burst: 5, kind, over }.into());
        }
    }
    all.push(Counter::default().into());
    all.push(Counter { packets: 1, bytes: u64::MAX }.into());
    for direction in [None, Some(CtDirection::Original), Some(CtDirection::Reply)] {
        all.push(Ct::Load { key: CtKey::ZONE, dreg: r1, direction }.into());
        all.push(Ct::Store { key: CtKey::ZONE, sreg: r1, direction }.into());
    }
    for op in [DynsetOp::Add, DynsetOp::Update, DynsetOp::Delete] {
        let one: Expr = Counter::default().into();
        let limit: Expr = Limit { rate: 1, unit: 1, burst: 5, kind: LimitKind::Packets, over: true }.into();
        for exprs in [vec![], vec![one.clone()], vec![one, limit]] {
            let (sreg_data, timeout) = (Some(r2), Some(30_000));
            let (inverted, sreg_key) = (exprs.len() == 1, r1);
            all.push(Dynset { set: set(1), op, sreg_key, sreg_data, timeout, inverted, exprs: exprs.clone() }.into());
            let (sreg_data, timeout) = (None, None);
            all.push(Dynset { set: set(0), op, sreg_key, sreg_data, timeout, inverted, exprs }.into());
        }
    }
    for op in [ExthdrOp::Ipv6, ExthdrOp::TcpOpt, ExthdrOp::Ipv4, ExthdrOp::Sctp, ExthdrOp::Dccp] {
        for present in [false, true] {
            all.push(Exthdr::Load { dreg: r1, kind: 44, offset: 2, len: 2, op, present }.into());
        }
        all.push(Exthdr::Store { sreg: r1, kind: 2, offset: 2, len: 2, op }.into());
        all.push(Exthdr::Strip { kind: 2, op }.into());
    }
    for result in [FibResult::Oif, FibResult::OifName, FibResult::AddrType] {
        let flags = FibFlags::SADDR | FibFlags::IIF | FibFlags::from_bits_retain(1 << 31);
        all.push(Fib { dreg: r1, result, flags }.into());
    }
    for offset in [0, 5] {
        for seed in [None, Some(0), Some(0xdead_beef)] {
            let kind = HashKind::Jenkins { sreg: r2, len: 8, seed };
            all.push(Hash { kind, dreg: r1, modulus: 2, offset }.into());
        }
        all.push(Hash { kind: HashKind::Symmetric, dreg: r1, modulus: 2, offset }.into());
        for kind in [NumgenKind::Incremental, NumgenKind::Random] {
            all.push(Numgen { dreg: r1, modulus: 7, kind, offset }.into());
        }
    }
    all.push(Immediate { dreg: r1, data: Operand::Value(four) }.into());
    for verdict in [
        Verdict::Accept,
        Verdict::Drop,
        Verdict::Continue,
        Verdict::Break,
        Verdict::Return,
        Verdict::Jump(chain()),
        Verdict::Goto(chain()),
        Verdict::Other(3 | (7 << 16)),
    ] {
        all.push(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) }.into());
    }
    all.push(Log::default().into());
    all.push(Log { prefix: Some("iptables denied: ".into()), level: Some(7), flags: Some(5), ..Log::default() }.into());
    let group = Log { group: Some(0), prefix: Some("".into()), ..Log::default() };
    all.push(group.clone().into());
    all.push(Log { snaplen: Some(0), qthreshold: Some(25), ..group }.into());
    for dreg in [None, Some(Register::VERDICT), Some(r2)] {
        for inverted in [false, true] {
            all.push(Lookup { set: set(9), sreg: r1, dreg, inverted }.into());
        }
    }
    all.push(Lookup { set: set(0), sreg: r1, dreg: None, inverted: false }.into());
    let random = NatFlags::PROTO_RANDOM_FULLY | NatFlags::PERSISTENT;
    for flags in [NatFlags::empty(), random] {
        for (min, max) in [(None, None), (Some(r1), None), (Some(r1), Some(r2))] {
            all.push(Masq { flags, proto_min: min, proto_max: max }.into());
            all.push(Redir { proto_min: min, proto_max: max, flags }.into());
            for (kind, family) in [(NatKind::Snat, Family::Ip), (NatKind::Dnat, Family::Ip6)] {
                for addr in [None, Some(Register::R3)] {
                    let nat =
                        Nat { kind, family, addr_min: addr, addr_max: None, proto_min: min, proto_max: max, flags };
                    all.push(nat.into());
                    all.push(Nat { addr_max: addr.map(|_| Register::R4), ..nat }.into());
                }
            }
        }
    }
    for info in [vec![], vec![1, 2, 3, 4, 5, 6, 7, 8], vec![0x5a; 136]] {
        all.push(Match { name: "conntrack".into(), revision: 3, info: info.clone().into() }.into());
        all.push(Target { name: "MARK".into(), revision: 2, info: info.into() }.into());
    }
    for key in [MetaKey::L4PROTO, MetaKey::IIFNAME, MetaKey(4096)] {
        all.push(Meta::Load { key, dreg: r1 }.into());
        all.push(Meta::Store { key, sreg: r1 }.into());
    }
    all.push(Notrack.into());
    all.push(Objref::Name { kind: 1, name: "hits".into() }.into());
    for id in [0, 3] {
        all.push(Objref::Map { set: set(id), sreg: r1 }.into());
    }
    for base in [PayloadBase::Link, PayloadBase::Network, PayloadBase::Transport, PayloadBase::Inner] {
        all.push(Payload::Load { dreg: r1, base, offset: 12, len: 4 }.into());
        for (csum_type, csum_offset, csum_flags) in [(0, 0, 0), (1, 10, 1), (1, 16, 0)] {
            let (offset, len) = (16, 4);
            all.push(Payload::Store { sreg: r1, base, offset, len, csum_type, csum_offset, csum_flags }.into());
        }
    }
    for op in [CmpOp::Eq, CmpOp::Neq] {
        all.push(Range { sreg: r1, op, from: Data::from([0, 22]), to: Data::from([0, 80]) }.into());
    }
    all.push(Reject { kind: RejectKind::IcmpUnreach, code: 3 }.into());
    all.push(Reject { kind: RejectKind::TcpRst, code: 0 }.into());
    all.push(Reject { kind: RejectKind::IcmpxUnreach, code: 1 }.into());
    for key in [SocketKey::Transparent, SocketKey::Mark, SocketKey::Wildcard, SocketKey::Cgroupv2 { level: 2 }] {
        all.push(Socket { key, dreg: r1 }.into());
    }
    for (addr, port) in [(None, Some(r2)), (Some(r1), None), (Some(r1), Some(r2))] {
        all.push(Tproxy { family: 2, addr, port }.into());
    }
    all.push(Unknown { name: "last".into(), data: None }.into());
    all.push(Unknown { name: "synproxy".into(), data: Some([8, 0, 1, 0, 1, 2, 3, 4].into()) }.into());
    all
}
