//! Folding and families, by what the compiler says has to change.

use super::*;
use crate::layout::Limits;
use crate::name::InterfaceName;
use crate::rule::targets::{Ct, CtZone, CtZoneDirection, CtZoneId};
use crate::rule::{InterfaceMatch, Match, Not, Target};

fn chain(name: &str) -> ChainRef {
    ChainRef::new(name).unwrap()
}

/// The address and the MAC of a port.
fn own(port: u32) -> (std::net::IpAddr, [u8; 6]) {
    let [_, a, b, c] = port.to_be_bytes();
    ([10, a, b, c].into(), [0xfa, 0x16, 0x3e, a, b, c])
}

fn anti_spoofing(port: u32) -> [Rule; 2] {
    let (address, mac) = own(port);
    [Rule::new().source(address).matching(Match::Mac(Not::is(mac))).target(Target::Return), Rule::new().discard()]
}

/// A port as neutron's: what comes from it goes through `o`, which asks `s` whether it may have that address; both the
/// forwarded and what is for the host itself.
fn plug(model: &mut Model, port: u32) {
    let name = InterfaceMatch::new(&format!("tap{port}")).unwrap();
    let view = model.filter().v4();
    view.chain(&format!("s{port}")).unwrap().replace(anti_spoofing(port)).unwrap();
    let dhcp = Rule::new().udp().dport(PortRange::single(67)).accept();
    let spoof = Rule::new().jump(chain(&format!("$s{port}")));
    let rules = [dhcp, spoof, Rule::new().tcp().accept(), Rule::new().discard()];
    model.filter().v4().chain(&format!("o{port}")).unwrap().replace(rules).unwrap();
    for from in ["sg", "INPUT"] {
        let jump = Rule::new().input(name.clone()).jump(chain(&format!("$o{port}")));
        model.filter().v4().chain(from).unwrap().append(jump).unwrap();
    }
    let zone = CtZone { direction: CtZoneDirection::Both, id: CtZoneId::Number(u16::try_from(port).unwrap() + 4096) };
    let zone = Target::Ct(Box::new(Ct { zone: Some(zone), ..Ct::default() }));
    model.raw().v4().chain("PREROUTING").unwrap().append(Rule::new().input(name).target(zone)).unwrap();
}

fn ports(count: u32) -> Model {
    let mut model = host();
    let _ = model.filter().v4().chain("sg").unwrap();
    (0..count).for_each(|port| plug(&mut model, port));
    model
}

fn made(delta: &Delta) -> usize {
    chains(delta).iter().filter(|chain| matches!(chain.fate, Fate::New(_))).count()
}

/// Elements that come and go, but for those of the directory.
fn elements(delta: &Delta) -> (usize, usize) {
    let sets = delta.tables.iter().flat_map(|table| &table.sets);
    let sets = sets.filter(|set| !set.name.as_str().ends_with("/chains"));
    sets.fold((0, 0), |(added, removed), set| (added + set.added.len(), removed + set.removed.len()))
}

#[test]
fn one_more_port_with_its_own_address_is_elements() {
    let fewer = update(&mut compiler(&Native::default()), &mut ports(10));
    let (mut model, mut compiler) = (ports(20), compiler(&Native::default()));
    let delta = update(&mut compiler, &mut model);
    assert_eq!(made(&delta), made(&fewer));
    plug(&mut model, 100);
    let delta = update(&mut compiler, &mut model);
    assert_eq!(chains(&delta), Vec::<&ChainDelta>::new());
    // The runs of both chains, the zone, the jump to `s`, and the address with its MAC.
    assert_eq!(elements(&delta), (5, 0), "{delta:#?}");
}

