//! Which connections end with what (neutron 76 to 78, 86; section 11, D23, D34).

use std::sync::mpsc::{Receiver, Sender, channel};

use nftwrap::Manager;
use nftwrap::conntrack::{self, Filter};
use nftwrap::kernel::{Errno, Fake};
use nftwrap::layout::Layout;
use nftwrap::virt_firewall::RuleInput;
use nftwrap::virt_firewall::ports::{self, Connections, Driver, Port, PortFirewall};

use crate::world::*;

/// A firewall with the first port, whose start is forgotten.
fn with_port(inputs: &[RuleInput<'_>]) -> World {
    let world = World::new();
    world.rules_of(inputs);
    world.prepare(port_a());
    assert!(world.deleted().is_empty());
    world
}

const LINK_LOCAL: &str = "fe80::f816:3eff:fe11:1111/128";

/// All connections of the first port.
fn of_port_a() -> Vec<String> {
    let addresses = [("Ipv4", "10.0.0.11/32"), ("Ipv6", "2001:db8::11/128"), ("Ipv6", LINK_LOCAL)];
    let mut all: Vec<String> = addresses
        .iter()
        .flat_map(|(family, ip)| ["-d", "-s"].map(|way| format!("{family} {way} {ip} -w 4097")))
        .collect();
    all.sort();
    all
}

/// 76, 86: what the rule had allowed, in the port's zone.
#[test]
fn a_rule_that_goes_takes_its_connections() {
    let ssh = ports(ingress("IPv4", "tcp"), 22, 22);
    let web = RuleInput { prefix: Some("192.0.2.0/24"), ..ports(ingress("IPv4", "tcp"), 80, 80) };
    let out = egress("IPv4", "");
    let world = with_port(&[ssh.clone(), web.clone(), out.clone()]);
    world.rules_of(&[web.clone(), out.clone()]);
    assert_eq!(world.deleted(), ["Ipv4 -p 6 -d 10.0.0.11/32 -w 4097"]);
    world.rules_of(&[out.clone(), web.clone()]);
    assert!(world.deleted().is_empty(), "the order ends no connection");
    world.rules_of(&[out]);
    assert_eq!(world.deleted(), ["Ipv4 -p 6 -s 192.0.2.0/24 -d 10.0.0.11/32 -w 4097"]);
    world.rules_of(&[]);
    assert_eq!(world.deleted(), ["Ipv4 -s 10.0.0.11/32 -w 4097"], "every protocol");
    world.rules_of(&[RuleInput { from: Some(8), ..ingress("IPv6", "icmp") }]);
    world.rules_of(&[]);
    let six = ["2001:db8::11/128", LINK_LOCAL].map(|ip| format!("Ipv6 -p 58 -d {ip} -w 4097"));
    assert_eq!(world.deleted(), six);
}

/// A rule that another group of the port has as well still allows what it did; two ports are two deletions.
#[test]
fn a_rule_that_stays_in_another_group_ends_nothing() {
    let world = World::new();
    let ssh = [ports(ingress("IPv4", "tcp"), 22, 22)];
    for name in ["one", "two"] {
        world.firewall.update_security_group_rules(group(name, &ssh)).wait().unwrap();
    }
    let member = |port: Port, groups: &[&str]| Port { groups: groups.iter().map(|g| group_id(g)).collect(), ..port };
    world.prepare(member(port_a(), &["one", "two"]));
    let plain_b = Port { allowed_pairs: Vec::new(), ..port_b() };
    world.prepare(member(plain_b.clone(), &["one"]));
    world.firewall.update_security_group_rules(group("one", &[])).wait().unwrap();
    assert_eq!(world.deleted(), ["Ipv4 -p 6 -d 10.0.0.12/32 -w 4098"]);
    world.firewall.update_security_group_rules(group("one", &ssh)).wait().unwrap();
    world.prepare(member(port_a(), &["one"]));
    assert_eq!(world.deleted(), of_port_a(), "77: the port left a group");
    world.firewall.remove_security_group(&group_id("one")).wait().unwrap();
    assert_eq!(world.deleted(), ["Ipv4 -p 6 -d 10.0.0.11/32 -w 4097", "Ipv4 -p 6 -d 10.0.0.12/32 -w 4098"]);
}

/// 77: a port that goes, one that loses an address, and one that only changes.
#[test]
fn a_port_that_goes_takes_its_connections() {
    let world = with_port(&example_rules());
    world.prepare(port_a());
    let named = Port { device_owner: "compute:nova".into(), ..port_a() };
    world.prepare(named);
    assert!(world.deleted().is_empty());
    let mut moved = port_a();
    moved.fixed_ips = vec!["10.0.0.99".parse().unwrap(), "2001:db8::11".parse().unwrap()];
    world.prepare(moved);
    assert_eq!(world.deleted(), ["-d", "-s"].map(|way| format!("Ipv4 {way} 10.0.0.11/32 -w 4097")));
    world.prepare(port_a());
    world.deleted();
    world.firewall.remove(&id(A)).unwrap().wait().unwrap();
    assert_eq!(world.deleted(), of_port_a());
}

/// A port that is not filtered any more, or is behind another device, leaves its zone: nothing ends the entries there, and
/// they would be let pass when it, or another port, has the zone again.
#[test]
fn a_port_that_leaves_its_zone_takes_its_connections() {
    let world = with_port(&example_rules());
    world.prepare(Port { port_security: false, ..port_a() });
    assert_eq!(world.deleted(), of_port_a());
    world.prepare(port_a());
    assert!(world.deleted().is_empty());
    world.prepare(Port { device: "tapanother".parse().unwrap(), ..port_a() });
    assert_eq!(world.deleted(), of_port_a());
    assert_eq!(world.firewall.zone(&id(A)), Some(4098));
}

/// 76, 78: of a group that a port's rules name, by whatever way the rule goes.
#[test]
fn a_rule_that_names_a_group_takes_its_connections() {
    let named = RuleInput { group: Some("friends"), ..ports(ingress("IPv4", "udp"), 53, 53) };
    let world = with_port(&[named.clone(), egress("IPv4", "")]);
    world.firewall.update_security_group_members(&group_id("friends"), [net("10.0.0.2/32")]).wait().unwrap();
    world.rules_of(&[egress("IPv4", "")]);
    assert_eq!(world.deleted(), ["Ipv4 -p 17 -d 10.0.0.11/32 -w 4097"]);
    world.rules_of(&[named]);
    world.deleted();
    // The group that is named goes: its members are members still.
    world.firewall.remove_security_group(&group_id("friends")).wait().unwrap();
    assert!(world.deleted().is_empty());
    world.firewall.remove_security_group(&group_id(GROUP)).wait().unwrap();
    assert_eq!(world.deleted(), ["Ipv4 -p 17 -d 10.0.0.11/32 -w 4097"]);
    world.firewall.remove_security_group(&group_id(GROUP)).wait().unwrap();
    assert!(world.deleted().is_empty(), "once");
}

/// In both forms, and also when the set becomes another one in the same change.
#[test]
fn members_that_leave_take_their_connections_in_any_layout() {
    for layout in with_sets() {
        let settings = settings(&layout, Driver::Hybrid);
        let world = World::over(Fake::new(), layout, settings);
        world.rules_of(&[RuleInput { group: Some("friends"), ..ingress("IPv4", "") }]);
        world.prepare(port_a());
        let change = |add: &[&str], remove: &[&str]| {
            let nets = |members: &[&str]| members.iter().map(|member| net(member)).collect::<Vec<_>>();
            let tickets = world.firewall.change_security_group_members(&group_id("friends"), nets(add), nets(remove));
            tickets.wait().unwrap();
            world.deleted()
        };
        let with = |member: &str| {
            [format!("Ipv4 -s 10.0.0.11/32 -d {member} -w 4097"), format!("Ipv4 -s {member} -d 10.0.0.11/32 -w 4097")]
        };
        assert!(change(&["10.0.0.2/32", "10.0.0.3/32"], &["10.0.0.7/32"]).is_empty());
        assert_eq!(change(&["10.1.0.0/16"], &["10.0.0.2/32"]), with("10.0.0.2/32"));
        let mut gone = with("10.1.0.0/16");
        gone.sort();
        assert_eq!(change(&[], &["10.1.0.0/16"]), gone);
    }
}

/// 78: in both directions, of the ports whose rules name the group.
#[test]
fn a_member_that_leaves_takes_its_connections() {
    let world = World::new();
    let named = [RuleInput { group: Some("friends"), ..ingress("IPv4", "") }];
    world.rules_of(&named);
    world.firewall.update_security_group_rules(group("plain", &example_rules())).wait().unwrap();
    world.prepare(port_a());
    world.prepare(Port { groups: vec![group_id("plain")], ..port_b() });
    let members = |members: &[&str]| {
        let members = members.iter().map(|member| net(member));
        world.firewall.update_security_group_members(&group_id("friends"), members).wait().unwrap();
    };
    members(&["10.0.0.2/32", "10.0.0.3/32"]);
    assert!(world.deleted().is_empty());
    members(&["10.0.0.3/32"]);
    assert_eq!(
        world.deleted(),
        ["Ipv4 -s 10.0.0.11/32 -d 10.0.0.2/32 -w 4097", "Ipv4 -s 10.0.0.2/32 -d 10.0.0.11/32 -w 4097"]
    );
    world.rules_of(&[]);
    world.deleted();
    members(&[]);
    assert!(world.deleted().is_empty(), "no rule names the group any more");
}

/// D23: a port without a zone has nothing to lose; each filter is asked for once, in one look.
#[test]
fn what_has_no_zone_is_left_alone_and_nothing_is_asked_twice() {
    let world = World::new();
    world.rules_of(&example_rules());
    let off = Port { port_security: false, ..port_a() };
    world.prepare(off.clone());
    world.prepare(Port { groups: vec![], fixed_ips: vec![], ..off });
    world.rules_of(&[]);
    world.firewall.remove(&id(A)).unwrap().wait().unwrap();
    assert!(world.deleted().is_empty());
    world.prepare(port_a());
    let deferral = world.firewall.defer();
    let _ = world.firewall.remove(&id(A)).unwrap();
    let _ = world.firewall.prepare(port_a()).unwrap();
    let last = world.firewall.remove(&id(A)).unwrap();
    drop(deferral);
    last.wait().unwrap();
    let mut once = world.deleted();
    // How many looks that took depends on when the thread began; `Deleted` sees to it that none has a filter twice.
    once.dedup();
    assert_eq!(once, of_port_a());
}

/// Deletes when it is told to, and says how much.
struct Slow(Sender<usize>, Receiver<()>);

impl Connections for Slow {
    fn delete(&mut self, filters: &[Filter]) -> Result<usize, conntrack::Error> {
        self.1.recv().unwrap();
        self.0.send(filters.len()).unwrap();
        Ok(0)
    }
}

/// D34: nobody waits for deletions; what comes meanwhile is done in one go; the end waits for all of it.
#[test]
fn deletions_keep_nobody_waiting() {
    let (said, counts) = channel();
    let (go, told) = channel();
    let manager = Manager::with_kernel(ports::model(COMPONENT, true).unwrap(), Fake::new());
    let settings = settings(&Layout::Iptables, Driver::Hybrid);
    let firewall = PortFirewall::start(manager, settings, Some(Box::new(Slow(said, told)))).unwrap();
    let many: Vec<_> =
        (0..20).map(|n| port(&format!("{n:08x}-0000"), "fa:16:3e:00:00:01", &[&format!("10.0.0.{n}")])).collect();
    for (_, ticket) in firewall.prepare_all(many.clone()) {
        ticket.unwrap().wait().unwrap();
    }
    for port in &many {
        // The first deletion has not begun, and this one is waited for.
        firewall.remove(&port.id).unwrap().wait().unwrap();
    }
    assert!(counts.try_recv().is_err());
    for _ in 0..many.len() {
        go.send(()).unwrap();
    }
    firewall.stop().unwrap();
    let looks: Vec<usize> = counts.try_iter().collect();
    assert!(looks.len() <= 3, "{looks:?}");
}

/// Rules first: of a removal that is refused no connection is deleted, before it is done after all.
#[test]
fn connections_go_after_the_rules() {
    let world = with_port(&example_rules());
    world.firewall.visit(|manager| manager.kernel_mut().fail_next(1, Errno::NOMEM)).unwrap();
    assert!(world.firewall.remove(&id(A)).unwrap().wait().is_err());
    assert!(world.deleted().is_empty());
    world.firewall.retry().wait().unwrap();
    assert_eq!(world.deleted(), of_port_a());
    assert!(world.v4("FORWARD").is_empty());
    world.settled();
}
