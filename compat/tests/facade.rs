//! nova and neutron over strings: what their calls leave is what their specification prints, in memory and in a kernel.
//!
//! The calls are those of the originals, argument for argument; the dumps in `facade/` are what the originals left in the
//! kernel, read by `iptables-save`. The kernel half makes network namespaces.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "../../tests/support/lab.rs"]
mod lab;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::process::Command;

use lab::Lab;
use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::rule::Family;
use nftwrap::wrap::{ChainKind, ModelError, TableKind};
use nftwrap_compat::facade::{Builder, FacadeError, IptablesManager, RuleArgs};
use nftwrap_compat::print;

use Family::{Ipv4, Ipv6};
use TableKind::{Filter, Mangle, Nat, Raw};

/// Rules by table and chain; a chain without rules is there, too.
type Dump = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A save file, its built-in chains without rules left out.
fn read(text: &str) -> Dump {
    let mut dump = Dump::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
            dump.entry(table.clone()).or_default();
        } else if let Some(chain) = line.strip_prefix(':') {
            let (name, policy) = chain.split_once(' ').unwrap();
            if policy.starts_with('-') {
                dump.entry(table.clone()).or_default().entry(name.to_owned()).or_default();
            }
        } else if let Some(rule) = line.strip_prefix("-A ") {
            let name = rule.split(' ').next().unwrap();
            dump.entry(table.clone()).or_default().entry(name.to_owned()).or_default().push(line.to_owned());
        }
    }
    dump
}

/// What the manager has in memory.
fn memory<K>(manager: &mut IptablesManager<K>, family: Family) -> Dump {
    let mut dump = Dump::new();
    for table in manager.typed().model().tables().filter(|table| table.id().family == family) {
        let chains = dump.entry(table.kind().name().to_owned()).or_default();
        for chain in table.chains() {
            let line = |entry: &nftwrap::wrap::Entry| {
                let mut line = format!("-A {}", chain.name());
                print::rule_into(&mut line, entry.rule(), family);
                line
            };
            if !chain.is_empty() || !matches!(chain.kind(), ChainKind::Builtin(_)) {
                chains.insert(chain.name().to_string(), chain.rules().map(line).collect());
            }
        }
    }
    dump
}

/// Compares the tables that the golden names.
#[track_caller]
fn compare(found: &Dump, golden: &str, what: &str) {
    for (table, chains) in read(golden) {
        assert_eq!(found.get(&table), Some(&chains), "{what}, table {table}");
    }
}

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("facade/", $name, ".save"))
    };
}

const WRAPPED: bool = true;

fn args() -> RuleArgs<'static> {
    RuleArgs::default()
}

type Outcome = Result<(), FacadeError>;

/// nova.virt.firewall, `IptablesFirewallDriver`, with the network of the specification.
mod nova_compute {
    use super::*;

    const GROUPS_V4: [&str; 2] = ["-j ACCEPT -p icmp -s 0.0.0.0/0", "-j ACCEPT -p tcp --dport 22 -s 0.0.0.0/0"];
    const GROUPS_V6: [&str; 1] = ["-j ACCEPT -p tcp --dport 22 -s ::/0"];

    pub(super) fn start<K>(manager: &mut IptablesManager<K>) -> Outcome {
        for family in Family::BOTH {
            let mut filter = manager.table(family, Filter)?;
            filter.add_chain("sg-fallback", WRAPPED)?;
            filter.add_rule("sg-fallback", "-j DROP", args())?;
        }
        let mut filter = manager.ipv4(Filter)?;
        filter.add_rule("FORWARD", "--in-interface br100 -j ACCEPT", args())?;
        filter.add_rule("FORWARD", "--out-interface br100 -j ACCEPT", args())?;
        Ok(())
    }