#[test]
fn a_port_that_goes_takes_its_elements_along() {
    let (mut model, mut compiler) = (ports(20), compiler(&Native::default()));
    update(&mut compiler, &mut model);
    plug(&mut model, 100);
    update(&mut compiler, &mut model);
    for name in ["o100", "s100"] {
        model.filter().v4().remove_chain(name).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    assert_eq!(chains(&delta), Vec::<&ChainDelta>::new());
    // The zone's rule stays.
    assert_eq!(elements(&delta), (0, 4), "{delta:#?}");
}

#[test]
fn a_second_address_of_a_port_is_one_element() {
    let (mut model, mut compiler) = (ports(20), compiler(&Native::default()));
    update(&mut compiler, &mut model);
    let [mut second, drop] = anti_spoofing(3);
    second = second.source(std::net::IpAddr::from([192, 0, 2, 9]));
    let [first, _] = anti_spoofing(3);
    model.filter().v4().chain("s3").unwrap().replace([first, second, drop]).unwrap();
    let delta = update(&mut compiler, &mut model);
    assert_eq!((chains(&delta).len(), elements(&delta)), (0, (1, 0)), "{delta:#?}");
}

#[test]
fn few_ports_are_no_family_and_grow_into_one() {
    let (mut model, mut compiler) = (ports(7), compiler(&Native::default()));
    assert!(made(&update(&mut compiler, &mut model)) > 14);
    (7..9).for_each(|port| plug(&mut model, port));
    let delta = update(&mut compiler, &mut model);
    let gone = chains(&delta).iter().filter(|chain| chain.fate == Fate::Gone).count();
    assert!(gone >= 12, "{gone} chains went");
    let fresh = update(&mut super::compiler(&Native::default()), &mut ports(9));
    let known = |delta: &Delta| chains(delta).iter().filter(|chain| chain.fate != Fate::Gone).count();
    assert!(known(&delta) <= made(&fresh));
}

#[test]
fn a_key_that_moves_to_another_chain_takes_its_element_along() {
    let (mut model, mut compiler) = (ports(20), compiler(&Native::default()));
    update(&mut compiler, &mut model);
    // The interface now belongs to the chains of a port with another address.
    for name in ["o5", "s5"] {
        model.filter().v4().remove_chain(name).unwrap();
    }
    let interface = InterfaceName::new("tap5").unwrap();
    let view = model.filter().v4();
    view.chain("s50").unwrap().replace(anti_spoofing(50)).unwrap();
    let rules = [
        Rule::new().udp().dport(PortRange::single(67)).accept(),
        Rule::new().jump(chain("$s50")),
        Rule::new().tcp().accept(),
        Rule::new().discard(),
    ];
    model.filter().v4().chain("o50").unwrap().replace(rules).unwrap();
    for from in ["sg", "INPUT"] {
        let name = InterfaceMatch::new(interface.as_str()).unwrap();
        model.filter().v4().chain(from).unwrap().append(Rule::new().input(name).jump(chain("$o50"))).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    assert_eq!(chains(&delta), Vec::<&ChainDelta>::new());
    // The jump to `s` is renamed, address and MAC are others, and the runs' elements name another chain.
    assert_eq!(elements(&delta), (4, 4), "{delta:#?}");
}

#[test]
fn rules_that_differ_in_a_port_are_one_with_a_set_that_others_share() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    let open = |n: u16| (0..10).map(move |port| Rule::new().tcp().dport(PortRange::single(n + port)).accept());
    for n in 0..4_u16 {
        let last = if n < 2 { Rule::new().discard() } else { Rule::new().udp().accept() };
        boot(&mut model, n.into(), 0);
        let rules = open(1000).chain([last]);
        model.filter().v4().chain(&format!("inst-{n}")).unwrap().replace(rules).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    let sets = |delta: &Delta| {
        let sets = delta.tables.iter().flat_map(|table| &table.sets);
        sets.filter(|set| set.name.as_str().contains("/set/")).map(|set| set.fate.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sets(&delta).len(), 1);
    assert!(chains(&delta).iter().all(|chain| chain.rules.as_ref().is_none_or(|rules| rules.len() < 10)));
    for n in 0..4 {
        model.filter().v4().chain(&format!("inst-{n}")).unwrap().replace(open(3000)).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    assert_eq!(sets(&delta).iter().filter(|fate| **fate == Fate::Gone).count(), 1);
    assert_eq!(sets(&delta).len(), 2);
}

#[test]
fn beyond_the_bound_rules_stay_rules() {
    let native = Native { limits: Limits { sets: 1 }, ..Native::default() };
    let (mut model, mut compiler) = (host(), compiler(&native));
    for n in 0..3_u16 {
        boot(&mut model, n.into(), 0);
        let open = (0..10).map(move |port| Rule::new().tcp().dport(PortRange::single(1000 * n + port)).accept());
        model.filter().v4().chain(&format!("inst-{n}")).unwrap().replace(open).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    let filter = delta.tables.iter().find(|table| !table.unfolded.is_empty()).unwrap();
    assert_eq!(filter.unfolded.iter().map(|(_, rules)| *rules).collect::<Vec<_>>(), [10, 10]);
    let long = chains(&delta).into_iter().filter(|chain| chain.rules.as_ref().is_some_and(|rules| rules.len() == 10));
    assert_eq!(long.count(), 2);
}

#[test]
fn a_dispatcher_below_a_dispatcher_has_actions_of_its_own() {
    let (mut model, mut compiler) = (ports(20), compiler(&Native::default()));
    for port in 0..20 {
        let name = InterfaceMatch::new(&format!("tap{port}")).unwrap();
        model.filter().v4().chain("FORWARD").unwrap().append(Rule::new().output(name).jump(chain("$sg"))).unwrap();
    }
    let delta = update(&mut compiler, &mut model);
    let sets = || delta.tables.iter().flat_map(|table| &table.sets);
    let number = |name: &str| name.rsplit('/').next().map(str::to_owned);
    let numbers = |part: &str| {
        let of_part = sets().filter(|set| set.name.as_str().contains(part));
        of_part.filter_map(|set| number(set.name.as_str())).collect::<std::collections::BTreeSet<_>>()
    };
    // FORWARD, `sg`, INPUT and the jumps to `s`; and the zones, which are values.
    assert_eq!(numbers("/actions/").len(), 4);
    assert!(numbers("/actions/").is_subset(&(&numbers("/map/") | &numbers("/family/"))));
}

/// Elements that come and go in the sets of families that tell addresses apart.
fn members(delta: &Delta) -> Vec<(usize, usize)> {
    let sets = delta.tables.iter().flat_map(|table| &table.sets).filter(|set| set.name.as_str().contains("/family/"));
    let sets = sets.filter(|set| set.added.iter().any(|element| element.data.is_none()));
    sets.map(|set| (set.added.len(), set.removed.len())).collect()
}

#[test]
fn chains_below_one_chain_have_places_apart_whoever_else_led_to_them_before() {
    // `o5` leads to `x` and to `s5`; `z` leads to `x` as well, or no longer.
    let two_ways = |both: bool| {
        let mut model = ports(20);
        model.filter().v4().chain("x").unwrap().replace(anti_spoofing(500)).unwrap();
        let rules = [Rule::new().jump(chain("$x")), Rule::new().jump(chain("$s5")), Rule::new().discard()];
        model.filter().v4().chain("o5").unwrap().replace(rules).unwrap();
        let rules = if both { vec![Rule::new().jump(chain("$x"))] } else { vec![Rule::new().discard()] };
        model.filter().v4().chain("z").unwrap().replace(rules).unwrap();
        model.filter().v4().chain("FORWARD").unwrap().append(Rule::new().jump(chain("$z"))).unwrap();
        model
    };
    let (mut model, mut compiler) = (two_ways(true), compiler(&Native::default()));
    update(&mut compiler, &mut model);
    model.filter().v4().chain("z").unwrap().replace([Rule::new().discard()]).unwrap();
    // In a set that kept the address of `s5`, that of `x` would let it through there.
    assert_eq!(members(&update(&mut compiler, &mut model)), [(1, 1)]);
    assert_eq!(members(&update(&mut super::compiler(&Native::default()), &mut two_ways(false))), [(20, 0)]);
}

#[test]
fn chains_that_a_dispatch_leads_to_are_bodies_from_the_start() {
    let (mut model, mut compiler) = (host(), compiler(&Native::default()));
    let allowed = |last: u8| Rule::new().source(std::net::IpAddr::from([192, 0, 2, last])).accept();
    let member = |model: &mut Model, n| {
        boot(model, n, 0);
        model.filter().v4().chain(&format!("inst-{n}")).unwrap().replace((0..10).map(allowed)).unwrap();
    };
    (0..20).for_each(|n| member(&mut model, n));
    let first = update(&mut compiler, &mut model);
    let named = chains(&first).into_iter().filter(|chain| chain.name.as_str().contains("-inst-"));
    assert_eq!(named.count(), 0, "{first:#?}");
    // The dispatcher's map is the first that was made: no other came and went.
    let sets = first.tables.iter().flat_map(|table| &table.sets);
    assert_eq!(sets.filter(|set| set.name.as_str().ends_with("/map/0")).count(), 1, "{first:#?}");
    member(&mut model, 20);
    let more = update(&mut compiler, &mut model);
    assert_eq!((chains(&more).len(), elements(&more)), (0, (1, 0)), "{more:#?}");
}
