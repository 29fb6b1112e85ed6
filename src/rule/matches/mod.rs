//! What a rule asks of a packet beyond addresses, interfaces and protocol: one file a match.

mod addrtype;
mod conntrack;
mod dccp;
mod icmp;
mod iprange;
mod limit;
mod multiport;
mod owner;
mod physdev;
mod pkttype;
mod rpfilter;
mod sctp;
mod set;
mod tcp;
mod tos;
mod ttl;
mod udp;

pub use addrtype::{AddrTypes, Addrtype, AddrtypeLimit};
pub use conntrack::{Conntrack, CtDirection, CtStates, CtStatus};
pub use dccp::Dccp;
pub use icmp::IcmpType;
pub use iprange::Iprange;
pub use limit::{Limit, RateUnit};
pub use multiport::{Multiport, MultiportSide};
pub use owner::Owner;
pub use physdev::Physdev;
pub use pkttype::Pkttype;
pub use rpfilter::Rpfilter;
pub use sctp::Sctp;
pub use set::{Set, SetCounter, SetCounterOp, SetDirection};
pub use tcp::{Tcp, TcpFlags};
pub use tos::Tos;
pub use ttl::{Ttl, TtlOp};
pub use udp::Udp;

use super::{MarkMask, Not};
pub use crate::name::Comment;

/// One match of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Match {
    /// `-m addrtype`.
    Addrtype(Addrtype),
    /// `-m comment`: matches everything.
    Comment(Comment),
    /// `-m connmark`.
    Connmark(Not<MarkMask>),
    /// `-m conntrack`.
    Conntrack(Box<Conntrack>),
    /// `-m dccp`.
    Dccp(Dccp),
    /// `-m dscp`: 0 to 63.
    Dscp(Not<u8>),
    /// `-m hl` (IPv6).
    Hl(Ttl),
    /// `-m icmp` (IPv4).
    Icmp(Not<IcmpType>),
    /// `-m icmp6` (IPv6).
    Icmp6(Not<IcmpType>),
    /// `-m iprange`.
    Iprange(Box<Iprange>),
    /// `-m length`: first and last packet length, bytes.
    Length(Not<(u16, u16)>),
    /// `-m limit`.
    Limit(Limit),
    /// `-m mac --mac-source`.
    Mac(Not<[u8; 6]>),
    /// `-m mark`.
    Mark(Not<MarkMask>),
    /// `-m multiport`.
    Multiport(Multiport),
    /// `-m owner`.
    Owner(Owner),
    /// `-m physdev`.
    Physdev(Box<Physdev>),
    /// `-m pkttype`.
    Pkttype(Not<Pkttype>),
    /// `-m rpfilter`.
    Rpfilter(Rpfilter),
    /// `-m sctp`.
    Sctp(Sctp),
    /// `-m set`.
    Set(Box<Set>),
    /// `-m state`.
    State(Not<CtStates>),
    /// `-m tcp`.
    Tcp(Tcp),
    /// `-m tos`.
    Tos(Not<Tos>),
    /// `-m ttl` (IPv4).
    Ttl(Ttl),
    /// `-m udp`.
    Udp(Udp),
}
