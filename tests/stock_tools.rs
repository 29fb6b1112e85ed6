//! The stock tools as oracle: what they read of our tables, and what our tables are beside theirs.
//!
//! For each dump of the specifications: loaded by us and by `iptables-nft-restore` into two namespaces, the stock save
//! text is the same, and so are tables, chains and programs (handles, counters of the kernel and the place of comments
//! aside).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed test is a panic"
)]

#[path = "support/lab.rs"]
mod lab;

use std::fs;
use std::path::PathBuf;

use lab::Lab;
use nftwrap::Manager;
use nftwrap::compile::stock;
use nftwrap::kernel::Kernel;
use nftwrap::nft::userdata::Userdata;
use nftwrap::nft::{self, listing};
use nftwrap::rule::Family;
use nftwrap::wrap::{Model, Profile};
use nftwrap_compat::load;
use nftwrap_compat::restore::SaveFile;

/// A dump of the specifications.
struct Dump {
    name: String,
    family: Family,
    text: String,
}

fn dumps() -> Vec<Dump> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/dumps");
    let mut dumps: Vec<Dump> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let family = if name.contains(".v6.") { Family::Ipv6 } else { Family::Ipv4 };
            Dump { text: fs::read_to_string(&path).unwrap(), name, family }
        })
        .collect();
    dumps.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(dumps.len() > 15, "the dumps of the specifications are there");
    dumps
}

fn tool(family: Family, verb: &str) -> String {
    match family {
        Family::Ipv4 => format!("iptables-nft-{verb}"),
        Family::Ipv6 => format!("ip6tables-nft-{verb}"),
    }
}

const TOOLS: [&str; 7] = [
    "ipset",
    "iptables-nft",
    "iptables-nft-restore",
    "iptables-nft-save",
    "ip6tables-nft",
    "ip6tables-nft-restore",
    "ip6tables-nft-save",
];

/// A namespace with the sets that the rules name.
fn lab_for(text: &str) -> Option<Lab> {
    let lab = Lab::new(&TOOLS)?;
    let mut names: Vec<&str> =
        text.split("--match-set ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let family = if name.contains("IPv6") { "inet6" } else { "inet" };
        lab.run(&format!("ipset create {name} hash:net family {family}"));
    }
    Some(lab)
}

fn model_of(dump: &Dump, mut model: Model) -> Model {
    let file = SaveFile::parse_scoped(dump.text.as_bytes(), dump.family, load::scope(&model))
        .unwrap_or_else(|errors| panic!("{}: {errors:?}", dump.name));
    load::load(&mut model, dump.family, file, false).unwrap();
    model
}

/// Tables, chains and rules as they lie in the kernel.
fn raw(lab: &Lab, family: Family) -> String {
    let mut kernel = lab.kernel();
    let nft_family = nft::Family::from(family);
    let mut lines = Vec::new();
    // Tables lie in the order of their making, which is no part of what they say.
    let mut tables = kernel.tables(nft_family).unwrap();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    for table in tables {
        lines.push(format!("{} {:?}", table.name, table.flags));
        let mut chains = kernel.chains(nft_family).unwrap();
        chains.retain(|c| c.table == table.name);
        chains.sort_by(|a, b| a.name.cmp(&b.name));
        for chain in chains {
            lines.push(format!("  {} {:?} {:?} {:?}", chain.name, chain.base, chain.uses, chain.flags));
            for rule in kernel.rules(nft_family, &table.name, Some(&chain.name)).unwrap() {
                let comment = rule.userdata.as_deref().and_then(|u| Userdata::decode(u).unwrap().comment);
                let normal = stock::normalize(&rule.expressions, comment.as_ref(), family);
                let program = listing::compact(&normal.expressions).to_string();
                lines.push(format!("    {program} {:?} {:?}", normal.expressions, normal.comments));
            }
        }
    }
    lines.join("\n")
}

