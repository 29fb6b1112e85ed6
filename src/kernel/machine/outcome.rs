//! What became of a packet.

use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

use super::connection::{Template, Tracking};
use super::packet::Packet;
use crate::name::{ChainName, SetName};
use crate::nft::expr::NatFlags;
use crate::rule::Family;
use crate::rule::targets::{CtEvents, Tcpmss};
use crate::wrap::Hook;

/// What became of a packet in a chain, or at a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it goes on.
    pub verdict: Verdict,
    /// `skb->mark` at the end.
    pub mark: u32,
    /// `skb->priority` at the end.
    pub priority: u32,
    /// What is attached to it at the end: zones and the connection's mark.
    pub tracking: Tracking,
    /// What else was done, in order.
    pub effects: Vec<Effect>,
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet goes on.
    Accept,
    /// It ends here.
    Drop,
    /// It ends here and the sender is told.
    Reject(Answer),
}

/// What a rejected packet's sender gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A TCP reset.
    Reset,
    /// ICMP or ICMPv6 "destination unreachable" with this code.
    Unreachable(u8),
}

/// Something done to a packet or because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A line in the kernel's log.
    Log {
        /// Syslog level.
        level: u32,
        /// The line's start.
        prefix: Arc<str>,
        /// `NF_LOG_*`.
        flags: u32,
    },
    /// A copy for user space.
    Nflog {
        /// The group.
        group: u16,
        /// The prefix.
        prefix: Arc<str>,
        /// Bytes that are copied; all of them when not given.
        size: Option<u32>,
        /// Packets that are gathered before they are sent; 0 for the default.
        threshold: u16,
    },
    /// Connection tracking ran, with what `-j CT` had left for it.
    Track(Template),
    /// The address or port is translated.
    Translate(Translation),
    /// The checksum is filled in.
    Checksum,
    /// The maximum segment size is changed.
    Tcpmss(Tcpmss),
    /// `-j CT` asks for more than a zone.
    Helper {
        /// The helper.
        helper: Option<Arc<str>>,
        /// The timeout policy.
        timeout: Option<Arc<str>>,
        /// Events that are reported.
        events: Option<CtEvents>,
        /// New expectations are reported.
        expect_new: bool,
    },
}

/// A translation that is set up for the packet's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Which end.
    pub kind: TranslationKind,
    /// The new address, or how it is found.
    pub to: NewSource,
    /// First and last new port.
    pub ports: Option<(u16, u16)>,
    /// The port that maps to the first of [`ports`](Translation::ports).
    pub base_port: Option<u16>,
    /// Random and persistent bits; those that only say which of the fields are there are left out.
    pub flags: NatFlags,
}

/// Which end is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TranslationKind {
    /// The source.
    Source,
    /// The destination.
    Destination,
}

/// Where a new address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewSource {
    /// The address stays, only the port changes.
    Same,
    /// One between these.
    Between(IpAddr, IpAddr),
    /// The host's own: the output device's for a source, the input device's for a destination.
    Host,
}

/// Why the machine cannot say what becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An expression or option that it has no meaning for.
    #[error("no meaning for {what}: {why}")]
    Unknown {
        /// Its name.
        what: String,
        /// What of it.
        why: &'static str,
    },
    /// A chain that is not there.
    #[error("chain {0} is not there")]
    NoChain(ChainName),
    /// A set that is not there.
    #[error("set {0} is not there")]
    NoSet(SetName),
    /// Jumps nest deeper than the kernel lets them.
    #[error("jumps nest deeper than the kernel allows, at chain {0}")]
    TooDeep(ChainName),
    /// A register is used that the rule has not filled: the kernel refuses such a rule.
    #[error("{expression} reads a register that nothing in the rule has filled")]
    Unfilled {
        /// The expression that reads it.
        expression: &'static str,
    },
    /// The packet is not of the tables' family.
    #[error("the packet is of another family")]
    Family,
}

impl Error {
    pub(super) fn unknown(what: impl Into<String>, why: &'static str) -> Self {
        Self::Unknown { what: what.into(), why }
    }
}

/// `NF_IP_PRI_CONNTRACK` and `NF_IP6_PRI_CONNTRACK`.
const CONNTRACK: i32 = -200;

/// The parts of a packet that rules change, while it is on its way.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) family: Family,
    pub(super) mark: u32,
    pub(super) priority: u32,
    pub(super) tracking: Tracking,
    pub(super) effects: Vec<Effect>,
}

impl Way {
    pub(super) fn new(packet: &Packet) -> Self {
        let Packet { mark, priority, ref tracking, .. } = *packet;
        Self { family: packet.family(), mark, priority, tracking: tracking.clone(), effects: Vec::new() }
    }

    /// Runs connection tracking if it is its turn before a chain of this priority. `ran` says whether it has.
    pub(super) fn track(&mut self, packet: &Packet, hook: Hook, priority: i32, ran: &mut bool) {
        let due = matches!(hook, Hook::Prerouting | Hook::Output) && priority > CONNTRACK;
        if !due || std::mem::replace(ran, true) {
            return;
        }
        let template = match &self.tracking {
            Tracking::None => Template::default(),
            Tracking::Template(template) => *template,
            Tracking::Untracked | Tracking::Connection(_) => return,
        };
        self.effects.push(Effect::Track(template));
        self.tracking = packet.connection.clone().map_or(Tracking::None, Tracking::Connection);
    }

    pub(super) fn end(self, verdict: Verdict) -> Outcome {
        let Self { mark, priority, tracking, effects, .. } = self;
        Outcome { verdict, mark, priority, tracking, effects }
    }
}
