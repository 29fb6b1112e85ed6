//! A network namespace of a test's own, with the stock tools in it.
//!
//! Without the privilege to make one, a test says so and passes; with `NFTWRAP_REQUIRE_KERNEL` in the environment it
//! fails instead.
#![allow(dead_code, reason = "each test binary uses another part")]

use std::io::Write;
use std::process::{Command, Stdio};

use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::Namespace;

/// A fresh network namespace; it is gone when this is dropped.
pub(crate) struct Lab(pub(crate) Namespace);

impl Lab {
    /// Makes one, or says why not.
    pub(crate) fn new() -> Option<Self> {
        match Namespace::fresh() {
            Ok(namespace) => Some(Self(namespace)),
            Err(error) if error.is_not_permitted() && std::env::var_os("NFTWRAP_REQUIRE_KERNEL").is_none() => {
                eprintln!("skipped: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Its nf_tables.
    pub(crate) fn kernel(&self) -> Live {
        Live::open_in(&self.0).unwrap()
    }

    /// Runs a shell script in it and gives what it printed; the script must succeed.
    pub(crate) fn run(&self, script: &str) -> String {
        let (code, out, err) = self.feed(&["sh", "-ec", script], "");
        assert_eq!(code, 0, "{script}: {err}");
        out
    }

    /// Runs a program in it with this input: exit code, output, error output.
    pub(crate) fn feed(&self, command: &[&str], input: &str) -> (i32, String, String) {
        self.0
            .run(|| {
                let mut child = Command::new(command[0])
                    .args(&command[1..])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
                let mut stdin = child.stdin.take().unwrap();
                let input = input.to_owned();
                let writer = std::thread::spawn(move || {
                    // A program that does not want its input closes it.
                    let _ = stdin.write_all(input.as_bytes());
                });
                let output = child.wait_with_output().unwrap();
                writer.join().unwrap();
                (
                    output.status.code().unwrap_or(-1),
                    String::from_utf8_lossy(&output.stdout).into_owned(),
                    String::from_utf8_lossy(&output.stderr).into_owned(),
                )
            })
            .unwrap()
    }

    /// `iptables-save` or `ip6tables-save` without its comment lines.
    pub(crate) fn stock_save(&self, command: &str) -> String {
        let (code, out, err) = self.feed(&[command], "");
        assert_eq!(code, 0, "{command}: {err}");
        assert!(!out.contains("incompatible"), "{out}");
        out.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }
}
