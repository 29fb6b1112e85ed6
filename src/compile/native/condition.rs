//! Conditions: what a native rule asks, as load, convert, test.
//!
//! Owns: the one shape that all native matches have in a register program, in both directions.
//! Never: knows which iptables option a condition stands for.
//!
//! Invariant: `read(write(c)) == c`. Every condition uses the first register only.
//!
//! Where the truth is: `nft --debug=netlink` (1.0.6) writes the same, but for ranges, which it spells as two
//! comparisons where this module uses one `range`.

use crate::compile::registers::{TEST, TEST_SECOND};
use crate::nft::expr::{
    Bitwise, BitwiseOp, Byteorder, ByteorderOp, Cmp, CmpOp, Ct, CtDirection, CtKey, Data, Expr, Exthdr, ExthdrOp, Fib,
    FibFlags, FibResult, Lookup, Meta, MetaKey, Payload, PayloadBase, Range, SetRef,
};

/// What is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Packet bytes, network order.
    Payload { base: PayloadBase, offset: u32, len: u32 },
    /// Meta data; integers in host order.
    Meta(MetaKey),
    /// Connection tracking data; integers in host order, addresses and ports in network order.
    Ct(CtKey, Option<CtDirection>),
    /// A routing lookup; a 32-bit integer in host order.
    Fib(FibResult, FibFlags),
    /// Whether a TCP option is there: one byte, 1 or 0.
    TcpOption(u8),
    /// Source and destination port, each in a word of its own.
    Ports,
}

impl Field {
    /// Whether it is loaded in the kernel's fast path, if it is of the transport header.
    pub(super) fn transport(self) -> Option<bool> {
        match self {
            Self::Payload { base: PayloadBase::Transport, offset, len } => {
                Some(matches!(len, 1 | 2 | 4) && offset.is_multiple_of(len))
            }
            Self::Ports => Some(true),
            _ => None,
        }
    }
}

/// What is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Cmp(CmpOp, Data),
    Range { negated: bool, from: Data, to: Data },
    Lookup { negated: bool, set: SetRef },
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) field: Field,
    /// Turned to network order (four bytes), so that larger and smaller mean something.
    pub(super) hton: bool,
    /// The bits that count.
    pub(super) mask: Option<Data>,
    pub(super) test: Test,
}

impl Condition {
    pub(super) fn new(field: Field, test: Test) -> Self {
        Self { field, hton: false, mask: None, test }
    }

    /// Equal to `data`, or not.
    pub(super) fn equals(field: Field, negated: bool, data: impl Into<Data>) -> Self {
        Self::new(field, Test::Cmp(if negated { CmpOp::Neq } else { CmpOp::Eq }, data.into()))
    }

    /// As [`equals`](Condition::equals), looking at the bits of `mask` only.
    pub(super) fn masked(field: Field, negated: bool, mask: impl Into<Data>, data: impl Into<Data>) -> Self {
        Self { mask: Some(mask.into()), ..Self::equals(field, negated, data) }
    }

    /// At least one bit of `mask` is set, or none.
    pub(super) fn any_bit(field: Field, negated: bool, mask: u32) -> Self {
        Self::masked(field, !negated, mask.to_ne_bytes(), [0; 4])
    }

    /// Between two values in network order, both included.
    pub(super) fn range(field: Field, negated: bool, from: impl Into<Data>, to: impl Into<Data>) -> Self {
        let (from, to) = (from.into(), to.into());
        if from == to {
            return Self::equals(field, negated, from);
        }
        Self::new(field, Test::Range { negated, from, to })
    }

    /// Between two values of a field that is a 32-bit integer in host order.
    pub(super) fn host_range(field: Field, negated: bool, first: u32, last: u32) -> Self {
        if first == last {
            return Self::equals(field, negated, first.to_ne_bytes());
        }
        Self { hton: true, ..Self::range(field, negated, first.to_be_bytes(), last.to_be_bytes()) }
    }

