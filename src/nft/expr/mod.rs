//! The instructions of a rule's register program, one file an expression, under the kernel's own names.
//!
//! Owns: a value type for each expression with `encode` (attributes of `NFTA_EXPR_DATA`) and `decode` side by side.
//! Never: decides which expression a rule needs; that is `compile`.
//!
//! Invariant: `decode(encode(e)) == e`. An expression this module does not know, or one whose attributes it cannot
//! represent in full, becomes [`Unknown`] and is written back byte for byte.
//!
//! Where the truth is: `include/uapi/linux/netfilter/nf_tables.h` and one `net/netfilter/nft_*.c` each (Linux v6.12).

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

/// One instruction of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is documented on the type it holds")]
pub enum Expr {
    Bitwise(Bitwise),
    Byteorder(Byteorder),
    Cmp(Cmp),
    Connlimit(Connlimit),
    Counter(Counter),
    Ct(Ct),
    Dynset(Dynset),
    Exthdr(Exthdr),
    Fib(Fib),
    Hash(Hash),
    Immediate(Immediate),
    Limit(Limit),
    Log(Log),
    Lookup(Lookup),
    Masq(Masq),
    Match(Match),
    Meta(Meta),
    Nat(Nat),
    Notrack(Notrack),
    Numgen(Numgen),
    Objref(Objref),
    Payload(Payload),
    Quota(Quota),
    Range(Range),
    Redir(Redir),
    Reject(Reject),
    Socket(Socket),
    Target(Target),
    Tproxy(Tproxy),
    Unknown(Unknown),
}
