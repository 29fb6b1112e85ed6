//! What a router is to be: typed, and checked as a whole.
//!
//! Owns: the values that a caller states, and [`Router::check`], which says what is wrong with them.
//! Never: knows a rule, a chain name or the kernel.
//!
//! Every value that can be wrong by itself is a checked type; what can only be wrong together (two floating addresses
//! that are the same, a forwarding of an address that is a floating one) is found by [`Router::check`], which names the
//! value at fault.
//!
//! How it is tested: here, a test for each error.

mod check;
mod forwarding;
mod id;
mod metering;
mod port;

pub use check::StateError;
pub use forwarding::{ConntrackHelper, HelperName, PortForwarding};
pub use id::{Id, IdError};
pub use metering::{Direction, MeteringLabel, MeteringRule, Traffic};
pub(super) use port::has_family;
pub use port::{AddressScopes, Gateway, InternalPort, Plug, StaticRoute};

use std::net::Ipv4Addr;

use crate::name::InterfaceName;

/// A router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// Which one; its namespace is named by it.
    pub id: Id,
    /// Which part of it is here.
    pub role: Role,
    /// The way out; `None` while it has none.
    pub gateway: Option<Gateway>,
    /// The ways in, in the order in which their rules stand.
    pub ports: Vec<InternalPort>,
    /// Floating addresses, in the order in which their rules stand.
    pub floating: Vec<FloatingIp>,
    /// Ports of outside addresses that lead to ports of inside ones.
    pub forwardings: Vec<PortForwarding>,
    /// Ports whose connections a helper looks into.
    pub helpers: Vec<ConntrackHelper>,
    /// Where guests' questions about themselves go.
    pub metadata: Metadata,
    /// What is counted.
    pub labels: Vec<MeteringLabel>,
    /// Routes beside those of the gateway and of the ports' networks.
    pub routes: Vec<StaticRoute>,
}

impl Router {
    /// A router that has nothing yet, not even metadata.
    #[must_use]
    pub fn new(id: Id) -> Self {
        Self {
            id,
            role: Role::Centralized,
            gateway: None,
            ports: Vec::new(),
            floating: Vec::new(),
            forwardings: Vec::new(),
            helpers: Vec::new(),
            metadata: Metadata::Off,
            labels: Vec::new(),
            routes: Vec::new(),
        }
    }
}

/// Which part of a router is in the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// All of it.
    #[default]
    Centralized,
    /// Of a distributed router: what its guests' hosts have.
    Compute {
        /// The device that leads to the floating addresses' namespace (`rfp-`); `None` on a host without a way out, where
        /// floating addresses have no rules.
        external: Option<InterfaceName>,
    },
    /// Of a distributed router: source translation, in a namespace `snat-` of its own.
    Snat,
}

/// An outside address that is a guest's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FloatingIp {
    /// The outside address.
    pub floating: Ipv4Addr,
    /// The guest's address.
    pub fixed: Ipv4Addr,
    /// The address scope of the guest's address.
    pub fixed_scope: Option<Id>,
    /// Whether it is in use. One that is down has neither rules nor a place on the device.
    pub state: FloatingState,
    /// Of a distributed router: whether it is translated where source translation is, and not on the guest's host.
    pub at_snat: bool,
}

impl FloatingIp {
    /// One that is up, of no scope, on the guest's host if the router is distributed.
    #[must_use]
    pub fn new(floating: Ipv4Addr, fixed: Ipv4Addr) -> Self {
        Self { floating, fixed, fixed_scope: None, state: FloatingState::Active, at_snat: false }
    }
}

/// Whether a floating address is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FloatingState {
    /// It is.
    #[default]
    Active,
    /// It is not.
    Down,
}

/// What becomes of guests' questions to the metadata address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metadata {
    /// They are routed like others.
    #[default]
    Off,
    /// They are dropped: the program that answers them is not there yet.
    Blocked {
        /// The port that it will have.
        port: u16,
    },
    /// They go to the program that answers them.
    Redirected {
        /// Its port, in the router's namespace.
        port: u16,
    },
}

impl Metadata {
    /// The port that neutron's metadata proxy listens on.
    pub const PORT: u16 = 9697;

    /// The port, if questions are treated at all.
    pub(super) fn port(self) -> Option<u16> {
        match self {
            Self::Off => None,
            Self::Blocked { port } | Self::Redirected { port } => Some(port),
        }
    }
}
