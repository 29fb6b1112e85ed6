//! No code of the two libraries or the command starts a process, but for the one file that starts dnsmasq and radvd.
//!
//! This half reads the source; the other half, in `compat/tests/no_subprocess.rs`, watches the built command.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is a panic")]

#[path = "support/source.rs"]
#[allow(dead_code, reason = "the layer test uses all of it")]
mod source;

use source::sources;

/// Ways to start a process, from Rust and from libc.
const STARTERS: &[&str] = &[
    "process::Command",
    "CommandExt",
    "fork(",
    "vfork(",
    "clone(libc",
    "SYS_clone",
    "SYS_fork",
    "SYS_vfork",
    "SYS_execve",
    "execv",
    "execl(",
    "execlp(",
    "execle(",
    "execve(",
    "execvp(",
    "execvpe(",
    "fexecve(",
    "posix_spawn",
    "system(",
    "popen(",
];

/// Files that may start a process, each with a reason.
const ALLOWED: &[&str] = &[
    // dnsmasq and radvd are programs, and what a host runs for its guests; the command does not use it.
    "src/linux_net/daemon.rs",
];

#[test]
fn no_source_file_starts_a_process() {
    let mut found = Vec::new();
    for directory in ["src", "compat/src"] {
        for file in sources(directory) {
            let path = format!("{directory}/{}", file.path);
            if ALLOWED.contains(&path.as_str()) {
                continue;
            }
            for (number, line) in &file.lines {
                found.extend(starter(line).map(|word| format!("{path}:{number}: `{word}`")));
            }
        }
    }
    assert!(found.is_empty(), "these lines can start a process:\n{}", found.join("\n"));
}

#[test]
fn the_scan_knows_a_process_when_it_sees_one() {
    for line in [
        "use std::process::Command;",
        "use std::process::{Command, ExitCode};",
        "let child = process::Command::new(x);",
        "let pid = unsafe { libc::fork() };",
        "libc::system(p);",
        "libc::execve(a, b, c);",
    ] {
        assert!(starter(line).is_some(), "{line}");
    }
    for line in [
        "use std::process::ExitCode;",
        "fn main() -> std::process::ExitCode {",
        "Command::Apply(args) => {}",
        "refork();",
    ] {
        assert_eq!(starter(line), None, "{line}");
    }
}

/// What in this line starts a process.
fn starter(line: &str) -> Option<&str> {
    let module = line.replace("std::process::ExitCode", "");
    if module.contains("std::process") {
        return Some("std::process");
    }
    STARTERS.iter().copied().find(|word| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    })
}
