//! Register programs in readable form, for goldens, error messages and people.
//!
//! Owns: one line an expression in the words of libnftnl's debug output (`nft --debug=netlink`), and a compact form of a
//! whole rule in one line.
//! Never: parsed back, or compared to find out whether rules are equal; that is for values.
//!
//! Invariant: where libnftnl 1.2.4 can say all there is, the text is libnftnl's, byte for byte; `tests/oracle` compares.
//! Where it cannot (a queue verdict, a limit per five seconds, a newer key, an unknown expression), the text says more.
//!
//! Where the truth is: `nftnl_rule_snprintf` of libnftnl 1.2.4.

use std::fmt::{self, Display, Formatter};

use super::Family;
use super::expr::{
    Bitwise, BitwiseOp, ByteorderOp, CmpOp, Ct, CtDirection, CtKey, Data, Dynset, DynsetOp, Expr, Exthdr, ExthdrOp,
    Fib, FibFlags, FibResult, Hash, HashKind, Immediate, Limit, LimitKind, Log, Lookup, Meta, MetaKey, Nat, NatFlags,
    NatKind, NumgenKind, Objref, Operand, Payload, PayloadBase, Register, SocketKey, Verdict,
};
use super::uapi::{NF_LOG_IPOPT, NF_LOG_MACDECODE, NF_LOG_TCPOPT, NF_LOG_TCPSEQ, NF_LOG_UID};

/// A rule as libnftnl lists it: each expression on a line of its own, as in `  [ meta load l4proto => reg 1 ]`.
#[must_use]
pub fn rule(expressions: &[Expr]) -> impl Display + '_ {
    listed(move |f| {
        expressions.iter().enumerate().try_for_each(|(at, expr)| {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "  {}", expression(expr))
        })
    })
}

/// A rule in one line: `meta load l4proto => reg 1; cmp eq reg 1 0x00000006; immediate reg 0 accept`. What xt matches
/// and targets carry stands behind them in hexadecimal.
#[must_use]
pub fn compact(expressions: &[Expr]) -> impl Display + '_ {
    listed(move |f| {
        expressions.iter().enumerate().try_for_each(|(at, expr)| {
            if at > 0 {
                f.write_str("; ")?;
            }
            f.write_str(expr.name())?;
            arguments(expr, f)?;
            match expr {
                Expr::Match(m) => info(&m.info, f),
                Expr::Target(t) => info(&t.info, f),
                _ => Ok(()),
            }
        })
    })
}

/// One expression in brackets, as in `[ cmp eq reg 1 0x00000006 ]`.
#[must_use]
pub fn expression(expr: &Expr) -> impl Display + '_ {
    listed(move |f| {
        write!(f, "[ {}", expr.name())?;
        arguments(expr, f)?;
        f.write_str(" ]")
    })
}

fn info(bytes: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(" info 0x")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// A text that is written when it is asked for, so that a listing allocates nothing.
struct Listed<F>(F);

impl<F: Fn(&mut Formatter<'_>) -> fmt::Result> Display for Listed<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0(f)
    }
}

