//! neutron's ports.

use std::sync::Arc;

use nftwrap::Manager;
use nftwrap::apply::Report;
use nftwrap::conntrack::Conntrack;
use nftwrap::layout::Layout;
use nftwrap::name::MacAddress;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::virt_firewall::ports::{self, Path, Port, PortFirewall, Settings};

use crate::support::failure::Failure;
use crate::{Candidate, Reports, scene};

/// A host of ports.
pub(crate) struct Ports(PortFirewall);

impl Ports {
    pub(crate) fn start(layout: Layout) -> Result<Box<dyn Candidate>, Failure> {
        // Told apart by interface, as the native layout can look it up; a bridge needs a rule a port in any layout.
        let settings = Settings { path: Path::Routed, ..Settings::for_layout(&layout) };
        let manager = Manager::open_with(ports::model("neutron-openvswi", false)?, layout)?;
        let connections = Conntrack::open_in(&Namespace::current())?;
        Ok(Box::new(Self(PortFirewall::start(manager, settings, Some(Box::new(connections)))?)))
    }
}

fn port(number: u32) -> Result<Port, Failure> {
    let id = format!("{number:08x}-1a2b-4c3d-8e4f-{number:012}").parse()?;
    let mut port = Port::new(id, MacAddress(scene::mac(number)), "77aa88bb-0000-4000-8000-000000000001".parse()?);
    port.fixed_ips = vec![scene::address(number)];
    port.groups = scene::groups_of(number)?;
    Ok(port)
}

/// Each transaction's once.
fn once(reports: impl IntoIterator<Item = Arc<Report>>) -> Reports {
    let mut once = Reports::new();
    for report in reports {
        if !once.iter().any(|other| Arc::ptr_eq(other, &report)) {
            once.push(report);
        }
    }
    once
}

impl Candidate for Ports {
    fn load(&mut self, instances: u32) -> Result<Reports, Failure> {
        let deferral = self.0.defer();
        let members = (0..instances).map(|number| scene::address(number).into());
        let mut of_groups = vec![self.0.update_security_group_members(&scene::group_id(0)?, members)];
        of_groups.extend(scene::groups()?.into_iter().map(|group| self.0.update_security_group_rules(group)));
        let ports: Vec<_> = (0..instances).map(port).collect::<Result<_, _>>()?;
        let of_ports = self.0.prepare_all(ports);
        drop(deferral);
        let mut reports = Reports::new();
        for tickets in of_groups {
            reports.extend(tickets.wait()?);
        }
        for (_, ticket) in of_ports {
            reports.push(ticket?.wait()?);
        }
        Ok(once(reports))
    }

    fn boot(&mut self, number: u32) -> Result<Reports, Failure> {
        Ok(vec![self.0.prepare(port(number)?)?.wait()?])
    }

    fn start(&mut self, _: u32) -> Option<Result<(), Failure>> {
        None
    }

    fn stop(&mut self, number: u32) -> Result<(), Failure> {
        self.end(number).map(drop)
    }

    fn end(&mut self, number: u32) -> Result<Reports, Failure> {
        let ended = self.0.remove(&port(number)?.id).map(|ticket| ticket.wait()).transpose()?;
        Ok(ended.into_iter().collect())
    }

    fn rule(&mut self, more: bool) -> Result<Reports, Failure> {
        Ok(self.0.update_security_group_rules(scene::group(0, more)?).wait()?)
    }

    fn member(&mut self, number: u32, comes: bool) -> Result<Reports, Failure> {
        let (group, address) = (scene::group_id(0)?, [scene::elsewhere(number).into()]);
        let (add, remove): (&[_], &[_]) = if comes { (&address, &[]) } else { (&[], &address) };
        Ok(self.0.change_security_group_members(&group, add.iter().copied(), remove.iter().copied()).wait()?)
    }
}
