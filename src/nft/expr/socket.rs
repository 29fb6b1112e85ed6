//! `socket`: the local socket that a packet belongs to.

use super::Register;

/// Loads a property of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Socket {
    /// `NFTA_SOCKET_KEY`.
    pub key: SocketKey,
    /// `NFTA_SOCKET_DREG`.
    pub dreg: Register,
}

/// `enum nft_socket_keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketKey {
    /// `NFT_SOCKET_TRANSPARENT`.
    Transparent,
    /// `NFT_SOCKET_MARK`.
    Mark,
    /// `NFT_SOCKET_WILDCARD` (since Linux 5.10).
    Wildcard,
    /// `NFT_SOCKET_CGROUPV2` at `NFTA_SOCKET_LEVEL` (since Linux 5.13).
    Cgroupv2 {
        /// Ancestor level, 0 is the root.
        level: u32,
    },
}
