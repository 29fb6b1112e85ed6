//! A rule of a group as a rule of a chain (neutron 56 to 63, 67; 9.5).

use nftwrap::virt_firewall::{RuleId, RuleInput, SecurityGroup, Why};

use crate::world::*;

/// The user rules in both directions and families that these make.
fn made(inputs: &[RuleInput<'_>]) -> [Vec<String>; 4] {
    let world = World::new();
    world.rules_of(inputs);
    world.prepare(port_a());
    let cut = |rules: Vec<String>, before: usize| rules[before..rules.len() - 2].to_vec();
    [
        cut(world.v4("ic0ffee01-1"), 1),
        cut(world.v6("ic0ffee01-1"), 4),
        cut(world.v4("oc0ffee01-1"), 5),
        cut(world.v6("oc0ffee01-1"), 9),
    ]
}

#[track_caller]
fn v4(input: RuleInput<'_>, rule: &str) {
    assert_eq!(made(&[input])[0], [rule]);
}

#[track_caller]
fn v6(input: RuleInput<'_>, rule: &str) {
    assert_eq!(made(&[input])[1], [rule]);
}

/// 56.
#[test]
fn prefixes_are_the_other_side() {
    v4(ingress("IPv4", ""), "-j RETURN");
    v4(RuleInput { prefix: Some("10.0.0.0/8"), ..ingress("IPv4", "") }, "-s 10.0.0.0/8 -j RETURN");
    v4(RuleInput { prefix: Some("0.0.0.0/0"), ..ingress("IPv4", "") }, "-j RETURN");
    v4(RuleInput { prefix: Some("10.0.0.1"), ..ingress("IPv4", "") }, "-s 10.0.0.1/32 -j RETURN");
    let out = RuleInput { prefix: Some("10.0.0.0/8"), ..egress("IPv4", "") };
    assert_eq!(made(&[out]), [vec![], vec![], vec!["-d 10.0.0.0/8 -j RETURN".to_owned()], vec![]]);
}

/// 57 to 60.
#[test]
fn ports_have_the_form_of_their_protocol() {
    v4(ingress("IPv4", "tcp"), "-p tcp -j RETURN");
    for tcp in ["tcp", "6"] {
        v4(ports(ingress("IPv4", tcp), 10, 10), "-p tcp -m tcp --dport 10 -j RETURN");
    }
    for (protocol, module) in [("tcp", "-m tcp "), ("udp", "-m udp "), ("sctp", "-m sctp "), ("dccp", "-m dccp ")] {
        let range = |from, to| ports(ingress("IPv4", protocol), from, to);
        v4(range(10, 10), &format!("-p {protocol} {module}--dport 10 -j RETURN"));
        v4(range(10, 100), &format!("-p {protocol} {module}-m multiport --dports 10:100 -j RETURN"));
        v4(range(0, 100), &format!("-p {protocol} {module}-m multiport --dports 0:100 -j RETURN"));
        let six = RuleInput { prefix: Some("fe80::/16"), ..ports(ingress("IPv6", protocol), 0, 100) };
        v6(six, &format!("-s fe80::/16 -p {protocol} {module}-m multiport --dports 0:100 -j RETURN"));
    }
    v4(ports(ingress("IPv4", "udplite"), 10, 10), "-p udplite -m multiport --dports 10 -j RETURN");
    v4(ports(ingress("IPv4", "udplite"), 10, 100), "-p udplite -m multiport --dports 10:100 -j RETURN");
    v4(ingress("IPv4", "vrrp"), "-p 112 -j RETURN");
    // neutron ignores the port, so that the rule opens more than it says.
    let wrong = ports(ingress("IPv4", "vrrp"), 10, 10).check(&group_id("g"), &RuleId::new("r").unwrap()).unwrap_err();
    assert_eq!(wrong.why, Why::NoPorts, "{wrong}");
    let source = RuleInput { source_from: Some(10), source_to: Some(10), ..ports(ingress("IPv4", "tcp"), 20, 30) };
    v4(source, "-p tcp -m tcp --sport 10 -m multiport --dports 20:30 -j RETURN");
}

/// 61.
#[test]
fn protocols_go_by_name_or_number() {
    for none in ["", "0"] {
        v4(ingress("IPv4", none), "-j RETURN");
    }
    for (text, shown) in [("encap", "98"), ("98", "98"), ("ipip", "4"), ("4", "4"), ("94", "94")] {
        let [rules, ..] = made(&[ingress("IPv4", text)]);
        let number = [ingress("IPv4", shown)];
        assert_eq!(rules, made(&number)[0], "{text}");
    }
}

/// 62 and 63.
#[test]
fn icmp_has_a_type_and_a_code() {
    let icmp = |family, protocol, from, to| RuleInput { from, to, ..ingress(family, protocol) };
    for protocol in ["icmp", "1"] {
        v4(icmp("IPv4", protocol, Some(8), None), "-p icmp -m icmp --icmp-type 8 -j RETURN");
        v4(icmp("IPv4", protocol, Some(8), Some(0)), "-p icmp -m icmp --icmp-type 8/0 -j RETURN");
    }
    for protocol in ["icmp", "icmpv6", "58"] {
        v6(icmp("IPv6", protocol, None, None), "-p ipv6-icmp -j RETURN");
        v6(icmp("IPv6", protocol, Some(8), Some(0)), "-p ipv6-icmp -m icmp6 --icmpv6-type 8/0 -j RETURN");
    }
    let named = |family, name| RuleInput { icmp_type: Some(name), ..ingress(family, "icmp") };
    v4(named("IPv4", "echo-request"), "-p icmp -m icmp --icmp-type 8 -j RETURN");
    v4(named("IPv4", "port-unreachable"), "-p icmp -m icmp --icmp-type 3/3 -j RETURN");
    v6(named("IPv6", "echo-request"), "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j RETURN");
    let wrong = named("IPv6", "source-quench").check(&group_id("g"), &RuleId::new("r").unwrap()).unwrap_err();
    assert!(matches!(&wrong.why, Why::IcmpName(name) if name == "source-quench"), "{wrong}");
}

/// 67: also from several groups of a port.
#[test]
fn equal_rules_are_one() {
    let twice = [ports(ingress("IPv4", "tcp"), 22, 22), ports(ingress("IPv4", "6"), 22, 22)];
    assert_eq!(made(&twice)[0].len(), 1);
    let world = World::new();
    for name in ["one", "two"] {
        world.firewall.update_security_group_rules(group(name, &twice)).wait().unwrap();
    }
    let mut port = port_a();
    port.groups = vec![group_id("one"), group_id("two")];
    world.prepare(port);
    assert_eq!(world.v4("ic0ffee01-1").len(), 4);
}

/// D6: a rule that cannot be is named, and the others are applied.
#[test]
fn a_bad_rule_is_left_out_by_name() {
    let inputs = [
        ports(ingress("IPv4", "tcp"), 22, 22),
        ports(ingress("IPv4", "tcp"), 70000, 70000),
        RuleInput { prefix: Some("10.0.0.0/33"), ..ingress("IPv4", "tcp") },
        RuleInput { prefix: Some("-j ACCEPT"), ..ingress("IPv4", "tcp") },
        ports(ingress("IPv4", "udp"), 53, 53),
    ];
    let id = group_id(GROUP);
    let checked = inputs.iter().enumerate().map(|(n, input)| input.check(&id, &RuleId::new(&format!("r{n}")).unwrap()));
    let (good, bad): (Vec<_>, Vec<_>) = checked.partition(Result::is_ok);
    let bad: Vec<String> = bad.into_iter().map(|bad| bad.unwrap_err().to_string()).collect();
    assert!(bad[0].starts_with(&format!("rule r1 of security group {GROUP}: ")), "{bad:?}");
    assert_eq!(bad.len(), 3);
    let world = World::new();
    let group = SecurityGroup::new(id, good.into_iter().map(Result::unwrap).collect());
    world.firewall.update_security_group_rules(group).wait().unwrap();
    world.prepare(port_a());
    assert_eq!(
        world.v4("ic0ffee01-1")[1..3],
        ["-p tcp -m tcp --dport 22 -j RETURN", "-p udp -m udp --dport 53 -j RETURN"]
    );
}
