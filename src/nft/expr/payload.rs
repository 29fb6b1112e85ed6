//! `payload`: packet bytes into a register, or back.

use super::Register;

/// Loads or stores packet bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payload {
    /// Packet to register.
    Load {
        /// `NFTA_PAYLOAD_DREG`.
        dreg: Register,
        /// `NFTA_PAYLOAD_BASE`.
        base: PayloadBase,
        /// `NFTA_PAYLOAD_OFFSET`, bytes from the base.
        offset: u32,
        /// `NFTA_PAYLOAD_LEN`, bytes.
        len: u32,
    },
    /// Register to packet, with the checksum mended.
    Store {
        /// `NFTA_PAYLOAD_SREG`.
        sreg: Register,
        /// `NFTA_PAYLOAD_BASE`.
        base: PayloadBase,
        /// `NFTA_PAYLOAD_OFFSET`, bytes from the base.
        offset: u32,
        /// `NFTA_PAYLOAD_LEN`, bytes.
        len: u32,
        /// `NFTA_PAYLOAD_CSUM_TYPE`: 0 none, 1 inet, 2 sctp.
        csum_type: u32,
        /// `NFTA_PAYLOAD_CSUM_OFFSET`, bytes from the base.
        csum_offset: u32,
        /// `NFTA_PAYLOAD_CSUM_FLAGS`: 1 = mend the transport pseudo header too.
        csum_flags: u32,
    },
}

/// Where an offset counts from (`enum nft_payload_bases`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadBase {
    /// `NFT_PAYLOAD_LL_HEADER`.
    Link,
    /// `NFT_PAYLOAD_NETWORK_HEADER`.
    Network,
    /// `NFT_PAYLOAD_TRANSPORT_HEADER`.
    Transport,
    /// `NFT_PAYLOAD_INNER_HEADER` (since Linux 6.0).
    Inner,
}
