//! A load, an optional mask and a comparison: what native matches are made of, written and read.

use crate::nft::expr::{
    Bitwise, BitwiseOp, Cmp, CmpOp, Data, Expr, Meta, MetaKey, Payload, PayloadBase, Range, Register,
};

/// Where a value is loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Meta data.
    Meta(MetaKey),
    /// Packet bytes.
    Payload {
        /// Where the offset counts from.
        base: PayloadBase,
        /// First byte.
        offset: u32,
        /// Number of bytes.
        len: u32,
    },
}

impl Source {
    /// The load into the first register.
    fn load(self) -> Expr {
        match self {
            Self::Meta(key) => Expr::Meta(Meta::Load { key, dreg: Register::R1 }),
            Self::Payload { base, offset, len } => {
                Expr::Payload(Payload::Load { dreg: Register::R1, base, offset, len })
            }
        }
    }
}

/// What the loaded value is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// With one value.
    Cmp(CmpOp, Data),
    /// Inside a range, or outside it when `outside`.
    Range {
        /// Outside.
        outside: bool,
        /// First value.
        from: Data,
        /// Last value.
        to: Data,
    },
}

impl Condition {
    /// Equal, or not equal when `negated`.
    pub(super) fn equals(value: impl Into<Data>, negated: bool) -> Self {
        Self::Cmp(if negated { CmpOp::Neq } else { CmpOp::Eq }, value.into())
    }

    /// The value of an (in)equality, and whether it is an inequality.
    pub(super) fn equality(&self) -> Option<(&[u8], bool)> {
        match self {
            Self::Cmp(CmpOp::Eq, data) => Some((data.as_bytes(), false)),
            Self::Cmp(CmpOp::Neq, data) => Some((data.as_bytes(), true)),
            _ => None,
        }
    }
}

/// Whether `expressions` begin with a load that nothing looks at: 1.8.9 writes `-i +` so.
pub(super) fn is_idle_load(expressions: &[Expr]) -> bool {
    match expressions {
        [Expr::Meta(Meta::Load { key: MetaKey::IIFNAME | MetaKey::OIFNAME, .. }), rest @ ..] => {
            !matches!(rest, [Expr::Cmp(_) | Expr::Bitwise(_) | Expr::Range(_) | Expr::Lookup(_), ..])
        }
        _ => false,
    }
}

/// One native match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Test {
    /// What is loaded.
    pub(super) source: Source,
    /// The bits that count, as long as the load.
    pub(super) mask: Option<Data>,
    /// What they are compared with.
    pub(super) condition: Condition,
}

impl Test {
    /// Appends its expressions.
    pub(super) fn write(&self, out: &mut Vec<Expr>) {
        out.push(self.source.load());
        if let Some(mask) = self.mask {
            let zeros = [0; Data::MAX];
            let len = mask.as_bytes().len();
            let xor = zeros.get(..len).and_then(Data::new).unwrap_or_default();
            #[allow(clippy::cast_possible_truncation, reason = "at most Data::MAX")]
            let len = len as u32;
            out.push(Expr::Bitwise(Bitwise {
                sreg: Register::R1,
                dreg: Register::R1,
                len,
                op: BitwiseOp::MaskXor { mask, xor },
            }));
        }
        out.push(match self.condition {
            Condition::Cmp(op, data) => Expr::Cmp(Cmp { sreg: Register::R1, op, data }),
            Condition::Range { outside, from, to } => {
                Expr::Range(Range { sreg: Register::R1, op: if outside { CmpOp::Neq } else { CmpOp::Eq }, from, to })
            }
        });
    }

    /// Reads one at the start of `expressions`, which begins with a load; gives what is left.
    pub(super) fn read(expressions: &[Expr]) -> Result<(Self, &[Expr]), &'static str> {
        let (source, reg, rest) = match expressions {
            [Expr::Meta(Meta::Load { key, dreg }), rest @ ..] => (Source::Meta(*key), *dreg, rest),
            [Expr::Payload(Payload::Load { dreg, base, offset, len }), rest @ ..] => {
                (Source::Payload { base: *base, offset: *offset, len: *len }, *dreg, rest)
            }
            _ => return Err("iptables only loads values"),
        };
        let (mask, reg, rest) = match rest {
            [Expr::Bitwise(Bitwise { sreg, dreg, op: BitwiseOp::MaskXor { mask, xor }, .. }), rest @ ..]
                if *sreg == reg && xor.as_bytes().iter().all(|&b| b == 0) =>
            {
                (Some(*mask), *dreg, rest)
            }
            rest => (None, reg, rest),
        };
        let (condition, rest) = match rest {
            // nft writes a range as two comparisons.
            [
                Expr::Cmp(Cmp { sreg, op: CmpOp::Gte, data: from }),
                Expr::Cmp(Cmp { sreg: sreg2, op: CmpOp::Lte, data: to }),
                rest @ ..,
            ] if *sreg == reg && *sreg2 == reg => (Condition::Range { outside: false, from: *from, to: *to }, rest),
            [Expr::Cmp(Cmp { sreg, op, data }), rest @ ..] if *sreg == reg => (Condition::Cmp(*op, *data), rest),
            [Expr::Range(Range { sreg, op, from, to }), rest @ ..] if *sreg == reg => {
                (Condition::Range { outside: *op == CmpOp::Neq, from: *from, to: *to }, rest)
            }
            _ => return Err("what it loads is not compared with a constant"),
        };
        Ok((Self { source, mask, condition }, rest))
    }
}
