//! A network namespace of a test's own, with the stock tools run inside it.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::Namespace;

/// Set by a run that demands the kernel: missing privilege is then a failure, not a skip.
const DEMANDED: &str = "NFTWRAP_KERNEL_TESTS";

/// An empty namespace; it goes away with the value.
pub(crate) struct Sandbox {
    namespace: Namespace,
}

impl Sandbox {
    /// A new one, or `None` (with a line saying so) where the privilege is missing.
    pub(crate) fn new() -> Option<Self> {
        match Namespace::fresh() {
            Ok(namespace) => Some(Self { namespace }),
            Err(error) if std::env::var_os(DEMANDED).is_some() => panic!("{DEMANDED} is set, but {error}"),
            Err(error) => {
                eprintln!("skipped: {error}");
                None
            }
        }
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