fn listed(write: impl Fn(&mut Formatter<'_>) -> fmt::Result) -> impl Display {
    Listed(write)
}

/// What stands after the name; each part brings the blank before it.
fn arguments(expr: &Expr, f: &mut Formatter<'_>) -> fmt::Result {
    match expr {
        Expr::Bitwise(bitwise) => list_bitwise(bitwise, f),
        Expr::Byteorder(b) => {
            let op = match b.op {
                ByteorderOp::Ntoh => "ntoh",
                ByteorderOp::Hton => "hton",
            };
            write!(f, " {} = {op}({}, {}, {})", b.dreg, b.sreg, b.size, b.len)
        }
        Expr::Cmp(cmp) => write!(f, " {} {} {}", cmp_op(cmp.op), cmp.sreg, words(&cmp.data)),
        Expr::Connlimit(c) => write!(f, " count {} flags {:x}", c.count, u32::from(c.over)),
        Expr::Counter(c) => write!(f, " pkts {} bytes {}", c.packets, c.bytes),
        Expr::Ct(ct) => list_ct(ct, f),
        Expr::Dynset(dynset) => list_dynset(dynset, f),
        Expr::Exthdr(exthdr) => list_exthdr(exthdr, f),
        Expr::Fib(fib) => list_fib(fib, f),
        Expr::Hash(hash) => list_hash(hash, f),
        Expr::Immediate(Immediate { dreg, data: Operand::Value(data) }) => write!(f, " {dreg} {}", words(data)),
        Expr::Immediate(Immediate { dreg, data: Operand::Verdict(verdict) }) => {
            write!(f, " {dreg} {}", self::verdict(verdict))
        }
        Expr::Limit(limit) => list_limit(limit, f),
        Expr::Log(log) => list_log(log, f),
        Expr::Lookup(lookup) => list_lookup(lookup, f),
        Expr::Masq(m) => {
            register(" proto_min", m.proto_min, f)?;
            register(" proto_max", m.proto_max, f)?;
            nat_flags(m.flags, f)
        }
        Expr::Match(m) => write!(f, " name {} rev {}", m.name, m.revision),
        Expr::Meta(Meta::Load { key, dreg }) => write!(f, " load {} => {dreg}", meta_key(*key)),
        Expr::Meta(Meta::Store { key, sreg }) => write!(f, " set {} with {sreg}", meta_key(*key)),
        Expr::Nat(nat) => list_nat(nat, f),
        Expr::Notrack(_) => Ok(()),
        Expr::Numgen(n) => {
            let kind = match n.kind {
                NumgenKind::Incremental => "inc",
                NumgenKind::Random => "random",
            };
            write!(f, " {} = {kind} mod {}", n.dreg, n.modulus)?;
            offset(n.offset, f)
        }
        Expr::Objref(Objref::Name { kind, name }) => write!(f, " type {kind} name {name}"),
        Expr::Objref(Objref::Map { set, sreg }) => write!(f, " sreg {} set {}", sreg.0, set.name),
        Expr::Payload(payload) => list_payload(payload, f),
        Expr::Quota(q) => write!(f, " bytes {} consumed {} flags {}", q.bytes, q.consumed, u32::from(q.over)),
        Expr::Range(r) => write!(f, " {} {} {} {}", cmp_op(r.op), r.sreg, words(&r.from), words(&r.to)),
        Expr::Redir(r) => {
            register(" proto_min", r.proto_min, f)?;
            register(" proto_max", r.proto_max, f)?;
            nat_flags(r.flags, f)
        }
        Expr::Reject(r) => write!(f, " type {} code {}", r.kind.number(), r.code),
        Expr::Socket(s) => match s.key {
            SocketKey::Transparent => write!(f, " load transparent => {}", s.dreg),
            SocketKey::Mark => write!(f, " load mark => {}", s.dreg),
            SocketKey::Wildcard => write!(f, " load wildcard => {}", s.dreg),
            SocketKey::Cgroupv2 { level } => write!(f, " load cgroupv2 => {} level {level}", s.dreg),
        },
        Expr::Target(t) => write!(f, " name {} rev {}", t.name, t.revision),
        Expr::Tproxy(t) => {
            match (t.family, Family::from_nfproto(t.family)) {
                (0, _) => {}
                (_, Some(family)) => write!(f, " {family}")?,
                (other, None) => write!(f, " family {other}")?,
            }
            register(" addr", t.addr, f)?;
            register(" port", t.port, f)
        }
        Expr::Unknown(unknown) => match &unknown.data {
            Some(data) => {
                f.write_str(" unknown 0x")?;
                data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            None => f.write_str(" unknown"),
        },
    }
}

impl Display for Register {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "reg {}", self.0)
    }
}

/// A verdict: `accept`, `jump -> chain`.
#[must_use]
pub fn verdict(verdict: &Verdict) -> impl Display + '_ {
    listed(move |f| match verdict {
        Verdict::Accept => f.write_str("accept"),
        Verdict::Drop => f.write_str("drop"),
        Verdict::Continue => f.write_str("continue"),
        Verdict::Break => f.write_str("break"),
        Verdict::Return => f.write_str("return"),
        Verdict::Jump(chain) => write!(f, "jump -> {chain}"),
        Verdict::Goto(chain) => write!(f, "goto -> {chain}"),
        Verdict::Other(code) => write!(f, "code {code:#x}"),
    })
}

