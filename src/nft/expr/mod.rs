//! The instructions of a rule's register program, one file an expression, under the kernel's own names.
//!
//! Owns: a value type for each expression with `encode` (attributes of `NFTA_EXPR_DATA`) and `decode` side by side.
//! Never: decides which expression a rule needs; that is `compile`.
//!
//! Invariant: `decode(encode(e)) == e` for every `e` in normal form ([`Expr::normalized`]), and what the kernel dumps of
//! `e` decodes to the same. An expression this module does not know, or one whose attributes it cannot represent in full,
//! becomes [`Unknown`] and is written back byte for byte.
//!
//! Where the truth is: `include/uapi/linux/netfilter/nf_tables.h` and one `net/netfilter/nft_*.c` each (Linux v6.12).
//!
//! How it is tested: `tests.rs` (round trips, truncation, unknown attributes, random values), `tests/expressions.rs` (each
//! through a kernel), `tests/oracle` (each byte for byte as libnftnl writes it).

mod bitwise;
mod byteorder;
mod cmp;
mod compat;
mod connlimit;
mod counter;
mod ct;
mod data;
mod dynset;
mod exthdr;
mod fib;
mod fields;
mod hash;
mod immediate;
mod limit;
mod log;
mod lookup;
mod masq;
mod meta;
mod nat;
mod notrack;
mod numgen;
mod objref;
mod payload;
mod quota;
mod range;
mod redir;
mod register;
mod reject;
mod socket;
mod tproxy;
mod unknown;
mod verdict;

pub use bitwise::{Bitwise, BitwiseOp};
pub use byteorder::{Byteorder, ByteorderOp};
pub use cmp::{Cmp, CmpOp};
pub use compat::{Match, Target};
pub use connlimit::Connlimit;
pub use counter::Counter;
pub use ct::{Ct, CtDirection, CtKey};
pub use data::Data;
pub use dynset::{Dynset, DynsetOp};
pub use exthdr::{Exthdr, ExthdrOp};
pub use fib::{Fib, FibFlags, FibResult};
pub use hash::{Hash, HashKind};
pub use immediate::{Immediate, Operand};
pub use limit::{Limit, LimitKind};
pub use log::Log;
pub use lookup::{Lookup, SetRef};
pub use masq::Masq;
pub use meta::{Meta, MetaKey};
pub use nat::{Nat, NatFlags, NatKind};
pub use notrack::Notrack;
pub use numgen::{Numgen, NumgenKind};
pub use objref::Objref;
pub use payload::{Payload, PayloadBase};
pub use quota::Quota;
pub use range::Range;
pub use redir::Redir;
pub use register::Register;
pub use reject::{Reject, RejectKind};
pub use socket::{Socket, SocketKey};
pub use tproxy::Tproxy;
pub use unknown::Unknown;
pub use verdict::Verdict;

use crate::netlink::attr::{AttrError, Reader, Writer, align, required};
use crate::nft::uapi::{NFTA_EXPR_DATA, NFTA_EXPR_NAME, NFTA_LIST_ELEM};

/// `NFTA_EXPR_NAME` as it goes over the wire, made at compile time: encoding is copying.
const fn name_attribute<const SIZE: usize>(name: &str) -> [u8; SIZE] {
    let mut attribute = [0; SIZE];
    let (header, payload) = attribute.split_at_mut(4);
    let (len, kind) = header.split_at_mut(2);
    len.copy_from_slice(&(4 + name.len() as u16 + 1).to_ne_bytes());
    kind.copy_from_slice(&NFTA_EXPR_NAME.to_ne_bytes());
    payload.split_at_mut(name.len()).0.copy_from_slice(name.as_bytes());
    attribute
}

/// Makes [`Expr`] and all that goes over its variants, so that a new expression is one line.
macro_rules! expressions {
    (with data: $($variant:ident = $name:literal),+; without data: $($bare:ident = $bare_name:literal),+;) => {
        /// One instruction of a rule.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "each variant is documented on the type it holds")]
        pub enum Expr {
            $($variant($variant),)+
            $($bare($bare),)+
            Unknown(Unknown),
        }

        impl Expr {
            /// The kernel's names of the expressions that this crate knows.
            pub const NAMES: &[&str] = &[$($name,)+ $($bare_name),+];

            /// The kernel's name, `NFTA_EXPR_NAME`.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $name,)+
                    $(Self::$bare(_) => $bare_name,)+
                    Self::Unknown(expr) => &expr.name,
                }
            }

            /// Writes `NFTA_EXPR_NAME` and `NFTA_EXPR_DATA`: the payload of one `NFTA_LIST_ELEM`.
            #[inline]
            pub fn encode(&self, w: &mut Writer<'_>) {
                match self {
                    $(Self::$variant(expr) => {
                        w.raw(const { &name_attribute::<{ align(4 + $name.len() + 1) }>($name) });
                        w.nest(NFTA_EXPR_DATA, |w| expr.encode(w));
                    })+
                    $(Self::$bare(_) => w.string(NFTA_EXPR_NAME, $bare_name),)+
                    Self::Unknown(expr) => expr.encode(w),
                }
            }

            fn decode_known(name: &str, data: Reader<'_>) -> Result<Option<Self>, AttrError> {
                match name {
                    $($name => $variant::decode(data).map(|expr| Some(Self::$variant(expr))),)+
                    $($bare_name => $bare::decode(data).map(|expr| Some(Self::$bare(expr))),)+
                    _ => Ok(None),
                }
            }
        }

        $(impl From<$variant> for Expr {
            fn from(expr: $variant) -> Self {
                Self::$variant(expr)
            }
        })+

        $(impl From<$bare> for Expr {
            fn from(expr: $bare) -> Self {
                Self::$bare(expr)
            }
        })+

        impl From<Unknown> for Expr {
            fn from(expr: Unknown) -> Self {
                Self::Unknown(expr)
            }
        }
    };
}

