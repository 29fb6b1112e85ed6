//! The library's source as lists of code lines: comments, strings and unit tests taken out.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file of the library.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path below the directory that was scanned, as `netlink/socket.rs`.
    pub(crate) path: String,
    /// Code by line number: without comments, without the insides of strings, without what only tests compile.
    pub(crate) lines: Vec<(usize, String)>,
}

impl Source {
    /// The module path: `netlink/socket.rs` is `["netlink", "socket"]`, `nft/mod.rs` is `["nft"]`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let stem = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        stem.split('/').filter(|part| !matches!(*part, "mod" | "lib")).collect()
    }
}

/// All files below `directory` of the workspace, unit-test modules left out.
pub(crate) fn sources(directory: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let texts: Vec<(PathBuf, String)> =
        files.into_iter().map(|file| (file.clone(), fs::read_to_string(&file).unwrap())).collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(file, text)| test_modules(file, text)).collect();
    texts
        .iter()
        .filter(|(file, _)| !tests.iter().any(|test| file == test || file.starts_with(test.with_extension(""))))
        .map(|(file, text)| Source {
            path: file.strip_prefix(&root).unwrap().to_string_lossy().into_owned(),
            lines: code(text),
        })
        .collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Files of `#[cfg(test)] mod name;` declarations.
fn test_modules(file: &Path, text: &str) -> Vec<PathBuf> {
    let directory = match file.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs" | "main.rs") => file.parent().unwrap().to_path_buf(),
        _ => file.with_extension(""),
    };
    let mut found = Vec::new();
    let mut armed = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[cfg(test)]") {
            armed = true;
        } else if armed && !line.starts_with("#[") && !line.is_empty() {
            let declared = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ");
            if let Some(name) = declared.and_then(|rest| rest.strip_suffix(';')) {
                found.push(directory.join(name).with_extension("rs"));
                found.push(directory.join(name).join("mod.rs"));
            }
            armed = false;
        }
    }
    found
}

/// Code lines of a file: the test module, which comes last, ends it.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut state = State::Code;
    let all: Vec<&str> = text.lines().collect();
    for (number, line) in all.iter().enumerate() {
        if line.starts_with("#[cfg(test)]") && inline_module(&all[number + 1..]) {
            break;
        }
        let mut kept = String::new();
        state = strip(line, state, &mut kept);
        if !kept.trim().is_empty() {
            lines.push((number + 1, kept));
        }
    }
    lines
}

fn inline_module(rest: &[&str]) -> bool {
    let declaration = rest.iter().find(|line| !line.trim_start().starts_with("#["));
    declaration.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    Comment,
    Text,
    RawText,
}

fn strip(line: &str, mut state: State, kept: &mut String) -> State {
    let chars: Vec<char> = line.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let pair = (chars[at], chars.get(at + 1).copied());
        match (state, pair) {
            (State::Code, ('/', Some('/'))) => return state,
            (State::Code, ('/', Some('*'))) => (state, at) = (State::Comment, at + 1),
            (State::Comment, ('*', Some('/'))) => (state, at) = (State::Code, at + 1),
            (State::Code, ('\'', _)) if chars.get(at + 2) == Some(&'\'') => at += 2,
            (State::Code, ('\'', Some('\\'))) => {
                at += chars[at + 2..].iter().skip(1).position(|c| *c == '\'').map_or(1, |end| end + 3);
            }
            (State::Code, ('r', Some('#'))) if chars.get(at + 2) == Some(&'"') => {
                (state, at) = (State::RawText, at + 2);
            }
            (State::RawText, ('"', Some('#'))) => (state, at) = (State::Code, at + 1),
            (State::Code, ('"', _)) => state = State::Text,
            (State::Text, ('\\', _)) => at += 1,
            (State::Text, ('"', _)) => state = State::Code,
            (State::Code, (c, _)) => kept.push(c),
            _ => {}
        }
        at += 1;
    }
    state
}
