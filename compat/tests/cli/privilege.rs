//! Namespaces, sandboxes, users without privilege, and terminals.

use std::process::{Command, Stdio};

use super::{Lab, NFTWRAP, example, filter};
use crate::lab::skip;

/// Ends the process that holds a namespace.
struct Holder(std::process::Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn another_namespace_by_path() {
    let tools = ["iptables-save", "nft", "sleep"];
    let (Some(lab), Some(here)) = (Lab::new(&tools), Lab::new(&tools)) else { return };
    let sleep = || Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
    let holder = Holder(lab.0.run(sleep).unwrap());
    let path = format!("/proc/{}/ns/net", holder.0.id());
    here.nftwrap(&["apply", "--netns", &path, "-"], &filter("-A INPUT -j DROP")).ok();
    assert_eq!(here.ruleset(), "");
    assert!(lab.stock_save("iptables-save").contains("-A INPUT -j DROP\n"));
    assert!(here.nftwrap(&["show", "--netns", &path], "").ok().contains("-A INPUT -j DROP\n"));
}

#[test]
fn a_sandbox_leaves_nothing() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    let file = example("nova-compute.v4.save");
    let out = lab.nftwrap(&["apply", "--sandbox", "--wrap", "nova-compute", "--show=tree", &file], "").ok();
    assert!(out.contains("-d 10.16.0.2/32 -j nova-compute-inst-1\n"), "{out}");
    assert_eq!(lab.ruleset(), "");
    let run = lab.nftwrap(&["show", "--sandbox", "--netns", "x"], "");
    assert_eq!(run.code, 2, "{}", run.err);
}

/// As a user without any capability. The command is copied to where that user may read it.
#[test]
fn without_privilege_it_says_so_and_a_sandbox_still_works() {
    let Some(lab) = Lab::new(&["chmod", "nft", "setpriv"]) else { return };
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let command = directory.path().join("nftwrap");
    std::fs::copy(NFTWRAP, &command).unwrap();
    lab.run(&format!("chmod -R a+rX {}", directory.path().display()));
    let command = command.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", command];
        let words: Vec<&str> = user.iter().chain(arguments).copied().collect();
        lab.feed(&words, &filter("-A INPUT -j DROP"))
    };
    for arguments in [&["apply", "-"][..], &["plan", "-"], &["check", "-"], &["show"], &["flush", "--wrap", "a"]] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}: {err}");
        assert!(err.contains("CAP_NET_ADMIN") && err.contains("--sandbox"), "{arguments:?}: {err}");
    }
    assert_eq!(lab.ruleset(), "");
    let (code, out, err) = run(&["apply", "--sandbox", "--show", "--", "-"]);
    match code {
        0 => assert!(out.contains("-A INPUT -j DROP\n"), "{out}"),
        // A kernel that gives users no namespaces.
        _ => skip(err),
    }
}

/// A load that takes longer than a second says so, to a terminal and to nothing else.
#[test]
fn progress_is_for_terminals() {
    let Some(lab) = Lab::new(&["cat", "script", "sh", "sleep"]) else { return };
    let fifo = tempfile::tempdir().unwrap();
    let input = fifo.path().join("input");
    std::fs::write(&input, filter("-A INPUT -j DROP")).unwrap();
    let slow = format!("(sleep 1.6; cat {}) | {NFTWRAP} apply -", input.display());
    let (code, _, err) = lab.feed(&["sh", "-c", &slow], "");
    assert_eq!((code, err.as_str()), (0, ""));
    let (code, out, err) = lab.feed(&["script", "-qec", &slow, "/dev/null"], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("nftwrap: reading rules"), "{out:?}");
}
