//! `compat/README.md` lists what the table of extensions holds. `NFTWRAP_UPDATE=1` writes it anew.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::fmt::Write as _;

use nftwrap_compat::ext::{self, Extension};

const START: &str = "<!-- generated: extensions -->\n";
const END: &str = "<!-- end -->\n";

fn section(title: &str, target: bool) -> String {
    let mut text = format!("### {title}\n\n| name | family | options | does |\n|---|---|---|---|\n");
    for extension in ext::TABLE.into_iter().filter(|e| e.is_target() == target) {
        let Extension { name, family, summary, .. } = extension;
        let family = family.map_or("both".to_owned(), |family| family.to_string());
        let options: Vec<_> = extension.options.iter().map(option).collect();
        writeln!(text, "| `{name}` | {family} | {} | {summary} |", options.join("<br>")).unwrap();
    }
    text
}

fn option(option: &ext::OptionSpec) -> String {
    let names: Vec<_> = option.names.iter().map(|name| format!("--{name}")).collect();
    let values: String = option.values.iter().map(|value| format!(" {value}")).collect();
    let not = if option.negatable { "[!] " } else { "" };
    // A pipe would end the cell.
    format!("`{not}{}{values}`", names.join(", ")).replace('|', "\\|")
}

#[test]
fn the_readme_lists_every_extension() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(START).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    let wanted = format!("\n{}\n{}\n", section("Matches", false), section("Targets", true));
    if std::env::var_os("NFTWRAP_UPDATE").is_some() {
        std::fs::write(path, format!("{before}{START}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(listed, wanted, "run this test with NFTWRAP_UPDATE=1");
    }
}
