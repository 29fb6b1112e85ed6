//! The model against the behaviours of nova and neutron: those that their unit tests check, and the defects that are not
//! to come back. The numbers are those of the specification.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

use nftwrap::name::{ChainName, Comment, WrapName};
use nftwrap::nft::Policy;
use nftwrap::rule::matches::CtStates;
use nftwrap::rule::{ChainRef, Family, MarkMask, Masked, PortRange, Rule, Target};
use nftwrap::wrap::{Addition, ChainKind, Model, ModelError, Place, Profile, Table, TableKind};

use Family::{Ipv4, Ipv6};
use TableKind::{Filter, Mangle, Nat, Raw, Security};

fn model(wrap: &str, profile: Profile) -> Model {
    Model::builder().component(WrapName::new(wrap).unwrap()).profile(profile).build().unwrap()
}

fn filter(wrap: &str) -> Model {
    let mut model = model(wrap, Profile::Nova);
    model.table_mut(Ipv4, Filter).unwrap();
    model.mark_applied();
    model
}

fn table(model: &mut Model) -> &mut Table {
    model.table_mut(Ipv4, Filter).unwrap()
}

fn net(text: &str) -> Masked {
    Masked::from(text.parse::<ipnetwork::IpNetwork>().unwrap())
}

fn drop_from(source: &str) -> Rule {
    Rule::new().source(net(source)).discard()
}

fn jump(chain: &str) -> Rule {
    Rule::new().jump(ChainRef::new(chain).unwrap())
}

fn comment(text: &str) -> Comment {
    Comment::new(text).unwrap()
}

/// Chains and jumps, the skeleton's kind of content, in order.
fn print(table: &Table) -> Vec<String> {
    let mut lines = Vec::new();
    for chain in table.chains() {
        if !matches!(chain.kind(), ChainKind::Builtin(_)) {
            lines.push(format!(":{}", chain.name()));
        }
    }
    for chain in table.chains() {
        for entry in chain.rules() {
            let comment = entry.rule().comment_text().map(|c| format!(" \"{c}\"")).unwrap_or_default();
            let target = match &entry.rule().target {
                Some(Target::Jump(to)) => to.name().to_string(),
                Some(target) => format!("{target:?}").to_uppercase(),
                None => String::new(),
            };
            lines.push(format!("{}{comment} -> {target}", chain.name()));
        }
    }
    lines
}

fn dirty(model: &Model) -> Vec<String> {
    model.dirty().map(|(table, chain)| format!("{table} {chain}")).collect()
}

mod skeletons {
    use super::*;

    const NOVA_FILTER: [&str; 11] = [
        ":nova-filter-top",
        ":n-local",
        ":n-INPUT",
        ":n-OUTPUT",
        ":n-FORWARD",
        "INPUT -> n-INPUT",
        "FORWARD -> nova-filter-top",
        "FORWARD -> n-FORWARD",
        "OUTPUT -> nova-filter-top",
        "OUTPUT -> n-OUTPUT",
        "nova-filter-top -> n-local",
    ];

    #[test]
    fn nova_1_3() {
        let mut model = model("n", Profile::Nova);
        assert_eq!(print(model.table_mut(Ipv4, Filter).unwrap()), NOVA_FILTER);
        assert_eq!(print(model.table_mut(Ipv6, Filter).unwrap()), NOVA_FILTER);
        let nat = [
            ":n-PREROUTING",
            ":n-OUTPUT",
            ":n-POSTROUTING",
            ":nova-postrouting-bottom",
            ":n-snat",
            ":n-float-snat",
            "PREROUTING -> n-PREROUTING",
            "OUTPUT -> n-OUTPUT",
            "POSTROUTING -> n-POSTROUTING",
            "POSTROUTING -> nova-postrouting-bottom",
            "nova-postrouting-bottom -> n-snat",
            "n-snat -> n-float-snat",
        ];
        assert_eq!(print(model.table_mut(Ipv4, Nat).unwrap()), nat);
        assert_eq!(print(model.table_mut(Ipv4, Mangle).unwrap()), [":n-POSTROUTING", "POSTROUTING -> n-POSTROUTING"]);
        for (family, kind) in [(Ipv6, Nat), (Ipv6, Mangle), (Ipv4, Raw), (Ipv6, Raw), (Ipv4, Security)] {
            assert_eq!(model.table_mut(family, kind).unwrap().chains().count(), 0, "{family} {kind}");
        }
        assert_eq!(model.check(|_, _| false), Ok(()));
    }