/// The lines of a save text that state something, table by table in a fixed order, chains of a table in a fixed order;
/// rules stay in theirs.
fn statements(text: &str) -> Vec<String> {
    let mut tables: Vec<Vec<&str>> = text
        .split_inclusive("COMMIT\n")
        .map(|table| table.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect())
        .filter(|lines: &Vec<&str>| !lines.is_empty())
        .collect();
    tables.sort();
    let mut out = Vec::new();
    for table in tables {
        let strip = |line: &str| match line.split_once("] ") {
            Some((count, rest)) if count.starts_with('[') => rest.to_owned(),
            _ => line.split(" [").next().unwrap().to_owned(),
        };
        let (rules, mut rest): (Vec<_>, Vec<_>) = table.iter().map(|l| strip(l)).partition(|l| l.starts_with("-A"));
        rest.sort();
        out.extend(rest);
        out.extend(rules);
    }
    out
}

#[test]
fn every_dump_reads_back_as_stock_wrote_it() {
    for dump in dumps() {
        let (Some(theirs), Some(ours)) = (lab_for(&dump.text), lab_for(&dump.text)) else { return };
        let (code, _, error) = theirs.feed(&[&tool(dump.family, "restore")], &dump.text);
        assert_eq!(code, 0, "{}: {error}", dump.name);
        let model = model_of(&dump, Model::whole());
        Manager::with_kernel(model, ours.kernel()).apply().unwrap_or_else(|e| panic!("{}: {e}", dump.name));

        let save = tool(dump.family, "save");
        let text = ours.stock_save(&save);
        assert_eq!(text, theirs.stock_save(&save), "{}", dump.name);
        assert_eq!(statements(&text), statements(&dump.text), "{}", dump.name);
        assert_eq!(raw(&ours, dump.family), raw(&theirs, dump.family), "{}", dump.name);
    }
}

/// Each dump again over what stands, by us over ours and by us over stock's: there is nothing to do.
#[test]
fn a_second_application_finds_nothing_also_over_tables_of_stock() {
    for dump in dumps() {
        let (Some(theirs), Some(ours)) = (lab_for(&dump.text), lab_for(&dump.text)) else { return };
        assert_eq!(theirs.feed(&[&tool(dump.family, "restore")], &dump.text).0, 0);
        Manager::with_kernel(model_of(&dump, Model::whole()), ours.kernel()).apply().unwrap();
        for lab in [theirs, ours] {
            let report = Manager::with_kernel(model_of(&dump, Model::whole()), lab.kernel()).apply().unwrap();
            assert_eq!(report.messages, 0, "{}", dump.name);
        }
    }
}

/// The dumps of one component, stated by that component beside a host's own rules: its chains are those of the dump.
#[test]
fn dumps_of_a_component_stand_beside_a_hosts_own_rules() {
    for dump in dumps() {
        let component = ["nova-compute", "nova-network", "nova-api", "neutron-l3-agent", "neutron-openvswi"]
            .into_iter()
            .filter(|name| dump.text.contains(&format!(":{name}-")))
            .collect::<Vec<_>>();
        let [component] = component[..] else { continue };
        let profile = if component.starts_with("nova") { Profile::Nova } else { Profile::Neutron };
        if profile == Profile::Neutron && dump.name.contains("7.5") {
            // An icehouse dump: the profile is that of today.
            continue;
        }
        let Some(lab) = lab_for(&dump.text) else { return };
        lab.run(&format!("{} -A INPUT -i lo -j ACCEPT", tool(dump.family, "").trim_end_matches('-')));
        let save = tool(dump.family, "save");
        let host = lab.stock_save(&save);
        let builder = Model::builder().component(component.parse().unwrap()).profile(Profile::Bare);
        let model = model_of(&dump, builder.build().unwrap());
        let mut manager = Manager::with_kernel(model, lab.kernel());
        manager.apply().unwrap_or_else(|e| panic!("{}: {e}", dump.name));
        let mut text = statements(&lab.stock_save(&save));
        text.retain(|line| line != "-A INPUT -i lo -j ACCEPT");
        for line in statements(&dump.text) {
            assert!(text.contains(&line), "{}: {line} is missing in {text:#?}", dump.name);
        }
        manager.flush().unwrap();
        let filter = |text: &str| {
            let keep = |l: &String| l.starts_with("-A") || l.starts_with(":n");
            statements(text).into_iter().filter(keep).collect::<Vec<_>>()
        };
        assert_eq!(filter(&lab.stock_save(&save)), filter(&host), "{}", dump.name);
    }
}
