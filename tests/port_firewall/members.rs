//! Sets of groups' members (neutron 73 to 75, 87 to 90; section 10).

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;
use nftwrap::Manager;
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::layout::Layout;
use nftwrap::rule::Family;
use nftwrap::virt_firewall::ports::{Driver, Port};
use nftwrap::virt_firewall::{GroupRule, RuleInput};
use nftwrap::wrap::{AddressSet, TableKind};

use crate::lab::Lab;
use crate::random::Random;
use crate::world::*;

/// The members of the only set of a family in the model.
fn members<K: Kernel + Send + 'static>(world: &World<K>, family: Family) -> Option<Vec<String>> {
    let sets = sets(world, family);
    assert!(sets.len() <= 1, "{sets:?}");
    sets.into_values().next()
}

/// The sets of a family in the model.
fn sets<K: Kernel + Send + 'static>(world: &World<K>, family: Family) -> BTreeMap<String, Vec<String>> {
    let look = move |manager: &mut Manager<K>| {
        let table = manager.model().table(family, TableKind::Filter).unwrap();
        let members = |set: &AddressSet| set.members().map(|member| member.to_string()).collect();
        table.sets().map(|set| (set.name().to_string(), members(set))).collect()
    };
    world.firewall.visit(look).unwrap()
}

/// The rules of groups in a port's chain, its own or that of its list.
fn list<K: Kernel + Send + 'static>(world: &World<K>, chain: &str) -> Vec<String> {
    let own = world.v4(chain);
    match own.last().and_then(|rule| rule.strip_prefix("-g $")) {
        Some(list) => world.v4(list),
        None => own[1..].to_vec(),
    }
}

/// The sets that the rules of a port's groups name.
fn named<K: Kernel + Send + 'static>(world: &World<K>, chain: &str) -> Vec<String> {
    let rules = list(world, chain);
    rules.iter().filter_map(|rule| Some(rule.split_once("--match-set ")?.1.split(' ').next()?.to_owned())).collect()
}

/// The members that a port's rules look for, of IPv4.
fn looked_for<K: Kernel + Send + 'static>(world: &World<K>, chain: &str) -> Vec<String> {
    let (sets, named) = (sets(world, Family::Ipv4), named(world, chain));
    named.iter().flat_map(|name| sets[name].clone()).collect()
}

fn both<K: Kernel + Send + 'static>(world: &World<K>) -> [Option<Vec<String>>; 2] {
    Family::BOTH.map(|family| members(world, family))
}

fn all(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|&text| text.to_owned()).collect())
}

fn worlds() -> impl Iterator<Item = World> {
    with_sets().into_iter().map(|layout| {
        let settings = settings(&layout, Driver::Hybrid);
        World::over(Fake::new(), layout, settings)
    })
}

/// 73, 74: members are a set, which a rule names; who comes and goes changes no rule.
#[test]
fn a_rule_names_the_set_of_a_group() {
    for world in worlds() {
        world.rules_of(&own_members());
        assert_eq!(both(&world), [None, None], "no port has the rules");
        world.firewall.update_security_group_members(&group_id(GROUP), [net("10.0.0.11/32")]).wait().unwrap();
        world.prepare(port_a());
        assert_eq!(both(&world), [all(&["10.0.0.11/32"]), all(&[])]);
        let before = list(&world, "ic0ffee01-1");
        let set = &named(&world, "ic0ffee01-1")[0];
        assert_eq!(before[0], format!("-m set --match-set {set} src -j RETURN"));
        let members = [net("10.0.0.12/32"), net("2001:db8::12/128")];
        let reports = world.firewall.update_security_group_members(&group_id(GROUP), members).wait().unwrap();
        let [report] = &*reports else { panic!("{reports:?}") };
        assert_eq!((report.rules_added, report.rules_deleted), (0, 0));
        assert_eq!(list(&world, "ic0ffee01-1"), before);
        world.settled();
        let more = [net("10.1.2.3/16")];
        world.firewall.change_security_group_members(&group_id(GROUP), more, []).wait().unwrap();
        world.settled();
        assert_eq!(both(&world), [all(&["10.0.0.12/32", "10.1.0.0/16"]), all(&["2001:db8::12/128"])]);
        // Seen from the port, the other side of what it sends is the destination.
        world.rules_of(&[RuleInput { group: Some(GROUP), ..egress("IPv4", "tcp") }]);
        let set = &named(&world, "oc0ffee01-1")[0];
        assert!(list(&world, "oc0ffee01-1").contains(&format!("-p tcp -m set --match-set {set} dst -j RETURN")));
        assert_eq!(both(&world), [all(&["10.0.0.12/32", "10.1.0.0/16"]), None], "75: IPv6 is not asked for any more");
    }
}

