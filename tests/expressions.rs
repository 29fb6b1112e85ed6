//! Every expression through a running kernel: what a dump decodes to is what was sent.
//!
//! Works in a network namespace of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

#[path = "support/lab.rs"]
mod lab;

use std::collections::BTreeSet;

use lab::Lab;
use nftwrap::kernel::{CommitError, Kernel};
use nftwrap::name::{ChainName, SetName, TableName};
use nftwrap::netlink::attr::Writer;
use nftwrap::nft::expr::*;
use nftwrap::nft::uapi::*;
use nftwrap::nft::{BaseChain, Chain, Family, Object, ObjectData, Rule, Set, SetFlags, Table, TableFlags, listing};
use nftwrap::transaction::{Batch, Origin};

/// `enum nft_last_attributes`.
const NFTA_LAST_SET: u16 = 1;
const NFTA_LAST_MSECS: u16 = 2;

const R1: Register = Register::R1;
const R2: Register = Register::R2;

/// The chains: their names say what the kernel lets them hold.
const CHAINS: [(&str, &str, u32, i32); 5] = [
    ("prerouting", "filter", NF_INET_PRE_ROUTING, -300),
    ("input", "filter", NF_INET_LOCAL_IN, 0),
    ("mangle", "filter", NF_INET_FORWARD, -150),
    ("dnat", "nat", NF_INET_PRE_ROUTING, -100),
    ("snat", "nat", NF_INET_POST_ROUTING, 100),
];

fn named(name: &str) -> SetRef {
    SetRef { name: name.into(), id: 0 }
}

fn value(dreg: Register, bytes: &[u8]) -> Expr {
    Immediate { dreg, data: Operand::Value(Data::new(bytes).unwrap()) }.into()
}

fn verdict(verdict: Verdict) -> Expr {
    Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) }.into()
}

fn network(dreg: Register, offset: u32, len: u32) -> Expr {
    Payload::Load { dreg, base: PayloadBase::Network, offset, len }.into()
}

fn l4proto(protocol: u8) -> [Expr; 2] {
    [
        Meta::Load { key: MetaKey::L4PROTO, dreg: R1 }.into(),
        Cmp { sreg: R1, op: CmpOp::Eq, data: Data::from([protocol]) }.into(),
    ]
}

fn tcp_then(rest: impl IntoIterator<Item = Expr>) -> Vec<Expr> {
    l4proto(6).into_iter().chain(rest).collect()
}

/// Rules by chain.
fn cases() -> Vec<(&'static str, Vec<Expr>)> {
    let mut cases: Vec<(&str, Vec<Expr>)> = Vec::new();
    packet(&mut cases);
    state(&mut cases);
    sets(&mut cases);
    translation(&mut cases);
    verdicts(&mut cases);
    cases
}

