//! What a rule does with a packet: one file a target.

mod connmark;
mod ct;
mod log;
mod nat;
mod nflog;
mod reject;
mod tcpmss;

pub use connmark::{Connmark, ConnmarkOp};
pub use ct::{Ct, CtEvents, CtZone, CtZoneDirection, CtZoneId};
pub use log::{Log, LogFlags};
pub use nat::{Nat, NatOptions, PortNat};
pub use nflog::Nflog;
pub use reject::Reject;
pub use tcpmss::Tcpmss;

use super::{ChainRef, MarkMask};

/// The target of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`.
    Drop,
    /// `-j RETURN`.
    Return,
    /// `-j CHAIN`.
    Jump(ChainRef),
    /// `-g CHAIN`.
    Goto(ChainRef),
    /// `-j CHECKSUM --checksum-fill`.
    Checksum,
    /// `-j CLASSIFY --set-class major:minor`, as `major << 16 | minor`.
    Classify(u32),
    /// `-j CONNMARK`.
    Connmark(Connmark),
    /// `-j CT`.
    Ct(Box<Ct>),
    /// `-j DNAT`.
    Dnat(Box<Nat>),
    /// `-j LOG`.
    Log(Log),
    /// `-j MARK --set-xmark value/mask`: `mark = (mark & ~mask) ^ value`.
    Mark(MarkMask),
    /// `-j MASQUERADE`.
    Masquerade(PortNat),
    /// `-j NFLOG`.
    Nflog(Nflog),
    /// `-j NOTRACK`, kept apart from `-j CT --notrack` because it prints as it was written.
    Notrack,
    /// `-j REDIRECT`.
    Redirect(PortNat),
    /// `-j REJECT`.
    Reject(Reject),
    /// `-j SNAT`.
    Snat(Box<Nat>),
    /// `-j TCPMSS`.
    Tcpmss(Tcpmss),
}
