//! The nft text of a rule, against iptables-translate and nft.

use std::process::Command;

use nftwrap::compile::{AnonymousSet, NoIpsets, Program, native};
use nftwrap::name::{ChainName, TableName};
use nftwrap::nft::expr::{Cmp, CmpOp, Ct, Expr, Meta, MetaKey, Payload, PayloadBase, Range};
use nftwrap::rule::Family;
use nftwrap_compat::translate;

use crate::kernel::{compiled, hook, programs};
use crate::lab::{Lab, has};
use crate::{Case, corpus};

fn translated(case: &Case) -> Result<String, translate::Untranslatable> {
    let table = TableName::new(case.table).unwrap();
    translate::nft(&case.rule, case.family, &table, &ChainName::new("FOO").unwrap())
}

/// Rules for which the words of iptables-translate 1.8.9 mean something else or nothing at all, by a part of the rule.
const DIFFERENCES: [(&str, &str); 30] = [
    ("-p 47 ", "nft takes `gre` from a file of names"),
    ("! -f", "the words of 1.8.9 are a syntax error"),
    ("--icmp-type any", "asks that the header be there"),
    ("--icmp-type 3/4", "1.8.9 does not translate codes"),
    ("--icmp-type 200", "1.8.9 does not translate numbers without a name"),
    ("--icmpv6-type 143", "1.8.9 does not translate numbers without a name"),
    ("--icmpv6-type 1/4", "1.8.9 does not translate codes"),
    ("NEW,DNAT", "1.8.9 forgets NEW; the two are an \"or\""),
    ("--ctorig", "nft needs the family, and a protocol for ports"),
    ("--ctrepl", "nft needs the family"),
    ("--ctstatus NONE", "the words of 1.8.9 are a syntax error"),
    ("--ctexpire", "a second of iptables lasts for 1000 ms"),
    ("! --ports", "1.8.9 forgets the negation"),
    ("--limit-iface", "fib leaves out the VRF of the interface"),
    ("! --uid-owner", "it also matches without a socket"),
    ("--gid-owner", "1.8.9 does not translate two options"),
    ("--tos", "1.8.9 does not translate it"),
    ("--set-xmark 0x40/0xff", "1.8.9 xors before it masks"),
    ("--nfmask 0xff", "1.8.9 translates where bits are lost and not where none are"),
    ("--left-shift-mark", "1.8.9 xors before it masks"),
    ("--zone", "1.8.9 does not translate it"),
    ("TCPMSS", "adds the option where it is missing"),
    ("! -s 0.0.0.0/0", "nft leaves out prefixes of no bits"),
    ("! -s ::/0", "nft leaves out prefixes of no bits"),
    ("-m tcp -j", "a match without options asks that the header be there"),
    ("addrtype --dst-type LOCAL -j", "for IPv6 its types mean something else than fib's"),
    ("--tcp-option", "1.8.9 asks packets of any protocol"),
    ("--match-set", "1.8.9 looks for the set"),
    ("ffff::ffff", "1.8.9 prints another form of the mask"),
    ("--log-tcp-sequence --log-tcp-options", "other flags than nft's `all`"),
];

#[test]
fn words_are_those_of_iptables_translate_where_these_are_right() {
    if !has(&["iptables-translate", "ip6tables-translate"]) {
        return;
    }
    for case in corpus() {
        let ours = translated(&case);
        let mut words = vec!["-t".to_owned(), case.table.to_owned(), "-A".to_owned(), "FOO".to_owned()];
        words.extend(split(case.words));
        let program = if case.family == Family::Ipv4 { "iptables-translate" } else { "ip6tables-translate" };
        let output = Command::new(program).args(&words).output().unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        let theirs = theirs.trim().strip_prefix("nft '").and_then(|t| t.strip_suffix('\''));
        let listed = DIFFERENCES.iter().any(|(part, _)| case.words.contains(part));
        match (ours, theirs) {
            (Ok(ours), Some(theirs)) if ours == theirs => {}
            (Err(_), None) => {}
            (ours, theirs) => assert!(listed, "{}\n ours {ours:?}\n theirs {theirs:?}", case.words),
        }
    }
}

