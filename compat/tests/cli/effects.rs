//! What each command leaves in the kernel and prints.

use super::{example, filter, lab};

const STATS: [&str; 14] = [
    "layout",
    "tables",
    "chains",
    "rules",
    "sets",
    "elements",
    "messages",
    "bytes",
    "parse_us",
    "compile_us",
    "encode_us",
    "kernel_us",
    "total_us",
    "generation",
];

#[test]
fn both_families_are_one_transaction_and_twice_is_once() {
    let Some(lab) = lab() else { return };
    let (v4, v6) = (example("nova-compute.v4.save"), example("nova-compute.v6.save"));
    let arguments = [
        "apply",
        "--stats",
        "--wrap",
        "nova-compute",
        "--profile",
        "nova",
        "--ipv4",
        v4.as_str(),
        "--ipv6",
        v6.as_str(),
    ];
    let generation = lab.generation();
    let stats = lab.nftwrap(&arguments, "").json();
    for key in STATS {
        assert!(stats.get(key).is_some(), "{key}: {stats}");
    }
    assert_eq!(stats["generation"], generation + 1);
    assert_eq!(lab.generation(), generation + 1);
    assert!(lab.stock_save("iptables-save").contains("-A nova-compute-local -d 10.16.0.2/32 -j nova-compute-inst-1\n"));
    assert!(lab.stock_save("ip6tables-save").contains("nova-compute-inst-1"));
    let again = lab.nftwrap(&arguments, "").json();
    assert_eq!((&again["messages"], &again["bytes"]), (&0.into(), &0.into()));
    assert_eq!(lab.generation(), generation + 1);
}

#[test]
fn show_prints_what_iptables_save_prints() {
    let Some(lab) = lab() else { return };
    let rules = ":web - [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -m comment --comment \"a b\" -j web\n\
                 -A web ! -s 10.0.0.0/8 -i eth+ -m state --state NEW -j DROP\n-A FORWARD -j LOG --log-prefix \"fw \"";
    let (code, _, err) = lab.feed(&["iptables-restore"], &filter(rules));
    assert_eq!(code, 0, "{err}");
    let shown = lab.nftwrap(&["show"], "").ok();
    let stock: String =
        lab.run("iptables-save -c").lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
    assert_eq!(shown, format!("# IPv4\n{stock}"));

    let json = lab.nftwrap(&["show", "--json"], "").json();
    assert_eq!(json, lab.nftwrap(&["show", "--format", "json"], "").json());
    assert_eq!(json["tables"][0]["table"], "filter");
    assert_eq!(json["tables"][0]["chains"][0]["hook"], "input");
    let tree = lab.nftwrap(&["show", "--format", "tree"], "").ok();
    assert!(tree.contains("INPUT, policy ACCEPT\n  └─ -p tcp -m tcp --dport 80"), "{tree}");

    // What the nft form says is what the kernel has, when nft says it.
    let nft = lab.nftwrap(&["show", "--format", "nft"], "").ok();
    assert!(nft.contains("tcp dport 80 counter jump web comment \"a b\""), "{nft}");
    let Some(other) = super::lab() else { return };
    let (code, _, err) = other.feed(&["nft", "-f", "-"], &nft);
    assert_eq!(code, 0, "{err}: {nft}");
}

#[test]
fn plan_and_check_change_nothing() {
    let Some(lab) = lab() else { return };
    lab.nftwrap(&["apply", "-"], &filter("-A INPUT -s 192.0.2.1 -j DROP")).ok();
    let before = (lab.ruleset(), lab.generation());
    let text = filter("-A INPUT -s 192.0.2.2 -j DROP").replace(":INPUT ACCEPT", ":INPUT DROP");
    let plan = lab.nftwrap(&["plan", "-"], &text).ok();
    assert_eq!(
        plan,
        "IPv4 filter\n  ~ chain INPUT policy DROP\n  - -A INPUT -s 192.0.2.1/32 -j DROP\n  + -A INPUT -s 192.0.2.2/32 -j DROP\n"
    );
    let json = lab.nftwrap(&["plan", "--json", "-"], &text).json();
    assert_eq!(json["changes"][0]["operation"], "set-policy");
    assert_eq!(json["changes"][0]["rule"], "DROP");
    assert_eq!(lab.nftwrap(&["check", "-"], &text).ok(), "ok: the kernel accepts 3 changes\n");
    assert_eq!(lab.nftwrap(&["check", "--json", "-"], &text).json()["ok"], true);
    assert!(lab.nftwrap(&["check", "--stats", "-"], &text).json()["bytes"].as_u64() > Some(0));
    assert_eq!((lab.ruleset(), lab.generation()), before);
}

