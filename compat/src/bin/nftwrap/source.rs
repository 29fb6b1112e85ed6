//! The files that were given, kept for excerpts.

use std::io::Read;
use std::path::{Path, PathBuf};

use nftwrap::rule::Family;

use crate::failure::Failure;

/// A file of rules, or standard input.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) bytes: Vec<u8>,
}

impl Source {
    pub(crate) fn read(path: &Path, family: Family) -> Result<Self, Failure> {
        let fail = |error: std::io::Error| Failure::other(format!("cannot read {}: {error}", path.display()));
        let (name, bytes) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(fail)?;
            ("<standard input>".to_owned(), bytes)
        } else {
            (path.display().to_string(), std::fs::read(path).map_err(fail)?)
        };
        Ok(Self { name, family, bytes })
    }

    /// All files of a load, IPv4 first.
    pub(crate) fn read_all(ipv4: Option<&PathBuf>, ipv6: Option<&PathBuf>) -> Result<Vec<Self>, Failure> {
        let is_stdin = |path: Option<&PathBuf>| path.is_some_and(|path| path == Path::new("-"));
        if is_stdin(ipv4) && is_stdin(ipv6) {
            return Err(Failure::input("standard input cannot be both files: it is read once"));
        }
        let mut sources = Vec::new();
        for (path, family) in [(ipv4, Family::Ipv4), (ipv6, Family::Ipv6)] {
            if let Some(path) = path {
                sources.push(Self::read(path, family)?);
            }
        }
        Ok(sources)
    }

    /// A line of the file without its line break, and where in the file it starts; the first line is 1.
    pub(crate) fn line(&self, number: u32) -> Option<(usize, String)> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let mut start = 0;
        for (at, line) in self.bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            if at == index {
                let text = String::from_utf8_lossy(line);
                return Some((start, text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            start += line.len();
        }
        // What is missing at the end of the file is shown at its end.
        (index > 0 && start == self.bytes.len()).then(|| (start, String::new()))
    }
}