    #[test]
    fn nova_eager_makes_the_four_tables_of_the_original() {
        let wrap = WrapName::new("nova-compute").unwrap();
        let build = |ipv6| Model::builder().component(wrap.clone()).profile(Profile::Nova).ipv6(ipv6).eager(true);
        let ids = |model: Model| model.tables().map(|t| t.id().to_string()).collect::<Vec<_>>();
        assert_eq!(ids(build(true).build().unwrap()), ["IPv4 mangle", "IPv4 nat", "IPv4 filter", "IPv6 filter"]);
        assert_eq!(ids(build(false).build().unwrap()), ["IPv4 mangle", "IPv4 nat", "IPv4 filter"]);
        assert_eq!(ids(build(true).eager(false).build().unwrap()), [""; 0]);
    }

    #[test]
    fn neutron_2_4() {
        let mut model = model("bn", Profile::Neutron);
        let raw = [":bn-PREROUTING", ":bn-OUTPUT", "PREROUTING -> bn-PREROUTING", "OUTPUT -> bn-OUTPUT"];
        let nat = print(model.table_mut(Ipv4, Nat).unwrap());
        assert!(
            nat.contains(
                &"neutron-postrouting-bottom \"Perform source NAT on outgoing traffic.\" -> bn-snat".to_owned()
            )
        );
        assert_eq!(nat.iter().filter(|line| line.contains('"')).count(), 1);
        assert_eq!(nat.len(), 12);
        let v6 = [":bn-PREROUTING", "PREROUTING -> bn-PREROUTING"];
        assert_eq!(print(model.table_mut(Ipv6, Nat).unwrap()), v6);
        let mangle = print(model.table_mut(Ipv4, Mangle).unwrap());
        assert_eq!((mangle.len(), mangle[5].as_str()), (12, ":bn-mark"));
        assert_eq!(mangle[11], "bn-PREROUTING -> bn-mark");
        assert_eq!(model.table_mut(Ipv6, Mangle).unwrap().chains().count(), 10);
        for family in Family::BOTH {
            assert_eq!(print(model.table_mut(family, Raw).unwrap()), raw);
            let filter = print(model.table_mut(family, Filter).unwrap());
            assert_eq!((filter.len(), filter[0].as_str()), (11, ":neutron-filter-top"));
        }
        assert_eq!(model.check(|_, _| false), Ok(()));
    }

    /// Neutron 16 and 17.
    #[test]
    fn neutron_stateless_and_without_nat() {
        let wrap = WrapName::new("bn").unwrap();
        let build = || Model::builder().component(wrap.clone()).profile(Profile::Neutron).eager(true);
        let mut stateless = build().stateless(true).build().unwrap();
        let only_prerouting = [":bn-PREROUTING", "PREROUTING -> bn-PREROUTING"];
        assert_eq!(print(stateless.table(Ipv4, Nat).unwrap()), only_prerouting);
        assert!(stateless.table(Ipv4, Mangle).is_none() && stateless.table(Ipv6, Mangle).is_none());

        stateless.table_mut(Ipv4, Nat).unwrap().add_rule("$PREROUTING", Rule::new().accept()).unwrap();
        stateless.initialize_mangle().unwrap();
        stateless.initialize_nat().unwrap();
        let mut full = build().build().unwrap();
        full.table_mut(Ipv4, Nat).unwrap().add_rule("$PREROUTING", Rule::new().accept()).unwrap();
        for (table, other) in stateless.tables().zip(full.tables()) {
            assert_eq!((table.id(), print(table)), (other.id(), print(other)));
        }
        assert_eq!(stateless.tables().count(), 8);

        let without_nat = build().nat(false).build().unwrap();
        assert_eq!(print(without_nat.table(Ipv4, Nat).unwrap()), only_prerouting);
        assert!(without_nat.table(Ipv4, Mangle).is_some());
        let bare = build().comments(false).build().unwrap();
        assert!(!print(bare.table(Ipv4, Nat).unwrap()).iter().any(|line| line.contains('"')));
    }

    #[test]
    fn a_profile_needs_a_component_and_room_for_its_names() {
        let build = || Model::builder().profile(Profile::Nova);
        assert!(matches!(build().build(), Err(ModelError::NoComponent { .. })));
        let longest = || build().component(WrapName::new("neutron-l3-agent").unwrap());
        assert!(longest().build().is_ok());
        assert!(matches!(longest().max_chain_name(27).build(), Err(ModelError::ChainNameTooLong { .. })));
    }

