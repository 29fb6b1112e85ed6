//! Save files and commands that are wrong, and where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed test is a panic")]

use std::sync::Arc;

use nftwrap::nft::Policy;
use nftwrap::rule::{ChainRef, Family};
use nftwrap_compat::parse::{self, Command};
use nftwrap_compat::restore::{MAX_ERRORS, SaveFile, Scope};
use nftwrap_compat::{ErrorKind, print};

/// The mistakes of a file: line, text at the place, message.
fn mistakes(text: &str) -> Vec<(u32, String, String)> {
    let Err(errors) = SaveFile::parse(text.as_bytes(), Family::Ipv4) else { return Vec::new() };
    let one = |e: &nftwrap_compat::ParseError| (e.line.unwrap(), text[e.span.clone()].to_owned(), e.to_string());
    errors.iter().map(one).collect()
}

/// The only mistake of a table's content, on its own line after `*filter`.
fn mistake(line: &str) -> String {
    let all = mistakes(&format!("*filter\n{line}\nCOMMIT\n"));
    assert_eq!(all.len(), 1, "{line:?}: {all:?}");
    assert_eq!(all[0].0, 2, "{line:?}");
    all[0].2.clone()
}

#[test]
fn every_kind_of_bad_line_is_named() {
    for (line, message) in [
        (":", "chain name invalid"),
        (":x", "policy invalid"),
        (":INPUT REJECT [0:0]", "Bad policy name."),
        (":INPUT ACCEPT [0]", "invalid policy counters for chain 'INPUT'"),
        (":INPUT ACCEPT [0:0] x", "Bad argument `x'"),
        (":ACCEPT - [0:0]", "chain name may not clash with target name"),
        (
            ":a-name-that-is-longer-than-28 - [0:0]",
            "chain name `a-name-that-is-longer-than-28' too long (must be under 29 chars)",
        ),
        ("-A x -j ACCEPT", "No chain/target/match by that name."),
        ("-A INPUT -j x", "Chain 'x' does not exist"),
        ("-A INPUT -o eth0", "Can't use --out-interface with INPUT"),
        ("-A INPUT -t nat", "Illegal option `--table' with this command"),
        ("-A INPUT -w", "Illegal option `--wait' with this command"),
        ("-A INPUT -A OUTPUT", "Cannot use --append with --append"),
        ("-A", "option \"--append\" requires an argument"),
        ("-F INPUT", "--flush does not belong in a file that states everything"),
        ("-A INPUT -D INPUT 1", "--delete does not belong in a file that states everything"),
        ("-I INPUT 2 -j ACCEPT", "Index of insertion too big."),
        ("-I INPUT 0 -j ACCEPT", "Invalid rule number `0'"),
        ("-N INPUT", "Chain already exists."),
        ("-P x ACCEPT", "Bad built-in chain name."),
        ("-P INPUT QUEUE", "Bad policy name."),
        ("[1:2 -A INPUT", "Bad counters: need ]"),
        ("[12] -A INPUT", "Bad counters: need :"),
        ("-s 1.2.3.4", "no command specified"),
        (" # indented", "Bad argument `#'"),
        ("COMMIT now", "Bad argument `COMMIT'"),
        ("*nat", "COMMIT expected before table 'nat'"),
    ] {
        assert_eq!(mistake(line), message, "{line:?}");
    }
}

#[test]
fn no_field_can_start_a_rule_of_its_own() {
    for text in ["-m comment --comment \"a\rb\"", "-s 1.2.3.4\0 -j ACCEPT", "-i \"a\u{b}b\"", "-j ACCEPT\r"] {
        assert!(mistake(&format!("-A INPUT {text}")).contains("control character"), "{text:?}");
        assert!(matches!(parse::rule(text, Family::Ipv4).unwrap_err().kind, ErrorKind::ControlCharacter { .. }));
    }
    let broken = "-m comment --comment \"a\nCOMMIT\n-A INPUT -j ACCEPT\"";
    assert!(matches!(parse::rule(broken, Family::Ipv4).unwrap_err().kind, ErrorKind::ControlCharacter { .. }));
}