    /// The inverse of [`host_range`](Condition::host_range): negated, first, last.
    pub(super) fn as_host_range(&self) -> Option<(bool, u32, u32)> {
        match (&self.test, self.hton, self.mask) {
            (Test::Cmp(op, data), false, None) => {
                let value = u32::from_ne_bytes(data.as_bytes().try_into().ok()?);
                Some((is_neq(*op)?, value, value))
            }
            (Test::Range { negated, from, to }, true, None) => Some((
                *negated,
                u32::from_be_bytes(from.as_bytes().try_into().ok()?),
                u32::from_be_bytes(to.as_bytes().try_into().ok()?),
            )),
            _ => None,
        }
    }

    /// The inverse of [`range`](Condition::range): negated, first, last.
    pub(super) fn as_range<const N: usize>(&self) -> Option<(bool, [u8; N], [u8; N])> {
        if self.hton || self.mask.is_some() {
            return None;
        }
        let bytes = |d: &Data| <[u8; N]>::try_from(d.as_bytes()).ok();
        match &self.test {
            Test::Cmp(op, data) => Some((is_neq(*op)?, bytes(data)?, bytes(data)?)),
            Test::Range { negated, from, to } => Some((*negated, bytes(from)?, bytes(to)?)),
            Test::Lookup { .. } => None,
        }
    }

    /// The inverse of [`equals`](Condition::equals) and [`masked`](Condition::masked): negated, mask, value. The mask
    /// is all ones where there is none.
    pub(super) fn as_masked<const N: usize>(&self) -> Option<(bool, [u8; N], [u8; N])> {
        let Test::Cmp(op, data) = &self.test else { return None };
        let mask = match &self.mask {
            Some(mask) => mask.as_bytes().try_into().ok()?,
            None => [u8::MAX; N],
        };
        (!self.hton).then_some(())?;
        Some((is_neq(*op)?, mask, data.as_bytes().try_into().ok()?))
    }

    /// Equality without a mask, of whatever length: negated, value.
    pub(super) fn as_equals(&self) -> Option<(bool, Data)> {
        match &self.test {
            Test::Cmp(op, data) if !self.hton && self.mask.is_none() => Some((is_neq(*op)?, *data)),
            _ => None,
        }
    }

    /// The inverse of [`any_bit`](Condition::any_bit): negated, bits.
    pub(super) fn as_any_bit(&self) -> Option<(bool, u32)> {
        let (differs, mask, zero) = self.as_masked::<4>()?;
        (self.mask.is_some() && zero == [0; 4]).then(|| (!differs, u32::from_ne_bytes(mask)))
    }

    /// Appends its expressions.
    pub(super) fn write(self, out: &mut Vec<Expr>) {
        match self.field {
            Field::Payload { base, offset, len } => {
                out.push(Expr::Payload(Payload::Load { dreg: TEST, base, offset, len }));
            }
            Field::Meta(key) => out.push(Expr::Meta(Meta::Load { key, dreg: TEST })),
            Field::Ct(key, direction) => out.push(Expr::Ct(Ct::Load { key, dreg: TEST, direction })),
            Field::Fib(result, flags) => out.push(Expr::Fib(Fib { dreg: TEST, result, flags })),
            Field::TcpOption(kind) => out.push(Expr::Exthdr(Exthdr::Load {
                dreg: TEST,
                kind,
                offset: 0,
                len: 1,
                op: ExthdrOp::TcpOpt,
                present: true,
            })),
            Field::Ports => out.extend([(TEST, 0), (TEST_SECOND, 2)].map(|(dreg, offset)| {
                Expr::Payload(Payload::Load { dreg, base: PayloadBase::Transport, offset, len: 2 })
            })),
        }
        if self.hton {
            let op = ByteorderOp::Hton;
            out.push(Expr::Byteorder(Byteorder { sreg: TEST, dreg: TEST, op, len: 4, size: 4 }));
        }
        if let Some(mask) = self.mask {
            out.push(and_xor(mask, zeroes(mask)));
        }
        out.push(match self.test {
            Test::Cmp(op, data) => Expr::Cmp(Cmp { sreg: TEST, op, data }),
            Test::Range { negated, from, to } => {
                let op = if negated { CmpOp::Neq } else { CmpOp::Eq };
                Expr::Range(Range { sreg: TEST, op, from, to })
            }
            Test::Lookup { negated, set } => Expr::Lookup(Lookup { set, sreg: TEST, dreg: None, inverted: negated }),
        });
    }