    /// Neutron D11, nova 7.34: whatever is added, the shared bottom stays last of ours.
    #[test]
    fn the_bottom_stays_last() {
        let mut model = model("nova-network", Profile::Nova);
        let nat = model.table_mut(Ipv4, Nat).unwrap();
        nat.add_rule("POSTROUTING", Rule::new().accept()).unwrap();
        nat.add_rule("POSTROUTING", Addition::new(Rule::new().discard()).top()).unwrap();
        let places: Vec<_> = nat.chain("POSTROUTING").unwrap().rules().map(|e| e.place()).collect();
        assert_eq!(places, [Place::Top, Place::Normal, Place::Normal, Place::Bottom]);
    }
}

mod nova_6_1 {
    use super::*;

    /// 1, 2, 3: adding marks, adding again does not.
    #[test]
    fn adding_a_rule_twice_is_adding_it_once() {
        let mut model = filter("nova-compute");
        assert!(!model.is_dirty());
        assert!(table(&mut model).add_rule("$FORWARD", drop_from("1.2.3.4/5")).unwrap());
        assert_eq!(dirty(&model), ["IPv4 filter nova-compute-FORWARD"]);
        model.mark_applied();
        assert!(!model.is_dirty());
        // The same address in another spelling is the same rule.
        assert!(!table(&mut model).add_rule("$FORWARD", drop_from("0.0.0.0/5")).unwrap());
        assert_eq!(table(&mut model).chain("$FORWARD").unwrap().len(), 1);
        assert!(!model.is_dirty());
    }

    /// 5, 6, 7.15: deferral.
    #[test]
    fn deferral_nests_and_ends_with_its_scope() {
        let model = filter("nova-compute");
        assert!(!model.is_deferred());
        let outer = model.defer();
        {
            let _inner = model.defer();
            assert!(model.is_deferred());
        }
        assert!(model.is_deferred());
        drop(outer);
        assert!(!model.is_deferred());
    }

    /// 7 and 8, with 7.10: another spelling of the same rule removes it.
    #[test]
    fn a_rule_is_removed_by_meaning() {
        let mut model = filter("nova-compute");
        table(&mut model).add_rule("$FORWARD", drop_from("1.2.3.4/5")).unwrap();
        model.mark_applied();
        assert!(table(&mut model).remove_rule("$FORWARD", &drop_from("7.7.7.7/5"), Place::Normal).unwrap());
        assert!(table(&mut model).chain("$FORWARD").unwrap().is_empty());
        assert_eq!(dirty(&model), ["IPv4 filter nova-compute-FORWARD"]);
        model.mark_applied();
        assert!(!table(&mut model).remove_rule("$FORWARD", &drop_from("7.7.7.7/5"), Place::Normal).unwrap());
        assert!(!model.is_dirty());
    }

    /// 18: by fields, so that 10.10.10.1 does not match 10.10.10.10 (7.23).
    #[test]
    fn floating_addresses_are_removed_by_field() {
        let mut model = model("nova-network", Profile::Nova);
        let nat = model.table_mut(Ipv4, Nat).unwrap();
        let before = print(nat);
        let floating = ["10.10.10.10/32", "10.10.10.11/32"];
        for address in floating {
            nat.add_rule("$float-snat", Rule::new().source(net(address)).accept()).unwrap();
            nat.add_rule("$float-snat", Rule::new().source(net(address)).ret()).unwrap();
            nat.add_rule("$PREROUTING", Rule::new().destination(net(address)).accept()).unwrap();
            nat.add_rule("$OUTPUT", Rule::new().destination(net(address)).accept()).unwrap();
        }
        assert_eq!(print(nat).len(), before.len() + 8);
        let mut remove = |address: &str| {
            let (source, destination) = (Some(net(address).into()), Some(net(address).into()));
            nat.remove_rules_where(|_, e| e.rule().source == source || e.rule().destination == destination)
        };
        assert_eq!(remove("10.10.10.1/32"), 0);
        assert_eq!(remove("10.10.10.10/32"), 4);
        assert_eq!(remove("10.10.10.11/32"), 4);
        assert_eq!(print(nat), before);
    }

