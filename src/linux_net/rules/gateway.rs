//! What a bridge forwards.
//!
//! Owns: the rules of a bridge in `FORWARD`.
//! Never: makes a bridge.

use super::group::{self, Placed};
use super::options::{DropAction, ForwardTo, Options};
use crate::name::InterfaceName;
use crate::rule::{Family, InterfaceMatch, Rule};
use crate::wrap::{Model, ModelError};

/// Whether a bridge's packets are forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// This host is the gateway: they are, as far as [`Options::forward`] says.
    #[default]
    Gateway,
    /// It is not: none is.
    Closed,
}

/// States what the bridge forwards, in place of what it had in the other role. Returns whether anything changed.
///
/// # Errors
/// [`ModelError::UnknownChain`] when `filter` has no wrapped `FORWARD`.
pub fn ensure_bridge_rules(
    model: &mut Model,
    options: &Options,
    bridge: &InterfaceName,
    role: Role,
) -> Result<bool, ModelError> {
    group::replace(model, &rules(options, bridge, role), &all(options, bridge))
}

/// Takes out what the bridge has in either role. Returns whether anything changed.
///
/// # Errors
/// [`ModelError`] when the model has no component.
pub fn remove_bridge_rules(model: &mut Model, options: &Options, bridge: &InterfaceName) -> Result<bool, ModelError> {
    group::remove(model, &all(options, bridge))
}

/// The rules of every role, also those with a plain drop, from before there was another action.
fn all(options: &Options, bridge: &InterfaceName) -> Vec<Placed> {
    let plain = Options { drop_action: DropAction::Drop, ..options.clone() };
    let open = Options { forward: ForwardTo::All, ..options.clone() };
    let mut all = rules(options, bridge, Role::Gateway);
    all.extend(rules(options, bridge, Role::Closed));
    all.extend(rules(&plain, bridge, Role::Closed));
    all.extend(rules(&open, bridge, Role::Gateway));
    all
}

fn rules(options: &Options, bridge: &InterfaceName, role: Role) -> Vec<Placed> {
    let from = |rule: Rule, name: &InterfaceName| rule.input(InterfaceMatch::Name(name.clone()));
    let to = |rule: Rule, name: &InterfaceName| rule.output(InterfaceMatch::Name(name.clone()));
    let between = |input, output| to(from(Rule::new(), input), output).accept();
    let (sent, received) = (from(Rule::new(), bridge), to(Rule::new(), bridge));
    let drop = options.drop_target();
    let dropped = [sent.clone().target(drop.clone()), received.clone().target(drop)];
    let rules = match (role, &options.forward) {
        (Role::Closed, _) => dropped.to_vec(),
        (Role::Gateway, ForwardTo::All) => vec![sent.accept(), received.accept()],
        (Role::Gateway, ForwardTo::Only(interfaces)) => {
            let pairs = interfaces.iter().flat_map(|other| [between(bridge, other), between(other, bridge)]);
            pairs.chain([between(bridge, bridge)]).chain(dropped).collect()
        }
    };
    let families = if options.ipv6 { &Family::BOTH[..] } else { &[Family::Ipv4] };
    let placed = |&family: &Family| rules.iter().map(move |rule| Placed::filter(family, "FORWARD", rule.clone()));
    families.iter().flat_map(placed).collect()
}
