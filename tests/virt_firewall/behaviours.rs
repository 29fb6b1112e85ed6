//! Behaviours that nova's own unit tests check, by number (nova 6.5), and what is fixed (nova 7), on the fake kernel.

use nftwrap::kernel::Fake;
use nftwrap::layout::Layout;
use nftwrap::rule::{Family, Protocol, Rule};
use nftwrap::virt_firewall::instances::{
    Deferral, DriverError, Instance, InstanceError, LoadError, NoopFirewallDriver, Options, ProviderRule, Settings,
    load_driver,
};
use nftwrap::virt_firewall::{
    Direction, FirewallDriver, Form, GroupRule, NftablesFirewallDriver, PortProtocol, Refused, Rejected, Remote,
    RuleInput, SecurityGroup, Service, TenantRule, Why,
};
use nftwrap_compat::parse;

use crate::{chain, fake, first, group, groups, id, instance, interface, ip, small, tenant, tenants};

/// Rules as a model has them, which knows chains by their names in the kernel.
fn rules(family: Family, texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| parse::rule(&text.replace('$', "nova-compute-"), family).unwrap()).collect()
}

const DHCP: &str = "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j ACCEPT";
const START: [&str; 2] = ["-m state --state INVALID -j DROP", "-m state --state ESTABLISHED,RELATED -j ACCEPT"];

/// The instance's rules between the first two and the last, if these are what they should be.
#[track_caller]
fn own(driver: &NftablesFirewallDriver<Fake>, family: Family, name: &str) -> Vec<Rule> {
    let all = chain(driver, family, &format!("$inst-{name}")).expect("it has a chain");
    assert_eq!(all[..2], rules(family, &START));
    assert_eq!(all[all.len() - 1..], rules(family, &["-j $sg-fallback"]));
    all[2..all.len() - 1].to_vec()
}

/// 79; and nothing is sent before the first operation, as an earlier run's instances would be open then (7.14).
#[test]
fn a_driver_starts_with_the_end_of_all_chains() {
    let (driver, kernel) = fake(Options::nova());
    for family in Family::BOTH {
        assert_eq!(chain(&driver, family, "$sg-fallback").unwrap(), rules(family, &["-j DROP"]));
        assert_eq!(chain(&driver, family, "$local").unwrap(), []);
    }
    assert_eq!(kernel.stats().commits, 0);
    assert!(!driver.instance_filter_exists(&first(&[])).unwrap());
}

/// 7.14: a new process that prepares its instances during a deferral takes those of the old one over in one transaction.
#[test]
fn a_restart_leaves_no_instance_open() {
    let (driver, kernel) = fake(Options::nova());
    driver.prepare_instance_filter(&small("1", "10.0.0.1", &[])).unwrap();
    driver.prepare_instance_filter(&small("2", "10.0.0.2", &[])).unwrap();
    drop(driver.stop());
    let before = kernel.stats().commits;
    let driver = crate::driver(kernel.connect(), kernel.connect(), Layout::Iptables, Options::nova());
    let deferral = Deferral::begin(&driver);
    driver.prepare_instance_filter(&small("1", "10.0.0.1", &[])).unwrap();
    assert_eq!(kernel.stats().commits, before);
    assert!(kernel.to_string().contains("nova-compute-inst-2"));
    deferral.finish().unwrap();
    assert_eq!(kernel.stats().commits, before + 1);
    assert!(kernel.to_string().contains("nova-compute-inst-1"));
    assert!(!kernel.to_string().contains("nova-compute-inst-2"), "what is not there any more goes at the end");
}

/// 80; deferrals can be nested, and all that was refused is told at the end.
#[test]
fn applying_can_be_deferred() {
    let (driver, kernel) = fake(Options::nova());
    driver.filter_defer_apply_off().unwrap();
    let before = kernel.stats().commits;
    driver.filter_defer_apply_on();
    let inner = Deferral::begin(&driver);
    for number in 1..=20 {
        driver.prepare_instance_filter(&small(&number.to_string(), &format!("10.0.0.{number}"), &[])).unwrap();
    }
    drop(inner);
    assert_eq!(kernel.stats().commits, before);
    driver.filter_defer_apply_off().unwrap();
    assert_eq!(kernel.stats().commits, before + 1);
    assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap().len(), 20);
}

