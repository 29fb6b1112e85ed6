//! `payload`: packet bytes into a register, or back.

use super::Register;
use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_CSUM_FLAGS, NFTA_PAYLOAD_CSUM_OFFSET, NFTA_PAYLOAD_CSUM_TYPE, NFTA_PAYLOAD_DREG,
    NFTA_PAYLOAD_LEN, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_SREG,
};

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

impl Payload {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Load { dreg, base, offset, len } => {
                w.u32_be(NFTA_PAYLOAD_DREG, dreg.0);
                w.u32_be(NFTA_PAYLOAD_BASE, base.number());
                w.u32_be(NFTA_PAYLOAD_OFFSET, offset);
                w.u32_be(NFTA_PAYLOAD_LEN, len);
            }
            Self::Store { sreg, base, offset, len, csum_type, csum_offset, csum_flags } => {
                w.u32_be(NFTA_PAYLOAD_SREG, sreg.0);
                w.u32_be(NFTA_PAYLOAD_BASE, base.number());
                w.u32_be(NFTA_PAYLOAD_OFFSET, offset);
                w.u32_be(NFTA_PAYLOAD_LEN, len);
                let checksum = [
                    (NFTA_PAYLOAD_CSUM_TYPE, csum_type),
                    (NFTA_PAYLOAD_CSUM_OFFSET, csum_offset),
                    (NFTA_PAYLOAD_CSUM_FLAGS, csum_flags),
                ];
                // Zero is what the kernel takes for each when it is absent.
                for (kind, value) in checksum {
                    if value != 0 {
                        w.u32_be(kind, value);
                    }
                }
            }
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_PAYLOAD_CSUM_FLAGS>::read(reader)?;
        let base = PayloadBase::from_number(NFTA_PAYLOAD_BASE, need!(f.u32(NFTA_PAYLOAD_BASE)))?;
        let offset = need!(f.u32(NFTA_PAYLOAD_OFFSET));
        let len = need!(f.u32(NFTA_PAYLOAD_LEN));
        let Some(sreg) = f.register(NFTA_PAYLOAD_SREG)? else {
            for kind in [NFTA_PAYLOAD_CSUM_TYPE, NFTA_PAYLOAD_CSUM_OFFSET, NFTA_PAYLOAD_CSUM_FLAGS] {
                if f.attr(kind).is_some() {
                    return Err(AttrError::Unexpected { kind });
                }
            }
            return Ok(Self::Load { dreg: need!(f.register(NFTA_PAYLOAD_DREG)), base, offset, len });
        };
        if f.attr(NFTA_PAYLOAD_DREG).is_some() {
            return Err(AttrError::Unexpected { kind: NFTA_PAYLOAD_DREG });
        }
        Ok(Self::Store {
            sreg,
            base,
            offset,
            len,
            csum_type: f.u32(NFTA_PAYLOAD_CSUM_TYPE)?.unwrap_or(0),
            csum_offset: f.u32(NFTA_PAYLOAD_CSUM_OFFSET)?.unwrap_or(0),
            csum_flags: f.u32(NFTA_PAYLOAD_CSUM_FLAGS)?.unwrap_or(0),
        })
    }
}

numbered!(PayloadBase:
    Link = NFT_PAYLOAD_LL_HEADER,
    Network = NFT_PAYLOAD_NETWORK_HEADER,
    Transport = NFT_PAYLOAD_TRANSPORT_HEADER,
    Inner = NFT_PAYLOAD_INNER_HEADER,
);
