//! What a port is in the model: chains of its own, and rules in shared ones.
//!
//! Owns: the units of filtered, unfiltered and trusted ports, and the frame around them.
//! Never: decides a zone or a name.
//!
//! Rules in shared chains stand in the order in which ports came; which that is makes no difference, as no two ports
//! match the same packet in one direction.

use super::super::group::Direction;
use super::Settings;
use super::names::{ChainOf, Chains, Path};
use super::port::Port;
use super::rules::{self, Notes, SG_CHAIN};
use crate::name::InterfaceName;
use crate::rule::matches::Physdev;
use crate::rule::targets::{Ct, CtZone, CtZoneDirection, CtZoneId};
use crate::rule::{Family, InterfaceMatch, Match, Not, Rule, Target};
use crate::wrap::{Addition, Model, ModelError, Place, TableId, TableKind};
use crate::writer::Unit;

/// What becomes of a port's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    Zone(u16),
    Off,
}

/// To a port, or from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

const RAW: TableKind = TableKind::Raw;
const NAT: TableKind = TableKind::Nat;
const FILTER: TableKind = TableKind::Filter;

/// The chains that every port leads to, which stay as long as the firewall does.
pub(super) fn add_frame(model: &mut Model, families: &[Family], notes: Notes) -> Result<(), ModelError> {
    for &family in families {
        let table = model.table_mut(family, FILTER)?;
        table.add_chain(rules::FALLBACK)?;
        table.add_rule(rules::FALLBACK, notes.on(Rule::new(), rules::DEFAULT_DROP).discard())?;
        table.add_chain(SG_CHAIN)?;
        table.add_rule(SG_CHAIN, Addition::new(Rule::new().accept()).bottom())?;
    }
    Ok(())
}

fn name(device: &InterfaceName) -> Not<InterfaceMatch> {
    Not::is(InterfaceMatch::Name(device.clone()))
}

/// A rule for a port of a bridge; `bridged` is for packets that stay on it.
fn physdev(device: &InterfaceName, way: Way, bridged: bool) -> Rule {
    let is_bridged = bridged.then(|| Not::is(()));
    let mut ports = Physdev { is_bridged, ..Physdev::default() };
    match way {
        Way::Out => ports.output = Some(name(device)),
        Way::In => ports.input = Some(name(device)),
    }
    Rule::new().matching(Match::Physdev(Box::new(ports)))
}

/// Makes units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) families: &'a [Family],
}