/// 81, and 84 to 88.
#[test]
fn an_instance_has_a_chain_and_jumps_to_it() {
    let (driver, kernel) = fake(Options { anti_spoofing: false, ..Options::nova() });
    let mixed = instance(
        "myinst",
        vec![
            interface("tap0", "fa:16:3e:00:00:01", &["10.0.0.0/24 has 10.0.0.2 10.0.0.3", "fd00::/64 has fd00::2"]),
            interface("tap1", "fa:16:3e:00:00:02", &["10.0.1.0/24 has 10.0.1.2"]),
        ],
        &[],
    );
    driver.prepare_instance_filter(&mixed).unwrap();
    let jumps = ["-d 10.0.0.2 -j $inst-myinst", "-d 10.0.0.3 -j $inst-myinst", "-d 10.0.1.2 -j $inst-myinst"];
    assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap(), rules(Family::Ipv4, &jumps));
    assert_eq!(chain(&driver, Family::Ipv6, "$local").unwrap(), rules(Family::Ipv6, &["-d fd00::2 -j $inst-myinst"]));
    let networks = ["-s 10.0.0.0/24 -j ACCEPT", "-s 10.0.1.0/24 -j ACCEPT"];
    assert_eq!(own(&driver, Family::Ipv4, "myinst"), rules(Family::Ipv4, &networks));
    assert!(driver.instance_filter_exists(&mixed).unwrap());
    let before = kernel.stats().commits;
    driver.unfilter_instance(&mixed).unwrap();
    assert_eq!(kernel.stats().commits, before + 1);
    for family in Family::BOTH {
        assert_eq!(chain(&driver, family, "$local").unwrap(), []);
        assert_eq!(chain(&driver, family, "$inst-myinst"), None);
    }
    driver.unfilter_instance(&mixed).unwrap();
    assert_eq!(kernel.stats().commits, before + 1, "an unknown one is none");
}

/// 82, 83, 89, 90, 92.
#[test]
fn requests_for_addresses_pass_where_a_server_is() {
    let (driver, _) = fake(Options { same_network: false, ..Options::nova() });
    driver.prepare_instance_filter(&small("1", "10.0.0.1", &[])).unwrap();
    assert_eq!(own(&driver, Family::Ipv4, "1"), []);
    assert_eq!(chain(&driver, Family::Ipv4, "$INPUT").unwrap(), []);
    let served = |name: &str| {
        let subnets = ["10.1.0.0/24 dhcp 10.1.0.1 has 10.1.0.2", "fd00::/64 via fe80::1 dhcp fe80::9 has fd00::2"];
        instance(name, vec![interface(&format!("tap{name}"), "fa:16:3e:00:00:01", &subnets)], &[])
    };
    for name in ["2", "2", "3"] {
        driver.prepare_instance_filter(&served(name)).unwrap();
        let answer = "-s 10.1.0.1 -p udp --sport 67 --dport 68 -j ACCEPT";
        assert_eq!(own(&driver, Family::Ipv4, name), rules(Family::Ipv4, &[answer]));
        let six = ["-s fe80::9 -p udp --sport 547 --dport 546 -j ACCEPT", "-s fe80::1/128 -p icmpv6 -j ACCEPT"];
        assert_eq!(own(&driver, Family::Ipv6, name), rules(Family::Ipv6, &six));
        for hook in ["$INPUT", "$FORWARD"] {
            assert_eq!(chain(&driver, Family::Ipv4, hook).unwrap(), rules(Family::Ipv4, &[DHCP]));
            let six = "-s fe80::/10 -d ff02::1:2 -p udp --sport 546 --dport 547 -j ACCEPT";
            assert_eq!(chain(&driver, Family::Ipv6, hook).unwrap(), rules(Family::Ipv6, &[six]));
        }
    }
    // 7.28: they go with the last one.
    driver.unfilter_instance(&served("2")).unwrap();
    assert_eq!(chain(&driver, Family::Ipv4, "$INPUT").unwrap().len(), 1);
    driver.unfilter_instance(&served("3")).unwrap();
    assert_eq!(chain(&driver, Family::Ipv4, "$INPUT").unwrap(), []);
}

