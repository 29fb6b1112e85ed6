//! Which connections end when a group is closed (nova 7.31).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ipnetwork::IpNetwork;
use nftwrap::conntrack::{self, Conntrack, Filter};
use nftwrap::kernel::{Errno, Fake};
use nftwrap::layout::Layout;
use nftwrap::virt_firewall::instances::{Deferral, Options};
use nftwrap::virt_firewall::{Connections, FirewallDriver, Form, NftablesFirewallDriver};

use crate::lab::bound;
use crate::packets::{FIRST, Net, PATIENCE, one};
use crate::{first, group, groups, id, ip, small, tenants};

#[derive(Debug, Clone, Default)]
struct Deleted(Arc<Mutex<Vec<Filter>>>);

impl Connections for Deleted {
    fn delete(&mut self, filters: &[Filter]) -> Result<usize, conntrack::Error> {
        self.0.lock().unwrap().extend_from_slice(filters);
        Ok(filters.len())
    }
}

impl Deleted {
    /// What was deleted since the last call, in words.
    fn words(&self) -> Vec<String> {
        let end = |name: &str, end: Option<IpNetwork>| end.map(|end| format!(" {name} {end}")).unwrap_or_default();
        let show = |filter: Filter| {
            assert_eq!(filter.zone, Some(0), "of no other firewall");
            let protocol = filter.protocol.map(|protocol| format!(" -p {protocol}")).unwrap_or_default();
            let port = filter.reply.source_port.map(|port| format!(" --dport {port}")).unwrap_or_default();
            let ends = end("-s", filter.original.source) + &end("-r", filter.reply.source);
            format!("{:?}{protocol}{port}{ends}", filter.family.unwrap())
        };
        let mut words: Vec<_> = self.0.lock().unwrap().drain(..).map(show).collect();
        words.sort();
        words.dedup();
        words
    }
}

fn ending(options: Options) -> (NftablesFirewallDriver<Fake>, Deleted, Fake) {
    let (driver, kernel) = crate::fake(options);
    let deleted = Deleted::default();
    (driver.ending_connections(Box::new(deleted.clone())).unwrap(), deleted, kernel)
}

fn both() -> [Options; 2] {
    [Options::nova(), Options { form: Form::Lists, ..Options::nova() }]
}

/// A rule that goes; not one that stays, comes, or that another group has as well.
#[test]
fn a_rule_that_goes_takes_its_connections() {
    for options in both() {
        let (driver, deleted, _) = ending(options);
        let put = |name: &str, rules: &[&str]| {
            assert_eq!(driver.refresh_security_group_rules(&group(name), &tenants(rules)).unwrap(), []);
            deleted.words()
        };
        driver.prepare_instance_filter(&first(&["web", "shell"])).unwrap();
        driver.prepare_instance_filter(&small("2", "10.0.0.2", &["other"])).unwrap();
        let all =
            ["tcp 22 22 0.0.0.0/0", "tcp 22 22 ::/0", "icmp -1 -1 0.0.0.0/0", "udp 5 9 10.0.0.0/8", "tcp 80 80 @web"];
        assert_eq!(put("shell", &all), [""; 0]);
        assert_eq!(put("web", &all[..2]), [""; 0]);
        assert_eq!(put("shell", &all[1..]), [""; 0], "the other group has it");
        assert_eq!(put("shell", &all[2..]), [""; 0]);
        assert_eq!(put("web", &all[1..2]), ["Ipv4 -p 6 --dport 22 -s 0.0.0.0/0 -r 10.10.10.2/32"]);
        assert_eq!(
            put("shell", &[]),
            [
                "Ipv4 -p 1 -s 0.0.0.0/0 -r 10.10.10.2/32",
                "Ipv4 -p 17 -s 10.0.0.0/8 -r 10.10.10.2/32",
                "Ipv4 -p 6 --dport 80 -r 10.10.10.2/32",
                "Ipv6 -p 6 --dport 80 -r fd00:10::f816:3eff:fe00:1/128",
            ]
        );
        driver.remove_group(&group("web")).unwrap().wait().unwrap();
        driver.wait_for_connections();
        assert_eq!(deleted.words(), ["Ipv6 -p 6 --dport 22 -s ::/0 -r fd00:10::f816:3eff:fe00:1/128"]);
    }
}

