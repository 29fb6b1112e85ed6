//! `ct`: connection tracking data into a register, or back.

use super::Register;

/// Loads or sets connection tracking data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ct {
    /// Connection data to register.
    Load {
        /// `NFTA_CT_KEY`.
        key: CtKey,
        /// `NFTA_CT_DREG`.
        dreg: Register,
        /// `NFTA_CT_DIRECTION`, for keys that have one.
        direction: Option<CtDirection>,
    },
    /// Register to connection data.
    Store {
        /// `NFTA_CT_KEY`.
        key: CtKey,
        /// `NFTA_CT_SREG`.
        sreg: Register,
        /// `NFTA_CT_DIRECTION`, for zones.
        direction: Option<CtDirection>,
    },
}

/// `enum ip_conntrack_dir`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CtDirection {
    /// `IP_CT_DIR_ORIGINAL`.
    Original,
    /// `IP_CT_DIR_REPLY`.
    Reply,
}

/// `enum nft_ct_keys`. Open: the kernel adds keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CtKey(pub u32);

#[allow(missing_docs, reason = "the kernel's names without NFT_CT_")]
impl CtKey {
    pub const STATE: Self = Self(0);
    pub const DIRECTION: Self = Self(1);
    pub const STATUS: Self = Self(2);
    pub const MARK: Self = Self(3);
    pub const SECMARK: Self = Self(4);
    pub const EXPIRATION: Self = Self(5);
    pub const HELPER: Self = Self(6);
    pub const L3PROTOCOL: Self = Self(7);
    pub const SRC: Self = Self(8);
    pub const DST: Self = Self(9);
    pub const PROTOCOL: Self = Self(10);
    pub const PROTO_SRC: Self = Self(11);
    pub const PROTO_DST: Self = Self(12);
    pub const LABELS: Self = Self(13);
    pub const PKTS: Self = Self(14);
    pub const BYTES: Self = Self(15);
    pub const AVGPKT: Self = Self(16);
    pub const ZONE: Self = Self(17);
    pub const EVENTMASK: Self = Self(18);
    pub const SRC_IP: Self = Self(19);
    pub const DST_IP: Self = Self(20);
    pub const SRC_IP6: Self = Self(21);
    pub const DST_IP6: Self = Self(22);
    pub const ID: Self = Self(23);
}