    #[test]
    fn a_moved_rule_is_removed_and_added_again() {
        let mut model = filter("nova-compute");
        let (a, b) = (Rule::new().accept(), Rule::new().discard());
        let table = table(&mut model);
        for rule in [&a, &b, &a] {
            table.add_rule("$local", rule).unwrap();
        }
        assert_eq!(print(table)[11..], ["nova-compute-local -> ACCEPT", "nova-compute-local -> DROP"]);
        table.remove_rule("$local", &a, Place::Normal).unwrap();
        table.add_rule("$local", &a).unwrap();
        assert_eq!(print(table)[11..], ["nova-compute-local -> DROP", "nova-compute-local -> ACCEPT"]);
    }
}

mod nova_7 {
    use super::*;

    /// 7.1, neutron D1.
    #[test]
    fn a_chain_takes_only_its_own_jumps_along() {
        let mut model = filter("nova-compute");
        let table = table(&mut model);
        for name in ["$inst-1", "$inst-10", "$inst-2"] {
            table.add_chain(name).unwrap();
            table.add_rule("$local", jump(name)).unwrap();
        }
        table.add_rule("$FORWARD", Rule::new().goto(ChainRef::new("$inst-1").unwrap())).unwrap();
        table.add_rule("FORWARD", jump("nova-compute-inst-1")).unwrap();
        assert!(table.remove_chain("$inst-1").unwrap());
        let local = table.chain("$local").unwrap();
        let left: Vec<_> = local.rules().map(|e| e.rule().chain_ref().unwrap().name().as_str()).collect();
        assert_eq!(left, ["nova-compute-inst-10", "nova-compute-inst-2"]);
        assert!(table.chain("$FORWARD").unwrap().is_empty());
        assert_eq!(table.chain("FORWARD").unwrap().len(), 2);
        assert!(!table.has_chain("$inst-1"));
        assert_eq!(
            dirty(&model),
            [
                "IPv4 filter FORWARD",
                "IPv4 filter nova-compute-FORWARD",
                "IPv4 filter nova-compute-inst-1",
                "IPv4 filter nova-compute-inst-10",
                "IPv4 filter nova-compute-inst-2",
                "IPv4 filter nova-compute-local"
            ]
        );
    }

    /// 7.4, neutron D3: nothing but a commit clears what is to be done.
    #[test]
    fn a_failed_apply_leaves_everything_to_do() {
        let mut model = filter("nova-compute");
        let table = table(&mut model);
        table.add_chain("shared").unwrap();
        table.add_rule("INPUT", jump("shared")).unwrap();
        model.mark_applied();
        let table = model.table_mut(Ipv4, Filter).unwrap();
        assert!(table.remove_chain("shared").unwrap());
        let expected = ["IPv4 filter INPUT", "IPv4 filter shared"];
        assert_eq!(dirty(&model), expected);
        // The apply fails here and is tried again.
        assert_eq!(dirty(&model), expected);
        model.mark_applied();
        assert_eq!(dirty(&model), [""; 0]);
    }

    /// 7.9: removed and added again before an apply.
    #[test]
    fn what_is_removed_and_added_again_is_there() {
        let mut model = filter("nova-compute");
        let table = table(&mut model);
        table.add_chain("shared").unwrap();
        table.add_rule("FORWARD", jump("shared")).unwrap();
        table.remove_chain("shared").unwrap();
        table.add_chain("shared").unwrap();
        table.add_rule("FORWARD", jump("shared")).unwrap();
        assert!(table.has_chain("shared"));
        assert_eq!(table.chain("FORWARD").unwrap().len(), 3);
    }

    /// 7.11: `$name` on removal; unwrapped rules are emptied; a wrapped OUTPUT is not the built-in one.
    #[test]
    fn removal_means_what_adding_meant() {
        let mut model = filter("nova-compute");
        let table = table(&mut model);
        table.add_chain("$inst-1").unwrap();
        let to_guest = || Rule::new().destination(net("10.0.0.2/32")).jump(ChainRef::new("$inst-1").unwrap());
        table.add_rule("$local", to_guest()).unwrap();
        assert!(table.remove_rule("$local", &to_guest(), Place::Normal).unwrap());
        table.add_rule("INPUT", Rule::new().accept()).unwrap();
        assert_eq!(table.empty_chain("INPUT").unwrap(), 2);
        assert!(table.remove_chain("$OUTPUT").unwrap());
        let left: Vec<_> = table.chain("OUTPUT").unwrap().rules().map(|e| e.place()).collect();
        assert_eq!(left, [Place::Top]);
    }

