//! What is refused: with the right exit code, the place of the mistake, and a kernel that is as it was.

use super::{filter, lab};

/// Each is refused with exit code 2, says this, and points there.
#[test]
fn bad_lines_are_shown_with_line_and_caret() {
    let Some(lab) = lab() else { return };
    lab.nftwrap(&["apply", "-"], &filter("-A INPUT -s 192.0.2.1 -j DROP")).ok();
    let before = lab.ruleset();
    let long = "x".repeat(300);
    let long_chain = format!(":{long} - [0:0]");
    let long_interface = format!("-A INPUT -i {long} -j DROP");
    let long_line = format!("-A INPUT -m comment --comment \"{}\" -j DROP", "x".repeat(20_000));
    let cases: &[(&str, &str, &str)] = &[
        ("-A INPUT -p tcp --dprt 22", "unknown option \"--dprt\"", "^^^^^^"),
        ("-A INPUT -s 10.0.0.300 -j DROP", "host/network `10.0.0.300' not found", "^^^^^^^^^^"),
        ("-A INPUT -p tcp --dport 70000 -j DROP", "invalid port/service `70000'", "^^^^^"),
        ("-A NOPE -j DROP", "No chain/target/match by that name", "^^^^"),
        ("-A INPUT -j nowhere", "Chain 'nowhere' does not exist", "^^^"),
        (":a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -j a", "closes a loop of jumps: a -> b -> a", "^^^^^^^^^"),
        (":INPUT DROP [0:0]", "declared twice", "^^^^^"),
        ("-A INPUT -m mark --mark 99999999999999999999 -j DROP", "out of range", "^^^^^"),
        ("[99999999999999999999:0] -A INPUT -j DROP", "counters", "^^^^^"),
        ("-A INPUT -m nosuch -j DROP", "Couldn't load match `nosuch'", "^^^"),
        ("-D INPUT -j DROP", "", "^^"),
        (&long_chain, "too long (must be under 29 chars)", "^^^"),
        (&long_interface, "must be shorter than 16 characters", "^^^"),
        (&long_line, "a line can have", "^^^"),
    ];
    for (line, message, caret) in cases {
        let run = lab.nftwrap(&["apply", "-"], &filter(line));
        assert_eq!(run.code, 2, "{line}: {} {}", run.out, run.err);
        assert!(run.err.contains(message), "{line}: {}", run.err);
        assert!(run.err.contains(caret), "{line}: {}", run.err);
        assert!(run.err.contains("<standard input>:"), "{line}: {}", run.err);
        assert_eq!(run.out, "");
        assert_eq!(lab.ruleset(), before, "{line}");
    }
}

#[test]
fn the_caret_names_file_line_and_column() {
    let Some(lab) = lab() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules");
    std::fs::write(&path, filter("-A INPUT -j ACCEPT\n-A INPUT -p tcp --dprt 22")).unwrap();
    let path = path.to_str().unwrap();
    let run = lab.nftwrap(&["apply", path], "");
    assert_eq!(run.code, 2);
    assert!(run.err.contains(&format!("{path}:6:17")), "{}", run.err);
}

