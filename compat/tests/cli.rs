//! The built command as its users meet it: exit codes, carets, and what it leaves in a kernel.
//!
//! Each test makes a network namespace of its own.
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

#[path = "cli/effects.rs"]
mod effects;
#[path = "cli/native.rs"]
mod native;
#[path = "cli/privilege.rs"]
mod privilege;
#[path = "cli/random.rs"]
mod random;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/translate.rs"]
mod translate;

use std::path::Path;

use lab::Lab;

const NFTWRAP: &str = env!("CARGO_BIN_EXE_nftwrap");

/// What a run of the command gave.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    /// What it printed; it must have succeeded.
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        assert_eq!(self.err, "");
        self.out
    }

    #[track_caller]
    fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// A namespace for a test that asks the stock tools what stands there.
fn lab() -> Option<Lab> {
    Lab::new(&["nft", "iptables", "iptables-restore", "iptables-save", "ip6tables-save"])
}

impl Lab {
    /// Runs the command in the namespace.
    fn nftwrap(&self, arguments: &[&str], input: &str) -> Run {
        let command: Vec<&str> = std::iter::once(NFTWRAP).chain(arguments.iter().copied()).collect();
        let (code, out, err) = self.feed(&command, input);
        Run { code, out, err }
    }

    /// The whole ruleset as nft sees it, with its handles: equal when nothing was changed.
    fn ruleset(&self) -> String {
        self.run("nft -a list ruleset 2>/dev/null")
    }

    fn generation(&self) -> u32 {
        use nftwrap::kernel::Kernel;
        self.kernel().generation().unwrap()
    }
}

/// A save file of table `filter` with these lines.
fn filter(lines: &str) -> String {
    format!("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{lines}\nCOMMIT\n")
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    path.to_str().unwrap().to_owned()
}