expressions! {
    with data:
    Bitwise = "bitwise",
    Byteorder = "byteorder",
    Cmp = "cmp",
    Connlimit = "connlimit",
    Counter = "counter",
    Ct = "ct",
    Dynset = "dynset",
    Exthdr = "exthdr",
    Fib = "fib",
    Hash = "hash",
    Immediate = "immediate",
    Limit = "limit",
    Log = "log",
    Lookup = "lookup",
    Masq = "masq",
    Match = "match",
    Meta = "meta",
    Nat = "nat",
    Numgen = "numgen",
    Objref = "objref",
    Payload = "payload",
    Quota = "quota",
    Range = "range",
    Redir = "redir",
    Reject = "reject",
    Socket = "socket",
    Target = "target",
    Tproxy = "tproxy";
    without data:
    Notrack = "notrack";
}

impl Expr {
    /// Reads the payload of one `NFTA_LIST_ELEM`.
    ///
    /// The result is in [normal form](Expr::normalized). What is well-formed and yet not known here, or not in full,
    /// becomes [`Unknown`].
    ///
    /// # Errors
    /// [`AttrError`] when the name is missing, or an attribute list is cut off or malformed.
    pub fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = fields::Fields::<NFTA_EXPR_DATA>::read(reader)?;
        let name = required(f.attr(NFTA_EXPR_NAME), NFTA_EXPR_NAME, "NFTA_EXPR_NAME")?.string()?;
        let data = f.attr(NFTA_EXPR_DATA).map(|data| data.payload);
        match Self::decode_known(&name, Reader::new(data.unwrap_or_default())) {
            Ok(Some(expr)) => Ok(expr),
            Err(error @ (AttrError::Truncated { .. } | AttrError::BadLength { .. })) => Err(error),
            Ok(None) | Err(_) => Ok(Self::Unknown(Unknown { name: name.into(), data: data.map(Into::into) })),
        }
    }

    /// The same instruction in the one form that a dump of it decodes to: what the kernel takes by default or adds on
    /// its own is left out. Two expressions that mean the same to the kernel are equal in this form, names and ids of
    /// anonymous sets, counters and consumed quotas aside.
    #[must_use]
    pub fn normalized(self) -> Self {
        match self {
            Self::Dynset(expr) => Self::Dynset(expr.normalized()),
            Self::Limit(expr) => Self::Limit(expr.normalized()),
            Self::Log(expr) => Self::Log(expr.normalized()),
            Self::Masq(expr) => Self::Masq(expr.normalized()),
            Self::Nat(expr) => Self::Nat(expr.normalized()),
            Self::Redir(expr) => Self::Redir(expr.normalized()),
            Self::Reject(expr) => Self::Reject(expr.normalized()),
            same => same,
        }
    }
}

/// Writes one `NFTA_LIST_ELEM` an expression: the payload of `NFTA_RULE_EXPRESSIONS` and its like.
#[inline]
pub fn encode_list(exprs: &[Expr], w: &mut Writer<'_>) {
    for expr in exprs {
        w.nest(NFTA_LIST_ELEM, |w| expr.encode(w));
    }
}

/// Reads what [`encode_list`] writes.
///
/// # Errors
/// As [`Expr::decode`]; and [`AttrError::Unexpected`] for an attribute that is no `NFTA_LIST_ELEM`.
pub fn decode_list(reader: Reader<'_>) -> Result<Vec<Expr>, AttrError> {
    reader
        .map(|attr| match attr? {
            elem if elem.kind == NFTA_LIST_ELEM => Expr::decode(elem.attrs()),
            other => Err(AttrError::Unexpected { kind: other.kind }),
        })
        .collect()
}

#[cfg(test)]
mod tests;
