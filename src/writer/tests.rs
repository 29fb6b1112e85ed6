//! The writer on the fake kernel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::*;
use crate::kernel::{Errno, Fake};
use crate::layout::Layout;
use crate::rule::{ChainRef, Family, Rule};
use crate::wrap::{Model, Place, Profile, SetKind, TableKind};

const FILTER: TableId = TableId::new(Family::Ipv4, TableKind::Filter);

fn manager(kernel: Fake, layout: Layout) -> Manager<Fake> {
    let model = Model::builder().component("agent".parse().unwrap()).profile(Profile::Nova).build().unwrap();
    Manager::with_kernel_and_layout(model, kernel, layout)
}

fn writer(pace: Pace) -> (Writer<u32, Fake>, Fake) {
    let kernel = Fake::new();
    (Writer::start(manager(kernel.connect(), Layout::Iptables), pace).unwrap(), kernel)
}

fn to(chain: &str) -> ChainRef {
    ChainRef::new(chain).unwrap()
}

/// A chain with one port open, a jump to it, and a rule that every such unit wants.
fn instance(number: u32, port: u16) -> Change<u32> {
    let mut unit = Unit::new();
    let chain = format!("$inst-{number}");
    let rules = vec![Arc::new(Rule::new().tcp().dport(port).accept()), Arc::new(Rule::new().discard())];
    unit.chain(FILTER, &*chain, rules);
    let address = std::net::Ipv4Addr::from(0x0a00_0000 + number);
    let jump = Rule::new().destination(std::net::IpAddr::V4(address)).jump(to(&chain));
    unit.rule(FILTER, "$local", Place::Normal, jump);
    unit.rule(FILTER, "$FORWARD", Place::Top, Rule::new().udp().dport(67).accept());
    Change::Put(number, Arc::new(unit))
}

/// Two interfaces of an instance with one address want one jump, which goes with the last.
#[test]
fn a_rule_that_a_unit_wants_twice_is_one() {
    let (writer, _) = writer(Pace::default());
    let with = |times: usize| {
        let mut unit = Unit::new();
        unit.chain(FILTER, "$inst-1", vec![Arc::new(Rule::new().discard())]);
        for _ in 0..times {
            unit.rule(FILTER, "$local", Place::Normal, Rule::new().tcp().jump(to("$inst-1")));
        }
        Change::Put(1, Arc::new(unit))
    };
    writer.change(with(2)).wait().unwrap();
    assert_eq!(rules(&writer, "$local").len(), 1);
    writer.change(with(1)).wait().unwrap();
    writer.change(with(0)).wait().unwrap();
    assert_eq!(rules(&writer, "$local").len(), 0);
    writer.change(Change::Remove(1)).wait().unwrap();
    assert_eq!(rules(&writer, "$inst-1").len(), 0);
}

/// The rules of a chain, as the model has them.
fn rules(writer: &Writer<u32, Fake>, chain: &'static str) -> Vec<Rule> {
    let look = move |manager: &mut Manager<Fake>| {
        let table = manager.model().table(Family::Ipv4, TableKind::Filter).unwrap();
        table.chain(chain).map(|chain| chain.rules().map(|entry| (**entry.rule()).clone()).collect())
    };
    writer.visit(look).unwrap().unwrap_or_default()
}

#[test]
fn a_unit_comes_changes_and_goes() {
    let (writer, kernel) = writer(Pace::default());
    writer.change(instance(1, 22)).wait().unwrap();
    writer.change(instance(2, 22)).wait().unwrap();
    assert_eq!(rules(&writer, "$local").len(), 2);
    assert_eq!(rules(&writer, "$FORWARD").len(), 1, "units share a rule");
    let report = writer.change(instance(1, 80)).wait().unwrap();
    assert_eq!((report.rules_added, report.rules_deleted), (1, 1));
    assert_eq!(writer.change(instance(1, 80)).wait().unwrap().messages, 0);
    writer.change(Change::Remove(1)).wait().unwrap();
    assert_eq!((rules(&writer, "$local").len(), rules(&writer, "$FORWARD").len()), (1, 1));
    writer.change(Change::Remove(2)).wait().unwrap();
    assert_eq!((rules(&writer, "$local").len(), rules(&writer, "$FORWARD").len()), (0, 0));
    assert!(!kernel.to_string().contains("inst-"));
}

