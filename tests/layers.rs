//! A module uses only the layers below it, and only the lowest ones touch the system.
//!
//! The truth is the source: its paths, not its documentation, which may point anywhere.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is a panic")]

#[path = "support/source.rs"]
mod source;

use source::{Source, sources};

/// Modules of the crate root from the lowest layer up. Checked names stand below all, because every layer has them in its
/// interface. The public error shows what each stage says and therefore stands above the stages.
const LAYERS: &[&[&str]] = &[
    &["name"],
    &["netlink"],
    &["nft", "rtnl", "conntrack", "ipset"],
    &["rule"],
    &["wrap"],
    &["compile"],
    &["layout"],
    &["ruleset"],
    &["transaction"],
    &["kernel"],
    &["error"],
    &["apply"],
    &["manager"],
    &["linux_net", "writer"],
    &["virt_firewall", "l3_router"],
];

/// Files above the lowest layer that touch the system, each with a reason.
const SYSTEM: &[&str] = &[
    // Kernel settings are files, and there is no other way to them.
    "linux_net/sysctl.rs",
    // What dnsmasq and radvd take: files, processes and one datagram.
    "linux_net/files.rs",
    "linux_net/daemon.rs",
    "linux_net/pid.rs",
    // What the kernel says of PCI devices is files, too.
    "linux_net/sriov.rs",
];
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn modules_use_only_layers_below_them() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        let module = file.module();
        let Some(own) = module.first().copied() else { continue };
        if own == "manual" {
            continue;
        }
        let Some(rank) = layer(own) else {
            wrong.push(format!("{}: the module `{own}` has no place in the list of layers", file.path));
            continue;
        };
        for (line, used) in uses(&file) {
            match layer(&used) {
                Some(below) if below <= rank => {}
                Some(_) => wrong.push(format!("{}:{line}: `{own}` uses `{used}`, which is above it", file.path)),
                None => wrong.push(format!("{}:{line}: `{own}` uses `{used}` of the crate root", file.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_exists() {
    let lib = sources("src").into_iter().find(|file| file.path == "lib.rs").unwrap();
    let declared: Vec<&str> = lib
        .lines
        .iter()
        .filter_map(|(_, line)| line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod "))
        .filter_map(|rest| rest.strip_suffix(';'))
        .collect();
    for module in LAYERS.iter().flat_map(|layer| layer.iter()) {
        assert!(declared.contains(module), "`{module}` is in the list of layers and not in lib.rs");
    }
}

/// Sockets that the standard library does not have, the entry into namespaces, and tap devices, which an ioctl makes.
fn is_system(path: &str) -> bool {
    ["netlink/socket", "netlink/namespace", "netlink/packet", "netlink/tap"].iter().any(|file| path.starts_with(file))
}

#[test]
fn only_sockets_and_namespace_entry_are_unsafe() {
    let found = offences("src", &["unsafe"], is_system);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let found = offences("compat/src", &["unsafe"], |_| false);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn only_the_lowest_layer_touches_the_system() {
    let system = ["std::fs", "std::os", "TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixDatagram"];
    let found = offences("src", &system, |path| is_system(path) || SYSTEM.contains(&path));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_libraries_neither_print_nor_exit_nor_read_the_environment() {
    let forbidden = [
        "println!",
        "print!",
        "eprintln!",
        "eprint!",
        "dbg!",
        "stdout()",
        "stderr()",
        "stdin()",
        "process::exit",
        "process::abort",
        "std::env",
        "env::var",
    ];
    let mut found = offences("src", &forbidden, |_| false);
    // The command prints and exits; that is what it is for.
    found.extend(offences("compat/src", &forbidden, |path| path.starts_with("bin/")));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_scan_sees_what_it_should() {
    let file = Source {
        path: "nft/expr/cmp.rs".into(),
        lines: vec![
            (1, "use crate::netlink::attr::Writer;".into()),
            (2, "use crate::{".into()),
            (3, "    name::ChainName, wrap};".into()),
            (4, "use super::super::super::kernel::Kernel;".into()),
            (5, "use super::Register;".into()),
        ],
    };
    let seen: Vec<(usize, String)> = uses(&file);
    let expected = [(1, "netlink"), (2, "name"), (2, "wrap"), (4, "kernel")];
    assert_eq!(seen, expected.map(|(line, module)| (line, module.to_owned())));
    assert!(sources("src").iter().map(|file| file.lines.len()).sum::<usize>() > 5_000, "the scan reads the library");
}

/// Lines with one of these words, in files that are not allowed to have it.
fn offences(directory: &str, words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources(directory).into_iter().filter(|file| !allowed(&file.path)) {
        for (number, line) in &file.lines {
            if let Some(word) = words.iter().find(|word| has_word(line, word)) {
                found.push(format!("{directory}/{}:{number}: `{word}` does not belong here", file.path));
            }
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !(part(before) || word.ends_with(char::is_alphanumeric) && part(after))
    })
}

/// Modules of the crate root that a file names: `crate::x`, `crate::{x, y}` and `super::` as far up.
fn uses(file: &Source) -> Vec<(usize, String)> {
    let depth = file.module().len();
    let text: String = file.lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    let number = |at: usize| file.lines[text[..at].matches('\n').count()].0;
    let mut found = Vec::new();
    for (at, start) in text.match_indices("crate::") {
        found.extend(roots(&text[at + start.len()..]).map(|root| (number(at), root)));
    }
    let mut from = 0;
    while let Some(at) = text[from..].find("super::").map(|at| at + from) {
        let mut count = 0;
        let mut rest = &text[at..];
        while let Some(up) = rest.strip_prefix("super::") {
            (count, rest) = (count + 1, up);
        }
        if count >= depth {
            found.extend(roots(rest).map(|root| (number(at), root)));
        }
        from = text.len() - rest.len();
    }
    found.sort();
    found
}

/// First names of a path after the crate root: of each branch when it is a group.
fn roots(path: &str) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    match path.strip_prefix('{') {
        None => names.extend(name(path)),
        Some(group) => {
            let mut nested = 0_usize;
            let mut start = true;
            for (at, c) in group.char_indices() {
                match c {
                    '{' => nested += 1,
                    '}' if nested == 0 => break,
                    '}' => nested -= 1,
                    ',' if nested == 0 => start = true,
                    c if start && !c.is_whitespace() => {
                        names.extend(name(&group[at..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        }
    }
    names.into_iter()
}

/// A module's name; types and macros of the root start with a capital or end with `!` and are no module.
fn name(path: &str) -> Option<String> {
    let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let module = name.chars().next().is_some_and(char::is_lowercase) && !path[name.len()..].starts_with('!');
    module.then_some(name)
}