/// 91, 93 to 95, 97: the rules of the reference's own test, source groups beside them.
#[test]
fn rules_of_groups_stand_in_the_instances_chain() {
    let (driver, _) = fake(Options::nova());
    driver.prepare_instance_filter(&first(&["test"])).unwrap();
    let bare = own(&driver, Family::Ipv4, "1").len();
    let texts = [
        "icmp -1 -1 192.168.11.0/24",
        "icmp 8 -1 192.168.11.0/24",
        "icmp 8 0 0.0.0.0/0",
        "tcp 80 81 192.168.10.0/24",
        "TCP 22 22 0.0.0.0/0",
        "udp 1 65535 10.1.1.1/8",
        "icmp 128 0 2001:db8::/32",
        "tcp 80 443 ::/0",
        "any -1 -1 ::/0",
    ];
    assert_eq!(driver.refresh_security_group_rules(&group("test"), &tenants(&texts)).unwrap(), []);
    let four = [
        "-j ACCEPT -p icmp -s 192.168.11.0/24",
        "-j ACCEPT -p icmp -m icmp --icmp-type 8 -s 192.168.11.0/24",
        "-j ACCEPT -p icmp -m icmp --icmp-type 8/0 -s 0.0.0.0/0",
        "-j ACCEPT -p tcp -m multiport --dports 80:81 -s 192.168.10.0/24",
        "-j ACCEPT -p tcp --dport 22 -s 0.0.0.0/0",
        "-j ACCEPT -p udp -m multiport --dports 1:65535 -s 10.0.0.0/8",
    ];
    assert_eq!(own(&driver, Family::Ipv4, "1")[bare..], rules(Family::Ipv4, &four));
    // 7.20: type and code are kept.
    let six = [
        "-j ACCEPT -p icmpv6 -m icmp6 --icmpv6-type 128/0 -s 2001:db8::/32",
        "-j ACCEPT -p tcp -m multiport --dports 80:443 -s ::/0",
        "-j ACCEPT -s ::/0",
    ];
    assert_eq!(own(&driver, Family::Ipv6, "1")[2..], rules(Family::Ipv6, &six));
}

/// 98.
#[test]
fn each_address_has_a_jump() {
    for (interfaces, v4, v6) in [(1, 2, 1), (5, 10, 5)] {
        let (driver, _) = fake(Options::nova());
        let interfaces = (0..interfaces).map(|n| {
            let four = format!("10.0.{n}.0/24 dhcp 10.0.0.1 has 10.0.{n}.2 10.0.{n}.3");
            let six = format!("fd00:{n}::/64 via fe80::1 has fd00:{n}::2");
            interface(&format!("tap{n}"), &format!("fa:16:3e:00:00:0{n}"), &[&four, &six])
        });
        driver.prepare_instance_filter(&instance("1", interfaces.collect(), &[])).unwrap();
        assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap().len(), v4);
        assert_eq!(chain(&driver, Family::Ipv6, "$local").unwrap().len(), v6);
        let requests = ["$INPUT", "$FORWARD"].map(|hook| chain(&driver, Family::Ipv4, hook).unwrap().len());
        assert_eq!(requests, [1, 1]);
    }
}

/// 99 and 100, and 7.17: a group that changes concerns those who use it, and nobody else is looked at.
#[test]
fn a_refresh_computes_who_uses_the_group() {
    let (driver, kernel) = fake(Options::nova());
    let deferral = Deferral::begin(&driver);
    for number in 1..=50 {
        let groups: &[&str] = if number % 10 == 0 { &["web"] } else { &["other"] };
        driver.prepare_instance_filter(&small(&number.to_string(), &format!("10.0.0.{number}"), groups)).unwrap();
    }
    deferral.finish().unwrap();
    let counts = || (driver.stats().computed, kernel.stats().commits);
    let (computed, commits) = counts();
    driver.refresh_security_group_rules(&group("web"), &tenants(&["tcp 80 80 0.0.0.0/0"])).unwrap();
    assert_eq!(counts(), (computed + 5, commits + 1));
    driver.refresh_security_group_rules(&group("web"), &tenants(&["tcp 80 80 0.0.0.0/0"])).unwrap();
    driver.refresh_security_group_rules(&group("unused"), &tenants(&["tcp 80 80 0.0.0.0/0"])).unwrap();
    driver.refresh_security_group_members(&group("web"), &[ip("10.0.0.10")]).unwrap();
    assert_eq!(counts(), (computed + 5, commits + 1));
    driver.refresh_instance_security_rules(&id("7"), &groups(&["web"])).unwrap();
    assert_eq!(counts(), (computed + 6, commits + 2));
    assert_eq!(own(&driver, Family::Ipv4, "7").len(), 2);
}