#[test]
fn a_file_is_whole_or_refused() {
    let names = |text: &str| mistakes(text).into_iter().map(|(line, _, what)| (line, what)).collect::<Vec<_>>();
    assert_eq!(names("*filter\n-A INPUT\n"), [(2, "COMMIT expected at line 3".to_owned())]);
    assert_eq!(names("-A INPUT\n"), [(1, "a table must be opened with `*' before this line".to_owned())]);
    assert_eq!(names("*foo\n")[0].1, "table name 'foo' invalid");
    assert_eq!(names("*nat\nCOMMIT\n*nat\nCOMMIT\n"), [(3, "table 'nat' stands twice in the file".to_owned())]);
    assert_eq!(names("*filter\n:INPUT - [0:0]\n:INPUT - [0:0]\nCOMMIT\n")[0].1, "chain 'INPUT' is declared twice");
    let twice = "*filter\n:x - [0:0]\n-A x -j ACCEPT\n:x - [0:0]\n-A x -j DROP\nCOMMIT\n";
    assert_eq!(names(twice), [(4, "chain 'x' is declared twice".to_owned())]);
    assert!(names("*filter\n:x - [0:0]\nCOMMIT\n*nat\n:x - [0:0]\nCOMMIT\n").is_empty());
    assert!(names("*nat\n-A PREROUTING -j DROP\nCOMMIT\n")[0].1.contains("inhibited"));
    let long = format!("*filter\n-A INPUT -m comment --comment {}\nCOMMIT\n", "x".repeat(10_300));
    assert_eq!(names(&long), [(2, "a line can have 10239 bytes".to_owned())]);
    let many = format!("*filter\n-A INPUT {}\nCOMMIT\n", "-m ".repeat(300));
    assert_eq!(names(&many).len(), 1);
    let error = SaveFile::parse(b"*filter\n-A INPUT -m comment --comment \xff\nCOMMIT\n", Family::Ipv4).unwrap_err();
    assert_eq!((error[0].line, &error[0].kind, error[0].span.clone()), (Some(2), &ErrorKind::NotUtf8, 38..39));
}

#[test]
fn mistakes_are_collected_with_their_place() {
    let found = mistakes("*filter\n:a - [0:0]\n-A a -s 1.2.3.400 -j ACCEPT\n\n-A a -p tcp --dport 1:99999\nCOMMIT\n");
    let places: Vec<_> = found.iter().map(|(line, place, _)| (*line, &**place)).collect();
    assert_eq!(places, [(3, "1.2.3.400"), (5, "1:99999")]);
    let many = format!("*filter\n{}COMMIT\n", "-A INPUT --nosuch\n".repeat(50));
    assert_eq!(mistakes(&many).len(), MAX_ERRORS);
}

#[test]
fn commands_and_counters_state_the_same_as_save_lines() {
    let text = "# made by hand\n*filter\n:INPUT DROP [1:2]\n-N a\n-P OUTPUT DROP\n[3:4] -A a -j ACCEPT\n\
                -A a -c 5 6 -j DROP\n-I a 2 -j RETURN\n-6 -A a -j ACCEPT\n-A a -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4\nCOMMIT\n";
    let file = SaveFile::parse(text.as_bytes(), Family::Ipv4).unwrap();
    let section = &file.sections[0];
    let chains: Vec<_> = section.chains.iter().map(|c| (c.name.name().as_str(), c.policy, c.counters)).collect();
    let drop = Some(Policy::Drop);
    assert_eq!(chains, [("INPUT", drop, Some((1, 2))), ("a", None, None), ("OUTPUT", drop, None)]);
    let rules: Vec<_> = section.rules.iter().map(|r| (print::rule(&r.rule, Family::Ipv4), r.counters)).collect();
    let want = [
        ("-j ACCEPT", Some((3, 4))),
        ("-j RETURN", None),
        ("-j DROP", Some((5, 6))),
        ("-s 1.1.1.1/32 -d 3.3.3.3/32", None),
        ("-s 1.1.1.1/32 -d 4.4.4.4/32", None),
        ("-s 2.2.2.2/32 -d 3.3.3.3/32", None),
        ("-s 2.2.2.2/32 -d 4.4.4.4/32", None),
    ];
    assert_eq!(rules, want.map(|(rule, counters)| (rule.to_owned(), counters)));
}

#[test]
fn inserted_rules_stand_before_the_rule_of_that_number() {
    let text = "*filter\n:a - [0:0]\n-A a -j ACCEPT\n-A INPUT -j ACCEPT\n-I a -j DROP\n-A a -j RETURN\n\
                -I INPUT 2 -j DROP\n-I a 2 -s 1.1.1.1,2.2.2.2\n-A INPUT -j RETURN\nCOMMIT\n";
    let file = SaveFile::parse(text.as_bytes(), Family::Ipv4).unwrap();
    let section = &file.sections[0];
    let chain = |rule| section.chain(rule).unwrap().name().as_str();
    let rules: Vec<_> = section.rules.iter().map(|r| (chain(r), r.line)).collect();
    assert_eq!(rules, [("a", 5), ("a", 8), ("a", 8), ("a", 3), ("a", 6), ("INPUT", 4), ("INPUT", 7), ("INPUT", 9)]);
}

