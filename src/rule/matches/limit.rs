//! `-m limit`: a token bucket for packets.

/// At most so many packets in a unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Packets in a [`unit`](Limit::unit), at least 1.
    pub rate: u32,
    /// `--limit N/unit`.
    pub unit: RateUnit,
    /// `--limit-burst`, packets; 5 when not given.
    pub burst: u32,
}

impl Limit {
    /// The burst that applies when none is given.
    pub const DEFAULT_BURST: u32 = 5;
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// `/second`.
    Second,
    /// `/minute`.
    Minute,
    /// `/hour`.
    Hour,
    /// `/day`.
    Day,
}

impl RateUnit {
    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86400,
        }
    }
}