/// The same with a chain for each list of groups: one chain changes, and no instance is looked at.
#[test]
fn a_list_of_groups_is_one_chain() {
    let (driver, kernel) = fake(Options { form: Form::Lists, ..Options::nova() });
    for number in 1..=9 {
        driver.prepare_instance_filter(&small(&number.to_string(), &format!("10.0.0.{number}"), &["web"])).unwrap();
    }
    let (computed, commits) = (driver.stats().computed, kernel.stats().commits);
    driver.refresh_security_group_rules(&group("web"), &tenants(&["tcp 80 80 0.0.0.0/0"])).unwrap();
    assert_eq!((driver.stats().computed, kernel.stats().commits), (computed, commits + 1));
    let list = ["-p tcp --dport 80 -j ACCEPT", "-j $sg-fallback"];
    assert_eq!(chain(&driver, Family::Ipv4, "$sgi-0").unwrap(), rules(Family::Ipv4, &list));
    let last = chain(&driver, Family::Ipv4, "$inst-3").unwrap().pop().unwrap();
    assert_eq!(last, rules(Family::Ipv4, &["-g $sgi-0"])[0]);
    for number in 1..=9 {
        driver.unfilter_instance(&small(&number.to_string(), &format!("10.0.0.{number}"), &[])).unwrap();
    }
    assert_eq!(chain(&driver, Family::Ipv4, "$sgi-0"), None);
}

/// 96 and 101; and 7.21: an unknown instance is an error that says so.
#[test]
fn an_instance_that_is_gone_does_not_come_back() {
    let (driver, _) = fake(Options::nova());
    let one = small("1", "10.0.0.1", &["web"]);
    driver.prepare_instance_filter(&one).unwrap();
    driver.unfilter_instance(&one).unwrap();
    driver.refresh_security_group_rules(&group("web"), &tenants(&["tcp 80 80 0.0.0.0/0"])).unwrap();
    assert_eq!(chain(&driver, Family::Ipv4, "$inst-1"), None);
    for error in [
        driver.refresh_instance_security_rules(&id("1"), &[]).unwrap_err(),
        driver.apply_instance_filter(&id("1")).unwrap_err(),
    ] {
        assert!(matches!(error, DriverError::UnknownInstance(unknown) if unknown == id("1")));
    }
}

/// 102.
#[test]
fn the_providers_rules_are_one_chain() {
    let (driver, _) = fake(Options { provider: true, ..Options::nova() });
    driver.setup_basic_filtering(&first(&[])).unwrap();
    let tcp = Service::Ports { protocol: PortProtocol::Tcp, source: None, destination: None };
    let udp = Service::Ports { protocol: PortProtocol::Udp, source: None, destination: None };
    let rule = |service| ProviderRule { source: "10.99.99.99/32".parse().unwrap(), service };
    let provider = || chain(&driver, Family::Ipv4, "$provider").unwrap();
    driver.prepare_instance_filter(&first(&[])).unwrap();
    assert_eq!(provider(), []);
    driver.refresh_provider_fw_rules(&[rule(tcp)]).unwrap();
    assert_eq!(provider(), rules(Family::Ipv4, &["-p tcp -s 10.99.99.99/32 -j DROP"]));
    driver.refresh_provider_fw_rules(&[rule(tcp), rule(udp)]).unwrap();
    assert_eq!(provider().len(), 2);
    let jump = &rules(Family::Ipv4, &["-j $provider"])[0];
    let own = own(&driver, Family::Ipv4, "1");
    assert_eq!(own.iter().filter(|rule| *rule == jump).count(), 1);
    assert_eq!(&own[0], jump);
    driver.refresh_provider_fw_rules(&[rule(udp)]).unwrap();
    assert_eq!(provider().len(), 1);
    assert_eq!(chain(&driver, Family::Ipv6, "$provider").unwrap(), []);
}

/// 7.1: a name that begins another one.
#[test]
fn instances_whose_names_begin_alike_are_apart() {
    let (driver, _) = fake(Options::nova());
    for (name, address) in [("1", "10.0.0.1"), ("10", "10.0.0.2"), ("100", "10.0.0.3")] {
        driver.prepare_instance_filter(&small(name, address, &[])).unwrap();
    }
    driver.refresh_instance_security_rules(&id("1"), &groups(&["web"])).unwrap();
    assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap().len(), 3);
    driver.unfilter_instance(&small("1", "10.0.0.1", &[])).unwrap();
    let left = ["-d 10.0.0.2 -j $inst-10", "-d 10.0.0.3 -j $inst-100"];
    assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap(), rules(Family::Ipv4, &left));
}