    /// `add_filters_for_instance` with the rules of `instance_rules`.
    pub(super) fn add_filters<K>(manager: &mut IptablesManager<K>, groups: (&[&str], &[&str])) -> Outcome {
        let mut v4 = vec!["-m state --state INVALID -j DROP", "-m state --state ESTABLISHED,RELATED -j ACCEPT"];
        let mut v6 = v4.clone();
        v4.extend(["-s 10.10.10.1 -p udp --sport 67 --dport 68 -j ACCEPT", "-s 10.10.10.0/24 -j ACCEPT"]);
        v6.extend(["-s fd00:10::/64 -j ACCEPT", "-s fe80::1/128 -p icmpv6 -j ACCEPT"]);
        v4.extend(groups.0);
        v6.extend(groups.1);
        let guest = [(Ipv4, "10.10.10.2", v4), (Ipv6, "fd00:10::f816:3eff:fe00:1", v6)];
        for (family, address, rules) in guest {
            let mut filter = manager.table(family, Filter)?;
            filter.add_chain("inst-1", WRAPPED)?;
            filter.add_rule("local", &format!("-d {address} -j $inst-1"), args())?;
            for rule in rules.into_iter().chain(["-j $sg-fallback"]) {
                filter.add_rule("inst-1", rule, args())?;
            }
        }
        Ok(())
    }

    pub(super) fn remove_filters<K>(manager: &mut IptablesManager<K>) -> Outcome {
        for family in Family::BOTH {
            manager.table(family, Filter)?.remove_chain("inst-1", WRAPPED)?;
        }
        Ok(())
    }

    pub(super) fn boot<K>(manager: &mut IptablesManager<K>) -> Outcome {
        start(manager)?;
        add_filters(manager, (&[], &[]))?;
        let dhcp = "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j ACCEPT";
        manager.ipv4(Filter)?.add_rule("INPUT", dhcp, args())?;
        manager.ipv4(Filter)?.add_rule("FORWARD", dhcp, args())?;
        Ok(())
    }

    pub(super) fn refresh<K>(manager: &mut IptablesManager<K>) -> Outcome {
        remove_filters(manager)?;
        add_filters(manager, (&GROUPS_V4, &GROUPS_V6))
    }
}

/// nova.network.linux_net.
mod nova_network {
    use super::*;

    const FLOATING: [(&str, &str); 5] = [
        ("float-snat", "-s 10.10.10.2 -j SNAT --to 192.168.1.233 -d 10.10.10.2"),
        ("float-snat", "-s 10.10.10.2 -j SNAT --to 192.168.1.233 -o wlan0"),
        ("PREROUTING", "-d 192.168.1.233 -j DNAT --to 10.10.10.2"),
        ("OUTPUT", "-d 192.168.1.233 -j DNAT --to 10.10.10.2"),
        ("POSTROUTING", "-s 10.10.10.2 -m conntrack --ctstate DNAT -j SNAT --to-source 192.168.1.233"),
    ];

    pub(super) fn start<K>(manager: &mut IptablesManager<K>) -> Outcome {
        let mut nat = manager.ipv4(Nat)?;
        nat.add_rule("snat", "-s 10.0.0.0/8 -d 0.0.0.0/0 -j SNAT --to-source 192.168.1.90 -o wlan0", args())?;
        nat.add_rule("POSTROUTING", "-s 10.0.0.0/8 -d 192.168.1.90/32 -j ACCEPT", args())?;
        nat.add_rule("POSTROUTING", "-s 10.0.0.0/8 -d 10.128.0.0/24 -j ACCEPT", args())?;
        nat.add_rule("POSTROUTING", "-s 10.0.0.0/8 -d 10.0.0.0/8 -m conntrack ! --ctstate DNAT -j ACCEPT", args())?;
        let metadata = "-s 0.0.0.0/0 -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination \
                        192.168.1.90:8775";
        nat.add_rule("PREROUTING", metadata, args())?;
        Ok(())
    }

    pub(super) fn associate<K>(manager: &mut IptablesManager<K>) -> Outcome {
        let mut nat = manager.ipv4(Nat)?;
        nat.remove_rules_matching(|line| line.split(' ').any(|word| word == "192.168.1.233/32"));
        for (chain, rule) in FLOATING {
            nat.add_rule(chain, rule, args())?;
        }
        Ok(())
    }

    pub(super) fn disassociate<K>(manager: &mut IptablesManager<K>) -> Outcome {
        for (chain, rule) in FLOATING {
            assert!(manager.ipv4(Nat)?.remove_rule(chain, rule, args())?, "{rule}");
        }
        Ok(())
    }
}

/// neutron's router: the calls of sections 8.1 and 8.2, in their order.
mod neutron_router {
    use super::*;

