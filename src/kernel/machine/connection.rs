//! What connection tracking knows about a packet.

use std::net::IpAddr;

use crate::rule::Protocol;
use crate::rule::matches::{CtDirection, CtStates};

/// `skb->_nfct`: what is attached to a packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tracking {
    /// Nothing: connection tracking has not run, or made no sense of the packet. A state match says INVALID.
    #[default]
    None,
    /// Exempt (`NOTRACK`).
    Untracked,
    /// What `-j CT` leaves for connection tracking, which has not run yet.
    Template(Template),
    /// A connection.
    Connection(Box<Connection>),
}

/// What `-j CT` asks of connection tracking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Template {
    /// The zone of packets as the first goes.
    pub original_zone: u16,
    /// The zone of answers.
    pub reply_zone: u16,
    /// The zone is the packet's mark at the time of tracking, whatever the numbers say.
    pub zone_from_mark: bool,
    /// The mark that the template itself has: xt's connmark sees it, a native `ct mark` does not.
    pub mark: u32,
}

/// `struct nf_conn` as far as rules can ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// How the packet relates to it.
    pub state: CtState,
    /// Which way the packet goes.
    pub direction: CtDirection,
    /// `IPS_*` bits, the NAT ones included.
    pub status: u32,
    /// `ct mark`.
    pub mark: u32,
    /// Addresses and ports as the first packet had them.
    pub original: Tuple,
    /// Addresses and ports of answers.
    pub reply: Tuple,
    /// The layer-4 protocol.
    pub protocol: Protocol,
    /// Milliseconds that it has left.
    pub expires: u32,
}

/// `enum ip_conntrack_info` without the direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CtState {
    /// Part of an established connection.
    Established,
    /// Begins a connection that belongs to another, or is an ICMP error about one.
    Related,
    /// Begins a connection.
    New,
}

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Source port; the identifier of ICMP.
    pub source_port: u16,
    /// Destination port; type and code of ICMP.
    pub destination_port: u16,
}

impl Tracking {
    /// The one bit of `ctstate` that the packet has, without the virtual SNAT and DNAT.
    pub(super) fn state(&self) -> CtStates {
        match self {
            Self::None => CtStates::INVALID,
            Self::Untracked => CtStates::UNTRACKED,
            // `nf_ct_set(skb, template, IP_CT_NEW)`.
            Self::Template(_) => CtStates::NEW,
            Self::Connection(connection) => match connection.state {
                CtState::Established => CtStates::ESTABLISHED,
                CtState::Related => CtStates::RELATED,
                CtState::New => CtStates::NEW,
            },
        }
    }

    /// The connection, if there is one that is no template.
    pub(super) fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Connection(connection) => Some(connection),
            _ => None,
        }
    }

    /// The mark that xt extensions see and change, a template's included.
    pub(super) fn mark_mut(&mut self) -> Option<&mut u32> {
        match self {
            Self::Connection(connection) => Some(&mut connection.mark),
            Self::Template(template) => Some(&mut template.mark),
            _ => None,
        }
    }

    /// As [`mark_mut`](Tracking::mark_mut).
    pub(super) fn mark(&self) -> Option<u32> {
        match self {
            Self::Connection(connection) => Some(connection.mark),
            Self::Template(template) => Some(template.mark),
            _ => None,
        }
    }
}