/// 7.19: what is prepared again is replaced, the addresses included.
#[test]
fn an_instance_that_is_prepared_again_is_replaced() {
    let (driver, _) = fake(Options::nova());
    driver.prepare_instance_filter(&small("1", "10.0.0.1", &[])).unwrap();
    let both = ["10.0.0.0/16 has 10.0.0.9", "10.1.0.0/16 has 10.1.0.1"];
    let moved = instance("1", vec![interface("tap1", "fa:16:3e:00:00:01", &both)], &[]);
    driver.prepare_instance_filter(&moved).unwrap();
    let networks = ["-s 10.0.0.0/16 -j ACCEPT", "-s 10.1.0.0/16 -j ACCEPT"];
    assert_eq!(own(&driver, Family::Ipv4, "1"), rules(Family::Ipv4, &networks));
    let jumps = ["-d 10.0.0.9 -j $inst-1", "-d 10.1.0.1 -j $inst-1"];
    assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap(), rules(Family::Ipv4, &jumps));
}

/// 7.20: without IPv6 nothing of it gets in.
#[test]
fn a_family_that_is_off_is_closed() {
    let (driver, _) = fake(Options { ipv6: false, provider: true, ..Options::nova() });
    driver.refresh_security_group_rules(&group("all"), &tenants(&["any -1 -1 ::/0"])).unwrap();
    driver.prepare_instance_filter(&first(&["all"])).unwrap();
    assert_eq!(chain(&driver, Family::Ipv6, "$local").unwrap().len(), 1);
    assert_eq!(chain(&driver, Family::Ipv6, "$inst-1").unwrap(), rules(Family::Ipv6, &["-j $sg-fallback"]));
    assert_eq!(chain(&driver, Family::Ipv6, "$provider"), None);
}

/// 7.5 and 7.22: one bad rule keeps nothing from its effect, and is named.
#[test]
fn a_bad_rule_is_left_out_and_reported() {
    let (driver, kernel) = fake(Options::nova());
    driver.prepare_instance_filter(&first(&["test"])).unwrap();
    let bare = own(&driver, Family::Ipv4, "1").len();
    let mut given = tenants(&["tcp 22 22 0.0.0.0/0", "tcp 99999 99999 0.0.0.0/0", "tcp 80 80 0.0.0.0/0"]);
    let injected = "tcp\n-I INPUT -j ACCEPT";
    given.push(TenantRule {
        id: "inj".parse().unwrap(),
        input: RuleInput {
            protocol: Some(injected),
            prefix: Some("0.0.0.0/0"),
            description: Some(injected),
            ..RuleInput::default()
        },
    });
    given.push(TenantRule { id: "none".parse().unwrap(), input: RuleInput::default() });
    let rejected = driver.refresh_security_group_rules(&group("test"), &given).unwrap();
    let named: Vec<_> = rejected.iter().map(|rejected| rejected.rule.as_str()).collect();
    assert_eq!(named, ["r1", "inj", "none"]);
    assert!(rejected.iter().all(|rejected| rejected.group == group("test")));
    assert_eq!(rejected[2].why, Why::NoRemote);
    assert!(rejected[1].to_string().starts_with("rule inj of security group test: there is no protocol `tcp\\n-i"));
    let open = ["-p tcp --dport 22 -j ACCEPT", "-p tcp --dport 80 -j ACCEPT"];
    assert_eq!(own(&driver, Family::Ipv4, "1")[bare..], rules(Family::Ipv4, &open));
    assert!(!kernel.to_string().contains("-I INPUT"));
}

/// nova's groups have no rules for what instances send: one would be void, and is named; the others take effect.
#[test]
fn a_rule_without_effect_is_named() {
    let (driver, _) = fake(Options::nova());
    driver.prepare_instance_filter(&first(&["test"])).unwrap();
    let bare = own(&driver, Family::Ipv4, "1").len();
    let open = tenant("in", "tcp 22 22 0.0.0.0/0");
    let changed = |name: &str, change: fn(&mut RuleInput<'_>)| {
        let mut rule = tenant(name, "tcp 22 22 0.0.0.0/0");
        change(&mut rule.input);
        rule
    };
    let given = [
        changed("out", |input| input.direction = Some("egress")),
        changed("anybody", |input| (input.direction, input.prefix) = (Some("egress"), None)),
        changed("ping", |input| input.icmp_type = Some("echo-request")),
        changed("ports", |input| input.protocol = Some("gre")),
        changed("source", |input| {
            (input.protocol, input.from, input.to, input.source_from) = (Some("icmp"), None, None, Some(1))
        }),
        open,
    ];
    let rejected = driver.refresh_security_group_rules(&group("test"), &given).unwrap();
    let named: Vec<_> =
        rejected.into_iter().map(|Rejected { group, rule, why }| (group, rule.to_string(), why)).collect();
    let expected = [
        ("out", Why::Egress),
        ("anybody", Why::Egress),
        ("ping", Why::NoIcmp("echo-request".into())),
        ("ports", Why::NoPorts),
        ("source", Why::NoPorts),
    ];
    assert_eq!(named, expected.map(|(rule, why)| (group("test"), rule.to_owned(), why)));
    assert_eq!(own(&driver, Family::Ipv4, "1")[bare..], rules(Family::Ipv4, &["-p tcp --dport 22 -j ACCEPT"]));
}