#[test]
fn changes_during_a_hold_are_one_transaction() {
    let (writer, kernel) = writer(Pace::default());
    let before = kernel.stats().commits;
    let (outer, inner) = (writer.hold(), writer.hold());
    let tickets: Vec<_> = (0..50).map(|number| writer.change(instance(number, 22))).collect();
    drop(outer);
    assert!(tickets[0].wait_for(Duration::from_millis(50)).is_none(), "a hold is left");
    drop(inner);
    for ticket in &tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(kernel.stats().commits - before, 1);
}

#[test]
fn changes_of_many_threads_all_take_effect() {
    let (writer, kernel) = writer(Pace { quiet: Duration::from_millis(5), ..Pace::default() });
    let before = kernel.stats().commits;
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (writer, start) = (&writer, &start);
            scope.spawn(move || {
                start.wait();
                let tickets: Vec<_> = (0..20).map(|n| writer.change(instance(thread * 20 + n, 22))).collect();
                tickets.iter().for_each(|ticket| drop(ticket.wait().unwrap()));
            });
        }
    });
    assert_eq!(rules(&writer, "$local").len(), 160);
    assert!(kernel.stats().commits - before < 160, "changes are merged");
}

#[test]
fn a_bound_ends_the_wait_for_quiet() {
    let (writer, _) = writer(Pace { quiet: Duration::from_secs(3600), at_most: Duration::from_millis(20) });
    let ticket = writer.change(instance(1, 22));
    assert!(ticket.wait_for(Duration::from_secs(60)).expect("it is done without quiet").is_ok());
}

/// The fault that times beyond any clock were a panic.
#[test]
fn whoever_waits_for_ever_may_say_so() {
    let (writer, _) = writer(Pace { quiet: Duration::MAX, at_most: Duration::MAX });
    let ticket = writer.change(instance(1, 22));
    assert!(ticket.wait_for(Duration::from_millis(20)).is_none());
    let waiting = std::thread::spawn(move || ticket.wait_for(Duration::MAX));
    drop(writer.stop().unwrap());
    assert!(waiting.join().unwrap().expect("it has ended").is_ok());
    let (writer, _) = self::writer(Pace { quiet: Duration::ZERO, at_most: Duration::MAX });
    assert!(writer.change(instance(1, 22)).wait_for(Duration::MAX).is_some());
}

/// Names a chain that is not there, which only the check of the whole model finds.
fn broken(number: u32) -> Change<u32> {
    let mut unit = Unit::new();
    let rule = Rule::new().jump(to("$nowhere"));
    unit.chain(FILTER, format!("$inst-{number}"), vec![Arc::new(rule)]);
    Change::Put(number, Arc::new(unit))
}

#[test]
fn one_bad_change_stops_no_other() {
    for layout in [Layout::Iptables, Layout::native()] {
        let kernel = Fake::new();
        let writer = Writer::start(manager(kernel.connect(), layout), Pace::default()).unwrap();
        writer.change(instance(100, 22)).wait().unwrap();
        let hold = writer.hold();
        let tickets: Vec<_> = (0..20)
            .map(|n| writer.change(if n == 7 || n == 13 { broken(n) } else { instance(n, 22) }))
            .chain([writer.change(broken(100))])
            .collect();
        drop(hold);
        let failed: Vec<_> = (0..21).filter(|&n| tickets[n].wait().is_err()).collect();
        assert_eq!(failed, [7, 13, 20]);
        assert_eq!(rules(&writer, "$local").len(), 19, "with the one that could not be replaced");
        assert_eq!(rules(&writer, "$inst-100").len(), 2);
    }
}