    const GATEWAY: &str = "qg-1f2e3d4c-5b";
    const PORTS: [&str; 2] = ["qr-aa11bb22-cc", "qr-dd44ee55-ff"];
    const FLOATING: [(&str, &str); 2] = [("203.0.113.101", "10.1.0.11"), ("203.0.113.102", "10.2.0.12")];
    const METADATA: [(Family, &str); 2] = [(Ipv4, "169.254.169.254/32"), (Ipv6, "fe80::a9fe:a9fe/128")];
    const UNMARKED: &str =
        "-m connmark --mark 0x0/0xffff0000 -j CONNMARK --save-mark --nfmask 0xffff0000 --ctmask 0xffff0000";

    pub(super) fn create<K>(manager: &mut IptablesManager<K>) -> Outcome {
        for family in Family::BOTH {
            manager.table(family, Mangle)?.add_chain("scope", WRAPPED)?;
            let mut filter = manager.table(family, Filter)?;
            filter.add_chain("scope", WRAPPED)?;
            filter.add_rule("FORWARD", "-j $scope", args())?;
        }
        for family in Family::BOTH {
            let mut mangle = manager.table(family, Mangle)?;
            if family == Ipv4 {
                mangle.add_chain("floatingip", WRAPPED)?;
                mangle.add_chain("float-snat", WRAPPED)?;
                mangle.add_rule("float-snat", UNMARKED, args())?;
            }
            mangle.add_rule("PREROUTING", "-j $scope", args())?;
            let restore = "-m connmark ! --mark 0x0/0xffff0000 -j CONNMARK --restore-mark --nfmask 0xffff0000 \
                           --ctmask 0xffff0000";
            mangle.add_rule("PREROUTING", restore, args())?;
            if family == Ipv4 {
                mangle.add_rule("PREROUTING", "-j $floatingip", args())?;
            }
        }
        for (family, address) in METADATA {
            let mark = format!("-d {address} -i qr-+ -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xffff");
            manager.table(family, Mangle)?.add_rule("PREROUTING", &mark, args())?;
            manager.table(family, Filter)?.add_rule("scope", "-m mark --mark 0x1/0xffff -j DROP", args())?;
        }
        Ok(())
    }

    /// SNAT, floating addresses and address scopes: rebuilt every time.
    pub(super) fn process<K>(manager: &mut IptablesManager<K>) -> Outcome {
        let mut nat = manager.ipv4(Nat)?;
        nat.empty_chain("POSTROUTING", WRAPPED)?;
        nat.empty_chain("snat", WRAPPED)?;
        nat.add_rule("snat", "-j $float-snat", args())?;
        let mut mangle = manager.ipv4(Mangle)?;
        mangle.empty_chain("mark", WRAPPED)?;
        mangle.empty_chain("POSTROUTING", WRAPPED)?;
        mangle.add_rule("POSTROUTING", &format!("-o {GATEWAY} {UNMARKED}"), args())?;
        let mut nat = manager.ipv4(Nat)?;
        let source = "-j SNAT --to-source 203.0.113.10 --random-fully";
        nat.add_rule("snat", &format!("-o {GATEWAY} {source}"), args())?;
        nat.add_rule("POSTROUTING", &format!("! -o {GATEWAY} -m conntrack ! --ctstate DNAT -j ACCEPT"), args())?;
        let hairpin = format!("-m mark ! --mark 0x2/0xffff -m conntrack --ctstate DNAT {source}");
        nat.add_rule("snat", &hairpin, args())?;
        manager.ipv4(Mangle)?.add_rule("mark", &format!("-i {GATEWAY} -j MARK --set-xmark 0x2/0xffff"), args())?;

        let mut nat = manager.ipv4(Nat)?;
        nat.clear_rules_by_tag("floating_ip");
        let tagged = args().tag("floating_ip");
        for (floating, fixed) in FLOATING {
            let to_fixed = format!("-d {floating}/32 -j DNAT --to-destination {fixed}");
            nat.add_rule("PREROUTING", &to_fixed, tagged)?;
            nat.add_rule("OUTPUT", &to_fixed, tagged)?;
            let to_floating = format!("-s {fixed}/32 -j SNAT --to-source {floating} --random-fully");
            nat.add_rule("float-snat", &to_floating, tagged)?;
        }

        for family in Family::BOTH {
            manager.table(family, Mangle)?.empty_chain("scope", WRAPPED)?;
            manager.table(family, Filter)?.empty_chain("scope", WRAPPED)?;
        }
        for device in PORTS.into_iter().chain([GATEWAY]) {
            let mark = format!("-i {device} -j MARK --set-xmark 0x4000000/0xffff0000");
            manager.ipv4(Mangle)?.add_rule("scope", &mark, args())?;
        }
        for device in PORTS {
            let foreign = format!("-o {device} -m mark ! --mark 0x4000000/0xffff0000 -j DROP");
            manager.ipv4(Filter)?.add_rule("scope", &foreign, args())?;
        }
        Ok(())
    }

