//! The way from a delta to the kernel, on the fake, with a toy in place of the compiler.

mod toy;

use toy::{Handle, Toy, ToyRule, chain, filter};

use super::{Memory, OWNED};
use crate::apply::{Mode, Report};
use crate::error::{Error, Operation};
use crate::kernel::{Errno, Fake, Kernel};
use crate::name::TableName;
use crate::nft::expr::Verdict;
use crate::nft::{Chain, Family, Table, TableFlags};
use crate::transaction::{Batch, Origin};
use crate::wrap::Model;

/// A process: model, memory, kernel.
struct Process {
    model: Model,
    memory: Memory<Toy>,
    kernel: Fake,
    edits: u32,
}

impl Process {
    fn start(kernel: &Fake, wanted: &Handle) -> Self {
        let model = Model::builder().component("agent".parse().unwrap()).build().unwrap();
        let memory = Memory::new(Toy::new("agent", wanted), model.component().cloned(), false);
        let mut process = Self { model, memory, kernel: kernel.connect(), edits: 0 };
        process.touch();
        process
    }

    /// Something has changed in the model.
    fn touch(&mut self) {
        self.edits += 1;
        let _ = self.model.filter().v4().chain(&format!("edit-{}", self.edits)).unwrap();
    }

    fn run(&mut self, mode: Mode) -> Result<Report, Error> {
        self.memory.apply(&mut self.model, &mut self.kernel, mode).map(|(_, report)| report)
    }

    fn apply(&mut self) -> Report {
        self.touch();
        self.run(Mode::Commit).unwrap()
    }
}

fn accept() -> ToyRule {
    ToyRule::Verdict(Verdict::Accept)
}

fn drop_all() -> ToyRule {
    ToyRule::Verdict(Verdict::Drop)
}

fn jump(to: &str) -> ToyRule {
    ToyRule::Verdict(Verdict::Jump(chain(to)))
}

fn map() -> ToyRule {
    ToyRule::Map("agent/actions".into())
}

/// Two bodies, reached through the map of actions.
fn world() -> Handle {
    let wanted = Handle::default();
    {
        let mut w = wanted.borrow_mut();
        w.chain("agent/1", false, &[accept()]);
        w.chain("agent/2", false, &[drop_all(), accept()]);
        w.action(4, Verdict::Jump(chain("agent/1")));
        w.action(5, Verdict::Jump(chain("agent/2")));
        w.choose("agent/map/1", 1000, 4);
        w.chain("INPUT", true, &[map()]);
    }
    wanted
}

fn table(kernel: &mut Fake) -> Table {
    kernel.tables(Family::Ip).unwrap().into_iter().find(|t| t.name.as_str() == "agent-filter").unwrap()
}

fn without_handles(kernel: &Fake) -> String {
    kernel.to_string().lines().filter(|line| !line.contains("# handle")).collect::<Vec<_>>().join("\n")
}

fn name() -> TableName {
    TableName::new("agent-filter").unwrap()
}

#[test]
fn what_is_wanted_comes_to_stand_and_then_nothing_is_sent() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    let report = process.run(Mode::Commit).unwrap();
    assert_eq!((report.tables, report.chains, report.rules_added, report.sets), (1, 3, 4, 3));
    assert_eq!(process.run(Mode::Commit).unwrap().messages, 0);
    assert_eq!(process.apply().messages, 0);
    assert_eq!(table(&mut process.kernel).flags, OWNED);
    // All of it once more, from the kernel alone.
    process.memory.forget();
    assert_eq!(process.apply().messages, 0);
}

#[test]
fn one_more_key_is_one_element() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    process.apply();
    wanted.borrow_mut().choose("agent/map/1", 1001, 5);
    let report = process.apply();
    assert_eq!((report.elements, report.messages, report.rules_added), (1, 3, 0));
    let dumps = process.kernel.stats().dumps;
    wanted.borrow_mut().choice("agent/map/1").elements.remove(&toy::key(1000));
    let report = process.apply();
    assert_eq!((report.elements, report.messages), (1, 3));
    assert_eq!(process.kernel.stats().dumps, dumps, "nothing is read");
}

