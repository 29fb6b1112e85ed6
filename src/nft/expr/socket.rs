//! `socket`: the local socket that a packet belongs to.

use super::Register;
use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_SOCKET_CGROUPV2, NFT_SOCKET_MARK, NFT_SOCKET_TRANSPARENT, NFT_SOCKET_WILDCARD, NFTA_SOCKET_DREG,
    NFTA_SOCKET_KEY, NFTA_SOCKET_LEVEL,
};

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

impl Socket {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        let (key, level) = match self.key {
            SocketKey::Transparent => (NFT_SOCKET_TRANSPARENT, None),
            SocketKey::Mark => (NFT_SOCKET_MARK, None),
            SocketKey::Wildcard => (NFT_SOCKET_WILDCARD, None),
            SocketKey::Cgroupv2 { level } => (NFT_SOCKET_CGROUPV2, Some(level)),
        };
        w.u32_be(NFTA_SOCKET_KEY, key);
        w.u32_be(NFTA_SOCKET_DREG, self.dreg.0);
        if let Some(level) = level {
            w.u32_be(NFTA_SOCKET_LEVEL, level);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_SOCKET_LEVEL>::read(reader)?;
        let key = match (need!(f.u32(NFTA_SOCKET_KEY)), f.u32(NFTA_SOCKET_LEVEL)?) {
            (NFT_SOCKET_TRANSPARENT, None) => SocketKey::Transparent,
            (NFT_SOCKET_MARK, None) => SocketKey::Mark,
            (NFT_SOCKET_WILDCARD, None) => SocketKey::Wildcard,
            (NFT_SOCKET_CGROUPV2, Some(level)) => SocketKey::Cgroupv2 { level },
            (value, _) => return Err(AttrError::UnknownValue { kind: NFTA_SOCKET_KEY, value: value.into() }),
        };
        Ok(Self { key, dreg: need!(f.register(NFTA_SOCKET_DREG)) })
    }
}