    pub(super) fn metadata<K>(manager: &mut IptablesManager<K>) -> Outcome {
        for (family, address) in METADATA {
            let mut filter = manager.table(family, Filter)?;
            filter.add_rule("INPUT", "-m mark --mark 0x1/0xffff -j ACCEPT", args())?;
            filter.add_rule("INPUT", "-p tcp -m tcp --dport 9697 -j DROP", args())?;
            let redirect = format!("-d {address} -i qr-+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697");
            manager.table(family, Nat)?.add_rule("PREROUTING", &redirect, args())?;
        }
        Ok(())
    }
}

fn nova(wrap: &str) -> Builder {
    Builder::nova(wrap).use_ipv6(true)
}

fn neutron(wrap: &str) -> Builder {
    Builder::neutron(wrap).use_ipv6(true)
}

mod in_memory {
    use super::*;

    #[test]
    fn nova_api() {
        let mut manager = nova("nova-api").over(()).unwrap();
        let accept = "-p tcp -m tcp --dport 8775 -d 192.168.1.90 -j ACCEPT";
        manager.ipv4(Filter).unwrap().add_rule("INPUT", accept, args()).unwrap();
        compare(&memory(&mut manager, Ipv4), golden!("nova-api-start.v4"), "start");
    }

    #[test]
    fn nova_compute() {
        let mut manager = nova("nova-compute").over(()).unwrap();
        nova_compute::boot(&mut manager).unwrap();
        compare(&memory(&mut manager, Ipv4), golden!("nova-compute-boot.v4"), "boot");
        compare(&memory(&mut manager, Ipv6), golden!("nova-compute-boot.v6"), "boot");
        nova_compute::refresh(&mut manager).unwrap();
        compare(&memory(&mut manager, Ipv4), golden!("nova-compute-groups.v4"), "groups");
        compare(&memory(&mut manager, Ipv6), golden!("nova-compute-groups.v6"), "groups");
        nova_compute::remove_filters(&mut manager).unwrap();
        compare(&memory(&mut manager, Ipv4), golden!("nova-compute-deleted.v4"), "deleted");
        compare(&memory(&mut manager, Ipv6), golden!("nova-compute-deleted.v6"), "deleted");
    }

    #[test]
    fn nova_network() {
        let mut manager = nova("nova-network").over(()).unwrap();
        nova_network::start(&mut manager).unwrap();
        compare(&memory(&mut manager, Ipv4), golden!("nova-network-start.v4"), "start");
        compare(&memory(&mut manager, Ipv6), golden!("nova-network-start.v6"), "start");
        for _ in 0..2 {
            nova_network::associate(&mut manager).unwrap();
            // The rules of the address stand where they stood: all five are removed and added again.
            compare(&memory(&mut manager, Ipv4), golden!("nova-network-floating.v4"), "floating");
        }
        nova_network::disassociate(&mut manager).unwrap();
        compare(&memory(&mut manager, Ipv4), golden!("nova-network-start.v4"), "disassociated");
    }

    #[test]
    fn neutron_router() {
        let mut manager = neutron("neutron-l3-agent").over(()).unwrap();
        neutron_router::create(&mut manager).unwrap();
        neutron_router::process(&mut manager).unwrap();
        neutron_router::metadata(&mut manager).unwrap();
        compare(&memory(&mut manager, Ipv4), golden!("neutron-router.v4"), "router");
        compare(&memory(&mut manager, Ipv6), golden!("neutron-router.v6"), "router");
    }
}

/// Neutron 14, "Names and table operations", and the defects of section 15 that concern strings.
mod strings {
    use super::*;

    fn bn() -> IptablesManager<()> {
        neutron("bn").over(()).unwrap()
    }