/// 75, and the end of 9.8: sets go after the last rule that names them, with the last port that has it.
#[test]
fn sets_go_with_the_last_rule() {
    for world in worlds() {
        world.rules_of(&[example_rules(), own_members()].concat());
        let given = [net("10.0.0.11/32"), net("2001:db8::11/128")];
        world.firewall.update_security_group_members(&group_id(GROUP), given).wait().unwrap();
        world.prepare(port_a());
        world.prepare(port_b());
        world.firewall.remove(&id(A)).unwrap().wait().unwrap();
        world.settled();
        assert_eq!(both(&world), [all(&["10.0.0.11/32"]), all(&["2001:db8::11/128"])]);
        world.firewall.remove(&id(B)).unwrap().wait().unwrap();
        world.settled();
        assert_eq!(both(&world), [None, None]);
        world.prepare(port_a());
        assert_eq!(both(&world), [all(&["10.0.0.11/32"]), all(&["2001:db8::11/128"])], "members are known still");
        world.firewall.remove_security_group(&group_id(GROUP)).wait().unwrap();
        world.settled();
        assert_eq!(both(&world), [None, None]);
    }
}

/// 87 to 89: each member that comes or goes is one element; all addresses are two halves.
#[test]
fn members_are_changed_by_their_differences() {
    let world = World::new();
    world.rules_of(&own_members());
    world.prepare(port_a());
    let set = |members: &[String]| {
        let members = members.iter().map(|member| net(member));
        world.firewall.update_security_group_members(&group_id(GROUP), members).wait().unwrap();
        world.settled();
    };
    let hosts = |count: usize| -> Vec<String> { (1..=count).map(|n| format!("10.0.0.{n}/32")).collect() };
    for count in [1, 5, 6, 3, 1, 6, 0] {
        set(&hosts(count));
        assert_eq!(members(&world, Family::Ipv4), Some(hosts(count)));
    }
    set(&["0.0.0.0/0".to_owned(), "::/0".to_owned()]);
    assert_eq!(both(&world), [all(&["0.0.0.0/1", "128.0.0.0/1"]), all(&["::/1", "8000::/1"])]);
}

/// A rule of no family of its own is one of each, and names both sets.
#[test]
fn a_rule_of_both_families_names_both_sets() {
    let world = World::new();
    let rules: Vec<GroupRule> = group(GROUP, &[RuleInput { group: Some("other"), ..RuleInput::default() }]).rules;
    assert_eq!(rules[0].family, None);
    world.rules_of(&[RuleInput { group: Some("other"), ..RuleInput::default() }]);
    world.prepare(port_a());
    assert_eq!(world.v4("ic0ffee01-1")[1], "-m set --match-set NIPv4other src -j RETURN");
    assert_eq!(world.v6("ic0ffee01-1")[4], "-m set --match-set NIPv6other src -j RETURN");
}

/// A prefix that joins is another set, in the native layout, for those rules alone that name the group; further members are
/// elements again.
#[test]
fn a_prefix_that_joins_changes_the_set_once() {
    let world = World::over(Fake::new(), Layout::native(), settings(&Layout::native(), Driver::Hybrid));
    world.rules_of(&own_members());
    for number in 0..20 {
        let other = format!("other-{number}");
        world.firewall.update_security_group_rules(group(&other, &example_rules())).wait().unwrap();
        let groups = vec![group_id(&other)];
        world.prepare(Port { groups, ..port(&format!("{number:08x}-1a"), "02:00:00:00:00:01", &[]) });
    }
    world.prepare(port_a());
    let change = |add: &[&str], remove: &[&str]| {
        let [add, remove] = [add, remove].map(|members| members.iter().map(|member| net(member)).collect::<Vec<_>>());
        let tickets = world.firewall.change_security_group_members(&group_id(GROUP), add, remove);
        let reports = tickets.wait().unwrap();
        world.settled();
        let [report] = &*reports else { panic!("{reports:?}") };
        (report.rules_added, report.sets, report.elements)
    };
    assert_eq!(change(&["10.0.0.1/32", "10.0.0.2/32"], &[]), (0, 0, 2));
    assert_eq!(change(&["10.0.0.3/32"], &["10.0.0.1/32"]), (0, 0, 2));
    let (rules, sets, _) = change(&["10.1.0.0/16"], &[]);
    assert!(rules <= 4, "the rules of one list: {rules}");
    assert_eq!(sets, 2, "one comes, one goes");
    assert_eq!(members(&world, Family::Ipv4), all(&["10.0.0.2/32", "10.0.0.3/32", "10.1.0.0/16"]));
    assert_eq!(change(&["10.2.0.0/16"], &["10.0.0.2/32"]), (0, 0, 4));
    assert_eq!(change(&[], &["10.1.0.0/16", "10.2.0.0/16"]), (0, 0, 4), "it does not go back");
    // Nor does the unspecified address, which is no host, stop anything.
    world.firewall.change_security_group_members(&group_id(GROUP), [net("::/128")], []).wait().unwrap();
    assert_eq!(members(&world, Family::Ipv6), all(&["::/128"]));
}

const ALIKE: [&str; 2] = ["5f7f4c1e-9a3b-4c8d-8e21-0d4b6a7c9e10", "5f7f4c1e-9a3b-4c8d-8e21-0d4b6a7c9e11"];
const LONG: [&str; 2] = ["a-group-of-a-tenant-who-likes-long-names-1", "a-group-of-a-tenant-who-likes-long-names-2"];

