//! Rule text through parser, compiler and kernel, beside iptables-nft 1.8.9.
//!
//! `tests/stock.rs` of the core proves that what iptables writes reads and compiles to the same; this proves that the
//! text means the same to both, and states the forms as readable programs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use nftwrap::compile::{NoIpsets, Program, stock};
use nftwrap::kernel::Kernel;
use nftwrap::name::{ChainName, TableName};
use nftwrap::nft::{self, TableFlags};
use nftwrap::rule::{Family, Rule};
use nftwrap::transaction::{Batch, Origin};
use nftwrap_compat::restore::{SaveFile, Scope};
use nftwrap_compat::{parse, print};

#[path = "../../tests/support/lab.rs"]
mod lab;
#[path = "../../tests/support/stock_rules.rs"]
mod stock_rules;

use stock_rules::{Sets, Side, V4, V6, comment, listed, load_by_stock, rules};

/// The corpus as we parse it: the rules of each chain of each table.
fn parsed(side: &Side) -> BTreeMap<(String, ChainName), Vec<Arc<Rule>>> {
    let mut chains: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in side.files {
        let file = SaveFile::parse_scoped(file.as_bytes(), side.family, Scope::Part).unwrap();
        for section in file.sections {
            for line in &section.rules {
                let chain = (section.table.to_string(), section.chain(line).unwrap().name().clone());
                chains.entry(chain).or_default().push(line.rule.clone());
            }
        }
    }
    chains
}

/// The rules that the save tool prints, by table and chain.
fn printed(text: &str) -> BTreeMap<(String, ChainName), Vec<&str>> {
    let mut chains: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut table = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        }
        if let Some(rule) = line.strip_prefix("-A ") {
            let (chain, rule) = rule.split_once(' ').unwrap_or((rule, ""));
            let chain = (table.to_owned(), ChainName::new(chain).unwrap());
            chains.entry(chain).or_default().push(rule);
        }
    }
    chains
}

fn text_means_the_same(side: &Side) {
    let Some(lab) = side.lab() else { return };
    let sets = Sets::make(&lab);
    load_by_stock(&lab, side);
    let text = lab.stock_save(side.save);
    let printed = printed(&text);
    let mut kernel = lab.kernel();
    let mut program = Program::default();
    for ((table, chain), ours) in parsed(side) {
        let theirs: Vec<_> =
            rules(&mut kernel, side.family, &table).into_iter().filter(|rule| rule.chain == chain).collect();
        let printed = printed.get(&(table, chain)).unwrap();
        assert_eq!((ours.len(), ours.len()), (theirs.len(), printed.len()));
        for ((our, their), printed) in ours.iter().zip(&theirs).zip(printed) {
            stock::compile(our, side.family, None, &sets, &mut program).unwrap();
            let our = stock::normalize(&program.expressions, program.comment.as_ref(), side.family);
            let their = stock::normalize(&their.expressions, comment(their).as_ref(), side.family);
            assert_eq!(listed(&our.expressions), listed(&their.expressions), "{printed}");
            assert_eq!(our, their, "{printed}");
        }
    }
}

#[test]
fn the_corpus_means_the_same_to_us_and_to_iptables() {
    text_means_the_same(&V4);
}

#[test]
fn the_corpus_means_the_same_to_us_and_to_ip6tables() {
    text_means_the_same(&V6);
}

fn program(text: &str, family: Family) -> Program {
    let mut program = Program::default();
    stock::compile(&parse::rule(text, family).unwrap(), family, None, &NoIpsets, &mut program).unwrap();
    program
}

/// What iptables cannot write but can read: it must print these as they were written, and none of them may match.
#[test]
fn rules_that_never_match_are_taken_and_read_back() {
    let text = |family| match family {
        Family::Ipv4 => ["! -s 0.0.0.0/0 -j ACCEPT", "! -d 0.0.0.0/0 -j ACCEPT", "! -i + -j ACCEPT", "! -o + -j DROP"],
        Family::Ipv6 => ["! -s ::/0 -j ACCEPT", "! -d ::/0 -j ACCEPT", "! -i + -j ACCEPT", "! -o + -j DROP"],
    };
    let table = TableName::new("filter").unwrap();
    let chain = ChainName::new("never").unwrap();
    for side in [V4, V6] {
        let Some(lab) = side.lab() else { return };
        let family = side.family.into();
        let mut batch = Batch::begin(None);
        let (handle, uses, owner, userdata) = (None, None, None, None);
        let flags = TableFlags::empty();
        let new_table = nft::Table { family, name: table.clone(), flags, handle, uses, owner, userdata };
        batch.add_table(&new_table, Origin(0));
        let new_chain = nft::Chain {
            family,
            table: table.clone(),
            name: chain.clone(),
            handle: None,
            base: None,
            counters: None,
            uses: None,
            flags: None,
            userdata: None,
        };
        batch.add_chain(&new_chain, Origin(0));
        for rule in text(side.family) {
            let Program { expressions, compat, .. } = program(rule, side.family);
            let rule = nft::Rule {
                family,
                table: table.clone(),
                chain: chain.clone(),
                handle: None,
                position: None,
                expressions,
                compat,
                userdata: None,
            };
            batch.add_rule(&rule, Origin(0));
        }
        lab.kernel().commit(&batch.seal().unwrap()).unwrap();
        let saved = lab.stock_save(side.save);
        let printed = printed(&saved).remove(&("filter".to_owned(), chain.clone())).unwrap();
        assert_eq!(printed, text(side.family));
        for (rule, text) in rules(&mut lab.kernel(), side.family, "filter").iter().zip(text(side.family)) {
            let lifted = stock::lift(&rule.expressions, None, side.family, &NoIpsets).unwrap();
            assert_eq!(print::rule(&lifted, side.family), text);
        }
    }
}

