//! Each rule in its native encoding: a chain of one rule decides as the rule itself.

use nftwrap::compile::{NoIpsets, Program, native};
use nftwrap::kernel::machine::{Packet, Ruleset, model};
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::name::TableName;
use nftwrap::nft::{self, BaseChain, Chain, Policy, Table};
use nftwrap::rule::{Family, Rule};
use nftwrap::transaction::{Batch, Origin};
use nftwrap::wrap::{Builtin, Hook, Model, TableKind};

use crate::agree::{Tally, text};
use crate::random::Random;
use crate::random::model::{Generator, Rules, rules_of};
use crate::random::packet::{Shot, shot};
use crate::seed;

/// A kernel in which each chain of a model stands as it is, its rules in the native encoding.
fn load(model: &Model) -> Fake {
    let mut kernel = Fake::new();
    let mut batch = Batch::begin(None);
    let mut id = 0;
    for table in model.tables() {
        let (family, name) = (nft::Family::from(table.id().family), table_name(table.kind()));
        batch.add_table(&Table::new(family, name.clone()), Origin(0));
        for chain in table.chains() {
            let builtin = table.kind().builtin(chain.name().as_str());
            let base = |b: &Builtin| BaseChain {
                kind: b.kind.into(),
                hook: b.hook as u32,
                priority: b.priority,
                policy: Some(chain.policy().unwrap_or(Policy::Accept)),
                devices: Vec::new(),
            };
            let added = Chain::new(family, name.clone(), chain.name().clone());
            batch.add_chain(&Chain { base: builtin.map(base), ..added }, Origin(0));
        }
        for chain in table.chains() {
            for rule in rules_of(table, chain.name().as_str()) {
                add(&mut batch, table.id().family, &name, chain.name(), &rule, &mut id);
            }
        }
    }
    kernel.commit(&batch.seal().unwrap()).unwrap_or_else(|error| panic!("{error}\n{}", text(model)));
    kernel
}

fn table_name(kind: TableKind) -> TableName {
    TableName::new(&format!("native-{kind}")).unwrap()
}

fn add(
    batch: &mut Batch,
    family: Family,
    table: &TableName,
    chain: &nftwrap::name::ChainName,
    rule: &Rule,
    id: &mut u32,
) {
    let mut program = Program::default();
    native::compile(rule, family, None, &NoIpsets, &mut program).unwrap_or_else(|e| panic!("{rule:?}: {e}"));
    for set in &program.sets {
        let (declared, elements) = set.declare(family.into(), table, *id + set.id).unwrap();
        batch.add_set(&declared, Origin(0));
        batch.add_elements(&elements, Origin(0));
    }
    let mut expressions = program.expressions;
    for expression in &mut expressions {
        if let nft::expr::Expr::Lookup(lookup) = expression {
            lookup.set.id += *id;
        }
    }
    *id += u32::try_from(program.sets.len()).unwrap();
    batch.add_rule(
        &nft::Rule {
            family: family.into(),
            table: table.clone(),
            chain: chain.clone(),
            handle: None,
            position: None,
            expressions,
            compat: program.compat,
            userdata: None,
        },
        Origin(0),
    );
}

/// One seed: a model whose rules all stand in their native encoding.
pub(crate) fn case(seed: u64) -> Tally {
    let model = Generator::new(seed, Rules::All).model();
    let mut kernel = load(&model);
    let mut random = Random(seed ^ 0xabcd);
    let mut packets = crate::agree::shots(&mut random, &model, 100);
    packets.extend(packets.clone().into_iter().filter_map(later_fragment));
    match crate::agree::agree(&model, &mut kernel, table_name, &packets) {
        Ok(tally) => tally,
        Err(_) => fail(seed, &model, &packets),
    }
}

/// The packet as a fragment that is not the first: what stands where the ports would be is data.
fn later_fragment(shot: Shot) -> Option<Shot> {
    let packet = Packet { fragment: 5, ..shot.packet };
    (packet.family() == Family::Ipv4).then_some(Shot { packet, ..shot })
}

fn fail(seed: u64, model: &Model, packets: &[Shot]) -> ! {
    let run = |model: &Model, packets: &[Shot]| crate::agree::agree(model, &mut load(model), table_name, packets);
    let one = packets.iter().find(|packet| run(model, std::slice::from_ref(packet)).is_err()).unwrap();
    let one = std::slice::from_ref(one);
    let small = crate::agree::smallest(model, |model| run(model, one).is_err());
    panic!("seed {seed}: {}\n{}", run(&small, one).unwrap_err(), text(&small));
}

#[test]
fn native_rules_do_what_the_model_says() {
    let first = seed(1);
    let mut tally = Tally::default();
    for seed in first..first + 100 {
        tally.join(case(seed));
    }
    tally.is_worth_it();
}

/// A rule alone, in an INPUT chain, and packets that are aimed at it: most of them are decided by it.
#[test]
fn a_native_rule_alone_does_what_it_says() {
    let first = seed(1);
    let mut matched = 0;
    for seed in first..first + 600 {
        let mut generator = Generator::new(seed, Rules::All);
        let mut random = Random(seed);
        let family = *random.pick(&Family::BOTH);
        let mut alone = Model::whole();
        let table = alone.table_mut(family, TableKind::Filter).unwrap();
        let spot = crate::random::model::spot(table, "INPUT");
        let rule = Rule { target: None, ..generator.rule(table, spot, "INPUT") }.discard();
        table.push_rule("INPUT", rule).unwrap();
        let ruleset = Ruleset::read(&mut load(&alone), family, &[table_name(TableKind::Filter)]).unwrap();
        for _ in 0..20 {
            let shot = shot(&mut random, &alone, family);
            let decided = |Shot { packet, .. }: &Shot| {
                let wanted = model::hook(&alone, Hook::Input, packet);
                assert_eq!(wanted, ruleset.hook(Hook::Input, packet), "seed {seed}: {packet:#?}\n{}", text(&alone));
                wanted
            };
            let wanted = decided(&shot);
            later_fragment(shot).iter().for_each(|shot| drop(decided(shot)));
            matched += usize::from(wanted.unwrap().verdict == nftwrap::kernel::machine::Verdict::Drop);
        }
    }
    assert!((3000..9000).contains(&matched), "{matched} of 12000 packets matched");
}