impl Builder<'_> {
    fn notes(&self) -> Notes {
        Notes(self.settings.comments)
    }

    /// A rule for packets to or from a device, where both are known.
    fn at(&self, device: &InterfaceName, way: Way) -> Rule {
        match (self.settings.path, way) {
            (Path::Bridged, _) => physdev(device, way, true),
            (Path::Routed, Way::Out) => Rule::new().output(name(device)),
            (Path::Routed, Way::In) => Rule::new().input(name(device)),
        }
    }

    /// A rule for packets from a device to the host itself.
    fn host_bound(&self, device: &InterfaceName) -> Rule {
        match self.settings.path {
            Path::Bridged => physdev(device, Way::In, !self.settings.host_input),
            Path::Routed => self.at(device, Way::In),
        }
    }

    fn table(family: Family, kind: TableKind) -> TableId {
        TableId::new(family, kind)
    }

    /// A filtered port with its chains. `user` gives the rules behind the fixed ones of a direction, the closing ones
    /// included.
    pub(super) fn filtered(
        &self,
        port: &Port,
        chains: &Chains,
        tracking: Option<Tracking>,
        user: impl Fn(Direction, Family) -> Vec<Rule>,
    ) -> Unit {
        let (mut unit, notes) = (Unit::new(), self.notes());
        for &family in self.families {
            if let Some(tracking) = tracking {
                self.track(&mut unit, port, family, tracking);
            }
            self.leave_addresses(&mut unit, &port.device, family);
            let table = Self::table(family, FILTER);
            let rules = |direction| rules::user_rules(port, direction, family, user(direction, family));
            let spoof = rules::anti_spoof(port, family, notes, self.settings.unaddressed);
            unit.chain(table, chains.key(ChainOf::AntiSpoof), spoof);
            let ingress = rules::ingress(family, notes, rules(Direction::Ingress));
            unit.chain(table, chains.key(ChainOf::Ingress), ingress);
            let egress = rules::egress(family, notes, chains, rules(Direction::Egress));
            unit.chain(table, chains.key(ChainOf::Egress), egress);
            for (way, chain) in [(Way::Out, ChainOf::Ingress), (Way::In, ChainOf::Egress)] {
                let at = || self.at(&port.device, way);
                let into = notes.on(at(), rules::TO_SG_CHAIN).jump(rules::own(SG_CHAIN));
                // Before the rules of ports that are not filtered.
                unit.rule(table, "$FORWARD", Place::Top, into);
                let own = notes.on(at(), rules::TO_PORT).jump(chains.reference(chain));
                unit.rule(table, SG_CHAIN, self.place(way), own);
                if way == Way::In {
                    let own = notes.on(self.host_bound(&port.device), rules::INPUT).jump(chains.reference(chain));
                    unit.rule(table, "$INPUT", Place::Normal, own);
                }
            }
        }
        unit
    }

    /// Rules of one key stand together where the native layout can look them up.
    fn place(&self, way: Way) -> Place {
        match (self.settings.path, way) {
            (Path::Routed, Way::Out) => Place::Top,
            _ => Place::Normal,
        }
    }

    /// A port whose packets are let pass, whatever they are.
    pub(super) fn unfiltered(&self, port: &Port) -> Unit {
        let mut unit = Unit::new();
        for &family in self.families {
            let table = Self::table(family, FILTER);
            for way in [Way::Out, Way::In] {
                let accept = |rule| self.notes().on(rule, rules::NO_SECURITY).accept();
                unit.rule(table, "$FORWARD", Place::Normal, accept(self.at(&port.device, way)));
                if way == Way::In {
                    unit.rule(table, "$INPUT", Place::Normal, accept(self.host_bound(&port.device)));
                }
            }
            self.leave_addresses(&mut unit, &port.device, family);
        }
        unit
    }

    /// A device that belongs to the host's own services.
    pub(super) fn trusted(&self, device: &InterfaceName) -> Unit {
        let mut unit = Unit::new();
        for &family in self.families {
            let table = Self::table(family, FILTER);
            for way in [Way::Out, Way::In] {
                let rule = self.notes().on(self.at(device, way), rules::TRUSTED).accept();
                unit.rule(table, "$FORWARD", Place::Normal, rule);
            }
            self.leave_addresses(&mut unit, device, family);
        }
        unit
    }

    /// Keeps other programs' address translation of this host from a port's packets.
    fn leave_addresses(&self, unit: &mut Unit, device: &InterfaceName, family: Family) {
        let ways = match self.settings.path {
            Path::Bridged => [Way::Out, Way::In].map(|way| physdev(device, way, false)).to_vec(),
            // Where a packet goes is not known before it is routed.
            Path::Routed => vec![self.at(device, Way::In)],
        };
        for rule in ways {
            let rule = self.notes().on(rule, rules::TRUSTED).accept();
            unit.rule(Self::table(family, NAT), "$PREROUTING", Place::Normal, rule);
        }
    }

    fn track(&self, unit: &mut Unit, port: &Port, family: Family, tracking: Tracking) {
        let Settings { driver, path, .. } = *self.settings;
        let (text, ct) = match tracking {
            Tracking::Zone(zone) => ("Set zone for", zoned(zone)),
            Tracking::Off => ("Make", Ct { notrack: true, ..Ct::default() }),
        };
        let end = if tracking == Tracking::Off { " stateless" } else { "" };
        let text = format!("{text} {}{end}", driver.shown(port));
        let devices = match path {
            Path::Bridged => {
                let bridge = driver.bridge_side(port);
                let arriving = Rule::new().input(name(&bridge));
                vec![physdev(&bridge, Way::In, false), arriving, physdev(&port.device, Way::In, false)]
            }
            Path::Routed => vec![self.at(&port.device, Way::In)],
        };
        for rule in devices {
            let rule = self.notes().on(rule, &text).target(Target::Ct(Box::new(ct.clone())));
            unit.rule(Self::table(family, RAW), "$PREROUTING", Place::Normal, rule);
        }
    }
}

fn zoned(zone: u16) -> Ct {
    let zone = CtZone { direction: CtZoneDirection::Both, id: CtZoneId::Number(zone) };
    Ct { zone: Some(zone), ..Ct::default() }
}
