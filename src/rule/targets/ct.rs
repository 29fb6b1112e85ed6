//! `-j CT` and `-j NOTRACK`: how connection tracking treats the packet.

use std::sync::Arc;

bitflags::bitflags! {
    /// `--ctevents`: bit n is the kernel's `IPCT_*` number n.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct CtEvents: u32 {
        /// `IPCT_NEW`.
        const NEW = 1 << 0;
        /// `IPCT_RELATED`.
        const RELATED = 1 << 1;
        /// `IPCT_DESTROY`.
        const DESTROY = 1 << 2;
        /// `IPCT_REPLY`.
        const REPLY = 1 << 3;
        /// `IPCT_ASSURED`.
        const ASSURED = 1 << 4;
        /// `IPCT_PROTOINFO`.
        const PROTOINFO = 1 << 5;
        /// `IPCT_HELPER`.
        const HELPER = 1 << 6;
        /// `IPCT_MARK`.
        const MARK = 1 << 7;
        /// `IPCT_NATSEQINFO`.
        const NATSEQINFO = 1 << 8;
        /// `IPCT_SECMARK`.
        const SECMARK = 1 << 9;
    }
}

/// `-j CT`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Ct {
    /// `--notrack`.
    pub notrack: bool,
    /// `--helper`, at most 15 bytes.
    pub helper: Option<Arc<str>>,
    /// `--timeout`, the name of a policy, at most 31 bytes.
    pub timeout: Option<Arc<str>>,
    /// `--ctevents`.
    pub events: Option<CtEvents>,
    /// `--expevents new`.
    pub expect_new: bool,
    /// `--zone`, `--zone-orig`, `--zone-reply`.
    pub zone: Option<CtZone>,
}

/// A connection tracking zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CtZone {
    /// Which direction it applies to.
    pub direction: CtZoneDirection,
    /// The zone, or the packet's mark.
    pub id: CtZoneId,
}

/// Which direction a zone applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CtZoneDirection {
    /// `--zone`.
    Both,
    /// `--zone-orig`.
    Original,
    /// `--zone-reply`.
    Reply,
}

/// A zone's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CtZoneId {
    /// A number.
    Number(u16),
    /// `mark`: the packet's mark.
    Mark,
}