/// A group that an instance leaves, an address that it loses, and its end.
#[test]
fn an_instance_that_changes_takes_its_connections() {
    for options in both() {
        let (driver, deleted, _) = ending(options);
        driver.refresh_security_group_rules(&group("a"), &tenants(&["tcp 22 22 0.0.0.0/0"])).unwrap();
        driver
            .refresh_security_group_rules(&group("b"), &tenants(&["tcp 22 22 0.0.0.0/0", "tcp 80 80 0.0.0.0/0"]))
            .unwrap();
        driver.prepare_instance_filter(&small("1", "10.0.0.1", &["a", "b"])).unwrap();
        driver.prepare_instance_filter(&small("1", "10.0.0.1", &["b", "a"])).unwrap();
        assert_eq!(deleted.words(), [""; 0]);
        driver.refresh_instance_security_rules(&id("1"), &groups(&["a"])).unwrap();
        assert_eq!(deleted.words(), ["Ipv4 -p 6 --dport 80 -s 0.0.0.0/0 -r 10.0.0.1/32"]);
        driver.prepare_instance_filter(&small("1", "10.0.0.9", &["a"])).unwrap();
        assert_eq!(deleted.words(), ["Ipv4 -r 10.0.0.1/32", "Ipv4 -s 10.0.0.1/32"]);
        driver.unfilter_instance(&small("1", "10.0.0.9", &[])).unwrap();
        assert_eq!(deleted.words(), ["Ipv4 -r 10.0.0.9/32", "Ipv4 -s 10.0.0.9/32"]);
        driver.unfilter_instance(&small("1", "10.0.0.9", &[])).unwrap();
        driver.refresh_security_group_rules(&group("a"), &[]).unwrap();
        assert_eq!(deleted.words(), [""; 0]);
    }
}

/// A member that leaves, for instances whose rules name the group.
#[test]
fn a_member_that_leaves_takes_its_connections() {
    for options in both() {
        let (driver, deleted, _) = ending(options);
        let members = |members: &[&str]| {
            let members: Vec<_> = members.iter().map(|member| ip(member)).collect();
            driver.refresh_security_group_members(&group("friends"), &members).unwrap();
            deleted.words()
        };
        driver.refresh_security_group_rules(&group("db"), &tenants(&["tcp 80 80 @friends"])).unwrap();
        driver.prepare_instance_filter(&small("1", "10.0.0.1", &["db"])).unwrap();
        driver.prepare_instance_filter(&small("2", "10.0.0.2", &["friends"])).unwrap();
        assert_eq!(members(&["10.0.9.1", "10.0.9.2", "fd00::9"]), [""; 0]);
        assert_eq!(members(&["10.0.9.2"]), ["Ipv4 -s 10.0.9.1/32 -r 10.0.0.1/32"]);
        driver.change_members(&group("friends"), &[], &[ip("10.0.9.2"), ip("10.0.9.7")]).unwrap().wait().unwrap();
        driver.wait_for_connections();
        assert_eq!(deleted.words(), ["Ipv4 -s 10.0.9.2/32 -r 10.0.0.1/32"]);
        members(&["10.0.9.2"]);
        driver.refresh_security_group_rules(&group("db"), &[]).unwrap();
        deleted.words();
        assert_eq!(members(&[]), [""; 0], "no rule names the group any more");
    }
}

/// After the rules, whenever these are in effect: at the end of a deferral, and when what was refused is made good.
#[test]
fn connections_go_after_the_rules() {
    for options in both() {
        let (driver, deleted, _) = ending(options);
        let open = || driver.refresh_security_group_rules(&group("a"), &tenants(&["tcp 22 22 0.0.0.0/0"])).unwrap();
        driver.prepare_instance_filter(&small("1", "10.0.0.1", &["a"])).unwrap();
        open();
        let deferral = Deferral::begin(&driver);
        driver.refresh_security_group_rules(&group("a"), &[]).unwrap();
        assert_eq!(deleted.words(), [""; 0]);
        deferral.finish().unwrap();
        let ended = ["Ipv4 -p 6 --dport 22 -s 0.0.0.0/0 -r 10.0.0.1/32"];
        assert_eq!(deleted.words(), ended);
        open();
        driver.visit(|manager| manager.kernel_mut().fail_next(1, Errno::NOMEM)).unwrap();
        assert!(driver.refresh_security_group_rules(&group("a"), &[]).is_err());
        driver.wait_for_connections();
        assert_eq!(deleted.words(), [""; 0]);
        driver.apply_instance_filter(&id("1")).unwrap();
        driver.wait_for_connections();
        assert_eq!(deleted.words(), ended);
        open();
        driver.visit(|manager| manager.kernel_mut().fail_next(1, Errno::NOMEM)).unwrap();
        assert!(driver.refresh_security_group_rules(&group("a"), &[]).is_err());
        driver.retry().wait().unwrap();
        FirewallDriver::retry(&driver).unwrap();
        assert_eq!(deleted.words(), ended, "whoever returns from it has seen them go");
    }
}