/// The same for values that no text was: the group, and the provider's rules, are as they were.
#[test]
fn a_value_without_effect_changes_nothing() {
    let (driver, kernel) = fake(Options { provider: true, ..Options::nova() });
    driver.prepare_instance_filter(&first(&["test"])).unwrap();
    let before = kernel.to_string();
    let sound = GroupRule {
        id: "r".parse().unwrap(),
        direction: Direction::Ingress,
        family: None,
        service: Service::Any,
        remote: Remote::Prefix("10.0.0.0/8".parse().unwrap()),
    };
    let icmp6 = Service::Protocol(Protocol::ICMPV6);
    let codes = Service::Icmp { kind: None, code: Some(1) };
    for (wrong, why) in [
        (GroupRule { direction: Direction::Egress, ..sound.clone() }, Why::Egress),
        (GroupRule { family: Some(Family::Ipv6), ..sound.clone() }, Why::NoFamily),
        (GroupRule { service: icmp6, ..sound.clone() }, Why::NoFamily),
        (GroupRule { service: codes, ..sound.clone() }, Why::Icmp { kind: -1, code: 1 }),
    ] {
        let error = driver.put_group(SecurityGroup::new(group("test"), vec![sound.clone(), wrong])).unwrap_err();
        let DriverError::Rule(Rejected { rule, why: told, .. }) = &error else { panic!("{error}") };
        assert_eq!((rule.as_str(), told), ("r", &why));
    }
    let provider = |service| ProviderRule { source: "10.0.0.0/8".parse().unwrap(), service };
    for service in [icmp6, codes] {
        let error = driver.refresh_provider_fw_rules(&[provider(Service::Any), provider(service)]).unwrap_err();
        assert!(matches!(error, DriverError::Provider { number: 2, .. }), "{error}");
    }
    for member in ["224.0.0.1", "255.255.255.255", "ff02::1", "::"] {
        assert!(matches!(driver.put_members(&group("test"), &[ip(member)]), Err(DriverError::Member(_))), "{member}");
    }
    assert_eq!(kernel.to_string(), before);
}

mod any_input {
    use proptest::prelude::*;

    use super::*;

    const WORDS: &[&str] = &[
        "tcp",
        "udp",
        "icmp",
        "icmpv6",
        "gre",
        "any",
        "0",
        "58",
        "ingress",
        "egress",
        "IPv4",
        "IPv6",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.1",
        "fd00::/8",
        "theirs",
        "ours",
        "echo-request",
        "",
    ];

