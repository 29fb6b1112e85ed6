//! What only the fake can do: races, failures and interruptions on demand; and probes on both.

use nftwrap::kernel::{CommitError, Errno, Error, Fake, Kernel, probe};
use nftwrap::name::IpsetName;
use nftwrap::netlink::socket::Socket;
use nftwrap::nft::uapi::NF_INET_LOCAL_IN;
use nftwrap::nft::{Family, Table, TableFlags};
use nftwrap::transaction::{Batch, Sealed};

use crate::lab::Lab;
use crate::objects::*;

fn sealed(generation: Option<u32>, fill: impl FnOnce(&mut Batch)) -> Sealed {
    let mut batch = Batch::begin(generation);
    fill(&mut batch);
    batch.seal().unwrap()
}

#[test]
fn a_hook_before_the_commit_is_a_race() {
    let mut fake = Fake::new();
    let now = fake.generation().unwrap();
    let mut other = fake.connect();
    fake.before_commit(move |_| {
        other.commit(&sealed(None, |b| b.add_table(&table("foreign"), O))).unwrap();
    });
    let batch = sealed(Some(now), |b| b.add_table(&table("ours"), O));
    let error = fake.commit(&batch).unwrap_err();
    assert!(error.is_stale(), "{error}");
    let names: Vec<_> = fake.tables(Family::Ip).unwrap().into_iter().map(|t| t.name).collect();
    assert_eq!(names, [tname("foreign")]);
}

#[test]
fn failures_are_counted_and_leave_nothing() {
    let mut fake = Fake::new();
    let batch = sealed(None, |b| b.add_table(&table("t"), O));
    fake.fail_next(2, Errno::NOMEM);
    for _ in 0..2 {
        assert!(fake.commit(&batch).unwrap_err().has(Errno::NOMEM));
        assert_eq!(fake.tables(Family::Ip).unwrap(), []);
    }
    fake.commit(&batch).unwrap();
    fake.fail_next(1, Errno::RESTART);
    assert!(fake.commit(&batch).unwrap_err().is_stale());
    fake.fail_next(1, Errno::PERM);
    assert!(matches!(fake.commit(&batch), Err(CommitError::NotPermitted)));
    assert_eq!(fake.stats().commits, 1);
}

#[test]
fn interrupted_dumps_are_taken_again_a_bounded_number_of_times() {
    let mut fake = Fake::new();
    fake.interrupt_dumps(3);
    assert!(fake.tables(Family::Ip).is_ok());
    assert_eq!(fake.stats().dumps, 4);
    fake.interrupt_dumps(1_000);
    assert!(matches!(fake.tables(Family::Ip), Err(Error::Interrupted { .. })));
}

#[test]
fn an_owned_table_is_closed_to_other_sockets_and_goes_with_its_own() {
    let mut watcher = Fake::new();
    let mut owner = watcher.connect();
    let owned = |name, flags| Table { flags, ..table(name) };
    owner
        .commit(&sealed(None, |b| {
            b.add_table(&owned("brief", TableFlags::OWNER), O);
            b.add_table(&owned("lasting", TableFlags::OWNER | TableFlags::PERSIST), O);
        }))
        .unwrap();
    let error = watcher.commit(&sealed(None, |b| b.add_chain(&chain("brief", "c"), O))).unwrap_err();
    assert!(error.is_not_permitted(), "{error}");
    drop(owner);
    let left = watcher.tables(Family::Ip).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].name.as_str(), left[0].owner), ("lasting", None));
    watcher
        .commit(&sealed(None, |b| b.add_table(&owned("lasting", TableFlags::OWNER | TableFlags::PERSIST), O)))
        .unwrap();
}

#[test]
fn ipsets_have_indexes() {
    let mut fake = Fake::new();
    let name = IpsetName::new("hosts").unwrap();
    assert_eq!(fake.ipset_index(&name).unwrap(), None);
    let index = fake.add_ipset(&name);
    assert_eq!(fake.ipset_index(&name).unwrap(), Some(index));
    assert_eq!(fake.ipset_name(index).unwrap(), Some(name));
}

#[test]
fn the_state_is_readable() {
    let mut fake = Fake::new();
    fake.commit(&sealed(None, |b| {
        b.add_table(&table("filter"), O);
        b.add_chain(&base("filter", "INPUT", "filter", NF_INET_LOCAL_IN, 0), O);
        b.add_chain(&chain("filter", "local"), O);
        b.add_rule(&rule("filter", "INPUT", vec![jump("local")]), O);
    }))
    .unwrap();
    let want = "\
table ip filter { # handle 1
  chain INPUT { # handle 1, 1 uses
    type filter hook 1 priority 0; policy accept;
    # handle 3
    [ immediate reg 0 jump -> local ]
  }
  chain local { # handle 2, 1 uses
  }
}
";
    assert_eq!(fake.to_string(), want);
}

#[test]
fn features_are_probed_without_a_trace() {
    let mut fake = Fake::new();
    let features = probe::features(&mut fake).unwrap();
    assert!(features.table_owner && features.table_persist && features.chain_userdata && features.batch_generation);
    assert_eq!(fake.generation().unwrap(), 1);
    let Some(lab) = Lab::new(&[]) else { return };
    let mut live = lab.kernel();
    let features = probe::features(&mut live).unwrap();
    assert!(features.batch_generation, "{features:?}");
    assert_eq!(live.tables(Family::Ip).unwrap(), []);
}

#[test]
fn revisions_of_extensions_are_probed() {
    let Some(lab) = Lab::new(&[]) else { return };
    let mut socket = Socket::open_in(&lab.0).unwrap();
    let mut has = |name, revision, target| probe::xt_revision(&mut socket, Family::Ip, name, revision, target).unwrap();
    assert!(has("comment", 0, false));
    assert!(!has("comment", 200, false));
    assert!(!has("nothing", 0, false));
    assert!(has("MARK", 2, true));
}
