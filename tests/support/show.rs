//! Tables of a kernel for people to read: what a failed test prints beside the model.
#![allow(dead_code, reason = "each test binary uses another part")]
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::fmt::Write;

use nftwrap::kernel::Kernel;
use nftwrap::nft::{Element, ElementData, Family, listing};

/// All tables of a family.
pub(crate) fn tables<K: Kernel>(kernel: &mut K, family: Family) -> String {
    let mut out = String::new();
    for table in kernel.tables(family).unwrap() {
        writeln!(out, "table {family} {}", table.name).unwrap();
        for set in kernel.sets(family, &table.name).unwrap() {
            writeln!(out, "  set {} {:?} {:?}", set.name, set.flags, set.data).unwrap();
            for element in kernel.elements(family, &table.name, &set.name).unwrap() {
                writeln!(out, "    {}", self::element(&element)).unwrap();
            }
        }
        let rules = kernel.rules(family, &table.name, None).unwrap();
        for chain in kernel.chains(family).unwrap().iter().filter(|chain| chain.table == table.name) {
            let base = chain.base.as_ref().map(|base| format!(" hook {} priority {}", base.hook, base.priority));
            writeln!(out, "  chain {}{}", chain.name, base.unwrap_or_default()).unwrap();
            for rule in rules.iter().filter(|rule| rule.chain == chain.name) {
                writeln!(out, "    {}", listing::compact(&rule.expressions)).unwrap();
            }
        }
    }
    out
}

fn element(element: &Element) -> String {
    let mut out = String::new();
    for bytes in [&element.key, &element.key_end].into_iter().flatten() {
        if !out.is_empty() {
            out.push('-');
        }
        bytes.iter().for_each(|byte| write!(out, "{byte:02x}").unwrap());
    }
    if !element.flags.is_empty() {
        write!(out, " {:?}", element.flags).unwrap();
    }
    match &element.data {
        Some(ElementData::Value(value)) => {
            out.push_str(" : ");
            value.iter().for_each(|byte| write!(out, "{byte:02x}").unwrap());
        }
        Some(ElementData::Verdict(verdict)) => write!(out, " : {}", listing::verdict(verdict)).unwrap(),
        None => {}
    }
    out
}