/// A rule for the members of each of two groups, a port for each rule, and one member for each group.
fn two_groups<K: Kernel + Send + 'static>(world: &World<K>, alike: [&str; 2], order: [usize; 2]) {
    let ports = [port_a(), Port { allowed_pairs: vec![], ..port_b() }];
    for at in order {
        let naming = format!("naming-{at}");
        let rule = RuleInput { group: Some(alike[at]), ..ingress("IPv4", "") };
        let _ = world.firewall.update_security_group_rules(group(&naming, &[rule]));
        let member = [net(&format!("10.9.0.{at}/32"))];
        let _ = world.firewall.update_security_group_members(&group_id(alike[at]), member);
        let _ = world.firewall.prepare(Port { groups: vec![group_id(&naming)], ..ports[at].clone() }).unwrap();
    }
}

/// Groups whose identifiers neutron would cut to the same have sets of their own, whoever comes and goes first.
#[test]
fn groups_that_are_cut_to_the_same_have_sets_of_their_own() {
    for (layout, alike) in with_sets().into_iter().flat_map(|layout| [(layout.clone(), ALIKE), (layout, LONG)]) {
        let chains = ["ic0ffee01-1", "ideadbe02-5"];
        let fake = Fake::new();
        let start = || World::over(fake.connect(), layout.clone(), settings(&layout, Driver::Hybrid));
        let right = |world: &World| {
            world.firewall.retry().wait().unwrap();
            world.settled();
            for (at, chain) in chains.iter().enumerate() {
                assert_eq!(looked_for(world, chain), [format!("10.9.0.{at}/32")], "{layout:?}");
            }
        };
        // Each in transactions of its own, in both orders, and then together in the other order.
        let mut names = BTreeSet::new();
        for order in [[0, 1], [1, 0]] {
            let world = start();
            two_groups(&world, alike, order);
            right(&world);
            world.firewall.stop().unwrap();
            let world = start();
            let deferral = world.firewall.defer();
            two_groups(&world, alike, [order[1], order[0]]);
            drop(deferral);
            right(&world);
            names.insert(chains.map(|chain| named(&world, chain)));
            // The first one goes, and comes again; the other one's stays what it is.
            for (gone, stays) in [(A, 1), (B, 0)] {
                world.firewall.remove(&id(gone)).unwrap().wait().unwrap();
                world.settled();
                assert_eq!(looked_for(&world, chains[stays]), [format!("10.9.0.{stays}/32")]);
                two_groups(&world, alike, [0, 1]);
                right(&world);
            }
            world.firewall.stop().unwrap();
        }
        assert_eq!(names.len(), 1, "whoever comes first: {names:?}");
    }
}

/// Whatever members come and go, each rule looks for the members of its group, and the kernel has what the model has.
fn any_members_come_and_go<K: Kernel + Send + 'static>(connect: impl Fn() -> K) {
    for layout in with_sets() {
        let mut random = Random(17);
        let world = World::over(connect(), layout.clone(), settings(&layout, Driver::Hybrid));
        two_groups(&world, ALIKE, [0, 1]);
        let mut wanted = [0, 1].map(|at| BTreeSet::from([net(&format!("10.9.0.{at}/32"))]));
        for _ in 0..60 {
            let at = random.below(2);
            let mut some = || -> Vec<IpNetwork> {
                let count = random.below(4);
                let member = |n: usize, kind: usize| match kind {
                    0 => net(&format!("10.8.{n}.0/24")),
                    _ => net(&format!("10.8.{n}.1/32")),
                };
                (0..count).map(|_| member(random.below(6), random.below(8))).collect()
            };
            let (add, remove) = (some(), some());
            // Who comes and goes at once has come.
            wanted[at].retain(|member| !remove.contains(member));
            wanted[at].extend(add.iter().copied());
            world.firewall.change_security_group_members(&group_id(ALIKE[at]), add, remove).wait().unwrap();
            if random.below(10) == 0 {
                // The set is made anew, and may be of addresses again.
                world.firewall.remove(&id([A, B][at])).unwrap().wait().unwrap();
                let back = Port { groups: vec![group_id(&format!("naming-{at}"))], ..[port_a(), port_b()][at].clone() };
                world.firewall.prepare(back).unwrap().wait().unwrap();
            }
            world.settled();
            for (chain, wanted) in ["ic0ffee01-1", "ideadbe02-5"].iter().zip(&wanted) {
                let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
                assert_eq!(looked_for(&world, chain), wanted);
            }
        }
        world.firewall.stop().unwrap().flush().unwrap();
    }
}

#[test]
fn any_members_come_and_go_in_the_fake() {
    any_members_come_and_go(Fake::new);
}

#[test]
fn any_members_come_and_go_in_the_kernel() {
    let Some(lab) = Lab::new(&[]) else { return };
    any_members_come_and_go(|| lab.kernel());
}
