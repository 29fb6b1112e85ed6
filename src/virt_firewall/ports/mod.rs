//! The firewall of ports: what neutron's agents do with wrapped chains for each port of a host.
//!
//! Owns: which chains, rules, zones and sets ports and their security groups are, and which connections end with them.
//! Never: lets a rule look at another group's members than it names; asks a server; waits for the kernel with a lock held;
//! deletes a connection outside of the port's zone.
//!
//! ```text
//! FORWARD ─device─> sg-chain ─device─> i<port>  to the port     ─user rules─> RETURN, or INVALID: drop, rest: sg-fallback
//!                      │                o<port>  from the port ─> s<port> source check ─user rules─> ...
//!                      └─> ACCEPT                                                RETURN: the other port may still object
//! ```
//!
//! | file | has |
//! |---|---|
//! | [`Port`], `port` | a port, the provider's rules |
//! | `names` | names of chains, devices, sets and zones, by [`Driver`] |
//! | `rules` | the rules of a port's own chains, in order |
//! | `unit` | a port as a [`Unit`](crate::writer::Unit): its chains, and its rules in shared ones |
//! | `zones`, `recover` | which port has which zone; the zones that stand in the kernel |
//! | `connections` | the connections that a change ends |
//! | `state` | what is wanted, and what follows from a change |
//! | `firewall` | [`PortFirewall`] |
//! | `bridge` | whether packets of bridges come by at all |
//!
//! ```
//! use nftwrap::Manager;
//! use nftwrap::kernel::Fake;
//! use nftwrap::layout::Layout;
//! use nftwrap::virt_firewall::ports::{self, Port, PortFirewall, Settings};
//!
//! let layout = Layout::native();
//! let settings = Settings::for_layout(&layout);
//! let model = ports::model("neutron-openvswi", true)?;
//! let manager = Manager::with_kernel_and_layout(model, Fake::new(), layout); // or `Manager::open_with`
//! let firewall = PortFirewall::start(manager, settings, None)?;
//! let mut port = Port::new("c0ffee01-1a2b".parse()?, "fa:16:3e:11:11:11".parse()?, "77aa88bb".parse()?);
//! port.fixed_ips = vec!["10.0.0.11".parse()?];
//! let id = port.id.clone();
//! firewall.prepare(port)?.wait()?;
//! assert_eq!(firewall.zone(&id), Some(4097));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: a change costs what it changes: one port is made anew, not all of them; a group's rule is one chain in the
//! native layout, and one rule in each port's chain with the tables of iptables.
//! Invariant: no address, nothing sent: a family in which a port may send from nothing has a source check that nothing
//! passes. What is sent to such a port is its groups' to decide, as with neutron.
//! Invariant: what is refused stays wanted, and is submitted again, ever more rarely ([`PortFirewall::retry`]).
//! Invariant: a port whose rules are refused keeps no other port of its groups from a change.
//!
//! Where the truth is: `neutron/agent/linux/iptables_firewall.py`; the differences are in
//! [`manual::parity`](crate::manual::parity).
//! How it is tested: names and zones here; `tests/port_firewall` has each behaviour of the reference, its dumps beside those
//! of the stock tools, restarts, and packets over a bridge.

pub mod bridge;
mod connections;
mod firewall;
mod names;
mod port;
mod recover;
mod rules;
mod state;
mod unit;
mod zones;

use std::fmt;

use thiserror::Error;

pub use self::connections::Connections;
pub use self::firewall::{Deferral, PortFirewall};
pub use self::names::{Driver, Path, ZoneKey};
pub use self::port::{AddressPair, FixedRule, NetworkId, Port, PortId};
pub use self::zones::{FIRST, LAST, Zones};
use super::groups::{Form, GroupKey};
use super::tickets::Refused;
use crate::kernel;
use crate::layout::Layout;
use crate::name::{InterfaceName, WrapName};
use crate::wrap::{Model, ModelError, Profile};
use crate::writer::{Pace, WriteError};

/// What a port without any address may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unaddressed {
    /// What a host does to get an address.
    #[default]
    Nothing,
    /// Everything from its hardware address, as with neutron.
    ByMac,
}

/// How ports are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whose names and zones.
    pub driver: Driver,
    /// How packets come by.
    pub path: Path,
    /// Whether rules have comments.
    pub comments: bool,
    /// Where the rules of groups stand.
    pub form: Form,
    /// What a port without any address may send.
    pub unaddressed: Unaddressed,
    /// Whether what bridged ports send to the host itself is checked. neutron's rule for it asks for
    /// `--physdev-is-bridged`, which no packet to the host ever is, so that it checks none; `true` leaves that out.
    pub host_input: bool,
    /// When transactions begin.
    pub pace: Pace,
}

impl Settings {
    /// Those that suit a layout: with the tables of iptables, what neutron writes, comments included; in the native one
    /// shared chains, no comments that would keep equal chains apart, and checked packets to the host.
    #[must_use]
    pub fn for_layout(layout: &Layout) -> Self {
        let iptables = matches!(layout, Layout::Iptables);
        Self {
            driver: Driver::Hybrid,
            path: Path::Bridged,
            comments: iptables,
            form: if iptables { Form::Inline } else { Form::Lists },
            unaddressed: Unaddressed::default(),
            host_input: !iptables,
            pace: Pace::default(),
        }
    }
}

/// A model with the tables that neutron's firewall has: filter, raw, and PREROUTING of nat.
///
/// # Errors
/// [`ModelError`] for a name that no component can have.
pub fn model(component: &str, ipv6: bool) -> Result<Model, ModelError> {
    let component = WrapName::new(component)?;
    Model::builder().component(component).profile(Profile::Neutron).stateless(true).eager(true).ipv6(ipv6).build()
}

/// What the writer knows a unit by, in the order in which units have to come.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Group(GroupKey),
    Port(PortId),
    Trusted(PortId),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port {port}"),
            Self::Trusted(port) => write!(f, "trusted port {port}"),
            Self::Group(group) => group.fmt(f),
        }
    }
}

/// Why a port cannot be filtered, or the firewall not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PortError {
    /// The port's device is another port's.
    #[error("port {port}: device `{device}` belongs to port {other}")]
    DeviceTaken {
        /// The port.
        port: PortId,
        /// The device.
        device: InterfaceName,
        /// Whose it is.
        other: PortId,
    },
    /// Another port has the names of its chains.
    #[error("port {port}: other ports have all names that its chains could have")]
    NameTaken {
        /// The port.
        port: PortId,
    },
    /// All zones are in use.
    #[error("port {port}: all connection tracking zones from {FIRST} to {LAST} are in use")]
    NoZone {
        /// The port.
        port: PortId,
    },
    /// The frame does not fit the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The zones cannot be read.
    #[error("cannot read the zones that stand in the kernel: {0}")]
    Kernel(#[from] kernel::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The change was refused.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Pieces of the change were refused.
    #[error(transparent)]
    Refused(#[from] Refused),
}
