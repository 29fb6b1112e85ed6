//! Programs through a running kernel.

use nftwrap::compile::{AnonymousSet, NoIpsets, Program, native, stock};
use nftwrap::kernel::{Kernel, Live};
use nftwrap::name::{ChainName, TableName};
use nftwrap::nft::expr::{Expr, Lookup, SetRef};
use nftwrap::nft::{self, BaseChain, Chain, Policy, Table};
use nftwrap::rule::{Family, Rule};
use nftwrap::transaction::{Batch, Origin};

use crate::lab::Lab;
use crate::{Case, corpus};

/// Adds a table with a base chain where the rules of an iptables table stand, and the chain that rules jump to.
pub(crate) fn add_table(batch: &mut Batch, family: Family, table: &str, hook: (u32, i32, &str)) {
    let (nft, table) = (family.into(), TableName::new(table).unwrap());
    batch.add_table(&Table::new(nft, table.clone()), Origin(0));
    for name in ["foo", "FOO"] {
        let mut chain = Chain::new(nft, table.clone(), ChainName::new(name).unwrap());
        if name == "FOO" {
            let (hook, priority, kind) = hook;
            let policy = Some(Policy::Accept);
            chain.base = Some(BaseChain { kind: kind.into(), hook, priority, policy, devices: Vec::new() });
        }
        batch.add_chain(&chain, Origin(0));
    }
}

/// Adds a rule's program, its sets before it.
pub(crate) fn add_rule(batch: &mut Batch, family: Family, table: &str, program: &Program, next_id: &mut u32) {
    let (nft, table) = (nft::Family::from(family), TableName::new(table).unwrap());
    let mut expressions = program.expressions.clone();
    for set in &program.sets {
        *next_id += 1;
        let (declared, elements) = set.declare(nft, &table, *next_id).unwrap();
        batch.add_set(&declared, Origin(*next_id));
        batch.add_elements(&elements, Origin(*next_id));
        for expr in &mut expressions {
            match expr {
                Expr::Lookup(Lookup { set: reference, .. }) if reference.id == set.id && !reference.name.is_empty() => {
                    // Ids of the batch are above those of a program, so that none is changed twice.
                    reference.id = *next_id + 1000;
                }
                _ => {}
            }
        }
    }
    for expr in &mut expressions {
        if let Expr::Lookup(Lookup { set, .. }) = expr {
            set.id -= 1000;
        }
    }
    let chain = ChainName::new("FOO").unwrap();
    let (handle, position, userdata, compat) = (None, None, None, program.compat);
    batch
        .add_rule(&nft::Rule { family: nft, table, chain, handle, position, expressions, compat, userdata }, Origin(0));
}

/// The programs of a table's rules, with the anonymous sets read and numbered as the encoding numbers them.
pub(crate) fn programs(live: &mut Live, family: Family, table: &str) -> Vec<Program> {
    let (nft, table) = (nft::Family::from(family), TableName::new(table).unwrap());
    let chain = ChainName::new("FOO").unwrap();
    let sets = live.sets(nft, &table).unwrap();
    let mut programs = Vec::new();
    for rule in live.rules(nft, &table, Some(&chain)).unwrap() {
        let mut program = Program { expressions: rule.expressions, compat: rule.compat, ..Program::default() };
        for expr in &mut program.expressions {
            if let Expr::Lookup(Lookup { set: reference, .. }) = expr {
                let found = sets.iter().find(|s| s.name.as_str() == &*reference.name).unwrap();
                let elements = live.elements(nft, &table, &found.name).unwrap();
                let id = u32::try_from(program.sets.len()).unwrap() + 1;
                *reference = SetRef { name: AnonymousSet::TEMPLATE.into(), id };
                program.sets.push(AnonymousSet::read(id, found, &elements).unwrap());
            }
        }
        programs.push(program);
    }
    programs
}

/// Hook, priority and type of a base chain for a case. Rules about the incoming side stand in `prerouting`, others in `output`.
pub(crate) fn hook(case: &Case) -> (u32, i32, &'static str) {
    let text = case.words;
    match case.table {
        "nat" if text.contains("SNAT") || text.contains("MASQUERADE") => (4, 100, "nat"),
        "nat" => (0, -100, "nat"),
        "raw" => (0, -300, "filter"),
        "mangle" => (4, -150, "filter"),
        _ if text.contains("rpfilter") => (0, -300, "filter"),
        _ if text.contains("CLASSIFY") || text.contains("owner") => (3, 0, "filter"),
        _ if text.contains("mac") || text.contains("REJECT") || text.contains("limit-iface-in") => (1, 0, "filter"),
        _ => (2, 0, "filter"),
    }
}

pub(crate) fn compiled(rule: &Rule, family: Family) -> Program {
    let mut program = Program::default();
    native::compile(rule, family, None, &NoIpsets, &mut program).unwrap();
    program
}

#[test]
fn the_kernel_takes_every_form_and_shows_it_unchanged() {
    for (number, case) in corpus().into_iter().enumerate() {
        if case.words.contains("match-set") {
            continue;
        }
        let program = compiled(&case.rule, case.family);
        let reported = native::fallbacks(&case.rule, case.family, &NoIpsets).unwrap();
        // Extensions of one table need that table's name; the native layout has to refuse them.
        let table = reported.iter().find_map(|f| f.tables.first()).copied().unwrap_or("own");
        let mut batch = Batch::begin(None);
        add_table(&mut batch, case.family, table, hook(&case));
        let mut id = 0;
        add_rule(&mut batch, case.family, table, &program, &mut id);
        let Some(lab) = Lab::new(&[]) else { return };
        let mut live = lab.kernel();
        live.commit(&batch.seal().unwrap()).unwrap_or_else(|e| panic!("{number} {}: {e}", case.words));
        let [dumped] = programs(&mut live, case.family, table).try_into().unwrap();
        // The protocol that extensions check is not part of a dump.
        let dumped = Program { compat: program.compat, ..dumped };
        let expected = Program { comment: None, ..program };
        assert_eq!(native::lift(&dumped, case.family, &NoIpsets), native::lift(&expected, case.family, &NoIpsets));
        if reported.is_empty() {
            assert_eq!(dumped, expected, "{}", case.words);
        }
    }
}

#[test]
fn extensions_are_refused_in_other_tables() {
    for case in corpus().into_iter().filter(|c| !c.words.contains("match-set")) {
        let reported = native::fallbacks(&case.rule, case.family, &NoIpsets).unwrap();
        if reported.iter().all(|f| f.tables.is_empty()) {
            continue;
        }
        let mut batch = Batch::begin(None);
        add_table(&mut batch, case.family, "own", hook(&case));
        add_rule(&mut batch, case.family, "own", &compiled(&case.rule, case.family), &mut 0);
        let Some(lab) = Lab::new(&[]) else { return };
        assert!(lab.kernel().commit(&batch.seal().unwrap()).is_err(), "{}", case.words);
    }
}

/// Both encodings of a rule.
pub(crate) fn both(rule: &Rule, family: Family) -> [Program; 2] {
    let mut programs = [Program::default(), Program::default()];
    let counter = Some(Default::default());
    native::compile(rule, family, counter, &NoIpsets, &mut programs[0]).unwrap();
    stock::compile(rule, family, counter, &NoIpsets, &mut programs[1]).unwrap();
    programs
}