#[test]
fn rules_that_stay_keep_their_handles() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    process.apply();
    let before = process.kernel.rules(Family::Ip, &name(), Some(&chain("agent/2"))).unwrap();
    wanted.borrow_mut().chain("agent/2", false, &[drop_all(), jump("agent/1"), accept()]);
    let report = process.apply();
    assert_eq!((report.rules_added, report.rules_deleted), (1, 0));
    let after = process.kernel.rules(Family::Ip, &name(), Some(&chain("agent/2"))).unwrap();
    assert_eq!([after[0].handle, after[2].handle], [before[0].handle, before[1].handle]);
    // The handle of the new rule came with the commit.
    let dumps = process.kernel.stats().dumps;
    wanted.borrow_mut().chain("agent/2", false, &[drop_all(), accept()]);
    assert_eq!(process.apply().rules_deleted, 1);
    assert_eq!(process.kernel.stats().dumps, dumps);
    process.memory.forget();
    assert_eq!(process.apply().messages, 0);
}

#[test]
fn chains_and_sets_come_and_go_in_an_order_that_the_kernel_takes() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    process.apply();
    {
        let mut w = wanted.borrow_mut();
        w.chain("agent/3", false, &[jump("agent/1")]);
        w.action(6, Verdict::Goto(chain("agent/3")));
        w.actions().elements.remove(&toy::key(5));
        w.drop_chain("agent/2");
        w.choose("agent/map/2", 7, 6);
        let map = crate::name::SetName::new("agent/map/1").unwrap();
        w.table().sets.remove(&map);
    }
    let report = process.apply();
    assert_eq!((report.chains, report.sets), (2, 2));
    process.memory.forget();
    assert_eq!(process.apply().messages, 0);
    // Everything goes that jumps to each other.
    {
        let mut w = wanted.borrow_mut();
        w.actions().elements.clear();
        ["agent/1", "agent/3"].iter().for_each(|name| w.drop_chain(name));
    }
    process.apply();
    assert_eq!(process.kernel.chains(Family::Ip).unwrap().len(), 1);
}

#[test]
fn a_refused_rule_is_named_and_changes_nothing() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    process.apply();
    let before = kernel.to_string();
    wanted.borrow_mut().chain("agent/2", false, &[drop_all(), ToyRule::Bad]);
    wanted.borrow_mut().choose("agent/map/1", 9, 4);
    process.touch();
    let error = process.run(Mode::Commit).unwrap_err();
    // Everything was read again to be sure that it is not the memory that is wrong.
    let Error::Refused(refusals) = &error else { panic!("{error}") };
    assert_eq!((refusals[0].operation, refusals[0].errno), (Operation::AddRule, Errno::NOENT));
    assert_eq!(refusals[0].location.chain, Some(chain("agent-2")));
    assert_eq!(refusals[0].location.rule, Some(2));
    assert_eq!(kernel.to_string(), before);
    wanted.borrow_mut().chain("agent/2", false, &[drop_all(), accept()]);
    let report = process.apply();
    assert_eq!((report.rules_added, report.elements), (0, 1), "only what is missing is sent");
}

#[test]
fn a_failed_commit_can_be_repeated() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    // The kernel was asked what it can.
    process.run(Mode::Plan).unwrap();
    process.kernel.fail_next(1, Errno::INVAL);
    assert!(matches!(process.run(Mode::Commit), Err(Error::Refused(_))));
    process.apply();
    for errno in [Errno::INVAL, Errno::PERM] {
        let before = kernel.to_string();
        wanted.borrow_mut().choose("agent/map/1", 1 + errno.0 as u32, 4);
        process.touch();
        let tried = process.run(Mode::Check).unwrap();
        process.kernel.fail_next(1, errno);
        assert!(process.run(Mode::Commit).is_err());
        assert_eq!(kernel.to_string(), before);
        // Neither the check nor the refusal has cost what is known: nothing is read.
        let dumps = process.kernel.stats().dumps;
        let report = process.run(Mode::Commit).unwrap();
        assert_eq!(
            (report.elements, report.messages, process.kernel.stats().dumps),
            (1, tried.messages, dumps),
            "{errno}"
        );
    }
    // What looks as if the tables were not as remembered is read again.
    wanted.borrow_mut().choose("agent/map/1", 5, 4);
    process.kernel.fail_next(1, Errno::NOENT);
    let report = process.apply();
    assert_eq!((report.attempts, report.elements), (2, 1));
}

