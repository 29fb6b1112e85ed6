//! What `show` makes of tables of the native layout. The tables are made by hand, in the forms that the compiler writes.

use nftwrap::compile::{NoIpsets, Program};
use nftwrap::kernel::Kernel;
use nftwrap::layout::native::codegen::{self, Code};
use nftwrap::layout::native::declare::{SetKind, action_key, action_value, declare, mapping};
use nftwrap::layout::native::field::{Field, Fields};
use nftwrap::layout::native::tlv::{Kind, SetTag, Tags};
use nftwrap::name::{ChainName, SetName, TableName};
use nftwrap::nft::expr::Verdict;
use nftwrap::nft::userdata::{Owner, Role, Userdata};
use nftwrap::nft::{self, BaseChain, Chain, Element, Elements, Policy, Table};
use nftwrap::rule::{Family, Rule};
use nftwrap::transaction::{Batch, Origin};
use nftwrap_compat::parse;

use super::lab;

/// A batch that makes one table.
struct Writer {
    batch: Batch,
    table: TableName,
}

const FAMILY: nft::Family = nft::Family::Ip;

fn chain_name(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

fn rule(text: &str) -> Rule {
    parse::rule(text, Family::Ipv4).unwrap()
}

impl Writer {
    fn chain(&mut self, name: &str, base: bool) {
        let mut chain = Chain::new(FAMILY, self.table.clone(), chain_name(name));
        if base {
            let policy = Some(Policy::Drop);
            chain.base = Some(BaseChain { kind: "filter".into(), hook: 2, priority: 0, policy, devices: Vec::new() });
        } else {
            let owner = Owner { role: Role::Normal, component: Some("nova".parse().unwrap()) };
            let mut bytes = Vec::new();
            Userdata { owner: Some(owner), ..Userdata::default() }.encode(&mut bytes).unwrap();
            chain.userdata = Some(bytes.into());
        }
        self.batch.add_chain(&chain, Origin(0));
    }

    fn set(&mut self, name: &str, kind: &SetKind<'_>, tag: (Kind, &Fields), elements: Vec<Element>) -> SetName {
        let name = SetName::new(name).unwrap();
        let counters = tag.0 == Kind::Choice;
        let tag = SetTag { kind: tag.0, context: Fields::default(), fields: tag.1.clone() };
        let tags = Tags { set: Some(tag), ..Tags::default() };
        let mut set = declare(kind, Family::Ipv4, &self.table, &name, counters, &tags);
        set.id = Some(1);
        self.batch.add_set(&set, Origin(0));
        let (table, set_id) = (self.table.clone(), None);
        self.batch.add_elements(&Elements { family: FAMILY, table, set: name.clone(), set_id, elements }, Origin(0));
        name
    }

    fn rule(&mut self, chain: &str, rule: &Rule, to: Option<&str>, code: &Code<'_>) {
        let mut program = Program::default();
        let to = to.map(chain_name);
        codegen::write(rule, to.as_ref(), code, Family::Ipv4, &NoIpsets, &mut program).unwrap();
        let (table, chain) = (self.table.clone(), chain_name(chain));
        let Program { expressions, compat, .. } = program;
        let (handle, position, userdata) = (None, None, None);
        self.batch.add_rule(
            &nft::Rule { family: FAMILY, table, chain, handle, position, expressions, compat, userdata },
            Origin(0),
        );
    }
}

fn named(element: Element, name: &str) -> Element {
    let tags = Tags { name: Some(chain_name(name)), ..Tags::default() };
    Element { userdata: Some(tags.encode().unwrap()), ..element }
}

/// Ten instances: nine share a body, the last is dropped.
fn host() -> Batch {
    let mut w = Writer { batch: Batch::begin(None), table: TableName::new("nova-filter").unwrap() };
    w.batch.add_table(&Table::new(FAMILY, w.table.clone()), Origin(0));
    w.chain("nova/1", false);
    w.chain("nova-local", false);
    w.chain("FORWARD", true);
    let fields = Fields::new([Field::Destination(32)]);
    let instances = (1..=9u8).map(|n| named(mapping(&[10, 0, 0, n], &action_value(4)), &format!("nova-inst-{n}")));
    let elements = instances.chain([mapping(&[10, 0, 0, 10], &action_value(2))]).collect();
    let map = w.set("nova/map/1", &SetKind::Choice(&fields), (Kind::Choice, &fields), elements);
    let verdicts = [(2_u32, Verdict::Drop), (4, Verdict::Jump(chain_name("nova/1")))];
    let elements = verdicts.map(|(n, verdict)| Element::with_verdict(&action_key(n), verdict)).into();
    let none = Fields::default();
    let actions = w.set("nova/actions/1", &SetKind::Actions, (Kind::Actions, &none), elements);
    let entry = |name: &str, number: u32| {
        let mut key = [0; 64];
        key[..name.len()].copy_from_slice(name.as_bytes());
        mapping(&key, &number.to_ne_bytes())
    };
    w.set(
        "nova/chains",
        &SetKind::Directory,
        (Kind::Directory, &none),
        vec![entry("nova-local", 0), entry("FORWARD", 0)],
    );
    w.rule("nova/1", &rule("-p tcp -m tcp --dport 22 -j ACCEPT"), None, &Code::Plain);
    w.rule("nova/1", &rule("-j DROP"), None, &Code::Plain);
    w.rule("nova-local", &Rule::new(), None, &Code::Choose { map: &map, actions: &actions, fields: &fields });
    w.rule("FORWARD", &rule("-j nova-local"), None, &Code::Plain);
    w.batch
}

#[test]
fn native_tables_show_the_chains_that_they_were_made_of() {
    let Some(lab) = lab() else { return };
    lab.kernel().commit(&host().seal().unwrap()).unwrap();
    let save = lab.nftwrap(&["show"], "").ok();
    for line in [
        "# table nova-filter\n*filter\n",
        ":FORWARD DROP [0:0]\n",
        ":nova-inst-9 - [0:0]\n",
        "-A FORWARD -j nova-local\n",
        "-A nova-local -d 10.0.0.1/32 -j nova-inst-1\n",
        "-A nova-local -d 10.0.0.10/32 -j DROP\n",
        "-A nova-inst-9 -p tcp -m tcp --dport 22 -j ACCEPT\n-A nova-inst-9 -j DROP\n",
    ] {
        assert!(save.contains(line), "{line}: {save}");
    }
    assert!(!save.contains("nova/1"), "{save}");
    assert_eq!(lab.nftwrap(&["show", "--wrap", "nova"], "").ok(), save);
    assert_eq!(lab.nftwrap(&["show", "--wrap", "other"], "").ok(), "");

    let tree = lab.nftwrap(&["show", "--format", "tree"], "").ok();
    for part in [
        "native table nova-filter: 11 chains in 3 kernel chains, 3 sets and maps with 14 elements",
        "elements of nova/map/1:",
        "-d 10.0.0.1/32 -j nova-inst-1  (nova/1, shared by 9 chains)\n",
        "-d 10.0.0.2/32 -j nova-inst-2  (the rules of nova-inst-1, above)\n",
    ] {
        assert!(tree.contains(part), "{part}: {tree}");
    }

    let nft = lab.nftwrap(&["show", "--format", "nft"], "").ok();
    for part in [
        "ip daddr map @nova/map/1 vmap @nova/actions/1\n",
        "10.0.0.9 counter packets 0 bytes 0 : 4 # nova-inst-9\n",
        "\tchain nova/1 {\n\t\t# nova-inst-1, nova-inst-2,",
        "\"nova-local\" : 0\n",
        "4 : jump nova/1\n",
    ] {
        assert!(nft.contains(part), "{part}: {nft}");
    }

    let json = lab.nftwrap(&["show", "--json"], "").json();
    let table = &json["tables"][0];
    assert_eq!((&table["layout"], &table["kernel_table"]), (&"native".into(), &"nova-filter".into()));
    let chains = table["chains"].as_array().unwrap();
    let instance = chains.iter().find(|c| c["name"] == "nova-inst-3").unwrap();
    assert_eq!((&instance["kernel_chain"], &instance["sharing"]), (&"nova/1".into(), &9.into()));
}

#[test]
fn tables_of_others_with_such_names_are_left_out() {
    let Some(lab) = lab() else { return };
    lab.run("nft 'add table ip my-filter; add chain ip my-filter c; add rule ip my-filter c drop'");
    assert_eq!(lab.nftwrap(&["show"], "").ok(), "");
}
