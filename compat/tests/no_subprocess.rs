//! No verb of the command starts a process: strace watches each of them.
//!
//! The other half, in the root's `tests/no_subprocess.rs`, reads the source.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "../../tests/support/lab.rs"]
mod lab;

use lab::{Lab, skip};

const TRACED: &str = "trace=execve,execveat,fork,vfork,clone,clone3";

/// Whether strace can watch here.
fn may_trace() -> bool {
    // The verbs make a namespace, and so does this.
    if Lab::new(&["strace", "true"]).is_none() {
        return false;
    }
    let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let success = traced.unwrap().success();
    if !success {
        skip("strace may not trace here");
    }
    success
}

/// The lines of a trace that are the start of a process. Threads are clones that share the thread group; the first
/// `execve` is strace starting the command.
fn starts(trace: &str) -> Vec<&str> {
    let calls = trace.lines().filter(|line| !line.contains("resumed>"));
    let starts = calls.filter(|line| match line {
        line if line.contains("clone") => !line.contains("CLONE_THREAD"),
        line => ["execve(", "execveat(", "fork("].iter().any(|call| line.contains(call)),
    });
    starts.skip(1).collect()
}

#[test]
fn no_verb_starts_a_process() {
    if !may_trace() {
        return;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (v4, v6) = (examples.join("nova-compute.v4.save"), examples.join("nova-compute.v6.save"));
    let (v4, v6) = (v4.to_str().unwrap(), v6.to_str().unwrap());
    let load = ["--sandbox", "--wrap", "nova-compute", "--ipv4", v4, "--ipv6", v6];
    let mut verbs: Vec<Vec<&str>> =
        ["apply", "plan", "check"].iter().map(|verb| std::iter::once(*verb).chain(load).collect()).collect();
    verbs.push(vec!["apply", "--sandbox", "--wrap", "nova-compute", "--stats", "--show=save", v4]);
    verbs.push(vec!["show", "--sandbox"]);
    verbs.push(vec!["flush", "--sandbox", "--wrap", "nova-compute"]);
    verbs.push(vec!["translate", "-A INPUT -p tcp --dport 22 -j ACCEPT"]);
    verbs.push(vec!["apply", "--sandbox", "/nonexistent"]);
    let scratch = tempfile::tempdir().unwrap();
    for verb in verbs {
        let trace = scratch.path().join("trace");
        let status = Command::new("strace")
            .args(["-f", "-qq", "-e", TRACED, "-o"])
            .arg(&trace)
            .arg(env!("CARGO_BIN_EXE_nftwrap"))
            .args(&verb)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.success(), !verb.contains(&"/nonexistent"), "{verb:?}");
        let trace = fs::read_to_string(&trace).unwrap();
        assert!(trace.contains("execve("), "strace saw the command start: {trace}");
        assert_eq!(starts(&trace), [""; 0], "{verb:?} starts a process");
    }
}

#[test]
fn the_watch_knows_a_process_when_it_sees_one() {
    let own = "1 execve(\"nftwrap\", [\"nftwrap\"], 0x0 /* 3 vars */) = 0\n";
    let thread = "1 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SYSVSEM} => {parent_tid=[2]}, 88) = 2\n";
    assert_eq!(starts(&format!("{own}{thread}")), [""; 0]);
    for call in
        ["1 vfork() = 2", "1 clone3({flags=CLONE_VM|CLONE_VFORK}, 88 <unfinished ...>", "2 execve(\"ip\", [], 0x0) = 0"]
    {
        assert_eq!(starts(&format!("{own}{thread}{call}\n")), [call]);
    }
}
