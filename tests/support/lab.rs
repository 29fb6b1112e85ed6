//! A network namespace of a test's own, with the stock tools in it: the one guard of all tests that need more than Rust.
//!
//! A test without the privilege or a tool that it needs prints a skip that names it, and passes. Where all of it has to
//! be there, as in continuous integration, it fails instead: with `NFTWRAP_REQUIRE_KERNEL` or `CI` in the environment,
//! set to anything but nothing and `0`.
//!
//! Never the host's namespace. The shell is `/bin/sh`, so that an empty `PATH` is a list of missing tools and no more.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed test is a panic")]
#![allow(dead_code, reason = "each test binary uses another part")]

use std::io::Write;
use std::process::{Command, Stdio};

use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::Namespace;

/// Says why a test cannot run here, or fails it where it must run.
#[track_caller]
pub(crate) fn skip(reason: impl std::fmt::Display) {
    skip_unless(&["NFTWRAP_REQUIRE_KERNEL", "CI"], reason);
}

/// The same, where one of these variables demands it: for what not every kernel can.
#[track_caller]
pub(crate) fn skip_unless(demanding: &[&str], reason: impl std::fmt::Display) {
    let demands = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    match demanding.iter().find(demands) {
        Some(name) => panic!("{reason}, and {name} demands that this test runs"),
        None => eprintln!("skipped: {reason}"),
    }
}

/// A socket at an address that one before had: a process that another test is starting holds that one for a moment longer.
pub(crate) fn bound<S>(mut bind: impl FnMut() -> std::io::Result<S>) -> S {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match bind() {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && std::time::Instant::now() < end => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            outcome => return outcome.unwrap(),
        }
    }
}

/// Whether all these programs are installed; a skip when not.
#[track_caller]
pub(crate) fn has(tools: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |tool: &&&str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    let missing: Vec<&str> = tools.iter().filter(|tool| !installed(tool)).copied().collect();
    if !missing.is_empty() {
        skip(format_args!("not installed: {}", missing.join(", ")));
    }
    missing.is_empty()
}

/// A fresh network namespace; it is gone when this is dropped.
pub(crate) struct Lab(pub(crate) Namespace);

impl Lab {
    /// Makes one for a test that runs these tools, or says why not.
    #[track_caller]
    pub(crate) fn new(tools: &[&str]) -> Option<Self> {
        match Namespace::fresh() {
            Ok(namespace) => has(tools).then_some(Self(namespace)),
            Err(error) if error.is_not_permitted() => {
                skip(error);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Its nf_tables.
    pub(crate) fn kernel(&self) -> Live {
        Live::open_in(&self.0).unwrap()
    }

    /// Joins this namespace to another by a veth pair; both devices are down. It takes `ip` and `sleep`.
    pub(crate) fn link(&self, device: &str, to: &Self, peer: &str) {
        to.stand_in(|pid| self.run(&format!("ip link add {device} type veth peer name {peer} netns {pid}")));
    }

    /// Does something while a process stands for this namespace, which `ip` cannot name otherwise.
    pub(crate) fn stand_in<R>(&self, run: impl FnOnce(u32) -> R) -> R {
        let mut process = self.0.run(|| Command::new("sleep").arg("60").spawn().unwrap()).unwrap();
        let done = run(process.id());
        process.kill().unwrap();
        process.wait().unwrap();
        done
    }

    /// Runs a shell script in it and gives what it printed; the script must succeed.
    pub(crate) fn run(&self, script: &str) -> String {
        let (code, out, err) = self.feed(&["/bin/sh", "-ec", script], "");
        assert_eq!(code, 0, "{script}: {err}");
        out
    }

    /// Runs a program in it with this input, and gives what it printed; it must succeed without a word of complaint.
    pub(crate) fn quietly(&self, command: &[&str], input: &str) -> String {
        let (code, out, err) = self.feed(command, input);
        assert!(code == 0 && err.is_empty(), "{command:?}: exit code {code}, {err}");
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
        let out = self.quietly(&[command], "");
        assert!(!out.contains("incompatible"), "{out}");
        out.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }
}
