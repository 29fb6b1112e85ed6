//! `exthdr`: IPv6 extension headers, TCP, IPv4, SCTP and DCCP options.

use super::Register;

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
