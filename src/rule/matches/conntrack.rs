//! `-m conntrack` and `-m state`: what connection tracking knows about the packet.

use crate::rule::{Masked, Not, PortRange, Protocol};

bitflags::bitflags! {
    /// States of a packet's connection, with iptables' two virtual ones.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct CtStates: u16 {
        /// The packet belongs to no connection that makes sense.
        const INVALID = 1 << 0;
        /// Answers have been seen.
        const ESTABLISHED = 1 << 1;
        /// Belongs to another connection: an ICMP error, a helper's data channel.
        const RELATED = 1 << 2;
        /// First packet of a connection.
        const NEW = 1 << 3;
        /// Exempt from tracking.
        const UNTRACKED = 1 << 6;
        /// The source was translated (`--ctstate` only).
        const SNAT = 1 << 7;
        /// The destination was translated (`--ctstate` only).
        const DNAT = 1 << 8;
    }
}

bitflags::bitflags! {
    /// `--ctstatus`: `IPS_*` of `nf_conntrack_common.h`. No bit set: `NONE`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct CtStatus: u16 {
        /// `IPS_EXPECTED`.
        const EXPECTED = 1 << 0;
        /// `IPS_SEEN_REPLY`.
        const SEEN_REPLY = 1 << 1;
        /// `IPS_ASSURED`.
        const ASSURED = 1 << 2;
        /// `IPS_CONFIRMED`.
        const CONFIRMED = 1 << 3;
    }
}

/// Which way a packet of the connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CtDirection {
    /// As the first packet went.
    Original,
    /// As the answers go.
    Reply,
}

/// `-m conntrack`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Conntrack {
    /// `--ctstate`.
    pub state: Option<Not<CtStates>>,
    /// `--ctproto`.
    pub protocol: Option<Not<Protocol>>,
    /// `--ctorigsrc`. The address keeps its host bits.
    pub original_source: Option<Not<Masked>>,
    /// `--ctorigdst`.
    pub original_destination: Option<Not<Masked>>,
    /// `--ctreplsrc`.
    pub reply_source: Option<Not<Masked>>,
    /// `--ctrepldst`.
    pub reply_destination: Option<Not<Masked>>,
    /// `--ctorigsrcport`.
    pub original_source_port: Option<Not<PortRange>>,
    /// `--ctorigdstport`.
    pub original_destination_port: Option<Not<PortRange>>,
    /// `--ctreplsrcport`.
    pub reply_source_port: Option<Not<PortRange>>,
    /// `--ctrepldstport`.
    pub reply_destination_port: Option<Not<PortRange>>,
    /// `--ctstatus`.
    pub status: Option<Not<CtStatus>>,
    /// `--ctexpire`: first and last remaining second.
    pub expire: Option<Not<(u32, u32)>>,
    /// `--ctdir`.
    pub direction: Option<CtDirection>,
}
