//! nova's instances.

use nftwrap::Manager;
use nftwrap::conntrack::Conntrack;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::name::MacAddress;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::virt_firewall::instances::{
    Deferral, FirewallDriver, Instance, Interface, Network, NftablesFirewallDriver, Options, Subnet,
};
use nftwrap::wrap::{Model, Profile};
use nftwrap::writer::Pace;

use crate::support::failure::Failure;
use crate::{Candidate, Reports, scene};

/// A host of instances.
pub(crate) struct Instances(NftablesFirewallDriver);

impl Instances {
    pub(crate) fn start(layout: Layout) -> Result<Box<dyn Candidate>, Failure> {
        let options = Options::of(&layout);
        let model = Model::builder().component("nova-compute".parse()?).profile(Profile::Nova).build()?;
        let manager = Manager::open_with(model, layout)?;
        let driver = NftablesFirewallDriver::start(manager, Live::open()?, options, Pace::default())?;
        let connections = Conntrack::open_in(&Namespace::current())?;
        Ok(Box::new(Self(driver.ending_connections(Box::new(connections))?)))
    }
}

fn instance(number: u32) -> Result<Instance, Failure> {
    let subnet = Subnet {
        cidr: "10.0.0.0/8".parse()?,
        gateway: Some("10.0.0.1".parse()?),
        dhcp_server: Some("10.0.0.1".parse()?),
        addresses: vec![scene::address(number)],
    };
    let interface = Interface {
        device: format!("tap{number}").parse()?,
        mac: MacAddress(scene::mac(number)),
        network: Network { subnets: vec![subnet] },
    };
    Ok(Instance {
        id: number.to_string().parse()?,
        name: String::new(),
        is_vpn: false,
        interfaces: vec![interface],
        groups: scene::groups_of(number)?,
    })
}

impl Candidate for Instances {
    fn load(&mut self, instances: u32) -> Result<Reports, Failure> {
        let deferral = Deferral::begin(&self.0);
        let members: Vec<_> = (0..instances).map(scene::address).collect();
        let mut tickets = vec![self.0.put_members(&scene::group_id(0)?, &members)?];
        for group in scene::groups()? {
            tickets.push(self.0.put_group(group)?);
        }
        for number in 0..instances {
            tickets.push(self.0.prepare(&instance(number)?)?);
        }
        deferral.finish()?;
        // All were in one transaction.
        let mut reports: Reports = Vec::new();
        for ticket in tickets {
            for report in ticket.wait()? {
                if !reports.iter().any(|other| std::sync::Arc::ptr_eq(other, &report)) {
                    reports.push(report);
                }
            }
        }
        Ok(reports)
    }

    fn boot(&mut self, number: u32) -> Result<Reports, Failure> {
        Ok(self.0.prepare(&instance(number)?)?.wait()?)
    }

    fn start(&mut self, number: u32) -> Option<Result<(), Failure>> {
        let start = || {
            let instance = instance(number)?;
            self.0.setup_basic_filtering(&instance)?;
            self.0.prepare_instance_filter(&instance)?;
            self.0.apply_instance_filter(&instance.id)?;
            Ok(())
        };
        Some(start())
    }

    fn stop(&mut self, number: u32) -> Result<(), Failure> {
        Ok(self.0.unfilter_instance(&instance(number)?)?)
    }

    fn end(&mut self, number: u32) -> Result<Reports, Failure> {
        Ok(self.0.unfilter(&instance(number)?.id)?.wait()?)
    }

    fn rule(&mut self, more: bool) -> Result<Reports, Failure> {
        Ok(self.0.put_group(scene::group(0, more)?)?.wait()?)
    }

    fn member(&mut self, number: u32, comes: bool) -> Result<Reports, Failure> {
        let (group, address) = (scene::group_id(0)?, [scene::elsewhere(number)]);
        let (add, remove): (&[_], &[_]) = if comes { (&address, &[]) } else { (&[], &address) };
        Ok(self.0.change_members(&group, add, remove)?.wait()?)
    }
}