    #[test]
    fn the_component_is_cut_to_16_characters() {
        assert_eq!(neutron(&"xbcdef".repeat(5)).over(()).unwrap().wrap_name(), "xbcdefxbcdefxbcd");
        assert_eq!(neutron("python -m unittest").over(()).unwrap().wrap_name(), "python_-m_unitte");
        assert_eq!(nova("nova-api-metadata").over(()).unwrap().wrap_name(), "nova-api-metadat");
    }

    /// 2 and 9.
    #[test]
    fn chains_are_cut_for_neutron() {
        let mut manager = bn();
        let long = "abcdefghij".repeat(5);
        let mut filter = manager.ipv4(Filter).unwrap();
        filter.add_chain(&long, true).unwrap();
        filter.add_chain(&long, false).unwrap();
        assert!(filter.typed().has_chain("bn-abcdefghija"));
        assert!(filter.typed().has_chain("abcdefghijabcdefghijabcdefgh"));
        let jump = format!("-j ${long}");
        filter.add_rule("INPUT", &jump, args()).unwrap();
        assert_eq!(filter.get_chain("INPUT", true), ["-j bn-abcdefghija"]);
        assert!(filter.remove_rule("INPUT", &jump, args()).unwrap());
        assert!(filter.is_chain_empty("INPUT", true));
    }

    /// D2.
    #[test]
    fn cutting_never_makes_two_chains_one() {
        let mut manager = bn();
        let mut filter = manager.ipv4(Filter).unwrap();
        filter.add_chain("abcdefghijklmnop", true).unwrap();
        filter.add_chain("abcdefghijklmnop", true).unwrap();
        let error = filter.add_chain("abcdefghijkZZZZ", true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "IPv4 filter: chain `abcdefghijkZZZZ` is cut to `abcdefghijk`, and so is `abcdefghijklmnop`, which is there \
             already"
        );
        assert!(filter.add_rule("INPUT", "-j $abcdefghijkZZZZ", args()).is_err());
        assert!(!filter.has_chain("abcdefghijkZZZZ", true));
        // Once it is gone, its name is free.
        filter.remove_chain("abcdefghijklmnop", true).unwrap();
        filter.add_chain("abcdefghijkZZZZ", true).unwrap();
        // nova does not cut, and says so.
        let mut manager = nova("nova-compute").over(()).unwrap();
        let error = manager.ipv4(Filter).unwrap().add_chain("inst-1234567890123", true).unwrap_err();
        assert!(matches!(error, FacadeError::Model(ModelError::ChainNameTooLong { .. })));
    }

    /// 4, 5, 6.
    #[test]
    fn unknown_chains() {
        let mut manager = bn();
        for family in Family::BOTH {
            let mut filter = manager.table(family, Filter).unwrap();
            let error = filter.add_rule("nonexistent", "-j DROP", args()).unwrap_err();
            assert!(matches!(error, FacadeError::Model(ModelError::UnknownChain { .. })));
            assert!(!filter.remove_chain("nonexistent", true).unwrap());
            filter.ensure_remove_chain("nonexistent", true).unwrap();
            assert!(!filter.remove_rule("nonexistent", "-j DROP", args()).unwrap());
            assert_eq!(filter.get_chain("nonexistent", true), [""; 0]);
        }
    }

    /// 13: an empty text is a rule that only counts; a trailing blank does not matter.
    #[test]
    fn an_empty_rule() {
        let mut manager = bn();
        let mut filter = manager.ipv4(Filter).unwrap();
        assert!(filter.add_rule("INPUT", "", args()).unwrap());
        assert!(!filter.add_rule("INPUT", " ", args()).unwrap());
        assert_eq!(filter.get_chain("INPUT", true), [""]);
    }

    /// 16 and 17.
    #[test]
    fn stateless_and_without_nat() {
        let mut manager = neutron("bn").state_less(true).over(()).unwrap();
        let kinds = |manager: &mut IptablesManager<()>| {
            let tables = manager.typed().model().tables().filter(|table| table.id().family == Ipv4);
            tables.map(|table| table.kind()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&mut manager), [Raw, Nat, Filter]);
        assert!(!manager.ipv4(Nat).unwrap().has_chain("snat", true));
        manager.initialize_mangle_table().unwrap();
        manager.initialize_nat_table().unwrap();
        assert_eq!(kinds(&mut manager), [Raw, Mangle, Nat, Filter]);
        assert!(manager.ipv4(Nat).unwrap().has_chain("snat", true));
        assert_eq!(kinds(&mut neutron("bn").nat(false).over(()).unwrap()), [Raw, Mangle, Nat, Filter]);
    }

