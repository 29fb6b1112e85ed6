//! Ports come, change and go (neutron 68 to 72; 9.7).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nftwrap::Manager;
use nftwrap::apply::Report;
use nftwrap::kernel::{Errno, Fake};
use nftwrap::layout::Layout;
use nftwrap::name::IpsetName;
use nftwrap::rule::Family;
use nftwrap::virt_firewall::ports::{Driver, Port, PortError};
use nftwrap::virt_firewall::{Refused, RuleInput};
use nftwrap::wrap::TableKind;

use crate::world::*;

fn layouts() -> [Layout; 2] {
    [Layout::Iptables, Layout::native()]
}

fn over(layout: Layout) -> World {
    let settings = settings(&layout, Driver::Hybrid);
    World::over(Fake::new(), layout, settings)
}

/// Everything of the model, for comparing.
fn all(world: &World) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for family in Family::BOTH {
        for kind in TableKind::ALL {
            for chain in world.chains(family, kind) {
                let rules = world.rules(family, kind, &chain);
                all.push((format!("{family} {kind:?} {chain}"), rules));
            }
        }
    }
    all
}

/// 68: what is not known changes nothing; what went leaves nothing.
#[test]
fn ports_come_change_and_go() {
    for layout in layouts() {
        let world = over(layout);
        world.rules_of(&example_rules());
        let empty = all(&world);
        assert!(world.firewall.update(port_a()).unwrap().is_none());
        assert!(world.firewall.remove(&id(A)).is_none());
        world.prepare(port_a());
        let one = all(&world);
        assert_eq!(world.firewall.prepare(port_a()).unwrap().wait().unwrap().messages, 0, "twice is once");
        assert_eq!(all(&world), one);
        world.prepare(port_b());
        let mut other = port_a();
        other.fixed_ips = vec!["10.0.0.99".parse().unwrap()];
        world.firewall.update(other).unwrap().unwrap().wait().unwrap();
        assert_eq!(world.v4("sc0ffee01-1")[0].split(' ').nth(1), Some("10.0.0.99/32"));
        world.firewall.update(port_a()).unwrap().unwrap().wait().unwrap();
        world.firewall.remove(&id(B)).unwrap().wait().unwrap();
        world.settled();
        assert_eq!(all(&world), one);
        world.firewall.remove(&id(A)).unwrap().wait().unwrap();
        world.settled();
        assert_eq!(all(&world), empty);
        assert!(world.firewall.ports().is_empty());
    }
}

/// 69.
#[test]
fn trusted_ports_pass() {
    for layout in layouts() {
        let world = over(layout);
        world.firewall.add_trusted(id(A)).wait().unwrap();
        let forward: Vec<String> = world.v4("FORWARD").iter().map(|rule| without_comment(rule)).collect();
        let way = |way: &str| format!("-m physdev --physdev-{way} tapc0ffee01-1a --physdev-is-bridged -j ACCEPT");
        assert_eq!(forward, ["out", "in"].map(way));
        assert_eq!(world.rules(Family::Ipv6, TableKind::Nat, "PREROUTING").len(), 2);
        assert!(world.v4("INPUT").is_empty());
        let before = all(&world);
        assert_eq!(world.firewall.add_trusted(id(A)).wait().unwrap().messages, 0);
        assert_eq!(all(&world), before);
        // Rules of filtered ports come before.
        world.prepare(port_b());
        assert!(world.v4("FORWARD")[0].contains("tapdeadbe02-5a"));
        assert!(world.firewall.remove_trusted(id(B)).is_none());
        world.firewall.remove_trusted(id(A)).unwrap().wait().unwrap();
        assert!(world.v4("FORWARD").iter().all(|rule| !rule.contains("tapc0ffee01-1a")));
        assert!(world.firewall.remove_trusted(id(A)).is_none());
    }
}

fn without_comment(rule: &str) -> String {
    match rule.split_once(" -m comment --comment \"") {
        Some((before, rest)) => format!("{before}{}", rest.split_once('"').unwrap().1),
        None => rule.to_owned(),
    }
}