/// Register contents as libnftnl prints them: 32-bit words in host order, the last one filled up with zeros.
#[must_use]
pub fn words(data: &Data) -> impl Display + '_ {
    listed(move |f| {
        data.as_bytes().chunks(4).enumerate().try_for_each(|(at, chunk)| {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            let blank = if at > 0 { " " } else { "" };
            write!(f, "{blank}{:#010x}", u32::from_ne_bytes(word))
        })
    })
}

fn register(name: &str, register: Option<Register>, f: &mut Formatter<'_>) -> fmt::Result {
    register.map_or(Ok(()), |register| write!(f, "{name} {register}"))
}

fn nat_flags(flags: NatFlags, f: &mut Formatter<'_>) -> fmt::Result {
    if flags.is_empty() { Ok(()) } else { write!(f, " flags {:#x}", flags.bits()) }
}

fn offset(offset: u32, f: &mut Formatter<'_>) -> fmt::Result {
    if offset == 0 { Ok(()) } else { write!(f, " offset {offset}") }
}

fn cmp_op(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "eq",
        CmpOp::Neq => "neq",
        CmpOp::Lt => "lt",
        CmpOp::Lte => "lte",
        CmpOp::Gt => "gt",
        CmpOp::Gte => "gte",
    }
}

fn list_bitwise(b: &Bitwise, f: &mut Formatter<'_>) -> fmt::Result {
    let Bitwise { sreg, dreg, op, .. } = b;
    match op {
        BitwiseOp::MaskXor { mask, xor } => write!(f, " {dreg} = ( {sreg} & {} ) ^ {}", words(mask), words(xor)),
        BitwiseOp::Lshift(bits) => write!(f, " {dreg} = ( {sreg} << {bits:#010x} )"),
        BitwiseOp::Rshift(bits) => write!(f, " {dreg} = ( {sreg} >> {bits:#010x} )"),
    }
}

fn list_ct(ct: &Ct, f: &mut Formatter<'_>) -> fmt::Result {
    let direction = match *ct {
        Ct::Load { key, dreg, direction } => {
            write!(f, " load {} => {dreg}", ct_key(key))?;
            direction
        }
        Ct::Store { key, sreg, direction } => {
            write!(f, " set {} with {sreg}", ct_key(key))?;
            direction
        }
    };
    match direction {
        None => Ok(()),
        Some(CtDirection::Original) => f.write_str(" , dir original"),
        Some(CtDirection::Reply) => f.write_str(" , dir reply"),
    }
}

fn list_dynset(d: &Dynset, f: &mut Formatter<'_>) -> fmt::Result {
    let op = match d.op {
        DynsetOp::Add => "add",
        DynsetOp::Update => "update",
        DynsetOp::Delete => "delete",
    };
    write!(f, " {op} reg_key {} set {}", d.sreg_key.0, d.set.name)?;
    if let Some(sreg) = d.sreg_data {
        write!(f, " sreg_data {}", sreg.0)?;
    }
    if let Some(timeout) = d.timeout {
        write!(f, " timeout {timeout}ms")?;
    }
    d.exprs.iter().try_for_each(|expr| write!(f, " expr {}", expression(expr)))
}

fn list_exthdr(exthdr: &Exthdr, f: &mut Formatter<'_>) -> fmt::Result {
    let name = |op| match op {
        ExthdrOp::Ipv6 => "ipv6",
        ExthdrOp::TcpOpt => "tcpopt",
        ExthdrOp::Ipv4 => "ipv4",
        ExthdrOp::Sctp => "sctp",
        ExthdrOp::Dccp => "dccp",
    };
    match *exthdr {
        Exthdr::Load { dreg, kind, offset, len, op, present } => {
            let present = if present { " present" } else { "" };
            write!(f, " load {} {len}b @ {kind} + {offset}{present} => {dreg}", name(op))
        }
        Exthdr::Store { sreg, kind, offset, len, op } => {
            write!(f, " write {} {sreg} => {len}b @ {kind} + {offset}", name(op))
        }
        Exthdr::Strip { kind, op } => write!(f, " reset {} {kind}", name(op)),
    }
}