#[test]
fn what_the_kernel_refuses_leaves_no_trace_and_can_be_repeated() {
    let kernel = Fake::new();
    let mut own = kernel.connect();
    own.fail_next(1, Errno::NOMEM);
    let writer = Writer::start(manager(own, Layout::Iptables), Pace::default()).unwrap();
    assert!(matches!(writer.change(instance(1, 22)).wait(), Err(WriteError::Apply(_))));
    assert_eq!(rules(&writer, "$local").len(), 0);
    writer.change(instance(1, 22)).wait().unwrap();
    assert_eq!(rules(&writer, "$local").len(), 1);
}

/// The answer is lost, once or for good, and the change is in effect or not: a ticket says what is so, and the model is what
/// the ticket says.
#[test]
fn an_answer_that_is_lost_is_looked_for() {
    for layout in [Layout::Iptables, Layout::native()] {
        for (times, done) in [(1, true), (1, false), (2, true), (2, false), (9, true), (9, false)] {
            let kernel = Fake::new();
            let writer = Writer::start(manager(kernel.connect(), layout.clone()), Pace::default()).unwrap();
            writer.change(instance(1, 22)).wait().unwrap();
            let lose = move |manager: &mut Manager<Fake>| manager.kernel_mut().lose_answers(times, done);
            writer.visit(lose).unwrap();
            let before = kernel.to_string();
            let outcome = writer.change(instance(2, 22)).wait();
            writer.visit(|manager| manager.kernel_mut().lose_answers(0, false)).unwrap();
            let stands = kernel.to_string() != before;
            let wanted = rules(&writer, "$local").len() == 2;
            let what = format!("{layout:?}, {times}, {done}: {outcome:?}");
            match &outcome {
                Ok(_) => assert!(stands && wanted, "{what}"),
                Err(WriteError::InDoubt(_)) => assert!(!wanted && times == 9, "{what}"),
                Err(_) => assert!(!stands && !wanted, "{what}"),
            }
            assert_eq!(outcome.is_ok(), done || times == 1, "{what}");
            // The next one ends all doubt.
            writer.change(instance(3, 22)).wait().unwrap();
            let again = |manager: &mut Manager<Fake>| {
                manager.refresh();
                manager.apply().unwrap().messages
            };
            assert_eq!(writer.visit(again).unwrap(), 0, "{what}");
            assert_eq!(rules(&writer, "$local").len() == 3, wanted, "{what}");
        }
    }
}

#[test]
fn a_submission_is_done_whole_or_not_at_all() {
    let (writer, _) = writer(Pace::default());
    writer.change(instance(1, 22)).wait().unwrap();
    let taken = match instance(1, 80) {
        Change::Put(_, unit) => Change::Put(9, unit),
        other => other,
    };
    let outcome = writer.submit(Submission::new([instance(2, 22), instance(1, 443), taken])).wait();
    assert!(matches!(outcome, Err(WriteError::ChainTaken { owner, .. }) if owner == "1"));
    assert!(rules(&writer, "$inst-2").is_empty());
    assert_eq!(rules(&writer, "$inst-1")[0], Rule::new().tcp().dport(22).accept());
}

#[test]
fn a_chain_that_others_lead_to_stays() {
    let (writer, _) = writer(Pace::default());
    let mut unit = Unit::new();
    unit.chain(FILTER, "$group", vec![Arc::new(Rule::new().discard())]);
    writer.change(Change::Put(50, Arc::new(unit))).wait().unwrap();
    let mut unit = Unit::new();
    unit.chain(FILTER, "$inst-1", vec![Arc::new(Rule::new().goto(to("$group")))]);
    writer.change(Change::Put(1, Arc::new(unit))).wait().unwrap();
    assert!(matches!(writer.change(Change::Remove(50)).wait(), Err(WriteError::ChainInUse { .. })));
    assert_eq!(rules(&writer, "$group").len(), 1, "what was taken out is back");
    writer.submit(Submission::new([Change::Remove(1), Change::Remove(50)])).wait().unwrap();
}

