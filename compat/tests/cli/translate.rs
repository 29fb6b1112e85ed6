//! One rule in its forms. No kernel is asked.

use assert_cmd::Command;

fn translate(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(super::NFTWRAP).arg("translate").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn words_and_text_are_the_same_rule() {
    let rule = "-p tcp --dport 22 -m comment --comment \"it's ok\" -j ACCEPT";
    let (code, out, err) = translate(&[rule]);
    assert_eq!((code, err.as_str()), (0, ""));
    let nft = r#"nft 'add rule ip filter FORWARD tcp dport 22 counter accept comment "it'\''s ok"'"#;
    assert_eq!(out.lines().next(), Some(nft));
    assert!(out.contains("layout iptables:") && out.ends_with("no xt extension is needed\n"), "{out}");
    let words = ["-p", "tcp", "--dport", "22", "-m", "comment", "--comment", "it's ok", "-j", "ACCEPT"];
    assert_eq!(translate(&words).1, out);
}

#[test]
fn json_may_stand_before_or_behind_the_rule() {
    let (_, before, _) = translate(&["--json", "-6", "-s 2001:db8::/32 -j DROP"]);
    let (_, behind, _) = translate(&["-s 2001:db8::/32 -j DROP", "--json", "--ipv6"]);
    assert_eq!(before, behind);
    let json: serde_json::Value = serde_json::from_str(&before).unwrap();
    assert_eq!(json[0]["nft"], "add rule ip6 filter FORWARD ip6 saddr 2001:db8::/32 counter drop");
    assert_eq!(json[0]["xt"], serde_json::json!([]));
}

#[test]
fn what_needs_an_extension_says_so() {
    let (code, out, _) = translate(&["-m set --match-set banned src -j DROP"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("nft has no words for it: set:"), "{out}");
    assert!(out.contains("needs an xt extension: set ("), "{out}");
}

#[test]
fn mistakes_have_a_caret() {
    for (rule, message) in [
        ("-s 1.2.3.444", "not found"),
        ("-t nat -A PREROUTING -j DROP", "not intended for filtering"),
        ("-t nosuch -j DROP", "there is no table `nosuch`"),
        ("-P INPUT DROP", "Illegal option `--policy'"),
        ("-A INPUT -o eth0", "Can't use --out-interface with INPUT"),
        ("-m comment --comment \"a\nb\"", "control character"),
    ] {
        let (code, out, err) = translate(&[rule]);
        assert_eq!((code, out.as_str()), (2, ""), "{rule}");
        assert!(err.contains(message), "{rule}: {err}");
    }
}
