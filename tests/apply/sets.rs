//! Sets of the model as ipsets.

use std::collections::BTreeSet;

use ipnetwork::IpNetwork;
use nftwrap::Manager;
use nftwrap::apply::{Remnant, Report};
use nftwrap::error::Error;
use nftwrap::ipset::{self, Family as SetFamily, Form, Order};
use nftwrap::kernel::{Errno, Fake, Kernel};
use nftwrap::name::IpsetName;
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, ModelError, SetKind, TableKind};

use crate::lab::Lab;
use crate::world::*;

const SET: &str = "NIPv4c5df2fe5-c600-4a4d-9de";

fn name(text: &str) -> IpsetName {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn table(model: &mut Model) -> &mut nftwrap::wrap::Table {
    model.table_mut(Family::Ipv4, TableKind::Filter).unwrap()
}

fn join<K>(manager: &mut Manager<K>, set: &str, members: &[&str]) {
    for member in members {
        assert!(table(manager.model_mut()).add_member(&name(set), net(member)).unwrap());
    }
}

fn leave<K>(manager: &mut Manager<K>, set: &str, members: &[&str]) {
    for member in members {
        assert!(table(manager.model_mut()).remove_member(&name(set), net(member)).unwrap());
    }
}

/// A port whose members of a group may come in, as neutron has it.
fn with_group(members: &[&str]) -> Model {
    let mut model = bare("neutron-openvsw");
    table(&mut model).add_set(&name(SET), SetKind::Prefixes).unwrap();
    table(&mut model).replace_members(&name(SET), members.iter().map(|member| net(member))).unwrap();
    add_chain(&mut model, "$i1");
    add(&mut model, "$i1", &format!("-m set --match-set {SET} src -j RETURN"));
    add(&mut model, "$i1", "-j DROP");
    add(&mut model, "FORWARD", "-d 10.0.0.9 -j $i1");
    model
}

fn members<K: Kernel>(mut kernel: K, set: &str) -> BTreeSet<String> {
    let content = kernel.ipset(&name(set)).unwrap().unwrap_or_default();
    content.members.iter().map(ToString::to_string).collect()
}

fn texts(members: &[&str]) -> BTreeSet<String> {
    members.iter().map(|member| (*member).to_owned()).collect()
}

fn rule() -> String {
    format!("-m set --match-set {SET} src -j RETURN")
}

/// What an application did: sets, elements, messages, and whether there was a transaction.
fn numbers(report: &Report) -> (usize, usize, bool) {
    (report.sets, report.elements, report.bytes > 0)
}

scenarios! {
    /// Behaviour 87: with the first member come the set, then the rule.
    fn a_set_is_there_before_the_rule_that_looks_into_it(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        let report = settle(&mut manager);
        assert_eq!(numbers(&report), (1, 1, true));
        assert_eq!(members(connect(), SET), texts(&["10.0.0.1/32"]));
        let content = connect().ipset(&name(SET)).unwrap().unwrap();
        assert_eq!((content.type_name.as_str(), content.family, content.maxelem), ("hash:net", Some(SetFamily::Ipv4), Some(65536)));
        assert_eq!(rules(connect(), "neutron-openvsw-i1"), [rule(), "-j DROP".to_owned()]);
    }

    /// Behaviour 88: however many join or leave, they are differences of one set, and no rule is sent. (neutron makes a
    /// second set and swaps from the fifth on.)
    fn members_come_and_go_without_a_transaction(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        let generation = connect().generation().unwrap();
        join(&mut manager, SET, &["10.0.0.2/32", "10.0.0.3/32", "10.0.0.4/32", "10.0.0.5/32"]);
        let report = settle(&mut manager);
        assert_eq!((numbers(&report), report.messages), ((0, 4, false), 1));
        leave(&mut manager, SET, &["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"]);
        join(&mut manager, SET, &["10.0.0.6/32"]);
        assert_eq!(numbers(&settle(&mut manager)), (0, 4, false));
        assert_eq!(members(connect(), SET), texts(&["10.0.0.4/32", "10.0.0.5/32", "10.0.0.6/32"]));
        join(&mut manager, SET, &["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24", "10.0.5.0/24"]);
        let report = settle(&mut manager);
        assert_eq!((numbers(&report), report.messages), ((0, 5, false), 1));
        assert_eq!(connect().generation().unwrap(), generation);
    }

    /// Behaviour 89: everything is two halves, which may be members for themselves as well.
    fn everything_is_two_halves(connect) {
        let mut manager = Manager::with_kernel(with_group(&["0.0.0.0/0"]), connect());
        settle(&mut manager);
        assert_eq!(members(connect(), SET), texts(&["0.0.0.0/1", "128.0.0.0/1"]));
        join(&mut manager, SET, &["128.0.0.0/1"]);
        assert_eq!(numbers(&settle(&mut manager)), (0, 0, false));
        leave(&mut manager, SET, &["0.0.0.0/0"]);
        assert_eq!(numbers(&settle(&mut manager)), (0, 1, false));
        assert_eq!(members(connect(), SET), texts(&["128.0.0.0/1"]));
        join(&mut manager, SET, &["0.0.0.0/0"]);
        leave(&mut manager, SET, &["128.0.0.0/1"]);
        settle(&mut manager);
        assert_eq!(members(connect(), SET), texts(&["0.0.0.0/1", "128.0.0.0/1"]));
    }

    /// The same of IPv6, and hosts alone.
    fn sets_are_of_both_families_and_kinds(connect) {
        let mut model = bare("w");
        let table = model.table_mut(Family::Ipv6, TableKind::Filter).unwrap();
        for (set, kind, member) in [("nets", SetKind::Prefixes, "::/0"), ("hosts", SetKind::Addresses, "2001:db8::1/128")] {
            table.add_set(&name(set), kind).unwrap();
            table.add_member(&name(set), net(member)).unwrap();
        }
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        assert_eq!(members(connect(), "nets"), texts(&["::/1", "8000::/1"]));
        assert_eq!(members(connect(), "hosts"), texts(&["2001:db8::1/128"]));
        assert!(connect().ipset(&name("hosts")).unwrap().unwrap().is(ipset::Kind::Ip, SetFamily::Ipv6));
    }

    /// Behaviour 90: a set goes after the last rule, when the kernel has let go of it.
    fn a_set_goes_after_the_last_rule(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        assert!(matches!(table(manager.model_mut()).remove_set(&name(SET)), Err(ModelError::SetInUse { .. })));
        assert!(remove(manager.model_mut(), "$i1", &rule()));
        table(manager.model_mut()).remove_set(&name(SET)).unwrap();
        assert_eq!(numbers(&settle(&mut manager)), (1, 0, true));
        assert_eq!(connect().ipset(&name(SET)).unwrap(), None);
    }

    /// A new process finds the set and has nothing to send; what differs is sent as differences.
    fn a_restart_takes_a_set_over(connect) {
        let before = ["10.0.0.1/32", "10.0.0.2/32"];
        settle(&mut Manager::with_kernel(with_group(&before), connect()));
        let index = connect().ipset_index(&name(SET)).unwrap();
        assert_eq!(Manager::with_kernel(with_group(&before), connect()).apply().unwrap().messages, 0);
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.2/32", "10.0.0.3/32"]), connect());
        assert_eq!(numbers(&settle(&mut manager)), (0, 2, false));
        assert_eq!(members(connect(), SET), texts(&["10.0.0.2/32", "10.0.0.3/32"]));
        assert_eq!(connect().ipset_index(&name(SET)).unwrap(), index);
    }

    /// What another program did to a set is found when everything is read again.
    fn a_refresh_repairs_members(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        connect().change_ipset(&Order::Delete(name(SET), vec![net("10.0.0.1/32")])).unwrap();
        connect().change_ipset(&Order::Add(name(SET), vec![net("10.9.0.0/16")])).unwrap();
        manager.refresh();
        assert_eq!(numbers(&manager.apply().unwrap()), (0, 2, false));
        assert_eq!(members(connect(), SET), texts(&["10.0.0.1/32"]));
    }

    /// A set of another type is not ours to destroy.
    fn a_set_of_another_type_is_refused(connect) {
        let form = Form { kind: ipset::Kind::Ip, family: SetFamily::Ipv4, maxelem: 16 };
        connect().change_ipset(&Order::Create(name(SET), form)).unwrap();
        let error = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect()).apply().unwrap_err();
        assert!(matches!(&error, Error::IpsetType { found, .. } if found == "hash:ip"), "{error}");
        assert!(error.to_string().contains(SET));
        assert_eq!(rules(connect(), "FORWARD"), <[String; 0]>::default());
    }

    /// A set that is too small is exchanged for a larger one, which rules do not notice.
    fn a_small_set_grows(connect) {
        let form = Form { kind: ipset::Kind::Net, family: SetFamily::Ipv4, maxelem: 4 };
        connect().change_ipset(&Order::Create(name(SET), form)).unwrap();
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        let index = connect().ipset_index(&name(SET)).unwrap();
        let more: Vec<String> = (2..40).map(|n| format!("10.0.{n}.0/24")).collect();
        join(&mut manager, SET, &more.iter().map(String::as_str).collect::<Vec<_>>());
        leave(&mut manager, SET, &["10.0.0.1/32"]);
        settle(&mut manager);
        assert_eq!(members(connect(), SET), more.into_iter().collect());
        assert_eq!(connect().ipset_index(&name(SET)).unwrap(), index);
        assert_eq!(connect().ipset(&name(&format!("{SET}-n"))).unwrap(), None);
        assert_eq!(rules(connect(), "neutron-openvsw-i1"), [rule(), "-j DROP".to_owned()]);
    }

    /// What came before a transaction that is refused is taken back.
    fn a_refused_transaction_takes_back_what_came_before_it(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        join(&mut manager, SET, &["10.0.0.2/32"]);
        leave(&mut manager, SET, &["10.0.0.1/32"]);
        table(manager.model_mut()).add_set(&name("new"), SetKind::Addresses).unwrap();
        add(manager.model_mut(), "$i1", "-m set --match-set new dst -j DROP");
        add(manager.model_mut(), "$i1", "-m set --match-set nobodys dst -j DROP");
        assert!(manager.apply().is_err());
        assert_eq!(members(connect(), SET), texts(&["10.0.0.1/32"]));
        assert_eq!(connect().ipset(&name("new")).unwrap(), None);

        remove(manager.model_mut(), "$i1", "-m set --match-set nobodys dst -j DROP");
        assert_eq!(numbers(&settle(&mut manager)), (1, 2, true));
        assert_eq!(members(connect(), SET), texts(&["10.0.0.2/32"]));
    }

    /// The kernel validates the rules with sets that are there for as long as it does.
    fn a_check_leaves_no_set_behind(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        let (plan, _) = manager.check().unwrap();
        assert_eq!(plan.ipsets().len(), 2);
        assert_eq!(connect().ipset(&name(SET)).unwrap(), None);
        let texts: Vec<_> = manager.plan().unwrap().ipsets().iter().map(ToString::to_string).collect();
        assert_eq!(texts, [format!("create {SET} hash:net family inet maxelem 65536"), format!("add {SET} 10.0.0.1/32")]);
        settle(&mut manager);
    }

    /// A rule may name a set of another program, as ever.
    fn a_set_that_the_model_does_not_have_is_another_programs(connect) {
        let mut model = bare("w");
        add_chain(&mut model, "$c");
        add(&mut model, "$c", "-m set --match-set theirs src -j DROP");
        let mut manager = Manager::with_kernel(model, connect());
        assert!(manager.apply().unwrap_err().to_string().contains("theirs"));
        let form = Form { kind: ipset::Kind::Ip, family: SetFamily::Ipv4, maxelem: 16 };
        connect().change_ipset(&Order::Create(name("theirs"), form)).unwrap();
        connect().change_ipset(&Order::Add(name("theirs"), vec![net("10.0.0.1/32")])).unwrap();
        settle(&mut manager);
        assert_eq!(members(connect(), "theirs"), texts(&["10.0.0.1/32"]));
        // From now on it is ours.
        table(manager.model_mut()).add_set(&name("theirs"), SetKind::Addresses).unwrap();
        settle(&mut manager);
        assert_eq!(members(connect(), "theirs"), texts(&[]));
    }

    /// A component that leaves takes its sets with it.
    fn a_flush_takes_the_sets(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        assert_eq!(manager.flush().unwrap().sets, 1);
        assert_eq!(connect().ipset(&name(SET)).unwrap(), None);
        settle(&mut manager);
        assert_eq!(members(connect(), SET), texts(&["10.0.0.1/32"]));
    }

    /// Sets of a model that was given up for another go, too.
    fn another_model_takes_its_sets_instead(connect) {
        let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), connect());
        settle(&mut manager);
        *manager.model_mut() = bare("neutron-openvsw");
        settle(&mut manager);
        assert_eq!(connect().ipset(&name(SET)).unwrap(), None);
    }

    /// An ipset has one name for all tables.
    fn two_tables_cannot_have_sets_of_one_name(connect) {
        let mut model = with_group(&[]);
        model.table_mut(Family::Ipv4, TableKind::Raw).unwrap().add_set(&name(SET), SetKind::Prefixes).unwrap();
        let error = Manager::with_kernel(model, connect()).apply().unwrap_err();
        assert!(matches!(&error, Error::Model(errors) if matches!(errors[0], ModelError::SetTwice { .. })), "{error}");
    }
}