    /// Takes one condition off the front of `rest`; leaves it as it is when there is none.
    pub(super) fn read(rest: &mut &[Expr]) -> Option<Self> {
        let (field, mut tail) = read_field(rest)?;
        let mut hton = false;
        let mut mask = None;
        loop {
            let (first, after) = tail.split_first()?;
            tail = after;
            let test = match first {
                Expr::Byteorder(Byteorder { sreg: TEST, dreg: TEST, op: ByteorderOp::Hton, len: 4, size: 4 })
                    if !hton && mask.is_none() =>
                {
                    hton = true;
                    continue;
                }
                Expr::Bitwise(b) if mask.is_none() => {
                    let (and, xor) = as_and_xor(b)?;
                    (xor == zeroes(and)).then_some(())?;
                    mask = Some(and);
                    continue;
                }
                Expr::Cmp(Cmp { sreg: TEST, op, data }) => Test::Cmp(*op, *data),
                Expr::Range(Range { sreg: TEST, op, from, to }) => {
                    Test::Range { negated: is_neq(*op)?, from: *from, to: *to }
                }
                Expr::Lookup(Lookup { set, sreg: TEST, dreg: None, inverted }) => {
                    Test::Lookup { negated: *inverted, set: set.clone() }
                }
                _ => return None,
            };
            *rest = tail;
            return Some(Self { field, hton, mask, test });
        }
    }
}

fn read_field<'a>(rest: &&'a [Expr]) -> Option<(Field, &'a [Expr])> {
    let (first, tail) = rest.split_first()?;
    let field = match *first {
        Expr::Payload(Payload::Load { dreg: TEST, base, offset, len }) => {
            if let Some((Expr::Payload(Payload::Load { dreg: TEST_SECOND, base: second, offset: 2, len: 2 }), tail)) =
                tail.split_first()
            {
                let both = (base, *second, offset, len) == (PayloadBase::Transport, PayloadBase::Transport, 0, 2);
                return both.then_some((Field::Ports, tail));
            }
            Field::Payload { base, offset, len }
        }
        Expr::Meta(Meta::Load { key, dreg: TEST }) => Field::Meta(key),
        Expr::Ct(Ct::Load { key, dreg: TEST, direction }) => Field::Ct(key, direction),
        Expr::Fib(Fib { dreg: TEST, result, flags }) => Field::Fib(result, flags),
        Expr::Exthdr(Exthdr::Load { dreg: TEST, kind, offset: 0, len: 1, op: ExthdrOp::TcpOpt, present: true }) => {
            Field::TcpOption(kind)
        }
        _ => return None,
    };
    Some((field, tail))
}

/// `reg = (reg & and) ^ xor` on the test register.
pub(super) fn and_xor(and: Data, xor: Data) -> Expr {
    let len = u32::try_from(and.as_bytes().len()).unwrap_or(u32::MAX);
    Expr::Bitwise(Bitwise { sreg: TEST, dreg: TEST, len, op: BitwiseOp::MaskXor { mask: and, xor } })
}

/// The inverse of [`and_xor`].
pub(super) fn as_and_xor(bitwise: &Bitwise) -> Option<(Data, Data)> {
    match *bitwise {
        Bitwise { sreg: TEST, dreg: TEST, op: BitwiseOp::MaskXor { mask, xor }, .. } => Some((mask, xor)),
        _ => None,
    }
}

fn zeroes(like: Data) -> Data {
    [0; Data::MAX].get(..like.as_bytes().len()).and_then(Data::new).unwrap_or_default()
}

fn is_neq(op: CmpOp) -> Option<bool> {
    match op {
        CmpOp::Eq => Some(false),
        CmpOp::Neq => Some(true),
        _ => None,
    }
}
