//! `-m conntrack` and `-m state`, by `conntrack_mt` (`net/netfilter/xt_conntrack.c`).

use std::net::IpAddr;

use super::masked;
use crate::kernel::machine::connection::Tracking;
use crate::rule::matches::{Conntrack, CtStates};
use crate::rule::{Masked, Not, PortRange};

/// `IPS_SRC_NAT` and `IPS_DST_NAT`.
const TRANSLATED: [(u32, CtStates); 2] = [(1 << 4, CtStates::SNAT), (1 << 5, CtStates::DNAT)];

/// Whether the packet is in one of the states.
pub(super) fn state(asked: Not<CtStates>, tracking: &Tracking) -> bool {
    let mut states = tracking.state();
    if let Some(connection) = tracking.connection() {
        for (bit, state) in TRANSLATED {
            states.set(state, connection.status & bit != 0);
        }
    }
    asked.value.intersects(states) != asked.negated
}

/// Whether all that the match asks holds. A template is a connection whose tuples are empty; no rule that can be
/// written asks for them where templates are.
pub(super) fn holds(m: &Conntrack, tracking: &Tracking) -> bool {
    if m.state.is_some_and(|asked| !state(asked, tracking)) {
        return false;
    }
    let Some(connection) = tracking.connection() else {
        // For a packet without a connection nothing but the state is asked.
        return m.state.is_some();
    };
    let address = |asked: Option<Not<Masked>>, address: IpAddr| asked.is_none_or(|asked| masked(&asked, address));
    let port = |asked: Option<Not<PortRange>>, port: u16| {
        asked.is_none_or(|a| (a.value.first()..=a.value.last()).contains(&port) != a.negated)
    };
    let (original, reply) = (connection.original, connection.reply);
    let seconds = connection.expires / 1000;
    m.direction.is_none_or(|direction| direction == connection.direction)
        && m.protocol.is_none_or(|asked| (asked.value == connection.protocol) != asked.negated)
        && address(m.original_source, original.source)
        && address(m.original_destination, original.destination)
        && address(m.reply_source, reply.source)
        && address(m.reply_destination, reply.destination)
        && port(m.original_source_port, original.source_port)
        && port(m.original_destination_port, original.destination_port)
        && port(m.reply_source_port, reply.source_port)
        && port(m.reply_destination_port, reply.destination_port)
        && m.status.is_none_or(|a| (connection.status & u32::from(a.value.bits()) != 0) != a.negated)
        && m.expire.is_none_or(|a| (a.value.0..=a.value.1).contains(&seconds) != a.negated)
}