    /// 18 and 19.
    #[test]
    fn comments_stand_before_the_jump() {
        let mut manager = bn();
        let mut filter = manager.ipv4(Filter).unwrap();
        let aloha = args().comment("a loha");
        filter.add_chain("sg-chain", false).unwrap();
        for rule in ["-j sg-chain", "-s 10.0.0.1 -j sg-chain", "-s 10.0.0.1"] {
            filter.add_rule("INPUT", rule, aloha).unwrap();
        }
        assert_eq!(
            filter.get_chain("INPUT", true),
            [
                "-m comment --comment \"a loha\" -j sg-chain",
                "-s 10.0.0.1/32 -m comment --comment \"a loha\" -j sg-chain",
                "-s 10.0.0.1/32 -m comment --comment \"a loha\""
            ]
        );
        // D5: without naming the comment.
        assert!(filter.remove_rule("INPUT", "-s 10.0.0.1", args()).unwrap());
        let long = "c".repeat(256);
        assert!(matches!(filter.add_rule("INPUT", "-j DROP", args().comment(&long)), Err(FacadeError::Name(_))));
        let mut silent = neutron("bn").comments(false).over(()).unwrap();
        let mut filter = silent.ipv4(Filter).unwrap();
        filter.add_rule("INPUT", "-j DROP", aloha).unwrap();
        assert_eq!(filter.get_chain("INPUT", true), ["-j DROP"]);
    }

    /// Nova 7.5, 7.22: a bad rule is refused alone, by name, when it is added.
    #[test]
    fn a_bad_rule_harms_nobody() {
        let mut manager = nova("nova-compute").over(()).unwrap();
        let mut filter = manager.ipv4(Filter).unwrap();
        for bad in [
            "-p tcp --dport 99999 -j ACCEPT",
            "-s 2600::/32 -j ACCEPT",
            "-j ACCEPT\n-I INPUT -j ACCEPT",
            "-p tcp -m no-such-match -j ACCEPT",
        ] {
            let error = filter.add_rule("local", bad, args()).unwrap_err();
            assert!(matches!(error, FacadeError::Rule { .. }), "{error}");
        }
        assert!(filter.is_chain_empty("local", true));
        let error = manager.ipv4(Filter).unwrap().add_rule("INPUT", "-o eth0", args().wrap(false)).unwrap_err();
        assert!(matches!(error, FacadeError::Chain { .. }), "{error}");
    }

    /// Nova 6.1.18, by text: 10.10.10.1 is not 10.10.10.10.
    #[test]
    fn rules_are_removed_by_their_words() {
        let mut manager = nova("nova-network").over(()).unwrap();
        let mut nat = manager.ipv4(Nat).unwrap();
        for (floating, fixed) in [("10.10.10.10", "10.0.0.1"), ("10.10.10.11", "10.0.0.10")] {
            nat.add_rule("float-snat", &format!("-s {fixed} -j SNAT --to {floating} -d {fixed}"), args()).unwrap();
            nat.add_rule("float-snat", &format!("-s {fixed} -j SNAT --to {floating} -o eth0"), args()).unwrap();
            nat.add_rule("PREROUTING", &format!("-d {floating} -j DNAT --to {fixed}"), args()).unwrap();
            nat.add_rule("OUTPUT", &format!("-d {floating} -j DNAT --to {fixed}"), args()).unwrap();
        }
        let mut remove = |address: &str| {
            let with_mask = format!("{address}/32");
            nat.remove_rules_matching(|line| line.split(' ').any(|word| word == address || word == with_mask))
        };
        assert_eq!(remove("10.10.10.1"), 0);
        assert_eq!(remove("10.10.10.10"), 4);
        assert_eq!(remove("10.10.10.11"), 4);
    }
}

/// Deferral, applies and counters need a kernel.
mod in_a_kernel {
    use super::*;

    fn namespace() -> Option<Namespace> {
        Lab::new(&["iptables-nft-save", "ip6tables-nft-save", "ip"]).map(|lab| lab.0)
    }