#[test]
fn a_plan_and_a_check_change_neither_kernel_nor_memory() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    let before = kernel.to_string();
    let (plan, _) = process.memory.apply(&mut process.model, &mut process.kernel, Mode::Plan).unwrap();
    let text: Vec<String> = plan.native().iter().map(ToString::to_string).collect();
    assert_eq!(text[0], "add table ip agent-filter flags owner, persist");
    assert!(text.iter().any(|line| line.starts_with("add rule IPv4 filter INPUT 1: ")), "{text:#?}");
    let check = process.run(Mode::Check).unwrap();
    assert!(check.messages > 0);
    assert_eq!(kernel.to_string(), before);
    let report = process.apply();
    assert_eq!((report.messages, report.bytes), (check.messages, check.bytes));
}

#[test]
fn the_next_process_takes_an_orphan_over_and_sends_nothing_else() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut first = Process::start(&kernel, &wanted);
    first.apply();
    // While the first lives, nobody else gets in, and is told who it is.
    let port = first.kernel.port();
    let mut second = Process::start(&kernel, &wanted);
    let error = second.run(Mode::Commit).unwrap_err();
    assert!(matches!(&error, Error::TableOwned { port: p, .. } if *p == port), "{error}");
    assert!(error.is_not_permitted() && error.to_string().contains(&port.to_string()));
    drop(first);
    assert_eq!(table(&mut second.kernel).flags, TableFlags::PERSIST);
    let report = second.apply();
    assert_eq!((report.messages, report.tables), (3, 1));
    assert_eq!(table(&mut second.kernel).flags, OWNED);
    let seeds = &wanted.borrow().seeds;
    let (_, seeds) = seeds.iter().rev().find(|(id, _)| *id == filter()).unwrap();
    assert_eq!((seeds.next_body, seeds.next_action, seeds.next_set), (3, 6, 2));
    assert_eq!(seeds.actions[0], (Verdict::Jump(chain("agent/1")), 4));
}

#[test]
fn a_new_process_repairs_what_happened_to_an_orphan() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut first = Process::start(&kernel, &wanted);
    first.apply();
    drop(first);
    let standing = without_handles(&kernel);
    let mut vandal = kernel.connect();
    let mut batch = Batch::begin(None);
    batch.flush_chain(Family::Ip, &name(), &chain("agent/2"), Origin(0));
    batch.add_chain(&Chain::new(Family::Ip, name(), chain("stray")), Origin(0));
    vandal.commit(&batch.seal().unwrap()).unwrap();
    let mut second = Process::start(&kernel, &wanted);
    let report = second.apply();
    assert_eq!((report.rules_added, report.chains), (2, 1));
    drop(second);
    assert_eq!(without_handles(&kernel), standing);
    let mut third = Process::start(&kernel, &wanted);
    assert_eq!(third.apply().messages, 3);
}

#[test]
fn a_table_of_somebody_else_is_left_alone() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut other = kernel.connect();
    let mut batch = Batch::begin(None);
    batch.create_table(&Table::new(Family::Ip, name()), Origin(0));
    other.commit(&batch.seal().unwrap()).unwrap();
    let before = kernel.to_string();
    let mut process = Process::start(&kernel, &wanted);
    assert!(matches!(process.run(Mode::Commit), Err(Error::ForeignTable { .. })));
    assert!(matches!(process.run(Mode::Remove), Err(Error::ForeignTable { .. })));
    assert_eq!(kernel.to_string(), before);
}

#[test]
fn what_cannot_be_changed_in_place_is_made_anew_in_one_transaction() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut first = Process::start(&kernel, &wanted);
    first.apply();
    drop(first);
    // Another priority: no kernel changes that of a base chain.
    let mut other = wanted.borrow().tables.clone();
    let input = other.get_mut(&filter()).unwrap().chains.get_mut(&chain("INPUT")).unwrap();
    input.head.base.as_mut().unwrap().priority = 10;
    wanted.borrow_mut().tables = other;
    let mut second = Process::start(&kernel, &wanted);
    let commits = second.kernel.stats().commits;
    second.apply();
    assert_eq!(second.kernel.stats().commits, commits + 1);
    let chains = second.kernel.chains(Family::Ip).unwrap();
    assert!(chains.iter().any(|c| c.base.as_ref().is_some_and(|b| b.priority == 10)));
    second.memory.forget();
    assert_eq!(second.apply().messages, 0);
}

