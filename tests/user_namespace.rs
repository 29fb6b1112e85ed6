//! Without privileges: root in a user namespace of its own, and a transaction in a network namespace in it.
//!
//! A program of one thread, as the test harness is not: all threads of a process share one user namespace.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

use std::fs;
use std::process::Command;

#[path = "support/lab.rs"]
mod lab;

use nftwrap::kernel::{Kernel, Live};
use nftwrap::name::TableName;
use nftwrap::netlink::namespace::{Namespace, enter_user_namespace};
use nftwrap::nft::{Family, Table};
use nftwrap::transaction::{Batch, Origin};

fn main() {
    if Namespace::fresh().is_ok() {
        return as_nobody();
    }
    if let Err(error) = enter_user_namespace() {
        assert!(error.is_not_permitted(), "{error}");
        return lab::skip(error);
    }

    let namespace = Namespace::fresh().unwrap();
    let mut live = Live::open_in(&namespace).unwrap();
    let table = Table::new(Family::Ip, TableName::new("mine").unwrap());
    let mut batch = Batch::begin(None);
    batch.add_table(&table, Origin(0));
    live.commit(&batch.seal().unwrap()).unwrap();
    assert_eq!(live.tables(Family::Ip).unwrap().len(), 1);
    println!("test a_user_may_make_a_namespace_and_commit_in_it ... ok");
}

/// Runs this program again as a user without privileges, from a place that such a user may read.
fn as_nobody() {
    if !lab::has(&["setpriv"]) {
        return;
    }
    let copy = std::env::temp_dir().join(format!("nftwrap-user-namespace-{}", std::process::id()));
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--"]).arg(&copy);
    let status = nobody.current_dir("/").status();
    fs::remove_file(&copy).unwrap();
    assert!(status.unwrap().success());
}
