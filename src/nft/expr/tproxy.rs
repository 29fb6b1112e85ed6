//! `tproxy`: hands the packet to a local socket without changing it.

use super::Register;
use super::fields::{Fields, need};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_TPROXY_FAMILY, NFTA_TPROXY_REG_ADDR, NFTA_TPROXY_REG_PORT};

/// Transparent proxying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tproxy {
    /// `NFTA_TPROXY_FAMILY`: `NFPROTO_*`, 0 for both.
    pub family: u8,
    /// `NFTA_TPROXY_REG_ADDR`.
    pub addr: Option<Register>,
    /// `NFTA_TPROXY_REG_PORT`.
    pub port: Option<Register>,
}

impl Tproxy {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_TPROXY_FAMILY, self.family.into());
        if let Some(addr) = self.addr {
            w.u32_be(NFTA_TPROXY_REG_ADDR, addr.0);
        }
        if let Some(port) = self.port {
            w.u32_be(NFTA_TPROXY_REG_PORT, port.0);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_TPROXY_REG_PORT>::read(reader)?;
        let family = need!(f.u32(NFTA_TPROXY_FAMILY));
        Ok(Self {
            family: u8::try_from(family)
                .map_err(|_| AttrError::UnknownValue { kind: NFTA_TPROXY_FAMILY, value: family.into() })?,
            addr: f.register(NFTA_TPROXY_REG_ADDR)?,
            port: f.register(NFTA_TPROXY_REG_PORT)?,
        })
    }
}