    /// Words that mean something somewhere, and text with a word that nothing of ours has.
    fn text() -> impl Strategy<Value = String> {
        let part = "[\\PC\n\r\t\0 $-]{0,12}";
        let odd = (part, part).prop_map(|(a, b)| format!("{a}zqx{b}"));
        prop_oneof![3 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => odd]
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![Just(-1), 0..300_i64, Just(65535), any::<i64>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever a tenant writes into the rules of its group: the chain of another tenant's instance stays as it is, no
        /// chain comes that was not there, no text of it gets to the kernel, and each rule is in effect or named.
        #[test]
        fn no_tenant_reaches_another(
            texts in prop::collection::vec(prop::array::uniform7(prop::option::of(text())), 1..6),
            numbers in prop::collection::vec(prop::array::uniform4(prop::option::of(number())), 6),
        ) {
            let (driver, kernel) = fake(Options::nova());
            driver.prepare_instance_filter(&small("1", "10.0.0.1", &["ours"])).unwrap();
            driver.prepare_instance_filter(&small("2", "10.0.0.2", &["theirs"])).unwrap();
            let chains = || {
                let every = |manager: &mut nftwrap::Manager<Fake>| {
                    Family::BOTH.map(|family| {
                        let table = manager.model().table(family, nftwrap::wrap::TableKind::Filter).unwrap();
                        table.chains().map(|chain| format!("{:?}", chain.name())).collect::<Vec<_>>()
                    })
                };
                driver.visit(every).unwrap()
            };
            let others = || Family::BOTH.map(|family| chain(&driver, family, "$inst-2").unwrap());
            let before = (chains(), others());
            let given: Vec<_> = texts.iter().zip(&numbers).enumerate().map(|(number, (texts, numbers))| {
                let [direction, ethertype, protocol, icmp_type, prefix, group, description] = texts.each_ref().map(Option::as_deref);
                let [from, to, source_from, source_to] = *numbers;
                let input = RuleInput {
                    direction, ethertype, protocol, from, to, icmp_type, source_from, source_to, prefix, group, description,
                };
                TenantRule { id: format!("r{number}").parse().unwrap(), input }
            }).collect();
            let rejected = driver.refresh_security_group_rules(&group("ours"), &given).unwrap();
            prop_assert_eq!((chains(), others()), before);
            prop_assert!(!kernel.to_string().contains("zqx"));
            // One rule is of the instance's network.
            let opened: usize = Family::BOTH.into_iter().map(|family| own(&driver, family, "1").len()).sum();
            prop_assert_eq!(opened > 1, rejected.len() < given.len());
        }
    }
}

/// What cannot be firewalled as it is described changes nothing.
#[test]
fn an_instance_that_cannot_be_is_refused_whole() {
    let (driver, kernel) = fake(Options::nova());
    driver.prepare_instance_filter(&first(&[])).unwrap();
    let before = kernel.to_string();
    let wrong = instance("1", vec![interface("tap1", "fa:16:3e:00:00:01", &["10.0.0.0/24 has fd00::1"])], &[]);
    let error = driver.prepare_instance_filter(&wrong).unwrap_err();
    assert!(matches!(error, DriverError::Instance(InstanceError::Family { .. })));
    let long: Instance = small("0123456789a", "10.0.0.7", &[]);
    let error = driver.prepare_instance_filter(&long).unwrap_err();
    assert_eq!(
        error.to_string(),
        "instance 0123456789a: its chain's name is 16 bytes long, 15 is the most for this component"
    );
    driver.apply_instance_filter(&id("1")).unwrap();
    assert_eq!(kernel.to_string(), before);
    assert!(driver.refresh_security_group_members(&group("web"), &[ip("0.0.0.0")]).is_err());
}

/// 7.4: what the kernel refused stays wanted, and comes when it is tried again.
#[test]
fn what_was_refused_is_tried_again() {
    let kernel = Fake::new();
    let mut own_kernel = kernel.connect();
    own_kernel.fail_next(1, nftwrap::kernel::Errno::NOMEM);
    let driver = crate::driver(own_kernel, kernel.connect(), Layout::Iptables, Options::nova());
    let error = driver.prepare_instance_filter(&small("1", "10.0.0.1", &["web"])).unwrap_err();
    let DriverError::Refused(Refused(refused)) = &error else { panic!("{error}") };
    assert_eq!((refused.len(), &*refused[0].what), (1, "instance 1"));
    assert!(!driver.instance_filter_exists(&small("1", "10.0.0.1", &[])).unwrap());
    driver.prepare_instance_filter(&small("2", "10.0.0.2", &[])).unwrap();
    assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap().len(), 1);
    let [owed] = &*FirewallDriver::owed(&driver) else { panic!("one is owed") };
    assert_eq!((&*owed.what, owed.times), ("instance 1", 1));
    FirewallDriver::retry(&driver).unwrap();
    assert_eq!(chain(&driver, Family::Ipv4, "$local").unwrap().len(), 2);
    assert!(FirewallDriver::owed(&driver).is_empty());
}