    /// 7.5, neutron D6: what cannot stand is refused when it is added, with the reason.
    #[test]
    fn the_wrong_family_is_refused() {
        let mut model = model("nova-api", Profile::Nova);
        let error = table(&mut model).add_rule("$INPUT", drop_from("2600::/32")).unwrap_err();
        assert_eq!(error.to_string(), "IPv4 filter: the rule's source is IPv6 only");
        assert!(model.table_mut(Ipv6, Filter).unwrap().add_rule("$INPUT", drop_from("2600::/32")).unwrap());
    }

    /// 7.19: a guest prepared again has its chain replaced, not appended to.
    #[test]
    fn a_chain_is_replaced_as_a_whole() {
        let mut model = filter("nova-compute");
        let table = table(&mut model);
        table.add_chain("$inst-1").unwrap();
        let first = [Rule::new().tcp().accept(), Rule::new().discard()];
        let second = [Rule::new().tcp().accept(), Rule::new().udp().accept(), Rule::new().discard()];
        assert!(table.replace_chain("$inst-1", first.clone()).unwrap());
        assert!(!table.replace_chain("$inst-1", first).unwrap());
        assert!(table.replace_chain("$inst-1", second.clone()).unwrap());
        let rules: Vec<_> = table.chain("$inst-1").unwrap().rules().map(|e| (**e.rule()).clone()).collect();
        assert_eq!(rules, second);
        let error = table.replace_chain("$inst-1", [Rule::new().accept(), drop_from("::1/128")]);
        assert!(matches!(error, Err(ModelError::WrongFamily { .. })));
        assert_eq!(table.chain("$inst-1").unwrap().len(), 3);
    }

    #[test]
    fn a_chain_that_is_not_there_is_as_empty_as_it_shall_be() {
        let mut model = filter("nova-compute");
        let table = model.table_mut(Ipv4, Raw).unwrap();
        assert!(!table.replace_chain("OUTPUT", Vec::<Rule>::new()).unwrap());
        assert!(!table.has_chain("OUTPUT"));
    }
}

mod neutron_14 {
    use super::*;

    /// 4, 5, 6.
    #[test]
    fn unknown_chains() {
        let mut model = model("bn", Profile::Neutron);
        for family in Family::BOTH {
            let table = model.table_mut(family, Filter).unwrap();
            let error = table.add_rule("$nonexistent", Rule::new().discard()).unwrap_err();
            assert_eq!(error.to_string(), format!("{family} filter: there is no chain `bn-nonexistent`"));
            assert_eq!(table.remove_chain("$nonexistent"), Ok(false));
            assert_eq!(table.remove_rule("$nonexistent", &Rule::new().discard(), Place::Normal), Ok(false));
            assert_eq!(table.empty_chain("$nonexistent"), Ok(0));
            assert!(matches!(table.remove_chain("INPUT"), Err(ModelError::BuiltinChain { .. })));
        }
    }

    /// 7, 8.
    #[test]
    fn a_chain_comes_and_goes_with_its_jump() {
        let mut model = model("bn", Profile::Neutron);
        let table = table(&mut model);
        let before = print(table);
        table.add_chain("$filter").unwrap();
        table.add_rule("$filter", Rule::new().discard()).unwrap();
        let destination = net("192.168.0.2/32");
        table
            .add_rule("$INPUT", Rule::new().destination(destination).jump(ChainRef::new("bn-filter").unwrap()))
            .unwrap();
        assert_eq!(print(table).len(), before.len() + 3);
        assert!(table.remove_chain("$filter").unwrap());
        assert_eq!(print(table), before);
    }

    /// 9, with D40: what is too long is refused in the one place that makes names, for targets and chains alike.
    #[test]
    fn long_names() {
        let mut model = model("bn", Profile::Neutron);
        let table = table(&mut model);
        let long = "abcdefghij".repeat(5);
        let chain = format!("${long}");
        assert!(matches!(table.add_chain(&chain), Err(ModelError::ChainNameTooLong { max: 28, .. })));
        let target = ChainRef::Wrapped(ChainName::new(&long).unwrap());
        let error = table.add_rule("$INPUT", Rule::new().jump(target)).unwrap_err();
        assert!(matches!(error, ModelError::ChainNameTooLong { .. }));
    }