    fn save(namespace: &Namespace, family: Family) -> Dump {
        let tool = if family == Ipv4 { "iptables-nft-save" } else { "ip6tables-nft-save" };
        let output = namespace.run(|| Command::new(tool).output().unwrap()).unwrap();
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        read(&String::from_utf8(output.stdout).unwrap())
    }

    fn open(namespace: &Namespace, builder: Builder) -> IptablesManager<Live> {
        builder.over(Live::open_in(namespace).unwrap()).unwrap()
    }

    /// Applies; a second time there is nothing to do.
    #[track_caller]
    fn apply(manager: &mut IptablesManager<Live>) {
        assert!(manager.apply().unwrap().messages > 0);
        assert_eq!(manager.apply().unwrap().messages, 0);
    }

    #[test]
    fn nova_compute() {
        let Some(namespace) = namespace() else { return };
        let mut manager = open(&namespace, nova("nova-compute"));
        nova_compute::boot(&mut manager).unwrap();
        apply(&mut manager);
        compare(&save(&namespace, Ipv4), golden!("nova-compute-boot.v4"), "boot");
        compare(&save(&namespace, Ipv6), golden!("nova-compute-boot.v6"), "boot");
        nova_compute::refresh(&mut manager).unwrap();
        apply(&mut manager);
        compare(&save(&namespace, Ipv4), golden!("nova-compute-groups.v4"), "groups");
        compare(&save(&namespace, Ipv6), golden!("nova-compute-groups.v6"), "groups");
        nova_compute::remove_filters(&mut manager).unwrap();
        apply(&mut manager);
        compare(&save(&namespace, Ipv4), golden!("nova-compute-deleted.v4"), "deleted");
        compare(&save(&namespace, Ipv6), golden!("nova-compute-deleted.v6"), "deleted");
    }

    #[test]
    fn nova_network() {
        let Some(namespace) = namespace() else { return };
        let mut manager = open(&namespace, nova("nova-network"));
        nova_network::start(&mut manager).unwrap();
        apply(&mut manager);
        compare(&save(&namespace, Ipv4), golden!("nova-network-start.v4"), "start");
        compare(&save(&namespace, Ipv6), golden!("nova-network-start.v6"), "start");
        nova_network::associate(&mut manager).unwrap();
        apply(&mut manager);
        compare(&save(&namespace, Ipv4), golden!("nova-network-floating.v4"), "floating");
        nova_network::disassociate(&mut manager).unwrap();
        apply(&mut manager);
        compare(&save(&namespace, Ipv4), golden!("nova-network-start.v4"), "disassociated");
    }

    #[test]
    fn neutron_router() {
        let Some(namespace) = namespace() else { return };
        let mut manager = open(&namespace, neutron("neutron-l3-agent"));
        neutron_router::create(&mut manager).unwrap();
        apply(&mut manager);
        manager
            .defer_apply(|manager| {
                neutron_router::process(manager)?;
                // An inner end does not apply: the outer deferral lasts.
                manager.defer_apply(neutron_router::metadata)
            })
            .unwrap();
        compare(&save(&namespace, Ipv4), golden!("neutron-router.v4"), "router");
        compare(&save(&namespace, Ipv6), golden!("neutron-router.v6"), "router");
        // The router is processed again: everything is rebuilt to the same, and nothing is sent. Neutron moves the
        // metadata rule behind the floating addresses here.
        neutron_router::process(&mut manager).unwrap();
        let redirect = "-d 169.254.169.254/32 -i qr-+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697";
        let mut nat = manager.ipv4(Nat).unwrap();
        assert!(nat.remove_rule("PREROUTING", redirect, args()).unwrap());
        nat.add_rule("PREROUTING", redirect, args()).unwrap();
        assert_eq!(manager.apply().unwrap().messages, 0);
    }