/// 9.2: a port without port security, and there and back.
#[test]
fn a_port_whose_security_is_off_passes() {
    for layout in layouts() {
        let own = layout != Layout::Iptables;
        let world = over(layout);
        world.rules_of(&example_rules());
        world.prepare(port_b());
        let filtered = all(&world);
        let off = Port { port_security: false, ..port_b() };
        world.firewall.update(off.clone()).unwrap().unwrap().wait().unwrap();
        world.settled();
        let way = |way: &str| format!("-m physdev --physdev-{way} tapdeadbe02-5a --physdev-is-bridged -j ACCEPT");
        for family in Family::BOTH {
            let bare = |chain: &str| -> Vec<String> {
                world.rules(family, TableKind::Filter, chain).iter().map(|rule| without_comment(rule)).collect()
            };
            assert_eq!(bare("FORWARD"), ["out", "in"].map(way));
            // No packet to the host is bridged.
            let to_host = way("in").replace(" --physdev-is-bridged", if own { "" } else { " --physdev-is-bridged" });
            assert_eq!(bare("INPUT"), [to_host]);
            assert_eq!(bare("sg-chain"), ["-j ACCEPT"]);
            assert!(world.rules(family, TableKind::Raw, "PREROUTING").is_empty());
        }
        assert_eq!(world.firewall.zone(&id(B)), None);
        world.prepare(port_b());
        assert_eq!(world.firewall.zone(&id(B)), Some(4097), "the one that it had");
        if world.v4("ideadbe02-5").len() > 3 {
            // A list that comes again has another number.
            assert_eq!(all(&world), filtered);
        }
        world.prepare(off);
        world.firewall.remove(&id(B)).unwrap().wait().unwrap();
        assert!(world.v4("FORWARD").is_empty());
    }
}

/// 70, 71: one transaction for all that was asked for, also after a panic; what cancels out is nothing.
#[test]
fn a_deferral_is_one_transaction() {
    for layout in layouts() {
        let fake = Fake::new();
        let world = World::over(fake.connect(), layout.clone(), settings(&layout, Driver::Hybrid));
        world.rules_of(&example_rules());
        let commits = || fake.stats().commits;
        let before = commits();
        let deferral = world.firewall.defer();
        let _inner = world.firewall.defer();
        let tickets = [port_a(), port_b()].map(|port| world.firewall.prepare(port).unwrap());
        drop(_inner);
        assert_eq!(commits(), before);
        drop(deferral);
        tickets.iter().for_each(|ticket| drop(ticket.wait().unwrap()));
        assert_eq!(commits(), before + 1);
        world.settled();
        let both = all(&world);
        let deferral = world.firewall.defer();
        let mut other = port_b();
        other.id = id("bbbbbbbb-5a6b-4c7d-9e8f-000000000003");
        other.device = "tapbbbbbbbb-5a".parse().unwrap();
        let _ = world.firewall.prepare(other.clone()).unwrap();
        let _ = world.firewall.update(other.clone()).unwrap().unwrap();
        let last = world.firewall.remove(&other.id).unwrap();
        drop(deferral);
        assert_eq!(last.wait().unwrap().messages, 0);
        assert_eq!((all(&world), commits()), (both, before + 1));
        let body = AssertUnwindSafe(|| {
            let _deferral = world.firewall.defer();
            let _ = world.firewall.prepare(other.clone()).unwrap();
            panic!("the body's fault");
        });
        assert!(catch_unwind(body).is_err());
        world.firewall.retry().wait().unwrap();
        assert_eq!(commits(), before + 2);
        assert!(world.chains(Family::Ipv4, TableKind::Filter).contains(&"ibbbbbbbb-5".to_owned()));
    }
}

/// 72, and ports in one go.
#[test]
fn many_ports_have_one_end() {
    let world = World::new();
    for (port, ticket) in world.firewall.prepare_all([port_b(), port_a()]) {
        ticket.unwrap_or_else(|error| panic!("{port}: {error}")).wait().unwrap();
    }
    for family in Family::BOTH {
        let chain = world.rules(family, TableKind::Filter, "sg-chain");
        assert_eq!(chain.len(), 5);
        assert!(chain[0].contains("tapc0ffee01-1a"), "in the order of identifiers");
        assert_eq!(chain.iter().filter(|rule| *rule == "-j ACCEPT").count(), 1);
        assert_eq!(chain[4], "-j ACCEPT");
    }
}