/// The words of a rule of the corpus, which quotes with double quotes only.
fn split(text: &str) -> Vec<String> {
    text.split('"')
        .enumerate()
        .flat_map(|(at, part)| match at % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

#[test]
fn nft_compiles_the_words_to_the_same_program() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for case in corpus() {
        let Ok(text) = translated(&case) else { continue };
        let family = if case.family == Family::Ipv4 { "ip" } else { "ip6" };
        let table = case.table;
        let (number, priority, kind) = hook(&case);
        let hook = ["prerouting", "input", "forward", "output", "postrouting"][usize::try_from(number).unwrap()];
        let script = format!(
            "add table {family} {table}\nadd chain {family} {table} foo\n\
             add chain {family} {table} FOO {{ type {kind} hook {hook} priority {priority}; }}\n{text}\n"
        );
        let Some(lab) = Lab::new(&["nft"]) else { return };
        let (code, _, complaint) = lab.feed(&["nft", &script], "");
        if code != 0 {
            wrong.push(format!("{}\n{text}\n{}", case.words, complaint));
            continue;
        }
        let mut live = lab.kernel();
        let [theirs] = programs(&mut live, case.family, table).try_into().unwrap();
        let ours = normal(compiled(&case.rule, case.family), case.family);
        let theirs = normal(theirs, case.family);
        if ours != theirs {
            wrong.push(format!("{}\n{text}\n ours   {ours:?}\n theirs {theirs:?}", case.words));
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(compared > 120, "only {compared} rules were compared");
}

/// What two programs are compared by: ranges as one test, the protocol by `meta l4proto` and once, counters left out,
/// conditions in any order. nft does not care for later fragments.
fn normal(program: Program, family: Family) -> (Vec<Vec<Expr>>, Vec<AnonymousSet>) {
    let mut groups: Vec<Vec<Expr>> = Vec::new();
    for expr in program.expressions {
        let expr = match expr {
            Expr::Counter(_) => continue,
            Expr::Payload(Payload::Load { dreg, base: PayloadBase::Network, offset: 9, len: 1 })
                if family == Family::Ipv4 =>
            {
                Expr::Meta(Meta::Load { key: MetaKey::L4PROTO, dreg })
            }
            other => other,
        };
        let loads = matches!(
            expr,
            Expr::Payload(Payload::Load { .. })
                | Expr::Meta(Meta::Load { .. })
                | Expr::Ct(Ct::Load { .. })
                | Expr::Fib(_)
                | Expr::Exthdr(_)
                | Expr::Limit(_)
                | Expr::Immediate(_)
                | Expr::Log(_)
                | Expr::Reject(_)
                | Expr::Notrack(_)
                | Expr::Nat(_)
                | Expr::Masq(_)
                | Expr::Redir(_)
        );
        match groups.last_mut() {
            Some(group) if !loads => {
                // Two comparisons of one value are a range.
                match (group.last().cloned(), &expr) {
                    (
                        Some(Expr::Cmp(Cmp { sreg, op: CmpOp::Gte, data: from })),
                        Expr::Cmp(Cmp { op: CmpOp::Lte, data: to, .. }),
                    ) => {
                        group.pop();
                        group.push(Expr::Range(Range { sreg, op: CmpOp::Eq, from, to: *to }));
                    }
                    _ => group.push(expr),
                }
            }
            _ => groups.push(vec![expr]),
        }
    }
    let start = |expr: &Expr| {
        matches!(expr, Expr::Payload(Payload::Load { base: PayloadBase::Transport, offset: 0, len: 3, .. }))
    };
    groups.retain(|group| !matches!(group.as_slice(), [alone] if start(alone)));
    // All conditions must hold, in whatever order; nft says a protocol again where it needs one.
    groups.sort_by_key(|group| format!("{group:?}"));
    groups.dedup();
    (groups, program.sets)
}

#[test]
fn what_has_no_words_says_why() {
    for case in corpus() {
        let untranslatable = translated(&case).is_err();
        let fallback = native::fallbacks(&case.rule, case.family, &NoIpsets).is_ok_and(|f| !f.is_empty());
        if fallback {
            assert!(untranslatable, "{}", case.words);
        }
    }
}
