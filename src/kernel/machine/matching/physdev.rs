//! `-m physdev`, by `physdev_mt` (`net/netfilter/xt_physdev.c`).

use crate::kernel::machine::interface;
use crate::kernel::machine::packet::Packet;
use crate::rule::Not;
use crate::rule::matches::Physdev;

/// Whether all that the match asks holds.
pub(super) fn holds(m: &Physdev, packet: &Packet) -> bool {
    let is = |asked: Option<Not<()>>, there: bool| asked.is_none_or(|asked| there != asked.negated);
    let Some((input, output)) = &packet.bridge else {
        // Not bridged: only what is inverted holds.
        let inverted = |negated: Option<bool>| negated.is_none_or(|negated| negated);
        return [m.is_bridged, m.is_in, m.is_out].into_iter().all(|asked| is(asked, false))
            && inverted(m.input.as_ref().map(|asked| asked.negated))
            && inverted(m.output.as_ref().map(|asked| asked.negated));
    };
    if !is(m.is_bridged, output.is_some()) || !is(m.is_in, input.is_some()) || !is(m.is_out, output.is_some()) {
        return false;
    }
    // Without an input port that question is left out; without an output port its question fails, negated or not.
    let by_input = match (&m.input, input) {
        (Some(asked), Some(name)) => interface::holds(asked, Some(name)),
        _ => true,
    };
    let by_output = match (&m.output, output) {
        (Some(asked), Some(name)) => interface::holds(asked, Some(name)),
        (Some(_), None) => false,
        (None, _) => true,
    };
    by_input && by_output
}