/// D2: ports whose names are cut to the same are told apart; a device is one port's.
#[test]
fn names_that_are_cut_to_the_same_stay_apart() {
    let world = World::new();
    let named = |name: &str| port(name, "fa:16:3e:11:11:11", &["10.0.0.1"]);
    world.prepare(named("c0ffee01-1a"));
    world.prepare(named("c0ffee01-1b"));
    let chains = world.chains(Family::Ipv4, TableKind::Filter);
    assert_eq!(chains.iter().filter(|chain| chain.starts_with('i')).count(), 2);
    assert!(chains.iter().all(|chain| chain.len() <= 11), "{chains:?}");
    let before = all(&world);
    let error = world.firewall.prepare(named("c0ffee01-1a99")).unwrap_err();
    assert!(matches!(error, PortError::DeviceTaken { .. }), "{error}");
    assert_eq!(all(&world), before);
    world.firewall.remove(&id("c0ffee01-1a")).unwrap().wait().unwrap();
    world.prepare(named("c0ffee01-1a99"));
}

/// D13: the work for a port does not follow the number of ports, and only it is sent.
#[test]
fn only_the_port_that_changes_is_sent() {
    for layout in layouts() {
        let world = over(layout);
        world.rules_of(&example_rules());
        let many =
            |n: u32| port(&format!("{n:08x}-0000"), "fa:16:3e:00:00:01", &[&format!("10.0.{}.{}", n / 250, n % 250)]);
        let deferral = world.firewall.defer();
        let tickets: Vec<_> = (0..60).map(|n| world.firewall.prepare(many(n)).unwrap()).collect();
        drop(deferral);
        tickets.iter().for_each(|ticket| drop(ticket.wait().unwrap()));
        let first: Arc<Report> = world.firewall.prepare(many(60)).unwrap().wait().unwrap();
        for n in 61..200 {
            let _ = world.firewall.prepare(many(n)).unwrap();
        }
        let later = world.firewall.prepare(many(200)).unwrap().wait().unwrap();
        assert_eq!((first.rules_deleted, first.layout), (0, later.layout));
        let last = world.firewall.prepare(many(201)).unwrap().wait().unwrap();
        assert_eq!((first.messages, first.rules_added), (last.messages, last.rules_added));
    }
}