#[test]
fn flush_removes_the_tables() {
    let (kernel, wanted) = (Fake::new(), world());
    let empty = kernel.to_string();
    let mut process = Process::start(&kernel, &wanted);
    process.apply();
    process.run(Mode::Remove).unwrap();
    assert_eq!(kernel.to_string(), empty);
    process.memory.forget();
    process.apply();
    assert!(kernel.to_string().contains("agent-filter"));
}

/// Changes of three keys, and how many transactions each is.
#[test]
fn what_leads_elsewhere_is_made_before_and_goes_after() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    let mut step = |what: &str, transactions: usize, change: &dyn Fn(&mut toy::Wanted)| {
        change(&mut wanted.borrow_mut());
        assert_eq!(process.apply().transactions, transactions, "{what}");
        process.memory.forget();
        assert_eq!(process.apply().messages, 0, "{what}");
    };
    let jump = |to: &str| Verdict::Jump(chain(to));
    step("from nothing", 1, &|_| {});
    step("one more key", 1, &|w| w.choose("agent/map/1", 1001, 5));
    step("to a known chain", 1, &|w| w.choose("agent/map/1", 1000, 5));
    step("a chain in place", 1, &|w| w.chain("agent/2", false, &[accept()]));
    step("one more key, to a new chain", 1, &|w| {
        w.chain("agent/3", false, &[accept()]);
        w.action(6, jump("agent/3"));
        w.choose("agent/map/1", 1002, 6);
    });
    step("to a new chain", 2, &|w| {
        w.chain("agent/4", false, &[drop_all()]);
        w.action(7, jump("agent/4"));
        w.choose("agent/map/1", 1002, 7);
    });
    step("away from a chain that goes", 2, &|w| {
        w.choose("agent/map/1", 1002, 5);
        w.actions().elements.remove(&toy::key(7));
        w.drop_chain("agent/4");
    });
    step("to a chain that changes", 2, &|w| {
        w.chain("agent/1", false, &[drop_all(), drop_all()]);
        w.choose("agent/map/1", 1002, 4);
    });
    // With no element a packet would go on behind the lookup; from a chain without rules it would not come back there.
    step("one more key, that does not come back", 2, &|w| {
        w.chain("agent/5", false, &[drop_all()]);
        w.action(8, Verdict::Goto(chain("agent/5")));
        w.choose("agent/map/1", 1003, 8);
    });
    step("a key that goes, with its chain", 1, &|w| {
        w.choice("agent/map/1").elements.remove(&toy::key(1003));
        w.actions().elements.remove(&toy::key(8));
        w.drop_chain("agent/5");
    });
    step("all of it", 4, &|w| {
        w.chain("agent/6", false, &[accept()]);
        w.action(9, jump("agent/6"));
        w.choose("agent/map/1", 1000, 9);
        w.chain("agent/1", false, &[accept()]);
        w.choose("agent/map/1", 1001, 4);
        w.choice("agent/map/1").elements.remove(&toy::key(1002));
        w.actions().elements.remove(&toy::key(6));
        w.drop_chain("agent/3");
    });
}

/// A key that comes to lead to a new chain: what is made, and the switch.
fn lead_to_a_new_chain(wanted: &Handle) {
    let mut w = wanted.borrow_mut();
    w.chain("agent/3", false, &[drop_all(), drop_all()]);
    w.action(6, Verdict::Jump(chain("agent/3")));
    w.choose("agent/map/1", 1000, 6);
}

#[test]
fn what_is_refused_in_parts_is_sent_as_one() {
    let (kernel, wanted) = (Fake::new(), world());
    let mut process = Process::start(&kernel, &wanted);
    process.apply();
    lead_to_a_new_chain(&wanted);
    process.kernel.fail_next(1, Errno::LOOP);
    assert_eq!(process.apply().transactions, 1);
    assert_eq!(process.apply().messages, 0);
    process.memory.forget();
    assert_eq!(process.apply().messages, 0);
}

