//! `translate`: one rule in nft's words, as register programs, and what of it needs an xt extension.

use std::fmt::Write;

use nftwrap::compile::{NoIpsets, Program, native, stock};
use nftwrap::nft::expr::Expr;
use nftwrap::nft::listing;
use nftwrap::rule::{Family, Rule};
use nftwrap_compat::ParseError;
use nftwrap_compat::parse::{self, Command};
use serde_json::{Value, json};

use crate::args::Translate;
use crate::failure::Failure;
use crate::output;

pub(crate) fn translate(args: &Translate) -> Result<(), Failure> {
    let family = if args.ipv6 { Family::Ipv6 } else { Family::Ipv4 };
    let text = join(&args.rule);
    let (_table, rest) = split_table(&text)?;
    let (_chain, rules) = rules(rest, family).map_err(|error| Failure::rule(rest, &error))?;
    let mut values = Vec::new();
    for rule in &rules {
        let form = Form::new(rule, family)?;
        if args.json {
            values.push(form.json());
        } else {
            output::print(&form.text())?;
        }
    }
    if args.json { output::print_json(&Value::Array(values)) } else { Ok(()) }
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
fn split_table(text: &str) -> Result<(&str, &str), Failure> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix("-t ").or_else(|| text.strip_prefix("--table ")) else {
        return Ok(("filter", text));
    };
    let rest = rest.trim_start();
    let (table, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if nftwrap::wrap::TableKind::from_name(table).is_none() {
        return Err(Failure::input(format!("there is no table `{table}`: raw, mangle, nat, filter and security are")));
    }
    Ok((table, rest.trim_start()))
}

/// A rule with or without `-A CHAIN`.
fn rules(text: &str, family: Family) -> Result<(String, Vec<Rule>), ParseError> {
    if !text.starts_with("-A ") && !text.starts_with("--append ") {
        return Ok(("FORWARD".to_owned(), parse::rules(text, family)?));
    }
    match parse::command(text, family)? {
        Command::Append { chain, rules, .. } => Ok((chain.name().to_string(), rules)),
        _ => Ok((String::new(), Vec::new())),
    }
}

/// A rule in all its forms.
struct Form {
    native: Vec<Expr>,
    stock: Vec<Expr>,
    fallbacks: Vec<String>,
}

impl Form {
    fn new(rule: &Rule, family: Family) -> Result<Self, Failure> {
        let input = |error: nftwrap::compile::CompileError| Failure::input(error.to_string());
        let mut program = Program::default();
        stock::compile(rule, family, None, &NoIpsets, &mut program).map_err(input)?;
        let stock = std::mem::take(&mut program.expressions);
        program.clear();
        native::compile(rule, family, None, &NoIpsets, &mut program).map_err(input)?;
        let fallbacks = native::fallbacks(rule, family, &NoIpsets).map_err(input)?;
        Ok(Self {
            native: program.expressions,
            stock,
            fallbacks: fallbacks.iter().map(|f| format!("{} ({})", f.part, f.reason)).collect(),
        })
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for (layout, expressions) in [("native", &self.native), ("iptables", &self.stock)] {
            let _ = writeln!(out, "layout {layout}:\n{}", listing::rule(expressions));
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
            "native": list(&self.native),
            "iptables": list(&self.stock),
            "xt": self.fallbacks,
        })
    }
}
