//! `fib`: asks the routing table about an address.

use super::Register;
use super::fields::{Fields, need, numbered};
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{NFTA_FIB_DREG, NFTA_FIB_FLAGS, NFTA_FIB_RESULT};

bitflags::bitflags! {
    /// `NFTA_FIB_F_*`: what the lookup uses. Bits that are not named here survive a dump.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct FibFlags: u32 {
        /// `NFTA_FIB_F_SADDR`.
        const SADDR = 1 << 0;
        /// `NFTA_FIB_F_DADDR`.
        const DADDR = 1 << 1;
        /// `NFTA_FIB_F_MARK`.
        const MARK = 1 << 2;
        /// `NFTA_FIB_F_IIF`.
        const IIF = 1 << 3;
        /// `NFTA_FIB_F_OIF`.
        const OIF = 1 << 4;
        /// `NFTA_FIB_F_PRESENT`: 1 or 0 instead of the result.
        const PRESENT = 1 << 5;
    }
}

/// A routing lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fib {
    /// `NFTA_FIB_DREG`.
    pub dreg: Register,
    /// `NFTA_FIB_RESULT`.
    pub result: FibResult,
    /// `NFTA_FIB_FLAGS`.
    pub flags: FibFlags,
}

/// `enum nft_fib_result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FibResult {
    /// `NFT_FIB_RESULT_OIF`: interface index.
    Oif,
    /// `NFT_FIB_RESULT_OIFNAME`.
    OifName,
    /// `NFT_FIB_RESULT_ADDRTYPE`: `RTN_*`.
    AddrType,
}

impl Fib {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_FIB_FLAGS, self.flags.bits());
        w.u32_be(NFTA_FIB_RESULT, self.result.number());
        w.u32_be(NFTA_FIB_DREG, self.dreg.0);
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_FIB_FLAGS>::read(reader)?;
        Ok(Self {
            dreg: need!(f.register(NFTA_FIB_DREG)),
            result: FibResult::from_number(NFTA_FIB_RESULT, need!(f.u32(NFTA_FIB_RESULT)))?,
            flags: FibFlags::from_bits_retain(need!(f.u32(NFTA_FIB_FLAGS))),
        })
    }
}

numbered!(FibResult:
    Oif = NFT_FIB_RESULT_OIF,
    OifName = NFT_FIB_RESULT_OIFNAME,
    AddrType = NFT_FIB_RESULT_ADDRTYPE,
);