/// An order that is refused in the middle: what went before is taken back, and the next try has all of it to do.
#[test]
fn an_order_that_is_refused_changes_nothing() {
    let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), Fake::new());
    settle(&mut manager);
    table(manager.model_mut()).add_set(&name("new"), SetKind::Addresses).unwrap();
    join(&mut manager, "new", &["10.0.0.7/32"]);
    join(&mut manager, SET, &["10.0.0.2/32"]);
    manager.kernel_mut().refuse_ipset(&name("new"), Errno::NOMEM);
    let error = manager.apply().unwrap_err();
    assert!(matches!(&error, Error::Ipset(error) if error.operation == ipset::Operation::Create), "{error}");
    assert_eq!(members(manager.kernel_mut().connect(), SET), texts(&["10.0.0.1/32"]));
    add(manager.model_mut(), "$i1", "-j ACCEPT");
    manager.kernel_mut().fail_next(1, Errno::NOMEM);
    assert!(matches!(manager.apply().unwrap_err(), Error::Refused(_)));
    assert_eq!(members(manager.kernel_mut().connect(), SET), texts(&["10.0.0.1/32"]));
    assert_eq!(manager.kernel_mut().ipset(&name("new")).unwrap(), None);
    assert_eq!(numbers(&settle(&mut manager)), (1, 2, true));
}

