//! What an operator decides about the rules.
//!
//! Owns: nova's options, typed, with its defaults.
//! Never: reads a file or guesses an address of the host.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use crate::name::InterfaceName;
use crate::rule::{ChainRef, Target};

/// Options of the rules. nova's names are given where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the metadata service is.
    pub metadata_host: IpAddr,
    /// Its port.
    pub metadata_port: u16,
    /// `routing_source_ip`: what instances' addresses are translated to; `None` switches source translation off.
    pub routing_source: Option<Ipv4Addr>,
    /// The interface to the outside; source translation is only for what leaves by it.
    pub public_interface: Option<InterfaceName>,
    /// `force_snat_range`: where an external gateway's networks are translated to.
    pub force_snat_range: Vec<IpNetwork>,
    /// `dmz_cidr`: what instances reach with their own address.
    pub dmz: Vec<IpNetwork>,
    /// `forward_bridge_interface`: where a bridge's packets may go.
    pub forward: ForwardTo,
    /// `iptables_drop_action`: what is done to packets that a bridge does not forward.
    pub drop_action: DropAction,
    /// Whether bridges and DHCP get IPv6 rules as well. nova has none; off if not given.
    pub ipv6: bool,
    /// Whose rules: those of another release differ.
    pub release: Release,
}

impl Options {
    /// nova's defaults for a host with this address (`my_ip`): it has the metadata service, and instances' packets leave
    /// under it.
    #[must_use]
    pub fn for_host(address: Ipv4Addr) -> Self {
        Self { metadata_host: address.into(), routing_source: Some(address), ..Self::default() }
    }

    /// A rule's target for what is not forwarded.
    pub(super) fn drop_target(&self) -> Target {
        match &self.drop_action {
            DropAction::Drop => Target::Drop,
            DropAction::Chain(chain) => Target::Jump(chain.clone()),
        }
    }
}

impl Default for Options {
    /// nova's, for a host whose address is not known: no source translation, metadata on the loopback address.
    fn default() -> Self {
        Self {
            metadata_host: Ipv4Addr::LOCALHOST.into(),
            metadata_port: 8775,
            routing_source: None,
            public_interface: InterfaceName::new("eth0").ok(),
            force_snat_range: Vec::new(),
            dmz: Vec::new(),
            forward: ForwardTo::All,
            drop_action: DropAction::Drop,
            ipv6: false,
            release: Release::Stein,
        }
    }
}

/// Where the packets of a gateway's bridge may go.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ForwardTo {
    /// Anywhere.
    #[default]
    All,
    /// To these interfaces and back, and between the bridge's own ports.
    Only(Vec<InterfaceName>),
}

/// What is done to packets that a bridge does not forward.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum DropAction {
    /// They are dropped.
    #[default]
    Drop,
    /// They go to a chain, `LOGDROP` for example, which has to be there when the model is applied.
    Chain(ChainRef),
}

/// The releases of nova whose rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Release {
    /// The first essex: no interface in source translation, three rules for a floating address.
    Essex,
    /// grizzly to icehouse: `force_snat_range` is for all networks, and always with the public interface.
    Grizzly,
    /// juno and later.
    #[default]
    Stein,
}
