//! Targets: which native statements do the same, and what statements read as.

mod classify;
mod connmark;
mod ct;
mod log;
mod mark;
mod nat;
mod nflog;
mod reject;

use std::borrow::Cow;

use super::condition::as_and_xor;
use super::{Form, Writer};
use crate::compile::CompileError;
use crate::compile::registers::TEST;
use crate::compile::stock::Extension;
use crate::name::ChainName;
use crate::nft::expr::{
    Bitwise, BitwiseOp, Ct, CtDirection, CtKey, Data, Expr, Immediate, Meta, MetaKey, NatKind, Notrack, Operand,
    Register, Verdict,
};
use crate::rule::{ChainRef, Family, Target};

/// Appends the statements of a target, or its xt extension.
pub(super) fn compile(t: &Target, w: &mut Writer<'_>) -> Result<(), CompileError> {
    let form = match t {
        Target::Accept => verdict(Verdict::Accept, w),
        Target::Drop => verdict(Verdict::Drop, w),
        Target::Return => verdict(Verdict::Return, w),
        Target::Jump(chain) => verdict(Verdict::Jump(led(chain, w)?), w),
        Target::Goto(chain) => verdict(Verdict::Goto(led(chain, w)?), w),
        Target::Checksum => Form::Xt("nft cannot fill in checksums"),
        Target::Classify(class) => classify::compile(*class, w),
        Target::Connmark(t) => connmark::compile(*t, w),
        Target::Ct(t) => ct::compile(t, w),
        Target::Dnat(t) => nat::compile(t, NatKind::Dnat, w)?,
        Target::Log(t) => log::compile(t, w)?,
        Target::Mark(t) => mark::compile(*t, w),
        Target::Masquerade(t) => nat::compile_port(t, nat::PortKind::Masquerade, w),
        Target::Nflog(t) => nflog::compile(t, w)?,
        Target::Notrack => {
            w.push(Expr::Notrack(Notrack));
            Form::Native
        }
        Target::Redirect(t) => nat::compile_port(t, nat::PortKind::Redirect, w),
        Target::Reject(t) => reject::compile(*t, w)?,
        Target::Snat(t) => nat::compile(t, NatKind::Snat, w)?,
        Target::Tcpmss(_) => Form::Xt("it adds the option where it is missing, which nft cannot"),
    };
    match form {
        Form::Native => Ok(()),
        Form::Xt(reason) => w.xt(name(t), &Extension::Target(Cow::Borrowed(t)), reason),
    }
}

fn verdict(verdict: Verdict, w: &mut Writer<'_>) -> Form {
    w.push(Expr::Immediate(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) }));
    Form::Native
}

/// The chain that a jump leads to.
fn led(chain: &ChainRef, w: &Writer<'_>) -> Result<ChainName, CompileError> {
    w.lead.chain.map_or_else(|| named(chain), |chain| Ok(chain.clone()))
}

/// The kernel's name of a chain; the wrapped-chain model has put it there.
fn named(chain: &ChainRef) -> Result<ChainName, CompileError> {
    match chain {
        ChainRef::Named(name) => Ok(name.clone()),
        ChainRef::Wrapped(name) => Err(CompileError::Unwrapped(name.clone())),
    }
}

/// Takes a target off the front of `rest`.
pub(super) fn lift(rest: &mut &[Expr], family: Family) -> Option<Target> {
    let (first, after) = rest.split_first()?;
    let (target, after) = match first {
        Expr::Immediate(Immediate { data: Operand::Verdict(verdict), .. }) => {
            let chain = |name: &ChainName| ChainRef::Named(name.clone());
            let target = match verdict {
                Verdict::Accept => Target::Accept,
                Verdict::Drop => Target::Drop,
                Verdict::Return => Target::Return,
                Verdict::Jump(name) => Target::Jump(chain(name)),
                Verdict::Goto(name) => Target::Goto(chain(name)),
                _ => return None,
            };
            (target, after)
        }
        Expr::Notrack(_) => (Target::Notrack, after),
        Expr::Log(log) => (if log.group.is_some() { nflog::lift(log)? } else { log::lift(log)? }, after),
        Expr::Reject(reject) => (Target::Reject(reject::lift(*reject, family)?), after),
        Expr::Nat(_) | Expr::Masq(_) | Expr::Redir(_) | Expr::Immediate(_) | Expr::Meta(_) | Expr::Ct(_) => {
            match Store::read(first, after).and_then(|(store, after)| Some((lift_store(&store)?, after))) {
                Some(found) => found,
                None => nat::lift(rest, family)?,
            }
        }
        _ => return None,
    };
    *rest = after;
    Some(target)
}

fn lift_store(store: &Store) -> Option<Target> {
    match (store.to, store.value) {
        (Place::Meta(MetaKey::PRIORITY), _) => classify::lift(store),
        (Place::Meta(MetaKey::MARK), Value::Constant(_) | Value::Loaded { from: Place::Meta(_), .. }) => {
            mark::lift(store)
        }
        (Place::Meta(MetaKey::MARK) | Place::Ct(CtKey::MARK, None), _) => connmark::lift(store),
        (Place::Ct(CtKey::ZONE, _), _) => ct::lift(store),
        _ => None,
    }
}