/// A field of a security group can hold anything; none of it becomes a rule of its own.
#[test]
fn a_field_cannot_inject_a_rule() {
    let Some(lab) = lab() else { return };
    let before = lab.ruleset();
    for separator in ["\r", "\u{b}", "\u{c}", "\0", "\u{1b}", "\u{85}", "\r\n", "\u{7f}"] {
        let text = filter(&format!("-A INPUT -m comment --comment \"a{separator}-A INPUT -j ACCEPT\" -j DROP"));
        for command in ["apply", "plan", "check"] {
            let run = lab.nftwrap(&[command, "-"], &text);
            assert_eq!(run.code, 2, "{separator:?}: {}{}", run.out, run.err);
        }
        assert_eq!(lab.ruleset(), before, "{separator:?}");
    }
    // A quotation mark that ends the field leaves another open.
    let run = lab.nftwrap(&["apply", "-"], &filter(r#"-A INPUT -m comment --comment "a" -j ACCEPT" -j DROP"#));
    assert_eq!((run.code, lab.ruleset() == before), (2, true), "{}", run.err);
    // These are no line breaks to iptables: they stay inside of the comment.
    for separator in ["\u{2028}", "\u{2029}"] {
        let text = filter(&format!("-A INPUT -m comment --comment \"a{separator}-A INPUT -j ACCEPT\" -j DROP"));
        let run = lab.nftwrap(&["apply", "-"], &text);
        assert!(matches!(run.code, 0 | 2), "{separator:?}: {}", run.err);
        let rules = lab.stock_save("iptables-save");
        let rules: Vec<&str> = rules.split('\n').filter(|line| line.starts_with("-A")).collect();
        assert!(rules.len() <= 1 && rules.iter().all(|rule| rule.ends_with("-j DROP")), "{rules:?}");
    }
}

#[test]
fn files_that_are_none() {
    let Some(lab) = lab() else { return };
    lab.nftwrap(&["apply", "-"], &filter("-A INPUT -j DROP")).ok();
    let before = lab.ruleset();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules");
    let path_text = path.to_str().unwrap();
    let refused = |bytes: &[u8], message: &str| {
        std::fs::write(&path, bytes).unwrap();
        let run = lab.nftwrap(&["apply", path_text], "");
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains(message), "{}", run.err);
        assert_eq!(run.err.matches("error:").count(), 1, "{}", run.err);
        assert_eq!(lab.ruleset(), before);
    };
    refused(b"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\n", "COMMIT expected");
    refused(b"*filter\n-A INPUT -j AC", "COMMIT expected");
    refused(b"*filter\n-A INPUT -m comment --comment \xff -j DROP\nCOMMIT\n", "not UTF-8");
    refused(b"\x7fELF\x02\x01\x01\0\0\0\n\0\0\n\0\0\n", "");
    refused(b"# title\nhello\nworld\nwhat\n", "a table must be opened");
    refused(b"*filter\nCOMMIT\n*filter\nCOMMIT\n", "stands twice");
    refused(b"*nosuch\nCOMMIT\n", "table name 'nosuch' invalid");
    for (arguments, code) in [
        (&["apply", "/nonexistent/file"][..], 1),
        (&["apply", "/"], 1),
        (&["apply", "--wrap", "x", "-"], 2),
        (&["apply"], 2),
        (&["apply", "--nosuch", "-"], 2),
        (&["apply", "--ipv4", "-", "--ipv6", "-"], 2),
        (&["apply", "--wrap", "a b", "-"], 2),
        (&["apply", "--wrap", "seventeen-letters", "-"], 2),
        (&["apply", "--netns", "nosuchnamespace", "-"], 1),
        (&["apply", "--netns", "/no/such/namespace", "-"], 1),
        (&["apply", "--netns", "/proc/self/status", "-"], 1),
        (&["show", "--netns", "../../etc/passwd"], 1),
        (&["flush"], 2),
    ] {
        let run = lab.nftwrap(arguments, "");
        assert_eq!(run.code, code, "{arguments:?}: {}{}", run.out, run.err);
        assert!(run.err.starts_with("error: "), "{arguments:?}: {}", run.err);
        assert_eq!(lab.ruleset(), before);
    }
    // Nothing stated about any table is nothing to do.
    assert_eq!(lab.nftwrap(&["apply", "-"], "").ok(), "nothing to change\n");
}

#[test]
fn the_kernel_refuses_with_code_four() {
    let Some(lab) = lab() else { return };
    lab.nftwrap(&["apply", "-"], &filter("-A INPUT -j DROP")).ok();
    let before = lab.ruleset();
    let text = filter("-A FORWARD -j ACCEPT\n-A INPUT -j MASQUERADE");
    for command in ["apply", "check"] {
        let run = lab.nftwrap(&[command, "-"], &text);
        assert_eq!(run.code, 4, "{}", run.err);
        for part in ["the kernel refused", "INPUT rule 1", "EINVAL", "MASQUERADE", "<standard input>:6:1", "^^^"] {
            assert!(run.err.contains(part), "{part}: {}", run.err);
        }
        assert_eq!(lab.ruleset(), before);
    }
    // Somebody else's rule leads to a chain that is to go.
    lab.nftwrap(&["apply", "--wrap", "us", "-"], "*filter\n:$in - [0:0]\nCOMMIT\n").ok();
    lab.run("iptables -A INPUT -j us-in");
    let before = lab.ruleset();
    let run = lab.nftwrap(&["flush", "--wrap", "us"], "");
    assert_eq!((run.code, lab.ruleset() == before), (4, true), "{}", run.err);
    assert!(run.err.contains("us-in"), "{}", run.err);
}