    /// D2: no two chains become one.
    #[test]
    fn a_collision_is_an_error() {
        let mut model = model("bn", Profile::Neutron);
        let table = table(&mut model);
        table.add_chain("$one").unwrap();
        let error = table.add_chain("bn-one").unwrap_err();
        assert_eq!(error.to_string(), "IPv4 filter: chain `bn-one` is there already, as a wrapped chain");
        table.add_chain("bn-two").unwrap();
        assert!(matches!(table.add_chain("$two"), Err(ModelError::Collision { .. })));
        assert!(matches!(table.add_rule("$two", Rule::new()), Err(ModelError::UnknownChain { .. })));
        assert_eq!(table.add_chain("$one"), Ok(false));
        assert_eq!(table.add_chain("bn-two"), Ok(false));
    }

    /// 10, 11, 12.
    #[test]
    fn rules_stand_behind_the_skeleton() {
        let mut model = model("bn", Profile::Neutron);
        let mangle = model.table_mut(Ipv4, Mangle).unwrap();
        let mark = Rule::new().target(Target::Mark(MarkMask { value: 1, mask: 0xffff }));
        mangle.add_rule("$PREROUTING", mark.clone()).unwrap();
        let rules: Vec<_> = mangle.chain("$PREROUTING").unwrap().rules().collect();
        assert_eq!((rules.len(), &**rules[1].rule()), (2, &mark));
        let raw = model.table_mut(Ipv4, Raw).unwrap();
        raw.add_rule("$PREROUTING", Rule::new().target(Target::Notrack)).unwrap();
        assert_eq!(raw.chain("$PREROUTING").unwrap().len(), 1);
    }

    /// 13: a rule without a target.
    #[test]
    fn an_empty_rule_is_a_rule() {
        let mut model = model("bn", Profile::Neutron);
        assert!(table(&mut model).add_rule("$INPUT", Rule::new()).unwrap());
        assert!(!table(&mut model).add_rule("$INPUT", Rule::new()).unwrap());
    }

    /// 15.
    #[test]
    fn emptying_keeps_the_chain() {
        let mut model = model("bn", Profile::Neutron);
        let table = table(&mut model);
        table.add_chain("$filter").unwrap();
        table.add_rule("$filter", Rule::new().discard()).unwrap();
        assert_eq!(table.empty_chain("$filter"), Ok(1));
        assert!(table.has_chain("$filter") && table.chain("$filter").unwrap().is_empty());
    }

    /// D5: one identity, with or without the comment.
    #[test]
    fn a_rule_is_found_without_its_comment() {
        let mut model = model("bn", Profile::Neutron);
        let table = table(&mut model);
        let (a, b) = (Rule::new().comment(comment("a")).discard(), Rule::new().comment(comment("b")).discard());
        table.add_rule("INPUT", &a).unwrap();
        table.add_rule("INPUT", &b).unwrap();
        assert_eq!(table.remove_rule("INPUT", &Rule::new().comment(comment("c")).discard(), Place::Normal), Ok(false));
        assert_eq!(table.remove_rule("INPUT", &b, Place::Normal), Ok(true));
        assert_eq!(table.remove_rule("INPUT", &Rule::new().discard(), Place::Top), Ok(false));
        assert_eq!(table.remove_rule("INPUT", &Rule::new().discard(), Place::Normal), Ok(true));
        assert_eq!(table.chain("INPUT").unwrap().len(), 1);
    }

    /// D8: preparing a port again adds nothing, and one removal removes it.
    #[test]
    fn preparing_again_adds_nothing() {
        let mut model = model("bn", Profile::Neutron);
        let raw = model.table_mut(Ipv4, Raw).unwrap();
        let zone = Rule::new().comment(comment("Set zone for tap1")).target(Target::Notrack);
        for _ in 0..4 {
            raw.add_rule("$PREROUTING", &zone).unwrap();
        }
        assert_eq!(raw.chain("$PREROUTING").unwrap().len(), 1);
        assert_eq!(raw.remove_rule("$PREROUTING", &zone, Place::Normal), Ok(true));
        assert!(raw.chain("$PREROUTING").unwrap().is_empty());
    }

