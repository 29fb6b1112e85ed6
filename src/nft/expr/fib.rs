//! `fib`: asks the routing table about an address.

use super::Register;

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