/// What is committed is committed: a member that cannot go afterwards is told, and goes with the next application.
#[test]
fn members_that_stay_after_a_commit_are_told_and_go_later() {
    let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32", "10.0.0.2/32"]), Fake::new());
    settle(&mut manager);
    leave(&mut manager, SET, &["10.0.0.2/32"]);
    add(manager.model_mut(), "$i1", "-j ACCEPT");
    manager.kernel_mut().refuse_ipset(&name(SET), Errno::NOMEM);
    let report = manager.apply().unwrap();
    assert!(matches!(&*report.remnants, [Remnant::Members { set, .. }] if *set == name(SET)), "{report:?}");
    assert_eq!(members(manager.kernel_mut().connect(), SET).len(), 2);
    let report = manager.apply().unwrap();
    assert_eq!((numbers(&report), &*report.remnants), ((0, 1, false), &[][..]));
    assert_eq!(members(manager.kernel_mut().connect(), SET), texts(&["10.0.0.1/32"]));
    assert_eq!(settle(&mut manager).messages, 0);
}

/// Without a transaction nothing is committed: the members that could go come back.
#[test]
fn members_that_cannot_go_are_a_refusal() {
    let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), Fake::new());
    for set in ["a", "z"] {
        table(manager.model_mut()).add_set(&name(set), SetKind::Addresses).unwrap();
        join(&mut manager, set, &["10.0.0.7/32", "10.0.0.8/32"]);
    }
    settle(&mut manager);
    let seen = |manager: &mut Manager<Fake>| ["a", "z"].map(|set| members(manager.kernel_mut().connect(), set));
    let before = seen(&mut manager);
    leave(&mut manager, "a", &["10.0.0.7/32"]);
    join(&mut manager, "a", &["10.0.0.9/32"]);
    leave(&mut manager, "z", &["10.0.0.8/32"]);
    manager.kernel_mut().refuse_ipset(&name("z"), Errno::NOMEM);
    assert!(matches!(manager.apply().unwrap_err(), Error::Ipset(_)));
    assert_eq!(seen(&mut manager), before);
    assert_eq!(numbers(&settle(&mut manager)), (0, 3, false));
}