/// As nova has it.
#[test]
fn connections_can_be_left_alone() {
    let (driver, deleted, _) = ending(Options { end_connections: false, ..Options::nova() });
    driver.refresh_security_group_rules(&group("a"), &tenants(&["tcp 22 22 0.0.0.0/0"])).unwrap();
    driver.prepare_instance_filter(&small("1", "10.0.0.1", &["a"])).unwrap();
    driver.refresh_security_group_rules(&group("a"), &[]).unwrap();
    driver.unfilter_instance(&small("1", "10.0.0.1", &[])).unwrap();
    driver.wait_for_connections();
    assert_eq!(deleted.words(), [""; 0]);
}

/// In the kernel: a session that a group let in ends with the rule, one that another rule allows goes on, and so does one that
/// the instance opened.
#[test]
fn a_session_ends_when_its_group_is_closed() {
    for layout in [Layout::Iptables, Layout::native()] {
        let Some(net) = Net::new() else { return };
        let driver = net.driver(&layout, Options::of(&layout));
        let connections = Conntrack::open_in(&net.host.0).unwrap();
        let driver = driver.ending_connections(Box::new(connections)).unwrap();
        let session = |from: &crate::lab::Lab, at: &crate::lab::Lab, to: (&str, u16)| {
            let listener = at.0.run(|| bound(|| TcpListener::bind(to))).unwrap();
            let client = from.0.run(|| TcpStream::connect(to)).unwrap().unwrap();
            let (server, _) = listener.accept().unwrap();
            server.set_read_timeout(Some(PATIENCE)).unwrap();
            (client, server)
        };
        let goes_on = |(client, server): &(TcpStream, TcpStream)| {
            (&mut &*client).write_all(b"x").unwrap();
            (&mut &*server).read(&mut [0; 8]).is_ok()
        };
        let shell = group("shell");
        let rules = ["tcp 22 22 0.0.0.0/0", "tcp 80 80 0.0.0.0/0", "tcp 22 22 ::/0", "icmp 8 -1 0.0.0.0/0"];
        driver.refresh_security_group_rules(&shell, &tenants(&rules)).unwrap();
        driver.prepare_instance_filter(&one(&["shell"])).unwrap();
        let (four, six) =
            (session(&net.outside, &net.first, (FIRST.0, 22)), session(&net.outside, &net.first, (FIRST.1, 22)));
        let web = session(&net.outside, &net.first, (FIRST.0, 80));
        let own = session(&net.first, &net.outside, ("192.0.2.1", 22));
        assert!([&four, &six, &web, &own].into_iter().all(goes_on), "{layout:?}");
        driver.refresh_security_group_rules(&shell, &tenants(&rules[1..2])).unwrap();
        assert_eq!([&four, &six, &web, &own].map(goes_on), [false, false, true, true], "{layout:?}");
        assert!(driver.connection_errors().is_empty());
        // What the instance sends makes an entry anew, by which answers come in, unless the host takes up nothing halfway.
        net.host.run("echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose");
        driver.refresh_security_group_rules(&shell, &tenants(&rules)).unwrap();
        let busy = session(&net.outside, &net.first, (FIRST.0, 22));
        driver.refresh_security_group_rules(&shell, &tenants(&rules[1..2])).unwrap();
        (&mut &busy.1).write_all(b"still sending").unwrap();
        assert!(!goes_on(&busy), "{layout:?}");
        driver.unfilter_instance(&one(&[])).unwrap();
    }
}