/// Where a value is stored, or loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Meta(MetaKey),
    Ct(CtKey, Option<CtDirection>),
}

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Constant(Data),
    /// `(from & and) ^ xor`, then shifted.
    Loaded {
        from: Place,
        /// `and`, `xor`; `None` leaves the value as it is.
        bits: Option<(u32, u32)>,
        /// Left when positive, right when negative.
        shift: i8,
    },
}

/// One statement that sets meta or connection data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Store {
    to: Place,
    value: Value,
}

impl Store {
    fn write(self, w: &mut Writer<'_>) {
        let sreg = w.lead.value.unwrap_or(TEST);
        match self.value {
            Value::Constant(_) if w.lead.value.is_some() => {}
            Value::Constant(data) => w.push(Expr::Immediate(Immediate { dreg: TEST, data: Operand::Value(data) })),
            Value::Loaded { from, bits, shift } => {
                w.push(match from {
                    Place::Meta(key) => Expr::Meta(Meta::Load { key, dreg: TEST }),
                    Place::Ct(key, direction) => Expr::Ct(Ct::Load { key, dreg: TEST, direction }),
                });
                if let Some((and, xor)) = bits {
                    w.push(super::condition::and_xor(and.to_ne_bytes().into(), xor.to_ne_bytes().into()));
                }
                if shift != 0 {
                    let by = u32::from(shift.unsigned_abs());
                    let op = if shift > 0 { BitwiseOp::Lshift(by) } else { BitwiseOp::Rshift(by) };
                    w.push(Expr::Bitwise(Bitwise { sreg: TEST, dreg: TEST, len: 4, op }));
                }
            }
        }
        w.push(match self.to {
            Place::Meta(key) => Expr::Meta(Meta::Store { key, sreg }),
            Place::Ct(key, direction) => Expr::Ct(Ct::Store { key, sreg, direction }),
        });
    }

    fn read<'a>(first: &Expr, mut after: &'a [Expr]) -> Option<(Self, &'a [Expr])> {
        let from = match *first {
            Expr::Immediate(Immediate { dreg: TEST, data: Operand::Value(data) }) => Err(data),
            Expr::Meta(Meta::Load { key, dreg: TEST }) => Ok(Place::Meta(key)),
            Expr::Ct(Ct::Load { key, dreg: TEST, direction }) => Ok(Place::Ct(key, direction)),
            _ => return None,
        };
        let (mut bits, mut shift) = (None, 0);
        loop {
            let (next, tail) = after.split_first()?;
            after = tail;
            let to = match (next, from) {
                (Expr::Meta(Meta::Store { key, sreg: TEST }), _) => Place::Meta(*key),
                (Expr::Ct(Ct::Store { key, sreg: TEST, direction }), _) => Place::Ct(*key, *direction),
                (Expr::Bitwise(b), Ok(_)) if shift == 0 => {
                    match b.op {
                        BitwiseOp::Lshift(by) => shift = i8::try_from(by).ok()?,
                        BitwiseOp::Rshift(by) => shift = -i8::try_from(by).ok()?,
                        BitwiseOp::MaskXor { .. } if bits.is_none() => {
                            let (and, xor) = as_and_xor(b)?;
                            let word = |d: Data| Some(u32::from_ne_bytes(d.as_bytes().try_into().ok()?));
                            bits = Some((word(and)?, word(xor)?));
                        }
                        BitwiseOp::MaskXor { .. } => return None,
                    }
                    continue;
                }
                _ => return None,
            };
            let value = match from {
                Err(data) => Value::Constant(data),
                Ok(from) => Value::Loaded { from, bits, shift },
            };
            return Some((Self { to, value }, after));
        }
    }
}

/// The name that iptables has for a target.
pub(super) fn name(t: &Target) -> &'static str {
    match t {
        Target::Accept => "ACCEPT",
        Target::Drop => "DROP",
        Target::Return => "RETURN",
        Target::Jump(_) => "-j",
        Target::Goto(_) => "-g",
        Target::Checksum => "CHECKSUM",
        Target::Classify(_) => "CLASSIFY",
        Target::Connmark(_) => "CONNMARK",
        Target::Ct(_) => "CT",
        Target::Dnat(_) => "DNAT",
        Target::Log(_) => "LOG",
        Target::Mark(_) => "MARK",
        Target::Masquerade(_) => "MASQUERADE",
        Target::Nflog(_) => "NFLOG",
        Target::Notrack => "NOTRACK",
        Target::Redirect(_) => "REDIRECT",
        Target::Reject(_) => "REJECT",
        Target::Snat(_) => "SNAT",
        Target::Tcpmss(_) => "TCPMSS",
    }
}