/// A set that cannot go is told, and tried again once with each application, without waiting for it.
#[test]
fn a_set_that_stays_is_told_and_goes_later() {
    let mut manager = Manager::with_kernel(with_group(&[]), Fake::new());
    settle(&mut manager);
    let model = manager.model_mut();
    table(model).empty_chain("$i1").unwrap();
    table(model).remove_set(&name(SET)).unwrap();
    manager.kernel_mut().refuse_ipset(&name(SET), Errno::NOMEM);
    let report = manager.apply().unwrap();
    assert!(matches!(&*report.remnants, [Remnant::Ipset { set, .. }] if *set == name(SET)), "{report:?}");
    manager.kernel_mut().refuse_ipset(&name(SET), Errno::BUSY);
    let report = manager.apply().unwrap();
    assert_eq!((report.remnants.len(), report.messages), (1, 1));
    let report = manager.apply().unwrap();
    assert_eq!((report.remnants.len(), report.messages), (0, 1));
    assert_eq!(manager.kernel_mut().ipset(&name(SET)).unwrap(), None);
    assert_eq!(manager.apply().unwrap().messages, 0);
}

/// An answer that is lost: whatever is in effect, the next application ends it, also when the model is other by then.
#[test]
fn after_an_answer_that_is_lost_sets_are_read() {
    for done in [true, false] {
        for back in [true, false] {
            let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), Fake::new());
            settle(&mut manager);
            table(manager.model_mut()).add_set(&name("new"), SetKind::Addresses).unwrap();
            join(&mut manager, "new", &["10.0.0.7/32"]);
            join(&mut manager, SET, &["10.0.0.2/32"]);
            add(manager.model_mut(), "$i1", "-j ACCEPT");
            // Done or not, the second look tells, unless nothing is ever done.
            manager.kernel_mut().lose_answers(2, done);
            let outcome = manager.apply();
            assert_eq!(outcome.is_ok(), done);
            assert!(outcome.err().is_none_or(|error| error.is_in_doubt()));
            manager.kernel_mut().lose_answers(0, done);
            if back {
                leave(&mut manager, "new", &["10.0.0.7/32"]);
                table(manager.model_mut()).remove_set(&name("new")).unwrap();
                leave(&mut manager, SET, &["10.0.0.2/32"]);
            }
            settle(&mut manager);
            let kernel = manager.kernel_mut();
            assert_eq!(kernel.ipset(&name("new")).unwrap().is_some(), !back, "{done}");
            assert_eq!(members(kernel.connect(), SET).len(), if back { 1 } else { 2 }, "{done}");
        }
    }
}

