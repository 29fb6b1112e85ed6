//! `reject`: drop the packet and tell the sender.

use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_REJECT_ICMP_CODE, NFTA_REJECT_TYPE};

/// Answers with an ICMP error or a TCP reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reject {
    /// `NFTA_REJECT_TYPE`.
    pub kind: RejectKind,
    /// `NFTA_REJECT_ICMP_CODE`: the family's own ICMP code, or a `NFT_REJECT_ICMPX_*` code.
    pub code: u8,
}

/// `enum nft_reject_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectKind {
    /// `NFT_REJECT_ICMP_UNREACH`.
    IcmpUnreach,
    /// `NFT_REJECT_TCP_RST`.
    TcpRst,
    /// `NFT_REJECT_ICMPX_UNREACH`.
    IcmpxUnreach,
}

impl Reject {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_REJECT_TYPE, self.kind.number());
        w.u8(NFTA_REJECT_ICMP_CODE, self.code);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_REJECT_ICMP_CODE>::read(reader)?;
        Ok(Self {
            kind: RejectKind::from_number(NFTA_REJECT_TYPE, need!(f.u32(NFTA_REJECT_TYPE)))?,
            // The kernel leaves the code of a TCP reset out of a dump.
            code: f.u8(NFTA_REJECT_ICMP_CODE)?.unwrap_or(0),
        }
        .normalized())
    }

    /// A TCP reset has no code.
    pub(crate) fn normalized(mut self) -> Self {
        if self.kind == RejectKind::TcpRst {
            self.code = 0;
        }
        self
    }
}

numbered!(RejectKind:
    IcmpUnreach = NFT_REJECT_ICMP_UNREACH,
    TcpRst = NFT_REJECT_TCP_RST,
    IcmpxUnreach = NFT_REJECT_ICMPX_UNREACH,
);
