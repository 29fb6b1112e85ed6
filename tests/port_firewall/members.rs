//! Sets of groups' members (neutron 73 to 75, 87 to 90; section 10).

use nftwrap::Manager;
use nftwrap::kernel::Fake;
use nftwrap::name::IpsetName;
use nftwrap::rule::Family;
use nftwrap::virt_firewall::ports::Driver;
use nftwrap::virt_firewall::{GroupRule, RuleInput};
use nftwrap::wrap::TableKind;

use crate::world::*;

const SETS: [(Family, &str); 2] =
    [(Family::Ipv4, "NIPv45f7f4c1e-9a3b-4c8d-8e21-"), (Family::Ipv6, "NIPv65f7f4c1e-9a3b-4c8d-8e21-")];

/// The members of a set in the model.
fn members(world: &World, family: Family) -> Option<Vec<String>> {
    let name: IpsetName = SETS.iter().find(|(of, _)| *of == family).unwrap().1.parse().unwrap();
    let look = move |manager: &mut Manager<Fake>| {
        let set = manager.model().table(family, TableKind::Filter)?.set(&name)?;
        Some(set.members().map(|member| member.to_string()).collect())
    };
    world.firewall.visit(look).unwrap()
}

fn both(world: &World) -> [Option<Vec<String>>; 2] {
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
        let list = |chain: &str| -> Vec<String> {
            let own = world.v4(chain);
            match own.last().and_then(|rule| rule.strip_prefix("-g $")) {
                Some(list) => world.v4(list),
                None => own[1..].to_vec(),
            }
        };
        let before = list("ic0ffee01-1");
        assert_eq!(before[0], "-m set --match-set NIPv45f7f4c1e-9a3b-4c8d-8e21- src -j RETURN");
        let members = [net("10.0.0.12/32"), net("2001:db8::12/128"), net("10.1.2.3/16")];
        let reports = world.firewall.update_security_group_members(&group_id(GROUP), members).wait().unwrap();
        let [report] = &*reports else { panic!("{reports:?}") };
        assert_eq!((report.rules_added, report.rules_deleted), (0, 0));
        world.settled();
        assert_eq!(both(&world), [all(&["10.0.0.12/32", "10.1.0.0/16"]), all(&["2001:db8::12/128"])]);
        assert_eq!(list("ic0ffee01-1"), before);
        // Seen from the port, the other side of what it sends is the destination.
        world.rules_of(&[RuleInput { group: Some(GROUP), ..egress("IPv4", "tcp") }]);
        let out = list("oc0ffee01-1");
        assert!(out.iter().any(|rule| rule == "-p tcp -m set --match-set NIPv45f7f4c1e-9a3b-4c8d-8e21- dst -j RETURN"));
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
