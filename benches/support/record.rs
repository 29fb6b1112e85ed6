//! What a bench says: a table for people, JSON lines for programs, and both of them kept with `--record`.

use std::fs;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::machine::Machine;

/// Says things as they become known, and remembers them.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) machine: Machine,
    json: bool,
    text: String,
    lines: String,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let machine = Machine::here();
        let mut output = Self { machine, json, text: String::new(), lines: String::new() };
        let (text, line) = (output.machine.to_string(), output.machine.json());
        output.text(&text);
        output.line(&line);
        output
    }

    /// A line or more for people.
    pub(crate) fn text(&mut self, text: &str) {
        if !self.json {
            println!("{text}");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A line for programs.
    pub(crate) fn line(&mut self, line: &serde_json::Value) {
        if self.json {
            println!("{line}");
        }
        self.lines.push_str(&line.to_string());
        self.lines.push('\n');
    }

    /// Keeps all that was said as the record of this day.
    pub(crate) fn keep(&self, bench: &str) -> Result<(), Failure> {
        let date = &self.machine.date;
        fs::write(folder().join(format!("{date}-{bench}.txt")), &self.text)?;
        fs::write(folder().join(format!("{date}-{bench}.jsonl")), &self.lines)?;
        Ok(())
    }
}

/// Where records and plots are kept.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/record")
}

/// Replaces what the README has between `<!-- NAME: ... -->` and `<!-- end of NAME -->`.
pub(crate) fn readme(name: &str, content: &str) -> Result<(), Failure> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path)?;
    let missing = || Failure(format!("README.md has no section between `<!-- {name}:` and `<!-- end of {name} -->`"));
    let (before, rest) = text.split_once(&format!("<!-- {name}:")).ok_or_else(missing)?;
    let (opening, rest) = rest.split_once("-->\n").ok_or_else(missing)?;
    let end = format!("<!-- end of {name} -->");
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    fs::write(path, format!("{before}<!-- {name}:{opening}-->\n{content}{end}{after}"))?;
    Ok(())
}