#[test]
fn a_missing_chain_is_marked_where_the_rule_names_it() {
    for rule in ["-A INPUT -p tcp -j NOPE", "-A INPUT --jump=NOPE -p tcp", "-I INPUT -gNOPE", "-A \"INPUT\" -g NOPE"] {
        let found = mistakes(&format!("*filter\n{rule}\nCOMMIT\n"));
        assert_eq!(found, [(2, "NOPE".to_owned(), "Chain 'NOPE' does not exist".to_owned())], "{rule}");
    }
    // The text is known from another table, where the chain is there.
    let found = mistakes("*raw\n:x - [0:0]\n-A OUTPUT -j x\nCOMMIT\n*filter\n-A OUTPUT -j x\nCOMMIT\n");
    assert_eq!(found, [(6, "x".to_owned(), "Chain 'x' does not exist".to_owned())]);
}

#[test]
fn known_text_is_checked_again_in_another_table_or_base_chain() {
    let found = mistakes("*raw\n:x - [0:0]\n-A x -j DROP\nCOMMIT\n*nat\n:x - [0:0]\n-A x -j DROP\nCOMMIT\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].0 == 7 && found[0].2.contains("inhibited"), "{found:?}");
    let found = mistakes("*filter\n:x - [0:0]\n-A x -o e0\n-A INPUT -o e0\n-A INPUTS -o e0\nCOMMIT\n");
    assert_eq!(
        found.iter().map(|f| &*f.2).collect::<Vec<_>>(),
        ["Can't use --out-interface with INPUT", "No chain/target/match by that name.",]
    );
}

#[test]
fn equal_text_is_one_value() {
    let text =
        "*filter\n:a - [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\n[1:2] -A a -p tcp --dport 22 -j ACCEPT\nCOMMIT\n";
    let file = SaveFile::parse(text.as_bytes(), Family::Ipv4).unwrap();
    let rules = &file.sections[0].rules;
    assert!(Arc::ptr_eq(&rules[0].rule, &rules[1].rule));
    assert_eq!((rules[1].counters, rules[1].line), (Some((1, 2)), 4));
}

#[test]
fn a_part_may_name_chains_that_are_there_already() {
    let text = "*filter\n:$inst-1 - [0:0]\n-A $local -d 10.0.0.2/32 -j $inst-1\n-A $inst-1 -j LOGDROP\nCOMMIT\n";
    assert!(SaveFile::parse(text.as_bytes(), Family::Ipv4).is_err());
    let file = SaveFile::parse_scoped(text.as_bytes(), Family::Ipv4, Scope::Part).unwrap();
    let section = &file.sections[0];
    assert_eq!(section.chain(&section.rules[0]), Some(&ChainRef::new("$local").unwrap()));
    assert_eq!(section.rules[0].rule.chain_ref(), Some(&ChainRef::new("$inst-1").unwrap()));
}

#[test]
fn a_command_line_is_read_alone() {
    let chain = ChainRef::new("INPUT").unwrap();
    let command = parse::command("[1:2] -s 1.2.3.4 -A INPUT -j DROP", Family::Ipv4).unwrap();
    let Command::Append { chain: at, rules, counters } = command else { panic!("{command:?}") };
    assert_eq!((at, rules.len(), counters), (chain, 1, Some((1, 2))));
    assert_eq!(parse::command("-4 -A INPUT", Family::Ipv6), Ok(Command::OtherFamily));
    let several = parse::rule("-s 1.1.1.1,2.2.2.2", Family::Ipv4).unwrap_err();
    assert_eq!(several.kind, ErrorKind::SeveralRules { rules: 2 });
    assert_eq!(parse::rules("-s 1.1.1.1,2.2.2.2", Family::Ipv4).unwrap().len(), 2);
}

#[test]
fn a_mistake_comes_with_its_remedy() {
    let help = |text: &str| parse::rule(text, Family::Ipv4).unwrap_err().help.unwrap_or_default();
    assert!(help("-s example.org").contains("not resolved"));
    assert!(help("-m hl --hl-eq 1").contains("IPv6 only"));
    assert!(help("-j TEE").contains("not supported"));
    assert!(help("! ! -s 1.2.3.4").contains("right before"));
}