/// An address that is another unit's is nothing that can be refused by itself; a chain of that name is.
#[test]
fn a_chain_of_somebody_else_is_named() {
    let (driver, _) = fake(Options::nova());
    driver
        .visit(|manager| {
            let table = manager.model_mut().table_mut(Family::Ipv4, nftwrap::wrap::TableKind::Filter).unwrap();
            table.add_chain("$inst-1").unwrap();
        })
        .unwrap();
    let error = driver.prepare_instance_filter(&small("1", "10.0.0.1", &[])).unwrap_err();
    assert_eq!(error.to_string(), "instance 1: IPv4 filter: chain `$inst-1` belongs to no unit");
    driver.prepare_instance_filter(&small("2", "10.0.0.2", &[])).unwrap();
    // Others are not slowed down by it.
    assert_eq!(FirewallDriver::owed(&driver)[0].times, 1);
    let error = FirewallDriver::retry(&driver).unwrap_err();
    assert_eq!(error.to_string(), "instance 1: IPv4 filter: chain `$inst-1` belongs to no unit");
    driver.unfilter_instance(&small("1", "10.0.0.1", &[])).unwrap();
    assert!(FirewallDriver::owed(&driver).is_empty());
    driver.prepare_instance_filter(&small("3", "10.0.0.3", &[])).unwrap();
}

#[test]
fn link_local_addresses_are_filtered_where_asked_for() {
    let (driver, _) = fake(Options { same_network: false, ..Options::native() });
    driver.prepare_instance_filter(&first(&[])).unwrap();
    let jumps = ["-d fd00:10::f816:3eff:fe00:1 -j $inst-1", "-d fe80::f816:3eff:fe00:1 -j $inst-1"];
    assert_eq!(chain(&driver, Family::Ipv6, "$local").unwrap(), rules(Family::Ipv6, &jumps));
    let all = chain(&driver, Family::Ipv6, "$inst-1").unwrap();
    let own = [
        "-s fe80::1/128 -p icmpv6 -j ACCEPT",
        "-p icmpv6 -m icmp6 --icmpv6-type 135 -j ACCEPT",
        "-p icmpv6 -m icmp6 --icmpv6-type 136 -j ACCEPT",
    ];
    assert_eq!(all[2..5], rules(Family::Ipv6, &own));
}

/// Loading by name, and the driver that does nothing.
#[test]
fn drivers_are_chosen_by_name() {
    let settings = || Settings::nova_compute(Layout::Iptables).unwrap();
    let noop = load_driver("noop", settings()).unwrap();
    noop.setup_basic_filtering(&first(&[])).unwrap();
    noop.prepare_instance_filter(&first(&[])).unwrap();
    noop.apply_instance_filter(&id("1")).unwrap();
    assert!(noop.instance_filter_exists(&first(&[])).unwrap());
    noop.refresh_instance_security_rules(&id("1"), &[]).unwrap();
    assert_eq!(noop.refresh_security_group_rules(&group("a"), &[tenant("r", "? 1 1 x")]).unwrap(), []);
    noop.refresh_security_group_members(&group("a"), &[]).unwrap();
    noop.refresh_provider_fw_rules(&[]).unwrap();
    noop.unfilter_instance(&first(&[])).unwrap();
    Deferral::begin(&NoopFirewallDriver).finish().unwrap();
    let error = load_driver("iptables", settings()).unwrap_err();
    assert!(matches!(&error, LoadError::Unknown(name) if name == "iptables"));
    assert_eq!(error.to_string(), "there is no firewall driver `iptables`; those that there are: nftables, noop");
}

/// All at once, in any order: what is left is what was said last.
#[test]
fn several_threads_at_once() {
    for options in [Options::nova(), Options::native()] {
        let (driver, _) = fake(options);
        let driver = &driver;
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                scope.spawn(move || {
                    for round in 0..10_u8 {
                        let (name, address) = (format!("{thread}"), format!("10.0.{thread}.{}", round + 1));
                        let groups = if round % 2 == 0 { ["even"] } else { ["odd"] };
                        driver.prepare_instance_filter(&small(&name, &address, &groups)).unwrap();
                        let rule = format!("tcp {} {} 0.0.0.0/0", u16::from(round) + 1, u16::from(round) + 1);
                        driver.refresh_security_group_rules(&group(groups[0]), &tenants(&[&rule])).unwrap();
                        if thread % 2 == 1 {
                            driver.unfilter_instance(&small(&name, &address, &[])).unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(chain(driver, Family::Ipv4, "$local").unwrap().len(), 4);
        for thread in 0..8 {
            let there = chain(driver, Family::Ipv4, &format!("$inst-{thread}")).is_some();
            assert_eq!(there, thread % 2 == 0);
        }
        for thread in (0..8).step_by(2) {
            driver.unfilter_instance(&small(&thread.to_string(), "10.0.0.1", &[])).unwrap();
        }
        assert_eq!(chain(driver, Family::Ipv4, "$local").unwrap(), []);
        assert_eq!(chain(driver, Family::Ipv4, "$sgi-0"), None);
    }
}