/// The forms in words, as libnftnl lists what iptables 1.8.9 writes for these texts.
#[test]
fn the_forms_of_iptables_in_words() {
    let v4 = Family::Ipv4;
    for (text, family, form) in [
        (
            "-s 10.0.0.0/8 -i eth0 -o tap+ -p tcp --dport 22 -j ACCEPT",
            v4,
            "meta load iifname => reg 1
cmp eq reg 1 0x30687465 0x00000000
meta load oifname => reg 1
cmp eq reg 1 0x00706174
meta load l4proto => reg 1
cmp eq reg 1 0x00000006
payload load 1b @ network header + 12 => reg 1
cmp eq reg 1 0x0000000a
payload load 2b @ transport header + 2 => reg 1
cmp eq reg 1 0x00001600
counter pkts 0 bytes 0
immediate reg 0 accept",
        ),
        (
            "! -s 10.0.0.0/13 ! -f",
            v4,
            "payload load 4b @ network header + 12 => reg 1
bitwise reg 1 = ( reg 1 & 0x0000f8ff ) ^ 0x00000000
cmp neq reg 1 0x0000000a
payload load 2b @ network header + 6 => reg 1
bitwise reg 1 = ( reg 1 & 0x0000ff1f ) ^ 0x00000000
cmp eq reg 1 0x00000000
counter pkts 0 bytes 0",
        ),
        (
            "! -s 0.0.0.0/0 -j DROP",
            v4,
            "payload load 4b @ network header + 12 => reg 1
bitwise reg 1 = ( reg 1 & 0x00000000 ) ^ 0x00000000
cmp neq reg 1 0x00000000
counter pkts 0 bytes 0
immediate reg 0 drop",
        ),
        (
            "-p udp --sport 67 --dport 68 -j RETURN",
            v4,
            "meta load l4proto => reg 1
cmp eq reg 1 0x00000011
payload load 4b @ transport header + 0 => reg 1
cmp eq reg 1 0x44004300
counter pkts 0 bytes 0
immediate reg 0 return",
        ),
        (
            "-p tcp --sport :1023 ! --dport 80:90 --syn -g elsewhere",
            v4,
            "meta load l4proto => reg 1
cmp eq reg 1 0x00000006
payload load 1b @ transport header + 13 => reg 1
bitwise reg 1 = ( reg 1 & 0x00000017 ) ^ 0x00000000
cmp eq reg 1 0x00000002
payload load 2b @ transport header + 0 => reg 1
cmp lte reg 1 0x0000ff03
payload load 2b @ transport header + 2 => reg 1
range neq reg 1 0x00005000 0x00005a00
counter pkts 0 bytes 0
immediate reg 0 goto -> elsewhere",
        ),
        (
            "-m mark --mark 0x1/0xff -m limit --limit 120/min -j NFLOG --nflog-group 5",
            v4,
            "meta load mark => reg 1
bitwise reg 1 = ( reg 1 & 0x000000ff ) ^ 0x00000000
cmp eq reg 1 0x00000001
limit rate 2/second burst 5 type packets flags 0x0
counter pkts 0 bytes 0
log group 5 snaplen 0 qthreshold 0",
        ),
        (
            "-p ipv6-icmp -m icmp6 --icmpv6-type 128/0 -j REJECT --reject-with icmp6-adm-prohibited",
            Family::Ipv6,
            "meta load l4proto => reg 1
cmp eq reg 1 0x0000003a
match name icmp6 rev 0 info 0x8000000000000000
counter pkts 0 bytes 0
target name REJECT rev 0 info 0x0100000000000000",
        ),
    ] {
        assert_eq!(listed(&program(text, family).expressions), form, "{text}");
    }
}

/// `NFTA_RULE_COMPAT` is not in a dump. The values are what `strace` shows of iptables-nft-restore 1.8.9, which sends them
/// with every rule; we send them where something reads them, with xt extensions.
#[test]
fn the_protocol_goes_along_with_extensions() {
    for (text, compat) in [
        ("-j ACCEPT", None),
        ("-p tcp -m tcp --dport 22 -j ACCEPT", None),
        ("-j LOG", Some((0, false))),
        ("-p tcp -m multiport --dports 22 -j ACCEPT", Some((6, false))),
        ("! -p udp -m state --state NEW -j DROP", Some((17, true))),
    ] {
        let wanted = compat.map(|(protocol, inverted)| nft::Compat { protocol, inverted });
        assert_eq!(program(text, Family::Ipv4).compat, wanted, "{text}");
    }
}
