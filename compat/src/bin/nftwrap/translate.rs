//! `translate`: one rule in nft's words, as register programs, and what of it needs an xt extension.

use std::fmt::Write;

use nftwrap::compile::{CompileError, Program, native, stock};
use nftwrap::name::ChainName;
use nftwrap::nft::expr::{Counter, Expr};
use nftwrap::nft::listing;
use nftwrap::rule::{ChainRef, Family, Rule};
use nftwrap::wrap::TableKind;
use nftwrap_compat::parse::{self, Command};
use nftwrap_compat::translate::{self, AnySet};
use serde_json::{Value, json};

use crate::args::Translate;
use crate::failure::Failure;
use crate::output;

pub(crate) fn translate(args: &Translate) -> Result<(), Failure> {
    let (words, json, ipv6) = own_options(&args.rule);
    let (json, ipv6) = (json || args.json, ipv6 || args.ipv6);
    let family = if ipv6 { Family::Ipv6 } else { Family::Ipv4 };
    let text = join(words);
    let (table, rest) = split_table(&text)?;
    let (chain, rules) = rules(rest, family)?;
    let mut forms = Vec::new();
    for rule in &rules {
        forms.push(Form::new(rule, family, table, &chain)?);
    }
    if json {
        return output::print_json(&forms.iter().map(Form::json).collect());
    }
    let texts: Vec<String> = forms.iter().map(Form::text).collect();
    output::print(&texts.join("\n"))
}

/// Our own options behind the rule, where everything else belongs to the rule: `translate RULE --json`.
fn own_options(mut words: &[String]) -> (&[String], bool, bool) {
    let (mut json, mut ipv6) = (false, false);
    while let [before @ .., last] = words
        && !before.is_empty()
    {
        match last.as_str() {
            "--json" => json = true,
            "--ipv6" => ipv6 = true,
            _ => break,
        }
        words = before;
    }
    (words, json, ipv6)
}

/// One argument is the text as it stands; several are words, of which those with blanks were quoted in the shell.
fn join(words: &[String]) -> String {
    match words {
        [text] => text.clone(),
        words => {
            let quote = |word: &String| {
                if word.is_empty() || word.contains(char::is_whitespace) {
                    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
                } else {
                    word.clone()
                }
            };
            words.iter().map(quote).collect::<Vec<_>>().join(" ")
        }
    }
}

/// `-t TABLE` in front of a rule; a rule itself has no table.
fn split_table(text: &str) -> Result<(TableKind, &str), Failure> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix("-t ").or_else(|| text.strip_prefix("--table ")) else {
        return Ok((TableKind::Filter, text));
    };
    let rest = rest.trim_start();
    let (table, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let kind = TableKind::from_name(table).ok_or_else(|| {
        Failure::input(format!("there is no table `{table}`: raw, mangle, nat, filter and security are"))
    })?;
    Ok((kind, rest.trim_start()))
}

/// A rule with or without `-A CHAIN`; without, it stands in FORWARD or in whatever chain comes first.
fn rules(text: &str, family: Family) -> Result<(Option<ChainRef>, Vec<Rule>), Failure> {
    let fail = |error| Failure::rule(text, &error);
    if !["-A ", "--append ", "-I ", "--insert "].iter().any(|command| text.starts_with(command)) {
        return Ok((None, parse::rules(text, family).map_err(fail)?));
    }
    match parse::command(text, family).map_err(fail)? {
        Command::Append { chain, rules, .. } | Command::Insert { chain, rules, .. } => Ok((Some(chain), rules)),
        _ => Err(Failure::input("the line says that it is for the other address family")),
    }
}

/// A rule in all its forms.
struct Form {
    nft: Result<String, String>,
    native: Vec<Expr>,
    stock: Vec<Expr>,
    fallbacks: Vec<String>,
}

impl Form {
    fn new(rule: &Rule, family: Family, table: TableKind, chain: &Option<ChainRef>) -> Result<Self, Failure> {
        let input = |error: CompileError| Failure::input(error.to_string());
        let chain = match chain {
            Some(ChainRef::Named(chain)) => chain.clone(),
            Some(ChainRef::Wrapped(chain)) => {
                return Err(Failure::input(format!("`${chain}` is a chain of a component: give its full name")));
            }
            None => {
                let first = table.builtins().iter().map(|b| b.name);
                let name = first.clone().find(|name| *name == "FORWARD").or_else(|| first.clone().next());
                ChainName::new(name.unwrap_or("FORWARD")).map_err(|error| Failure::other(error.to_string()))?
            }
        };
        parse::check_in_chain(rule, table, &ChainRef::Named(chain.clone()))
            .map_err(|kind| Failure::input(kind.to_string()))?;
        let mut program = Program::default();
        stock::compile(rule, family, Some(Counter::default()), &AnySet, &mut program).map_err(input)?;
        let stock = std::mem::take(&mut program.expressions);
        program.clear();
        native::compile(rule, family, None, &AnySet, &mut program).map_err(input)?;
        let fallbacks = native::fallbacks(rule, family, &AnySet).map_err(input)?;
        Ok(Self {
            nft: translate::nft(rule, family, &table.table_name(), &chain).map_err(|reason| reason.to_string()),
            native: program.expressions,
            stock,
            fallbacks: fallbacks.iter().map(|f| format!("{} ({})", f.part, f.reason)).collect(),
        })
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let _ = match &self.nft {
            Ok(text) => writeln!(out, "nft '{}'", text.replace('\'', "'\\''")),
            Err(reason) => writeln!(out, "nft has no words for it: {reason}"),
        };
        for (layout, expressions) in [("native", &self.native), ("iptables", &self.stock)] {
            let _ = match expressions.is_empty() {
                true => writeln!(out, "layout {layout}: no expression"),
                false => writeln!(out, "layout {layout}:\n{}", listing::rule(expressions)),
            };
        }
        let _ = if self.fallbacks.is_empty() {
            writeln!(out, "no xt extension is needed")
        } else {
            writeln!(out, "needs an xt extension: {}", self.fallbacks.join(", "))
        };
        out
    }

    fn json(&self) -> Value {
        let list = |expressions: &[Expr]| -> Vec<String> {
            expressions.iter().map(|e| listing::expression(e).to_string()).collect()
        };
        json!({
            "nft": self.nft.as_ref().ok(),
            "native": list(&self.native),
            "iptables": list(&self.stock),
            "xt": self.fallbacks,
        })
    }
}