fn list_fib(fib: &Fib, f: &mut Formatter<'_>) -> fmt::Result {
    let names = [
        (FibFlags::SADDR, "saddr"),
        (FibFlags::DADDR, "daddr"),
        (FibFlags::MARK, "mark"),
        (FibFlags::IIF, "iif"),
        (FibFlags::OIF, "oif"),
    ];
    let mut between = " ";
    for (flag, name) in names {
        if fib.flags.contains(flag) {
            write!(f, "{between}{name}")?;
            between = " . ";
        }
    }
    let rest = fib.flags.difference(FibFlags::all());
    if !rest.is_empty() {
        write!(f, "{between}unknown {:#x}", rest.bits())?;
    }
    let result = match fib.result {
        FibResult::Oif => "oif",
        FibResult::OifName => "oifname",
        FibResult::AddrType => "type",
    };
    let present = if fib.flags.contains(FibFlags::PRESENT) { " present" } else { "" };
    write!(f, " {result}{present} => {}", fib.dreg)
}

fn list_hash(hash: &Hash, f: &mut Formatter<'_>) -> fmt::Result {
    match hash.kind {
        HashKind::Jenkins { sreg, len, seed } => {
            write!(f, " {} = jhash({sreg}, {len}, {:#x})", hash.dreg, seed.unwrap_or(0))?;
        }
        HashKind::Symmetric => write!(f, " {} = symhash()", hash.dreg)?,
    }
    write!(f, " % mod {}", hash.modulus)?;
    offset(hash.offset, f)
}

fn list_limit(limit: &Limit, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, " rate {}/", limit.rate)?;
    match limit.unit {
        1 => f.write_str("second")?,
        60 => f.write_str("minute")?,
        3_600 => f.write_str("hour")?,
        86_400 => f.write_str("day")?,
        604_800 => f.write_str("week")?,
        seconds => write!(f, "{seconds}s")?,
    }
    let kind = match limit.kind {
        LimitKind::Packets => "packets",
        LimitKind::Bytes => "bytes",
    };
    write!(f, " burst {} type {kind} flags {:#x}", limit.burst, u32::from(limit.over))
}

fn list_log(log: &Log, f: &mut Formatter<'_>) -> fmt::Result {
    if let Some(prefix) = &log.prefix {
        f.write_str(" prefix ")?;
        // A prefix may hold anything; a listing keeps to its line.
        prefix
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })?;
    }
    if let Some(group) = log.group {
        write!(f, " group {group} snaplen {} qthreshold {}", log.snaplen.unwrap_or(0), log.qthreshold.unwrap_or(0))?;
    }
    if let Some(level) = log.level {
        write!(f, " level {level}")?;
    }
    let flags = log.flags.unwrap_or(0);
    let names = [
        (NF_LOG_TCPSEQ, " tcpseq"),
        (NF_LOG_TCPOPT, " tcpopt"),
        (NF_LOG_IPOPT, " ipopt"),
        (NF_LOG_UID, " uid"),
        (NF_LOG_MACDECODE, " macdecode"),
    ];
    names.iter().filter(|(flag, _)| flags & flag != 0).try_for_each(|(_, name)| f.write_str(name))
}

fn list_lookup(lookup: &Lookup, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, " {} set {}", lookup.sreg, lookup.set.name)?;
    if let Some(dreg) = lookup.dreg {
        write!(f, " dreg {}", dreg.0)?;
    }
    if lookup.inverted { f.write_str(" 0x1") } else { Ok(()) }
}

fn list_nat(nat: &Nat, f: &mut Formatter<'_>) -> fmt::Result {
    let kind = match nat.kind {
        NatKind::Snat => "snat",
        NatKind::Dnat => "dnat",
    };
    write!(f, " {kind} {}", nat.family)?;
    register(" addr_min", nat.addr_min, f)?;
    register(" addr_max", nat.addr_max, f)?;
    register(" proto_min", nat.proto_min, f)?;
    register(" proto_max", nat.proto_max, f)?;
    nat_flags(nat.flags, f)
}

fn list_payload(payload: &Payload, f: &mut Formatter<'_>) -> fmt::Result {
    let name = |base| match base {
        PayloadBase::Link => "link",
        PayloadBase::Network => "network",
        PayloadBase::Transport => "transport",
        PayloadBase::Inner => "inner",
    };
    match *payload {
        Payload::Load { dreg, base, offset, len } => {
            write!(f, " load {len}b @ {} header + {offset} => {dreg}", name(base))
        }
        Payload::Store { sreg, base, offset, len, csum_type, csum_offset, csum_flags } => write!(
            f,
            " write {sreg} => {len}b @ {} header + {offset} csum_type {csum_type} csum_off {csum_offset} csum_flags {csum_flags:#x}",
            name(base)
        ),
    }
}