/// A batch that was not sent is in no doubt: what came before it is taken back.
#[test]
fn a_batch_that_is_not_permitted_takes_back_what_came_before_it() {
    let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), Fake::new());
    settle(&mut manager);
    join(&mut manager, SET, &["10.0.0.2/32"]);
    add(manager.model_mut(), "$i1", "-j ACCEPT");
    manager.kernel_mut().fail_next(1, Errno::PERM);
    let error = manager.apply().unwrap_err();
    assert!(error.is_not_permitted() && !error.is_in_doubt(), "{error}");
    assert_eq!(members(manager.kernel_mut().connect(), SET), texts(&["10.0.0.1/32"]));
}

/// A stale generation is no refusal: what is done is not done again.
#[test]
fn a_stale_attempt_keeps_what_it_did() {
    let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32"]), Fake::new());
    manager.kernel_mut().fail_next(2, Errno::RESTART);
    let report = manager.apply().unwrap();
    assert_eq!(report.attempts, 3);
    assert_eq!(manager.kernel_mut().stats().ipset_orders, 2);
    manager.kernel_mut().fail_next(100, Errno::RESTART);
    join(&mut manager, SET, &["10.0.0.2/32"]);
    add(manager.model_mut(), "$i1", "-j ACCEPT");
    assert!(manager.apply().unwrap_err().is_stale());
    assert_eq!(members(manager.kernel_mut().connect(), SET), texts(&["10.0.0.1/32"]));
}

/// The golden form, and the stock tools beside it.
#[test]
fn stock_tools_read_sets_and_rules_back() {
    let Some(lab) = Lab::new(&["ipset", "iptables-nft-save", "iptables-nft"]) else { return };
    let mut manager = Manager::with_kernel(with_group(&["10.0.0.1/32", "10.1.0.0/16"]), lab.kernel());
    settle(&mut manager);
    let save: BTreeSet<String> = lab.run("ipset save").lines().map(str::to_owned).collect();
    let want = [
        format!("create {SET} hash:net family inet hashsize 1024 maxelem 65536"),
        format!("add {SET} 10.0.0.1"),
        format!("add {SET} 10.1.0.0/16"),
    ];
    assert_eq!(save, want.into());
    assert!(lab.stock_save("iptables-nft-save").contains(&format!("-A neutron-openvsw-i1 {}", rule())));
    lab.run(&format!("iptables-nft -C neutron-openvsw-i1 {}", rule()));
    lab.run(&format!("ipset add {SET} 10.2.0.0/16"));
    manager.refresh();
    assert_eq!(manager.apply().unwrap().elements, 1);
    assert!(!lab.run("ipset save").contains("10.2.0.0"));
}