#[test]
fn a_component_leaves_others_alone_and_goes_when_flushed() {
    let Some(lab) = lab() else { return };
    lab.run("iptables -N docker; iptables -A FORWARD -j docker; iptables -A INPUT -s 192.0.2.7 -j ACCEPT");
    let stock = lab.stock_save("iptables-save");
    let text = "*filter\n:$in - [0:0]\n-A INPUT -j $in\n-A $in -s 198.51.100.1 -j DROP\nCOMMIT\n";
    lab.nftwrap(&["apply", "--wrap", "us", "-"], text).ok();
    let ours = lab.stock_save("iptables-save");
    for line in stock.lines().chain(["-A INPUT -j us-in", "-A us-in -s 198.51.100.1/32 -j DROP"]) {
        assert!(ours.lines().any(|l| l == line), "{line}: {ours}");
    }
    let shown = lab.nftwrap(&["show", "--wrap", "us"], "").ok();
    assert!(shown.contains("-A INPUT -j us-in") && !shown.contains("docker"), "{shown}");
    // An empty file is what a broken pipe leaves.
    let run = lab.nftwrap(&["apply", "--wrap", "us", "-"], "");
    assert_eq!((run.code, lab.stock_save("iptables-save") == ours), (2, true), "{}", run.err);
    assert!(run.err.contains("states no table"), "{}", run.err);
    let gone = lab.nftwrap(&["flush", "--wrap", "us"], "").ok();
    assert!(gone.starts_with("1 chain of us"), "{gone}");
    assert_eq!(lab.stock_save("iptables-save"), stock);
    assert_eq!(lab.nftwrap(&["flush", "--wrap", "us"], "").ok(), "nothing of us stands here\n");
    assert_eq!(lab.nftwrap(&["flush", "--json", "--wrap", "us"], "").json()["messages"], 0);
}

#[test]
fn counters_of_policies_and_rules_are_those_of_the_file() {
    let Some(lab) = lab() else { return };
    let text = filter("[5:500] -A INPUT -j DROP").replace(":INPUT ACCEPT [0:0]", ":INPUT DROP [7:700]");
    lab.nftwrap(&["apply", "--counters", "-"], &text).ok();
    let saved = lab.run("iptables-save -c");
    assert!(saved.contains(":INPUT DROP [7:700]\n"), "{saved}");
    assert!(saved.contains("[5:500] -A INPUT -j DROP\n"), "{saved}");
    // A policy that changes starts anew, one that stands goes on.
    lab.nftwrap(&["apply", "--counters", "-"], &filter("").replace("[0:0]", "[9:900]")).ok();
    let saved = lab.run("iptables-save -c");
    assert!(saved.contains(":INPUT ACCEPT [9:900]\n:FORWARD ACCEPT [0:0]\n"), "{saved}");
}

#[test]
fn what_can_never_match_is_accepted() {
    let Some(lab) = lab() else { return };
    lab.nftwrap(&["apply", "-"], &filter("-A INPUT ! -s 0.0.0.0/0 -j DROP")).ok();
    assert!(lab.stock_save("iptables-save").contains("-A INPUT ! -s 0.0.0.0/0 -j DROP\n"));
}

/// A file that carries the skeleton of its profile states nothing twice.
#[test]
fn a_profile_and_its_skeleton_in_the_file_are_one() {
    let with_profile = |profile: &str| {
        let lab = lab()?;
        let file = example("nova-compute.v4.save");
        lab.nftwrap(&["apply", "--wrap", "nova-compute", "--profile", profile, &file], "").ok();
        let save = lab.stock_save("iptables-save");
        Some(save.lines().filter(|line| line.starts_with("-A")).map(str::to_owned).collect::<Vec<_>>())
    };
    let (Some(bare), Some(nova)) = (with_profile("bare"), with_profile("nova")) else { return };
    assert_eq!(bare, nova);
}