    /// Nova 5.9, 7.2, 7.33, neutron D10: components share a host, whoever applies when.
    #[test]
    fn three_components_on_one_host() {
        let Some(namespace) = namespace() else { return };
        // One name is the start of another; by text they would take each other's rules.
        let names = ["nova-api", "nova-api-metadat", "nova-compute"];
        let mut managers = names.map(|name| open(&namespace, nova(name)));
        managers.iter_mut().for_each(apply);
        nova_compute::boot(&mut managers[2]).unwrap();
        apply(&mut managers[2]);
        let before = (save(&namespace, Ipv4), save(&namespace, Ipv6));
        let shared = |table: &str, chain: &str| before.0[table][chain].clone();
        let jumps = |chain: &str, suffix: &str| names.map(|name| format!("-A {chain} -j {name}-{suffix}"));
        assert_eq!(shared("filter", "INPUT"), jumps("INPUT", "INPUT"));
        assert_eq!(shared("filter", "nova-filter-top"), jumps("nova-filter-top", "local"));
        assert_eq!(shared("nat", "nova-postrouting-bottom"), jumps("nova-postrouting-bottom", "snat"));
        for chain in ["FORWARD", "OUTPUT"] {
            let top = format!("-A {chain} -j nova-filter-top");
            assert_eq!(shared("filter", chain), [&[top][..], &jumps(chain, chain)].concat());
        }
        let bottom = "-A POSTROUTING -j nova-postrouting-bottom".to_owned();
        assert_eq!(shared("nat", "POSTROUTING"), [&jumps("POSTROUTING", "POSTROUTING")[..], &[bottom]].concat());
        // Nobody has anything to repair, neither in what is remembered nor in what stands.
        for manager in managers.iter_mut() {
            manager.typed().refresh();
            assert_eq!(manager.apply().unwrap().messages, 0);
        }
        assert_eq!((save(&namespace, Ipv4), save(&namespace, Ipv6)), before);
        // A restarted component finds its chains and has nothing to do.
        let mut restarted = open(&namespace, nova("nova-api"));
        assert_eq!(restarted.apply().unwrap().messages, 0);
    }

    /// 30, 5 and 6 of nova's.
    #[test]
    fn deferral() {
        let Some(namespace) = namespace() else { return };
        let mut manager = open(&namespace, nova("nova-compute"));
        manager.defer_apply_on();
        assert!(manager.apply().unwrap().deferred);
        assert_eq!(save(&namespace, Ipv4), Dump::new());
        assert!(manager.defer_apply_off().unwrap().messages > 0);
        let failed = manager.defer_apply(|manager| {
            manager.ipv4(Filter)?.add_rule("local", "-j ACCEPT", args())?;
            manager.ipv4(Filter)?.add_rule("local", "--no-such-option", args())
        });
        assert!(matches!(failed, Err(FacadeError::Rule { .. })));
        // What was done before the error is applied all the same.
        assert_eq!(save(&namespace, Ipv4)["filter"]["nova-compute-local"], ["-A nova-compute-local -j ACCEPT"]);
        // An apply that fails is seen behind the deferral, and can be tried again.
        let failed = manager.defer_apply(|manager| manager.ipv4(Filter)?.add_rule("local", "-j $gone", args()));
        assert!(matches!(failed, Err(FacadeError::Apply(_))));
        manager.ipv4(Filter).unwrap().add_chain("gone", true).unwrap();
        assert!(manager.apply().unwrap().messages > 0);
    }

    /// 31 and 32.
    #[test]
    fn traffic_counters() {
        let Some(namespace) = namespace() else { return };
        let mut manager = open(&namespace, nova("nova-compute"));
        manager.ipv4(Filter).unwrap().add_rule("OUTPUT", "-o lo -p udp --dport 9 -j ACCEPT", args()).unwrap();
        apply(&mut manager);
        let send = || {
            namespace.run(|| {
                assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                (0..3).for_each(|_| assert_eq!(socket.send_to(b"x", "127.0.0.1:9").unwrap(), 1));
            })
        };
        let mut counters = |chain, wrap, zero| {
            manager.get_traffic_counters(chain, wrap, zero).unwrap().map(|sum| (sum.packets, sum.bytes))
        };
        assert_eq!(counters("unknown", true, false), None);
        assert_eq!(counters("OUTPUT", true, false), Some((0, 0)));
        send().unwrap();
        // 20 bytes of IPv4 header, 8 of UDP, one of data.
        assert_eq!(counters("OUTPUT", true, true), Some((3, 87)));
        assert_eq!(counters("OUTPUT", true, false), Some((0, 0)));
        send().unwrap();
        assert_eq!(counters("OUTPUT", true, false), Some((3, 87)));
        // The built-in chain: our jumps of `filter` saw all packets, that of `nat` the first of each connection.
        assert!(counters("OUTPUT", false, false).is_some_and(|(packets, _)| packets > 6));
    }
}