    /// D9: the rule with the tag goes, not an equal one.
    #[test]
    fn a_tag_clears_its_own_rules() {
        let mut model = model("bn", Profile::Neutron);
        let table = table(&mut model);
        let rule = Rule::new().accept();
        table.add_rule("$INPUT", Addition::new(rule.clone()).tagged("a")).unwrap();
        table.add_rule("$INPUT", Addition::new(rule.clone()).tagged("b")).unwrap();
        table.add_rule("$OUTPUT", Addition::new(rule.clone()).tagged("b").top()).unwrap();
        table.add_rule("$OUTPUT", Addition::new(rule.clone())).unwrap();
        assert!(!table.add_rule("$INPUT", Addition::new(rule).tagged("b")).unwrap());
        assert_eq!(table.clear_by_tag("b"), 2);
        assert_eq!(table.clear_by_tag("b"), 0);
        assert_eq!(table.clear_by_tag(""), 0);
        let tags = |chain| table.chain(chain).unwrap().rules().map(|e| e.tag()).collect::<Vec<_>>();
        assert_eq!((tags("$INPUT"), tags("$OUTPUT")), (vec![Some("a")], vec![None]));
    }
}

mod views {
    use super::*;

    #[test]
    fn a_rule_goes_where_it_can_stand() {
        let mut model = model("nova-compute", Profile::Nova);
        let mut chain = model.filter().chain("inst-7").unwrap();
        chain
            .replace([
                Rule::new().state(CtStates::INVALID).discard(),
                drop_from("10.0.0.1/32"),
                drop_from("fe80::/64"),
                Rule::new().tcp().dport(PortRange::single(22)).accept(),
            ])
            .unwrap();
        let mut len = |family| model.table_mut(family, Filter).unwrap().chain("$inst-7").unwrap().len();
        assert_eq!((len(Ipv4), len(Ipv6)), (3, 3));
        let mut v4 = model.filter().v4().chain("local").unwrap();
        let to_guest = Rule::new().destination(net("10.0.0.7/32")).jump(ChainRef::new("$inst-7").unwrap());
        assert_eq!(v4.append(to_guest), Ok(true));
        assert!(matches!(v4.append(drop_from("::1/128")), Err(ModelError::WrongFamily { .. })));
        assert_eq!(model.filter().remove_chain("inst-7"), Ok(true));
        assert!(model.table(Ipv4, Filter).unwrap().chain("$local").unwrap().is_empty());
        assert!(!model.table(Ipv6, Filter).unwrap().has_chain("$inst-7"));
    }

    #[test]
    fn without_ipv6_only_ipv4_is_seen() {
        let wrap = WrapName::new("w").unwrap();
        let mut model = Model::builder().component(wrap).ipv6(false).build().unwrap();
        let mut chain = model.filter().chain("a").unwrap();
        chain.append(Rule::new().accept()).unwrap();
        assert_eq!(chain.append(drop_from("::1/128")), Err(ModelError::Ipv6Off));
        assert_eq!(model.filter().v6().chain("a").unwrap_err(), ModelError::Ipv6Off);
        assert!(model.table(Ipv6, Filter).is_none());
        model.table_mut(Ipv6, Filter).unwrap().add_chain("$kept").unwrap();
        assert_eq!(model.tables().count(), 1);
    }

    #[test]
    fn shared_and_built_in_chains() {
        let mut model = model("w", Profile::Bare);
        assert_eq!(model.filter().add_shared("common"), Ok(true));
        let mut input = model.filter().unwrapped("INPUT");
        input.append(jump("common")).unwrap();
        input.append(Addition::new(Rule::new().accept()).tagged("x")).unwrap();
        assert_eq!(model.filter().clear_by_tag("x"), Ok(2));
        assert_eq!(model.filter().unwrapped("INPUT").remove(&jump("common"), Place::Normal), Ok(true));
        assert_eq!(model.filter().unwrapped("INPUT").clear(), Ok(false));
        assert_eq!(model.filter().unwrapped("common").delete(), Ok(true));
        assert!(model.filter().unwrapped("INPUT").delete().is_err());
    }
}

mod whole_tables {
    use super::*;

    #[test]
    fn text_is_taken_rule_by_rule() {
        let mut model = Model::whole();
        let table = table(&mut model);
        table.set_policy("FORWARD", Policy::Drop, None).unwrap();
        assert!(matches!(table.set_policy("x", Policy::Drop, None), Err(ModelError::NoPolicy { .. })));
        table.add_chain("x").unwrap();
        for line in [5, 6] {
            table.push_rule("x", Addition::new(Rule::new().accept()).line(line)).unwrap();
        }
        assert!(matches!(table.add_chain("$x"), Err(ModelError::NoComponent { .. })));
        let lines: Vec<_> = table.chain("x").unwrap().rules().map(|e| e.line()).collect();
        assert_eq!(lines, [Some(5), Some(6)]);
        assert_eq!(table.chain("FORWARD").unwrap().policy(), Some(Policy::Drop));
        // A file may name a table and nothing in it: that empties the table.
        model.mark_applied();
        model.table_mut(Ipv4, Raw).unwrap();
        assert!(model.is_dirty() && model.dirty().count() == 0);
    }

