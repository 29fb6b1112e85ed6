//! What is counted.

use ipnetwork::IpNetwork;

use super::Id;

/// A label: what its rules take is counted under it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MeteringLabel {
    /// Which one; its chains are named by it.
    pub id: Id,
    /// What is counted, and what is not.
    pub rules: Vec<MeteringRule>,
}

/// A part of the traffic through the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MeteringRule {
    /// Which way it goes.
    pub direction: Direction,
    /// Whether it is left out, whatever other rules of the label say.
    pub excluded: bool,
    /// Which addresses it has.
    pub traffic: Traffic,
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// In, by the gateway.
    Ingress,
    /// Out, by the gateway.
    Egress,
}

/// Addresses of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// Those of this network inside: the source of what goes out, the destination of what comes in.
    Of(IpNetwork),
    /// Of this source, to this destination; `None` for all.
    Between {
        /// Where from.
        source: Option<IpNetwork>,
        /// Where to.
        destination: Option<IpNetwork>,
    },
}

impl Traffic {
    /// Source and destination.
    pub(in crate::l3_router) fn ends(self, direction: Direction) -> (Option<IpNetwork>, Option<IpNetwork>) {
        match (self, direction) {
            (Self::Of(network), Direction::Egress) => (Some(network), None),
            (Self::Of(network), Direction::Ingress) => (None, Some(network)),
            (Self::Between { source, destination }, _) => (source, destination),
        }
    }
}
