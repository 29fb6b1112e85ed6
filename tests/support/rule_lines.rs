//! Reads `tests/corpus/*.t`.
//!
//! A line is `rule;saved;OK` or `rule;saved;FAIL`, where saved is `=` when the rule is saved as it is written. A fourth
//! field `@4` or `@6` keeps the line to one family. A fifth says why the stock tools (1.8.9) do something else. Lines
//! before: `@4` or `@6` for all that follows, `*table` and `:CHAIN` for where the rules stand, `#` for comments.

use std::path::Path;

use nftwrap::rule::Family;
use nftwrap::wrap::TableKind;

/// A line of the corpus.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// File and line, for messages.
    pub(crate) place: String,
    /// The families it is for.
    pub(crate) families: Vec<Family>,
    /// The table it stands in.
    pub(crate) table: TableKind,
    /// The chain it stands in.
    pub(crate) chain: String,
    /// The rule as it is written.
    pub(crate) rule: String,
    /// The rule as it is saved, or `None` when it must be refused.
    pub(crate) saved: Option<String>,
    /// Why the stock tools differ, if they do.
    #[allow(dead_code, reason = "only the tests with stock tools ask")]
    pub(crate) stock: Option<String>,
}

/// All lines of all files.
pub(crate) fn read() -> Vec<Case> {
    // The tests of the workspace's other packages read it too; a file that is known tells the root's corpus from theirs.
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|d| d.join("tests/corpus"));
    let folder = folders.find(|d| d.join("core.t").is_file()).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "t"));
    files.sort();
    assert!(files.len() > 30, "the corpus is there");
    files.iter().flat_map(|file| read_file(file)).collect()
}

fn family(text: &str) -> Vec<Family> {
    match text {
        "" => Family::BOTH.to_vec(),
        "@4" => vec![Family::Ipv4],
        "@6" => vec![Family::Ipv6],
        other => panic!("{other} is no family"),
    }
}

fn read_file(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut families, mut table, mut chain) = (Family::BOTH.to_vec(), TableKind::Filter, String::new());
    let mut cases = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{}:{}", file.file_name().unwrap().to_string_lossy(), number + 1);
        match line.as_bytes().first() {
            None | Some(b'#') => {}
            Some(b'@') => families = family(line),
            Some(b'*') => table = TableKind::from_name(&line[1..]).unwrap(),
            Some(b':') => chain = line[1..].to_owned(),
            Some(_) => {
                let fields: Vec<&str> = line.splitn(5, ';').collect();
                assert!((3..=5).contains(&fields.len()), "{place}: {line}");
                let saved = match (fields[2], fields[1]) {
                    ("OK", "=") => Some(fields[0].to_owned()),
                    ("OK", saved) => Some(saved.to_owned()),
                    ("FAIL", "") => None,
                    _ => panic!("{place}: {line}"),
                };
                let families = match fields.get(3) {
                    Some(only) if !only.is_empty() => family(only),
                    _ => families.clone(),
                };
                cases.push(Case {
                    place,
                    families,
                    table,
                    chain: chain.clone(),
                    rule: fields[0].to_owned(),
                    saved,
                    stock: fields.get(4).map(|&why| why.to_owned()),
                });
            }
        }
    }
    cases
}
