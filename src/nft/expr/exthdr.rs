//! `exthdr`: IPv6 extension headers, TCP, IPv4, SCTP and DCCP options.

use super::Register;
use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer, required};
use crate::nft::uapi::{
    NFT_EXTHDR_F_PRESENT, NFT_EXTHDR_OP_IPV6, NFTA_EXTHDR_DREG, NFTA_EXTHDR_FLAGS, NFTA_EXTHDR_LEN, NFTA_EXTHDR_OFFSET,
    NFTA_EXTHDR_OP, NFTA_EXTHDR_SREG, NFTA_EXTHDR_TYPE,
};

/// Reads, writes or strips an option or extension header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exthdr {
    /// Option bytes to register.
    Load {
        /// `NFTA_EXTHDR_DREG`.
        dreg: Register,
        /// `NFTA_EXTHDR_TYPE`: option kind or next-header number.
        kind: u8,
        /// `NFTA_EXTHDR_OFFSET`, bytes from the option's start.
        offset: u32,
        /// `NFTA_EXTHDR_LEN`, bytes.
        len: u32,
        /// `NFTA_EXTHDR_OP`.
        op: ExthdrOp,
        /// `NFT_EXTHDR_F_PRESENT`: 1 or 0 instead of the bytes.
        present: bool,
    },
    /// Register to option bytes (TCP only).
    Store {
        /// `NFTA_EXTHDR_SREG`.
        sreg: Register,
        /// `NFTA_EXTHDR_TYPE`.
        kind: u8,
        /// `NFTA_EXTHDR_OFFSET`, bytes from the option's start.
        offset: u32,
        /// `NFTA_EXTHDR_LEN`, bytes.
        len: u32,
        /// `NFTA_EXTHDR_OP`.
        op: ExthdrOp,
    },
    /// Overwrite a TCP option by no-ops (since Linux 5.18).
    Strip {
        /// `NFTA_EXTHDR_TYPE`.
        kind: u8,
        /// `NFTA_EXTHDR_OP`.
        op: ExthdrOp,
    },
}

/// `enum nft_exthdr_op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExthdrOp {
    /// `NFT_EXTHDR_OP_IPV6`.
    Ipv6,
    /// `NFT_EXTHDR_OP_TCPOPT`.
    TcpOpt,
    /// `NFT_EXTHDR_OP_IPV4`.
    Ipv4,
    /// `NFT_EXTHDR_OP_SCTP`.
    Sctp,
    /// `NFT_EXTHDR_OP_DCCP` (since Linux 6.5).
    Dccp,
}

impl Exthdr {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Load { dreg, kind, offset, len, op, present } => {
                w.u32_be(NFTA_EXTHDR_DREG, dreg.0);
                w.u8(NFTA_EXTHDR_TYPE, kind);
                w.u32_be(NFTA_EXTHDR_OFFSET, offset);
                w.u32_be(NFTA_EXTHDR_LEN, len);
                w.u32_be(NFTA_EXTHDR_OP, op.number());
                if present {
                    w.u32_be(NFTA_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT);
                }
            }
            Self::Store { sreg, kind, offset, len, op } => {
                w.u32_be(NFTA_EXTHDR_SREG, sreg.0);
                w.u8(NFTA_EXTHDR_TYPE, kind);
                w.u32_be(NFTA_EXTHDR_OFFSET, offset);
                w.u32_be(NFTA_EXTHDR_LEN, len);
                w.u32_be(NFTA_EXTHDR_OP, op.number());
            }
            Self::Strip { kind, op } => {
                w.u8(NFTA_EXTHDR_TYPE, kind);
                w.u32_be(NFTA_EXTHDR_OP, op.number());
            }
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_EXTHDR_SREG>::read(reader)?;
        let kind = need!(f.u8(NFTA_EXTHDR_TYPE));
        // Absent before Linux 4.11, which knew only this one.
        let op = ExthdrOp::from_number(NFTA_EXTHDR_OP, f.u32(NFTA_EXTHDR_OP)?.unwrap_or(NFT_EXTHDR_OP_IPV6))?;
        let present = f.flag(NFTA_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT)?;
        let offset = f.u32(NFTA_EXTHDR_OFFSET)?;
        let len = f.u32(NFTA_EXTHDR_LEN)?;
        match (f.register(NFTA_EXTHDR_DREG)?, f.register(NFTA_EXTHDR_SREG)?, present) {
            (Some(dreg), None, present) => Ok(Self::Load {
                dreg,
                kind,
                offset: required(offset, NFTA_EXTHDR_OFFSET, "NFTA_EXTHDR_OFFSET")?,
                len: required(len, NFTA_EXTHDR_LEN, "NFTA_EXTHDR_LEN")?,
                op,
                present,
            }),
            (None, Some(sreg), false) => Ok(Self::Store {
                sreg,
                kind,
                offset: required(offset, NFTA_EXTHDR_OFFSET, "NFTA_EXTHDR_OFFSET")?,
                len: required(len, NFTA_EXTHDR_LEN, "NFTA_EXTHDR_LEN")?,
                op,
            }),
            // The kernel dumps the fields that stripping does not have as zero.
            (None, None, false) if offset.unwrap_or(0) == 0 && len.unwrap_or(0) == 0 => Ok(Self::Strip { kind, op }),
            _ => Err(AttrError::Unexpected { kind: NFTA_EXTHDR_SREG }),
        }
    }
}

numbered!(ExthdrOp:
    Ipv6 = NFT_EXTHDR_OP_IPV6,
    TcpOpt = NFT_EXTHDR_OP_TCPOPT,
    Ipv4 = NFT_EXTHDR_OP_IPV4,
    Sctp = NFT_EXTHDR_OP_SCTP,
    Dccp = NFT_EXTHDR_OP_DCCP,
);
