//! Interface names against what a rule asks of them.

use crate::name::InterfaceName;
use crate::rule::{InterfaceMatch, Not};

/// Whether a device has the name that is asked for; a packet without a device has the empty name.
pub(super) fn holds(asked: &Not<InterfaceMatch>, name: Option<&InterfaceName>) -> bool {
    let name = name.map(InterfaceName::as_str).unwrap_or_default();
    let equal = match &asked.value {
        InterfaceMatch::Name(wanted) => name == wanted.as_str(),
        InterfaceMatch::Prefix(prefix) => name.starts_with(prefix.as_str()),
        InterfaceMatch::Any => true,
    };
    equal != asked.negated
}