    #[test]
    fn chains_are_in_the_order_of_their_declaration() {
        let mut model = Model::whole();
        let table = table(&mut model);
        table.push_rule("OUTPUT", jump("z")).unwrap();
        table.push_rule("foreign", jump("y")).unwrap();
        for name in ["a", "z", "y"] {
            table.add_chain(name).unwrap();
        }
        table.set_policy("INPUT", Policy::Accept, None).unwrap();
        let names: Vec<_> = table.chains().map(|chain| chain.name().as_str()).collect();
        assert_eq!(names, ["INPUT", "OUTPUT", "foreign", "a", "z", "y"]);
        assert_eq!(table.chain("foreign").unwrap().kind(), ChainKind::Foreign);
        assert!(!table.has_chain("foreign"));
        table.empty_chain("foreign").unwrap();
        assert!(table.chain("foreign").is_none());
    }
}

mod checks {
    use super::*;

    fn errors(model: &Model) -> Vec<String> {
        let errors = model.check(|_, name| name.as_str() == "DOCKER-USER").unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn loops_are_named() {
        let mut model = filter("w");
        let table = table(&mut model);
        for name in ["$a", "$b", "$c", "$self"] {
            table.add_chain(name).unwrap();
        }
        table.add_rule("$local", jump("$a")).unwrap();
        table.add_rule("$a", Rule::new().accept()).unwrap();
        table.add_rule("$a", jump("$b")).unwrap();
        table.add_rule("$b", jump("$c")).unwrap();
        table.add_rule("$c", Addition::new(Rule::new().goto(ChainRef::new("$a").unwrap())).line(7)).unwrap();
        table.add_rule("$self", jump("$self")).unwrap();
        assert_eq!(
            errors(&model),
            [
                "IPv4 filter, chain w-c, rule 1 (line 7): closes a loop of jumps: w-a -> w-b -> w-c -> w-a",
                "IPv4 filter, chain w-self, rule 1: closes a loop of jumps: w-self -> w-self"
            ]
        );
    }

    #[test]
    fn jumps_to_nowhere_and_to_built_in_chains() {
        let mut model = filter("w");
        let table = table(&mut model);
        table.add_rule("$local", jump("DOCKER-USER")).unwrap();
        table.add_rule("$local", jump("$gone")).unwrap();
        table.add_rule("$local", jump("INPUT")).unwrap();
        table.add_rule("$local", jump("PREROUTING")).unwrap();
        table.add_rule("DOCKER-USER", Rule::new().accept()).unwrap();
        table.add_rule("nobody", Rule::new().accept()).unwrap();
        assert_eq!(
            errors(&model),
            [
                "IPv4 filter, chain w-local, rule 2: jumps to chain `w-gone`, which is not there",
                "IPv4 filter, chain w-local, rule 3: jumps to `INPUT`, which is built in",
                "IPv4 filter, chain w-local, rule 4: jumps to chain `PREROUTING`, which is not there",
                "IPv4 filter: there is no chain `nobody`"
            ]
        );
    }

    /// A chain of `length` chains below INPUT, declared so that the last comes first.
    fn tower(length: usize) -> Model {
        let mut model = Model::whole();
        let table = table(&mut model);
        for n in (0..length).rev() {
            table.add_chain(&format!("c{n}")).unwrap();
        }
        table.add_rule("INPUT", jump("c0")).unwrap();
        for n in 1..length {
            table.add_rule(&format!("c{}", n - 1), jump(&format!("c{n}"))).unwrap();
        }
        model
    }

    #[test]
    fn fifteen_jumps_deep_is_the_most() {
        assert_eq!(tower(15).check(|_, _| false), Ok(()));
        let deep = ["IPv4 filter, chain c14, rule 1: jumps to `c15` at depth 16, 15 is the most"];
        assert_eq!(errors(&tower(16)), deep);
        // The longest way counts, and the walk is no recursion.
        let mut model = tower(100_000);
        table(&mut model).add_rule("FORWARD", jump("c14")).unwrap();
        assert_eq!(errors(&model).len(), 1);
    }
}