fn packet(cases: &mut Vec<(&str, Vec<Expr>)>) {
    let mask = Data::from([255, 255, 255, 0]);
    for op in [CmpOp::Eq, CmpOp::Neq, CmpOp::Lt, CmpOp::Lte, CmpOp::Gt, CmpOp::Gte] {
        let data = Data::from([10, 0, 0, 0]);
        for xor in [[0; 4], [1, 2, 3, 4]] {
            let op_mask = BitwiseOp::MaskXor { mask, xor: Data::from(xor) };
            let bitwise = Bitwise { sreg: R1, dreg: R1, len: 4, op: op_mask };
            cases.push(("input", vec![network(R1, 12, 4), bitwise.into(), Cmp { sreg: R1, op, data }.into()]));
        }
    }
    for op in [BitwiseOp::Lshift(3), BitwiseOp::Rshift(31)] {
        cases.push(("input", vec![network(R1, 12, 4), Bitwise { sreg: R1, dreg: R2, len: 4, op }.into()]));
    }
    for (op, size) in [(ByteorderOp::Ntoh, 4), (ByteorderOp::Hton, 2), (ByteorderOp::Hton, 8)] {
        let byteorder = Byteorder { sreg: R1, dreg: R1, op, len: size, size };
        cases.push(("input", vec![network(R1, 12, size), byteorder.into()]));
    }
    let name = Data::new(b"tap0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
    for data in [name, Data::new(b"tap").unwrap()] {
        let load = Meta::Load { key: MetaKey::IIFNAME, dreg: R1 };
        cases.push(("input", vec![load.into(), Cmp { sreg: R1, op: CmpOp::Eq, data }.into()]));
    }
    for op in [CmpOp::Eq, CmpOp::Neq] {
        let range = Range { sreg: R1, op, from: Data::from([0, 22]), to: Data::from([0, 80]) };
        let port = Payload::Load { dreg: R1, base: PayloadBase::Transport, offset: 2, len: 2 };
        cases.push(("input", tcp_then([port.into(), range.into()])));
    }
    for (csum_type, csum_offset, csum_flags) in [(0, 0, 0), (1, 10, 0), (1, 10, 1)] {
        let (sreg, base, offset, len) = (R1, PayloadBase::Network, 12, 4);
        let store = Payload::Store { sreg, base, offset, len, csum_type, csum_offset, csum_flags };
        cases.push(("mangle", vec![value(R1, &[10, 0, 0, 9]), store.into()]));
    }
    for (present, offset, len) in [(false, 2, 2), (true, 0, 1)] {
        let dreg = R1;
        cases.push(("input", vec![Exthdr::Load { dreg, kind: 2, offset, len, op: ExthdrOp::TcpOpt, present }.into()]));
    }
    let store = Exthdr::Store { sreg: R1, kind: 2, offset: 2, len: 2, op: ExthdrOp::TcpOpt };
    cases.push(("mangle", tcp_then([value(R1, &[5, 0xb4]), store.into()])));
    cases.push(("mangle", tcp_then([Exthdr::Strip { kind: 8, op: ExthdrOp::TcpOpt }.into()])));
}

fn state(cases: &mut Vec<(&str, Vec<Expr>)>) {
    let mask = BitwiseOp::MaskXor { mask: Data::from(6u32.to_ne_bytes()), xor: Data::from([0; 4]) };
    cases.push((
        "input",
        vec![
            Ct::Load { key: CtKey::STATE, dreg: R1, direction: None }.into(),
            Bitwise { sreg: R1, dreg: R1, len: 4, op: mask }.into(),
            Cmp { sreg: R1, op: CmpOp::Neq, data: Data::from([0; 4]) }.into(),
        ],
    ));
    let original = Some(CtDirection::Original);
    for (key, direction) in [
        (CtKey::MARK, None),
        (CtKey::STATUS, None),
        (CtKey::ZONE, None),
        (CtKey::ZONE, Some(CtDirection::Reply)),
        (CtKey::BYTES, original),
        (CtKey::BYTES, None),
        (CtKey::PROTO_DST, original),
    ] {
        cases.push(("input", vec![Ct::Load { key, dreg: R1, direction }.into()]));
    }
    for direction in [None, original] {
        let store = Ct::Store { key: CtKey::ZONE, sreg: R1, direction };
        cases.push(("prerouting", vec![value(R1, &7u16.to_ne_bytes()), store.into()]));
    }
    cases.push(("prerouting", vec![Notrack.into()]));
    let set_mark = [value(R1, &7u32.to_ne_bytes()), Meta::Store { key: MetaKey::MARK, sreg: R1 }.into()];
    cases.push(("mangle", set_mark.into()));
    cases.push(("input", vec![Counter::default().into()]));
    cases.push(("input", vec![Counter { packets: 3, bytes: 1 << 40 }.into()]));
    for over in [false, true] {
        cases.push(("input", vec![Connlimit { count: 20, over }.into()]));
        cases.push(("input", vec![Quota { bytes: 5000, over, consumed: 0 }.into()]));
        cases.push(("input", vec![Quota { bytes: 5000, over, consumed: 5000 }.into()]));
        for (kind, burst) in [(LimitKind::Packets, 0), (LimitKind::Packets, 9), (LimitKind::Bytes, 0)] {
            cases.push(("input", vec![Limit { rate: 10, unit: 60, burst, kind, over }.into()]));
        }
    }
    let prefix = Some("iptables denied: ".into());
    for log in [
        Log::default(),
        Log { prefix: prefix.clone(), level: Some(7), flags: Some(NF_LOG_UID | NF_LOG_TCPSEQ), ..Log::default() },
        Log { level: Some(4), flags: Some(0), ..Log::default() },
        Log { group: Some(0), ..Log::default() },
        Log { group: Some(3), prefix, snaplen: Some(0), qthreshold: Some(0), ..Log::default() },
        Log { group: Some(3), prefix: Some("".into()), snaplen: Some(64), qthreshold: Some(25), ..Log::default() },
    ] {
        cases.push(("input", vec![log.into()]));
    }
    for result in [FibResult::Oif, FibResult::OifName, FibResult::AddrType] {
        let flags = FibFlags::SADDR | if result == FibResult::AddrType { FibFlags::empty() } else { FibFlags::IIF };
        cases.push(("prerouting", vec![Fib { dreg: R1, result, flags }.into()]));
    }
    let present = FibFlags::SADDR | FibFlags::PRESENT;
    cases.push(("prerouting", vec![Fib { dreg: R1, result: FibResult::Oif, flags: present }.into()]));
    for offset in [0, 5] {
        for kind in [
            HashKind::Jenkins { sreg: R2, len: 4, seed: None },
            HashKind::Jenkins { sreg: R2, len: 4, seed: Some(0xdead_beef) },
            HashKind::Symmetric,
        ] {
            let hash = Hash { kind, dreg: R1, modulus: 2, offset };
            cases.push(("input", vec![network(R2, 12, 4), hash.into()]));
        }
        for kind in [NumgenKind::Incremental, NumgenKind::Random] {
            cases.push(("input", vec![Numgen { dreg: R1, modulus: 7, kind, offset }.into()]));
        }
    }
    for key in [SocketKey::Transparent, SocketKey::Mark, SocketKey::Wildcard] {
        cases.push(("input", vec![Socket { key, dreg: R1 }.into()]));
    }
}

fn sets(cases: &mut Vec<(&str, Vec<Expr>)>) {
    for inverted in [false, true] {
        let lookup = Lookup { set: named("addresses"), sreg: R1, dreg: None, inverted };
        cases.push(("input", vec![network(R1, 12, 4), lookup.into()]));
    }
    for (map, dreg) in [("verdicts", Register::VERDICT), ("marks", R2)] {
        let lookup = Lookup { set: named(map), sreg: R1, dreg: Some(dreg), inverted: false };
        cases.push(("input", vec![network(R1, 12, 4), lookup.into()]));
    }
    let limit = Limit { rate: 1, unit: 1, burst: 5, kind: LimitKind::Packets, over: true };
    for (op, timeout) in [(DynsetOp::Add, None), (DynsetOp::Update, Some(30_000)), (DynsetOp::Delete, None)] {
        for exprs in [vec![], vec![limit.into()], vec![Counter::default().into(), limit.into()]] {
            let inverted = exprs.len() == 1;
            let (set, sreg_key, sreg_data) = (named("recent"), R1, None);
            let dynset = Dynset { set, op, sreg_key, sreg_data, timeout, inverted, exprs };
            cases.push(("input", vec![network(R1, 12, 4), dynset.into()]));
        }
    }
    cases.push(("input", vec![Objref::Name { kind: NFT_OBJECT_COUNTER, name: "hits".into() }.into()]));
    cases.push(("input", vec![network(R1, 12, 4), Objref::Map { set: named("counters"), sreg: R1 }.into()]));
}

fn translation(cases: &mut Vec<(&str, Vec<Expr>)>) {
    let registers = || [value(R1, &[10, 0, 0, 9]), value(R2, &[0, 80]), value(Register::R3, &[10, 0, 0, 19])];
    let random = NatFlags::PROTO_RANDOM_FULLY | NatFlags::PERSISTENT;
    for (kind, chain) in [(NatKind::Snat, "snat"), (NatKind::Dnat, "dnat")] {
        for flags in [NatFlags::empty(), random] {
            for (addr_max, proto_min, proto_max) in
                [(None, None, None), (Some(R1), Some(R2), Some(R2)), (Some(Register::R3), Some(R2), None)]
            {
                let (family, addr_min) = (Family::Ip, Some(R1));
                let nat = Nat { kind, family, addr_min, addr_max, proto_min, proto_max, flags };
                cases.push((chain, tcp_then(registers().into_iter().chain([nat.into()]))));
            }
        }
    }
    for flags in [NatFlags::empty(), random, NatFlags::PROTO_SPECIFIED, random | NatFlags::PROTO_SPECIFIED] {
        for (proto_min, proto_max) in [(None, None), (Some(R2), None), (Some(R2), Some(R2)), (Some(R1), Some(R2))] {
            let masq = Masq { flags, proto_min, proto_max };
            let redir = Redir { proto_min, proto_max, flags };
            cases.push(("snat", tcp_then(registers().into_iter().chain([masq.into()]))));
            cases.push(("dnat", tcp_then(registers().into_iter().chain([redir.into()]))));
        }
    }
    for (addr, port) in [(None, Some(R2)), (Some(R1), None), (Some(R1), Some(R2))] {
        let tproxy = Tproxy { family: 2, addr, port };
        cases.push(("prerouting", tcp_then(registers().into_iter().chain([tproxy.into()]))));
    }
}

fn verdicts(cases: &mut Vec<(&str, Vec<Expr>)>) {
    let chain = || ChainName::new("target").unwrap();
    for verdict_ in [
        Verdict::Accept,
        Verdict::Drop,
        Verdict::Continue,
        Verdict::Break,
        Verdict::Return,
        Verdict::Jump(chain()),
        Verdict::Goto(chain()),
    ] {
        cases.push(("input", vec![verdict(verdict_)]));
    }
    for (kind, code) in [(RejectKind::IcmpUnreach, 3), (RejectKind::TcpRst, 0)] {
        cases.push(("input", tcp_then([Reject { kind, code }.into()])));
    }
    let info: std::sync::Arc<[u8]> = [1, 0, 0, 0, 255, 0, 0, 0].into();
    // `xt_mark` revision 1: mark, mask, inversion, padding; `xt_MARK` revision 2: mark, mask.
    let mark: Vec<u8> = [7u32.to_ne_bytes(), 0xffu32.to_ne_bytes(), [0; 4], [0; 4]].concat();
    cases.push((
        "mangle",
        vec![
            Match { name: "mark".into(), revision: 1, info: mark.into() }.into(),
            Target { name: "MARK".into(), revision: 2, info }.into(),
        ],
    ));
    // `last`, which this crate has no type for: not used yet.
    let mut data = Vec::new();
    let mut w = Writer::new(&mut data);
    w.u32_be(NFTA_LAST_SET, 0);
    w.u64_be(NFTA_LAST_MSECS, 0);
    w.finish().unwrap();
    cases.push(("input", vec![Unknown { name: "last".into(), data: Some(data.into()) }.into()]));
}

fn table() -> TableName {
    TableName::new("t").unwrap()
}

fn rule(chain: &str, expressions: Vec<Expr>) -> Rule {
    let chain = ChainName::new(chain).unwrap();
    let (family, table) = (Family::Ip, table());
    Rule { family, table, chain, handle: None, position: None, expressions, compat: None, userdata: None }
}

/// Chains, sets and objects that the rules name.
fn ground() -> Batch {
    let (mut batch, origin) = (Batch::begin(None), Origin(0));
    let family = Family::Ip;
    let flags = TableFlags::empty();
    batch.add_table(
        &Table { family, name: table(), flags, handle: None, uses: None, owner: None, userdata: None },
        origin,
    );
    let chain = |name: &str, base| Chain {
        family,
        table: table(),
        name: ChainName::new(name).unwrap(),
        handle: None,
        base,
        counters: None,
        uses: None,
        flags: None,
        userdata: None,
    };
    batch.add_chain(&chain("target", None), origin);
    for (name, kind, hook, priority) in CHAINS {
        let base = BaseChain { kind: kind.into(), hook, priority, policy: None, devices: Vec::new() };
        batch.add_chain(&chain(name, Some(base)), origin);
    }
    let set = |name: &str| Set::new(family, table(), SetName::new(name).unwrap(), 4);
    let ids = (1..).map(Some);
    let made = [
        set("addresses"),
        Set { flags: SetFlags::MAP, data: Some(nftwrap::nft::SetData::Verdict), ..set("verdicts") },
        Set { flags: SetFlags::MAP, data: Some(nftwrap::nft::SetData::Value { kind: 0, len: 4 }), ..set("marks") },
        Set { flags: SetFlags::EVAL | SetFlags::TIMEOUT, size: Some(99), ..set("recent") },
        Set { flags: SetFlags::OBJECT, object_kind: Some(NFT_OBJECT_COUNTER), ..set("counters") },
    ];
    for (made, id) in made.into_iter().zip(ids) {
        batch.add_set(&Set { id, ..made }, origin);
    }
    let data = ObjectData::Counter(Counter::default());
    batch.add_object(&Object::new(family, table(), "hits".into(), data), origin);
    batch
}

#[test]
fn a_dump_decodes_to_what_was_sent() {
    let Some(lab) = Lab::new(&[]) else { return };
    let mut kernel = lab.kernel();
    kernel.commit(&ground().seal().unwrap()).unwrap();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut wrong = Vec::new();
    for (chain, expressions) in cases() {
        let rule = rule(chain, expressions);
        let text = listing::compact(&rule.expressions).to_string();
        let mut batch = Batch::begin(None);
        batch.add_rule(&rule, Origin(1));
        match kernel.commit(&batch.seal().unwrap()) {
            Ok(_) => {}
            Err(CommitError::Refused(reasons)) => {
                wrong.push(format!("{chain}: {text}\n  refused: {reasons:?}"));
                continue;
            }
            Err(error) => panic!("{chain}: {text}: {error}"),
        }
        let dump = kernel.rules(Family::Ip, &rule.table, Some(&rule.chain)).unwrap();
        let got = &dump.last().unwrap().expressions;
        let sent: Vec<Expr> = rule.expressions.into_iter().map(Expr::normalized).collect();
        seen.extend(sent.iter().map(|expr| expr.name().to_owned()));
        if *got != sent {
            wrong.push(format!("{chain}: {text}\n  sent {sent:?}\n  got  {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<_> = Expr::NAMES.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// `enum nft_bitwise_ops` and `NFTA_BITWISE_SREG2` of Linux 6.13, for which this crate has no form.
#[test]
fn an_operation_of_a_later_kernel_is_kept_byte_for_byte() {
    const NFT_BITWISE_AND: u32 = 3;
    const NFTA_BITWISE_SREG2: u16 = 8;
    let Some(lab) = Lab::new(&[]) else { return };
    let mut kernel = lab.kernel();
    kernel.commit(&ground().seal().unwrap()).unwrap();
    let mut data = Vec::new();
    let mut w = Writer::new(&mut data);
    w.u32_be(NFTA_BITWISE_SREG, R1.0);
    w.u32_be(NFTA_BITWISE_DREG, R1.0);
    w.u32_be(NFTA_BITWISE_LEN, 4);
    w.u32_be(NFTA_BITWISE_OP, NFT_BITWISE_AND);
    w.u32_be(NFTA_BITWISE_SREG2, R2.0);
    w.finish().unwrap();
    let bitwise = Unknown { name: "bitwise".into(), data: Some(data.into()) };
    let sent = vec![network(R1, 12, 4), network(R2, 16, 4), bitwise.into()];
    let mut batch = Batch::begin(None);
    batch.add_rule(&rule("input", sent.clone()), Origin(1));
    match kernel.commit(&batch.seal().unwrap()) {
        Ok(_) => {
            let dump = kernel.rules(Family::Ip, &table(), None).unwrap();
            assert_eq!(dump.last().unwrap().expressions, sent);
        }
        Err(CommitError::Refused(_)) => println!("skipped: this kernel is older than 6.13"),
        Err(error) => panic!("{error}"),
    }
}
