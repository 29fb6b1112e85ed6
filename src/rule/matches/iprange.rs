//! `-m iprange`: addresses from one to another.

use std::net::IpAddr;

use crate::rule::Not;

/// Ranges of source and destination addresses, both ends included and of one family.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Iprange {
    /// `--src-range`.
    pub source: Option<Not<(IpAddr, IpAddr)>>,
    /// `--dst-range`.
    pub destination: Option<Not<(IpAddr, IpAddr)>>,
}
