//! `ct`: connection tracking data into a register, or back.

use super::Register;
use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_CT_DIRECTION, NFTA_CT_DREG, NFTA_CT_KEY, NFTA_CT_SREG};

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
#[repr(u8)]
pub enum CtDirection {
    /// `IP_CT_DIR_ORIGINAL`.
    Original = 0,
    /// `IP_CT_DIR_REPLY`.
    Reply = 1,
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

impl Ct {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        let (Self::Load { key, direction, .. } | Self::Store { key, direction, .. }) = *self;
        w.u32_be(NFTA_CT_KEY, key.0);
        if let Self::Load { dreg, .. } = self {
            w.u32_be(NFTA_CT_DREG, dreg.0);
        }
        if let Some(direction) = direction {
            w.u8(NFTA_CT_DIRECTION, direction as u8);
        }
        if let Self::Store { sreg, .. } = self {
            w.u32_be(NFTA_CT_SREG, sreg.0);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_CT_SREG>::read(reader)?;
        let key = CtKey(need!(f.u32(NFTA_CT_KEY)));
        let direction = match f.u8(NFTA_CT_DIRECTION)? {
            None => None,
            Some(0) => Some(CtDirection::Original),
            Some(1) => Some(CtDirection::Reply),
            Some(value) => return Err(AttrError::UnknownValue { kind: NFTA_CT_DIRECTION, value: value.into() }),
        };
        match f.register(NFTA_CT_SREG)? {
            None => Ok(Self::Load { key, dreg: need!(f.register(NFTA_CT_DREG)), direction }),
            Some(_) if f.attr(NFTA_CT_DREG).is_some() => Err(AttrError::Unexpected { kind: NFTA_CT_DREG }),
            Some(sreg) => Ok(Self::Store { key, sreg, direction }),
        }
    }
}
