//! `-m pkttype`: how the packet was addressed on the link.

/// How the packet was addressed on the link (`PACKET_*` of `if_packet.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pkttype {
    /// To this host (`PACKET_HOST`, 0).
    Unicast,
    /// To all (`PACKET_BROADCAST`, 1).
    Broadcast,
    /// To a group (`PACKET_MULTICAST`, 2).
    Multicast,
}