/// What the kernel refuses is not forgotten, and keeps no other from its effect (D3, D6).
#[test]
fn what_was_refused_is_submitted_again() {
    for layout in with_sets() {
        let world = over(layout.clone());
        // The native layout tries in another way what was refused.
        let fail_next =
            |times| world.firewall.visit(move |manager| manager.kernel_mut().fail_next(times, Errno::NOMEM)).unwrap();
        let (fail, work) = (|| fail_next(9), || fail_next(0));
        // With the tables of iptables members are no part of the transaction.
        let set: IpsetName = "NIPv45f7f4c1e-9a3b-4c8d-8e21-".parse().unwrap();
        let refuse =
            |manager: &mut Manager<Fake>, set: &IpsetName| manager.kernel_mut().refuse_ipset(set, Errno::NOMEM);
        let fail_members = || match &layout {
            Layout::Iptables => {
                let set = set.clone();
                world.firewall.visit(move |manager| refuse(manager, &set)).unwrap();
            }
            Layout::Native(_) => fail(),
        };
        world.rules_of(&[example_rules(), own_members()].concat());
        fail();
        assert!(world.firewall.prepare(port_a()).unwrap().wait().is_err());
        work();
        assert!(world.v4("FORWARD").is_empty());
        world.prepare(port_b());
        assert_eq!(world.v4("sg-chain").len(), 3, "with the sets that both need");
        let owed: Vec<_> = world.firewall.owed().into_iter().map(|owed| (owed.what, owed.times)).collect();
        assert!(owed.contains(&(format!("port {A}"), 1)), "{owed:?}");
        world.firewall.retry().wait().unwrap();
        assert_eq!(world.v4("sg-chain").len(), 5);
        assert!(world.firewall.owed().is_empty());
        fail_members();
        let members = |members: &[&str]| {
            let members = members.iter().map(|member| net(member));
            world.firewall.update_security_group_members(&group_id(GROUP), members).wait()
        };
        members(&["10.0.0.1/32"]).unwrap_err();
        work();
        members(&["10.0.0.1/32", "10.0.0.2/32"]).unwrap();
        fail_members();
        members(&["10.0.0.2/32"]).unwrap_err();
        work();
        world.firewall.retry().wait().unwrap();
        assert!(world.firewall.owed().is_empty());
        let look = |manager: &mut Manager<Fake>| {
            let table = manager.model().table(Family::Ipv4, TableKind::Filter).unwrap();
            table.sets().flat_map(|set| set.members()).map(|member| member.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(world.firewall.visit(look).unwrap(), ["10.0.0.2/32"]);
        world.settled();
    }
}

/// A port whose rules are refused keeps no other of its group from the change; its connections end when the rule does.
#[test]
fn a_port_that_is_refused_keeps_no_other_from_a_groups_change() {
    for layout in layouts() {
        let world = over(layout.clone());
        let rules = |inputs: &[RuleInput<'_>]| world.firewall.update_security_group_rules(group(GROUP, inputs)).wait();
        let [ssh, web] = [22, 80].map(|port| ports(ingress("IPv4", "tcp"), port, port));
        rules(&[ssh.clone(), web.clone()]).unwrap();
        world.prepare(port_a());
        world.prepare(Port { groups: vec![group_id(GROUP), group_id("other")], allowed_pairs: vec![], ..port_b() });
        // The chain with the rules of the groups: the port's own, or that of the list.
        let shows = |own: &str| {
            let rules = world.v4(own);
            let list = rules.last().and_then(|rule| rule.strip_prefix("-g $")).map(|list| world.v4(list));
            list.unwrap_or(rules).iter().filter(|rule| rule.contains("--dport")).count()
        };
        let both = || [shows("ic0ffee01-1"), shows("ideadbe02-5")];
        assert_eq!(both(), [2, 2]);
        // Both together, then the first alone, then the second.
        let mut commits = 0;
        let only_the_first = move |fake: &mut Fake| {
            commits += 1;
            fake.fail_next(u32::from(commits != 2), Errno::NOMEM);
        };
        world.firewall.visit(move |manager| manager.kernel_mut().before_commit(only_the_first)).unwrap();
        let Refused(refused) = rules(std::slice::from_ref(&web)).unwrap_err();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(both(), [1, 2]);
        assert_eq!(world.deleted(), ["Ipv4 -p 6 -d 10.0.0.11/32 -w 4097"], "{layout:?}");
        let works = |manager: &mut Manager<Fake>| {
            manager.kernel_mut().fail_next(0, Errno::NOMEM);
            manager.kernel_mut().before_commit(|_| ());
        };
        world.firewall.visit(works).unwrap();
        world.firewall.retry().wait().unwrap();
        assert_eq!(both(), [1, 1]);
        assert_eq!(world.deleted(), ["Ipv4 -p 6 -d 10.0.0.12/32 -w 4098"]);
        world.settled();
    }
}

/// A rule looks into the set of its group and no other program's, also when the members are refused.
#[test]
fn a_rule_never_looks_into_anothers_set() {
    let layout = Layout::native();
    let mut kernel = Fake::new();
    for theirs in ["HIPv4friends", "NIPv4friends"] {
        kernel.add_ipset(&theirs.parse().unwrap());
    }
    let world = World::over(kernel, layout.clone(), settings(&layout, Driver::Hybrid));
    world.rules_of(&example_rules());
    world.prepare(port_a());
    world.firewall.update_security_group_members(&group_id("friends"), [net("10.0.0.2/32")]).wait().unwrap();
    // All together, then the set.
    let mut commits = 0;
    let all_but_the_members = move |fake: &mut Fake| {
        commits += 1;
        fake.fail_next(u32::from(commits <= 2), Errno::NOMEM);
    };
    world.firewall.visit(move |manager| manager.kernel_mut().before_commit(all_but_the_members)).unwrap();
    let naming = group(GROUP, &[RuleInput { group: Some("friends"), ..ingress("IPv4", "") }]);
    let Refused(refused) = world.firewall.update_security_group_rules(naming).wait().unwrap_err();
    assert_eq!(refused.len(), 1, "{refused:?}");
    let members = || {
        let look = |manager: &mut Manager<Fake>| {
            let table = manager.model().table(Family::Ipv4, TableKind::Filter).unwrap();
            table.sets().map(|set| (set.name().to_string(), set.len())).collect::<Vec<_>>()
        };
        world.firewall.visit(look).unwrap()
    };
    assert_eq!(members(), [("HIPv4friends".to_owned(), 0)]);
    world.settled();
    world.firewall.retry().wait().unwrap();
    assert_eq!(members(), [("HIPv4friends".to_owned(), 1)]);
    world.settled();
}

/// What goes well is one transaction, however many pieces it is.
#[test]
fn a_change_of_a_group_is_one_transaction() {
    for layout in layouts() {
        let world = over(layout);
        world.prepare(port_a());
        world.prepare(Port { groups: vec![group_id(GROUP), group_id("other")], ..port_b() });
        let rules = group(GROUP, &[example_rules(), own_members()].concat());
        let reports = world.firewall.update_security_group_rules(rules).wait().unwrap();
        assert_eq!(reports.len(), 1);
        let members = ["10.0.0.1/32", "10.1.0.0/16", "2001:db8::1/128"].map(net);
        assert_eq!(world.firewall.update_security_group_members(&group_id(GROUP), members).wait().unwrap().len(), 1);
        assert_eq!(world.firewall.remove_security_group(&group_id(GROUP)).wait().unwrap().len(), 1);
        world.settled();
    }
}

/// The fault that a port which is refused for good was tried again with every change of the host.
#[test]
fn a_port_that_is_refused_for_good_goes_with_no_other() {
    for layout in layouts() {
        let world = over(layout);
        let many = |n: u32| port(&format!("{n:08x}-0000"), "fa:16:3e:00:00:01", &[&format!("10.0.0.{}", n + 1)]);
        let taken = |manager: &mut Manager<Fake>| {
            let filter = manager.model_mut().table_mut(Family::Ipv4, TableKind::Filter).unwrap();
            filter.add_chain("$i00000000-0").unwrap();
        };
        world.firewall.visit(taken).unwrap();
        assert!(world.firewall.prepare(many(0)).unwrap().wait().is_err());
        for n in 1..20 {
            world.firewall.prepare(many(n)).unwrap().wait().unwrap();
        }
        assert_eq!(world.firewall.remove(&many(1).id).unwrap().wait().unwrap().rules_added, 0);
        let times = || world.firewall.owed().iter().map(|owed| owed.times).sum::<u32>();
        assert_eq!(times(), 1);
        world.firewall.retry().wait().unwrap();
        assert_eq!(times(), 2);
        world.firewall.remove(&many(0).id).unwrap().wait().unwrap();
        assert_eq!(times(), 0, "nobody wants it any more");
    }
}

/// Callers of several threads; none waits for another's kernel, and all is as if they had come one by one.
#[test]
fn threads_change_what_they_like() {
    for layout in layouts() {
        let world = over(layout.clone());
        std::thread::scope(|scope| {
            for thread in 0..6_u32 {
                let firewall = &world.firewall;
                scope.spawn(move || {
                    for round in 0..12_u32 {
                        let name = format!("{:08x}-0000", thread * 100 + round);
                        let address = format!("10.1.{thread}.{}", round + 1);
                        let ticket = firewall.prepare(port(&name, "fa:16:3e:00:00:01", &[&address])).unwrap();
                        if round % 3 == 0 {
                            let mut rules = example_rules();
                            rules.truncate(1 + round as usize % 4);
                            let _ = firewall.update_security_group_rules(group(GROUP, &rules));
                        }
                        if round % 4 == 1 {
                            let _ = firewall.remove(&id(&name)).unwrap();
                        } else {
                            ticket.wait().unwrap();
                        }
                    }
                });
            }
        });
        world.rules_of(&example_rules());
        assert_eq!(world.firewall.ports().len(), 6 * 9);
        assert_eq!(world.v4("sg-chain").len(), 2 * 6 * 9 + 1);
        world.settled();
        let other = over(layout);
        other.rules_of(&example_rules());
        for name in world.firewall.ports() {
            let number = u32::from_str_radix(&name.as_str()[..8], 16).unwrap();
            let address = format!("10.1.{}.{}", number / 100, number % 100 + 1);
            let _ = other.firewall.prepare(port(name.as_str(), "fa:16:3e:00:00:01", &[&address])).unwrap();
        }
        other.firewall.retry().wait().unwrap();
        let sorted = |world: &World| -> Vec<_> {
            let zoneless = |rule: &String| rule.split(" --zone").next().unwrap().to_owned();
            let mut all = all(world);
            all.iter_mut().for_each(|(_, rules)| {
                *rules = rules.iter().map(zoneless).collect();
                rules.sort();
            });
            all.retain(|(chain, _)| !chain.contains("sgi-") && !chain.contains("sge-"));
            all.sort();
            all
        };
        let lists = |all: Vec<(String, Vec<String>)>| -> Vec<(String, Vec<String>)> {
            // Numbers of lists follow the order in which they came up.
            let bare = |rule: &String| if rule.contains("-g $sg") { "-g list".to_owned() } else { rule.clone() };
            all.into_iter().map(|(chain, rules)| (chain, rules.iter().map(bare).collect())).collect()
        };
        assert_eq!(lists(sorted(&world)), lists(sorted(&other)));
    }
}
