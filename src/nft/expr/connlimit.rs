//! `connlimit`: how many connections there are.

/// A limit on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connlimit {
    /// `NFTA_CONNLIMIT_COUNT`.
    pub count: u32,
    /// `NFT_CONNLIMIT_F_INV`: match when over the count.
    pub over: bool,
}
