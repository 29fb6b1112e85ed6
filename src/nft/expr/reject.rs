//! `reject`: drop the packet and tell the sender.

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