/// libnftnl's words for the first keys of `enum nft_meta_keys`, in order.
const META_KEYS: [&str; 35] = [
    "len",
    "protocol",
    "priority",
    "mark",
    "iif",
    "oif",
    "iifname",
    "oifname",
    "iiftype",
    "oiftype",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "secmark",
    "nfproto",
    "l4proto",
    "bri_iifname",
    "bri_oifname",
    "pkttype",
    "cpu",
    "iifgroup",
    "oifgroup",
    "cgroup",
    "prandom",
    "secpath",
    "iifkind",
    "oifkind",
    "bri_iifpvid",
    "bri_iifvproto",
    "time",
    "day",
    "hour",
    "sdif",
    "sdifname",
];

/// The same for `enum nft_ct_keys`.
const CT_KEYS: [&str; 23] = [
    "state",
    "direction",
    "status",
    "mark",
    "secmark",
    "expiration",
    "helper",
    "l3protocol",
    "src",
    "dst",
    "protocol",
    "proto_src",
    "proto_dst",
    "label",
    "packets",
    "bytes",
    "avgpkt",
    "zone",
    "event",
    "src_ip",
    "dst_ip",
    "src_ip6",
    "dst_ip6",
];

fn key(names: &'static [&'static str], number: u32) -> impl Display {
    listed(move |f| match usize::try_from(number).ok().and_then(|at| names.get(at)) {
        Some(name) => f.write_str(name),
        None => write!(f, "key {number}"),
    })
}

fn meta_key(MetaKey(number): MetaKey) -> impl Display {
    key(&META_KEYS, number)
}

fn ct_key(CtKey(number): CtKey) -> impl Display {
    key(&CT_KEYS, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ChainName;
    use crate::nft::expr::{Cmp, Match, Unknown};

    fn program() -> Vec<Expr> {
        vec![
            Meta::Load { key: MetaKey::L4PROTO, dreg: Register::R1 }.into(),
            Cmp { sreg: Register::R1, op: CmpOp::Eq, data: Data::from([6]) }.into(),
            Match { name: "tcp".into(), revision: 0, info: [0, 0, 255, 255].into() }.into(),
            Immediate {
                dreg: Register::VERDICT,
                data: Operand::Verdict(Verdict::Jump(ChainName::new("nova-compute-sg-fallback").unwrap())),
            }
            .into(),
        ]
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_rule_lists_as_libnftnl_lists_it() {
        let text = "  [ meta load l4proto => reg 1 ]
  [ cmp eq reg 1 0x00000006 ]
  [ match name tcp rev 0 ]
  [ immediate reg 0 jump -> nova-compute-sg-fallback ]";
        assert_eq!(rule(&program()).to_string(), text);
        assert_eq!(rule(&[]).to_string(), "");
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_compact_form_keeps_to_one_line_and_shows_what_extensions_carry() {
        let text = "meta load l4proto => reg 1; cmp eq reg 1 0x00000006; match name tcp rev 0 info 0x0000ffff; \
                    immediate reg 0 jump -> nova-compute-sg-fallback";
        assert_eq!(compact(&program()).to_string(), text);
        let log = Log { prefix: Some("one\ntwo".into()), ..Log::default() };
        assert_eq!(compact(&[log.into()]).to_string(), "log prefix one\\ntwo");
    }

    #[test]
    fn what_libnftnl_has_no_word_for_is_said_all_the_same() {
        let limit = Limit { rate: 1, unit: 5, burst: 5, kind: LimitKind::Packets, over: false };
        assert_eq!(expression(&limit.into()).to_string(), "[ limit rate 1/5s burst 5 type packets flags 0x0 ]");
        let meta = Meta::Load { key: MetaKey(99), dreg: Register::R1 };
        assert_eq!(expression(&meta.into()).to_string(), "[ meta load key 99 => reg 1 ]");
        let unknown = Unknown { name: "synproxy".into(), data: Some([1, 2].into()) };
        assert_eq!(expression(&unknown.into()).to_string(), "[ synproxy unknown 0x0102 ]");
        let queue = Immediate { dreg: Register::VERDICT, data: Operand::Verdict(Verdict::Other(3)) };
        assert_eq!(expression(&queue.into()).to_string(), "[ immediate reg 0 code 0x3 ]");
    }
}
