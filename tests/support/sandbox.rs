//! A network namespace of a test's own, with the stock tools run inside it.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::Namespace;

/// An empty namespace; it goes away with the value.
pub(crate) struct Sandbox {
    namespace: Namespace,
}

impl Sandbox {
    /// A new one for this test, or `None` after printing that it is skipped.
    pub(crate) fn new(test: &str) -> Option<Self> {
        crate::namespace::fresh(test).map(|namespace| Self { namespace })
    }

    /// The kernel inside.
    pub(crate) fn kernel(&self) -> Live {
        Live::open_in(&self.namespace).unwrap()
    }

    /// Runs a program inside with this standard input.
    pub(crate) fn output(&self, program: &str, arguments: &[&str], input: &str) -> Output {
        let run = || {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{program}: {error}"));
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        };
        self.namespace.run(run).unwrap()
    }

    /// Its standard output, when it succeeds without a word of complaint.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let output = self.output(program, arguments, input);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{program} {arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }
}