#[test]
fn a_failure_between_transactions_leaves_what_was_seen() {
    for stage in 1..=2 {
        let (kernel, wanted) = (Fake::new(), world());
        let mut process = Process::start(&kernel, &wanted);
        process.apply();
        let seen = |kernel: &mut Fake| {
            let map = crate::name::SetName::new("agent/map/1").unwrap();
            let elements = kernel.elements(Family::Ip, &name(), &map).unwrap();
            (elements, kernel.rules(Family::Ip, &name(), Some(&chain("INPUT"))).unwrap())
        };
        let before = seen(&mut process.kernel);
        lead_to_a_new_chain(&wanted);
        let mut commits = 0;
        process.kernel.before_commit(move |kernel| {
            commits += 1;
            // The first with all that would be sent as one, or the second.
            if (stage..=2).contains(&commits) {
                kernel.fail_next(1, Errno::NOMEM);
            }
        });
        process.touch();
        assert!(process.run(Mode::Commit).is_err());
        assert_eq!(seen(&mut process.kernel), before, "{stage}");
        // The next one begins with what stands.
        assert!(process.apply().messages > 0);
        process.memory.forget();
        assert_eq!(process.apply().messages, 0);
        assert_ne!(seen(&mut process.kernel).0, before.0);
    }
}

/// All phases: a chain is made, one is filled anew, keys follow, a chain goes.
fn all_of_it(wanted: &Handle) {
    let mut w = wanted.borrow_mut();
    w.chain("agent/6", false, &[accept()]);
    w.action(9, jump_verdict("agent/6"));
    w.choose("agent/map/1", 1000, 9);
    w.chain("agent/1", false, &[accept(), accept()]);
    w.choose("agent/map/1", 1001, 4);
    w.actions().elements.remove(&toy::key(6));
    w.drop_chain("agent/3");
}

fn jump_verdict(to: &str) -> Verdict {
    Verdict::Jump(chain(to))
}

/// Each transaction of several is refused, or has no answer: the error says what is so, and the next application ends it.
#[test]
fn an_error_says_whether_the_change_is_in_effect() {
    let mut seen = Vec::new();
    for fault in ["refused", "stale", "lost", "lost, done"] {
        for number in 1..=4 {
            let (kernel, wanted) = (Fake::new(), world());
            lead_to_a_new_chain(&wanted);
            wanted.borrow_mut().choose("agent/map/1", 1001, 5);
            let mut process = Process::start(&kernel, &wanted);
            process.apply();
            all_of_it(&wanted);
            let mut commits = 0;
            process.kernel.before_commit(move |kernel| {
                commits += 1;
                match fault {
                    _ if commits < number => {}
                    "refused" => kernel.fail_next(1, Errno::NOMEM),
                    "stale" => kernel.fail_next(1, Errno::RESTART),
                    fault => kernel.lose_answers(1, fault == "lost, done"),
                }
            });
            process.touch();
            let outcome = process.run(Mode::Commit);
            let what = match &outcome {
                Ok(report) if report.remnants.is_empty() => "in effect",
                Ok(_) => "in effect, with remnants",
                Err(Error::Partly(_)) => "partly",
                Err(error) if error.is_in_doubt() => "in doubt",
                Err(_) => "not in effect",
            };
            seen.push(format!("{fault} {number}: {what}"));
            process.kernel.before_commit(|_| ());
            let left = process.run(Mode::Commit).unwrap();
            assert_eq!(left.messages > 0, fault != "lost, done" || number < 4, "{fault} {number}");
            assert!(left.remnants.is_empty());
            process.memory.forget();
            assert_eq!(process.apply().messages, 0, "{fault} {number}");
        }
    }
    let wanted = [
        "refused 1: not in effect",
        "refused 2: not in effect",
        "refused 3: partly",
        "refused 4: in effect, with remnants",
        "stale 1: not in effect",
        "stale 2: not in effect",
        "stale 3: partly",
        "stale 4: in effect, with remnants",
        "lost 1: in doubt",
        "lost 2: in doubt",
        "lost 3: in doubt",
        "lost 4: in effect, with remnants",
        "lost, done 1: in doubt",
        "lost, done 2: in doubt",
        "lost, done 3: in doubt",
        "lost, done 4: in effect, with remnants",
    ];
    assert_eq!(seen, wanted);
}
