//! `meta`: packet meta data into a register, or back.

use super::Register;
use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_META_DREG, NFTA_META_KEY, NFTA_META_SREG};

/// Loads or sets packet meta data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meta {
    /// Meta data to register.
    Load {
        /// `NFTA_META_KEY`.
        key: MetaKey,
        /// `NFTA_META_DREG`.
        dreg: Register,
    },
    /// Register to meta data.
    Store {
        /// `NFTA_META_KEY`.
        key: MetaKey,
        /// `NFTA_META_SREG`.
        sreg: Register,
    },
}

/// `enum nft_meta_keys`: which meta data. Open: the kernel adds keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetaKey(pub u32);

#[allow(missing_docs, reason = "the kernel's names without NFT_META_")]
impl MetaKey {
    pub const LEN: Self = Self(0);
    pub const PROTOCOL: Self = Self(1);
    pub const PRIORITY: Self = Self(2);
    pub const MARK: Self = Self(3);
    pub const IIF: Self = Self(4);
    pub const OIF: Self = Self(5);
    pub const IIFNAME: Self = Self(6);
    pub const OIFNAME: Self = Self(7);
    pub const IIFTYPE: Self = Self(8);
    pub const OIFTYPE: Self = Self(9);
    pub const SKUID: Self = Self(10);
    pub const SKGID: Self = Self(11);
    pub const NFTRACE: Self = Self(12);
    pub const RTCLASSID: Self = Self(13);
    pub const SECMARK: Self = Self(14);
    pub const NFPROTO: Self = Self(15);
    pub const L4PROTO: Self = Self(16);
    pub const BRI_IIFNAME: Self = Self(17);
    pub const BRI_OIFNAME: Self = Self(18);
    pub const PKTTYPE: Self = Self(19);
    pub const CPU: Self = Self(20);
    pub const IIFGROUP: Self = Self(21);
    pub const OIFGROUP: Self = Self(22);
    pub const CGROUP: Self = Self(23);
    pub const PRANDOM: Self = Self(24);
    pub const SECPATH: Self = Self(25);
    pub const IIFKIND: Self = Self(26);
    pub const OIFKIND: Self = Self(27);
    pub const BRI_IIFPVID: Self = Self(28);
    pub const BRI_IIFVPROTO: Self = Self(29);
    pub const TIME_NS: Self = Self(30);
    pub const TIME_DAY: Self = Self(31);
    pub const TIME_HOUR: Self = Self(32);
    pub const SDIF: Self = Self(33);
    pub const SDIFNAME: Self = Self(34);
    pub const BRI_BROUTE: Self = Self(35);
}

impl Meta {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Load { key, dreg } => {
                w.u32_be(NFTA_META_KEY, key.0);
                w.u32_be(NFTA_META_DREG, dreg.0);
            }
            Self::Store { key, sreg } => {
                w.u32_be(NFTA_META_KEY, key.0);
                w.u32_be(NFTA_META_SREG, sreg.0);
            }
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_META_SREG>::read(reader)?;
        let key = MetaKey(need!(f.u32(NFTA_META_KEY)));
        match f.register(NFTA_META_SREG)? {
            None => Ok(Self::Load { key, dreg: need!(f.register(NFTA_META_DREG)) }),
            Some(_) if f.attr(NFTA_META_DREG).is_some() => Err(AttrError::Unexpected { kind: NFTA_META_DREG }),
            Some(sreg) => Ok(Self::Store { key, sreg }),
        }
    }
}