#[test]
fn members_come_and_go_and_come_back_when_refused() {
    let (writer, _) = writer(Pace::default());
    let name: IpsetName = "friends".parse().unwrap();
    let mut unit = Unit::new();
    unit.set(FILTER, name.clone(), SetKind::Addresses);
    let members = |add: &[&str], remove: &[&str]| {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Change::Members { key: 1, table: FILTER, set: name.clone(), add: parse(add), remove: parse(remove) }
    };
    let unit = Change::Put(1, Arc::new(unit));
    writer.submit(Submission::new([unit, members(&["10.0.0.1", "10.0.0.2"], &[])])).wait().unwrap();
    let len = || {
        let name = name.clone();
        let look = move |manager: &mut Manager<Fake>| {
            manager.model().table(Family::Ipv4, TableKind::Filter).unwrap().set(&name).map(|set| set.len())
        };
        writer.visit(look).unwrap()
    };
    assert_eq!(len(), Some(2));
    let refused = Submission::new([members(&["10.0.0.3"], &["10.0.0.1"]), Change::Remove(1), broken(2), broken(3)]);
    assert!(writer.submit(refused).wait().is_err());
    assert_eq!(len(), Some(2));
    writer.submit(Submission::new([members(&["10.0.0.3"], &["10.0.0.1", "10.0.0.2"])])).wait().unwrap();
    assert_eq!(len(), Some(1));
    let members = ["10.0.0.4", "10.0.0.5"].map(|text| text.parse().unwrap()).to_vec();
    writer.change(Change::AllMembers { key: 1, table: FILTER, set: name.clone(), members }).wait().unwrap();
    assert_eq!(len(), Some(2));
    writer.change(Change::Remove(1)).wait().unwrap();
    assert_eq!(len(), None);
}

#[test]
fn what_follows_is_told_the_outcome_before_anybody() {
    let (writer, _) = writer(Pace::default());
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let submission = Submission::new([instance(1, 22)]).after(|outcome| {
        TOLD.fetch_add(usize::from(outcome.is_ok()), Ordering::SeqCst);
    });
    writer.submit(submission).wait().unwrap();
    assert_eq!(TOLD.load(Ordering::SeqCst), 1);
}

#[test]
fn a_writer_that_is_dropped_finishes_and_one_that_panicked_refuses() {
    let (one, kernel) = writer(Pace { quiet: Duration::from_secs(3600), at_most: Duration::from_secs(3600) });
    let hold = one.hold();
    let ticket = one.change(instance(1, 22));
    let manager = one.stop().unwrap();
    drop(hold);
    ticket.wait().unwrap();
    assert!(manager.model().table(Family::Ipv4, TableKind::Filter).unwrap().has_chain("$inst-1"));
    assert!(kernel.to_string().contains("agent-inst-1"));

    let (other, _) = writer(Pace::default());
    assert!(matches!(other.visit(|_| panic!("a visitor's fault")), Err::<(), _>(WriteError::Stopped)));
    assert!(matches!(other.change(instance(1, 22)).wait(), Err(WriteError::Stopped)));
}

#[test]
fn a_panic_amid_a_transaction_leaves_nobody_waiting() {
    let (writer, _) = writer(Pace::default());
    let hold = writer.hold();
    let first = writer.submit(Submission::new([instance(1, 22)]).after(|_| panic!("the fault of who follows")));
    let second = writer.change(instance(2, 22));
    drop(hold);
    assert!(matches!(first.wait(), Err(WriteError::Stopped)));
    assert!(matches!(second.wait(), Err(WriteError::Stopped)));
}
