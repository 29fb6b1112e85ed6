//! The state of the fake kernel for people: the form of `nft list`, with rules as register programs.

use std::fmt;

use super::state::{Base, Chain, Set, Table};
use crate::nft::{self, ElementData, Policy, TableFlags};

pub(super) fn table(table: &Table, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "table {} {} {{ # handle {}", table.family, table.name, table.handle)?;
    let flags = TableFlags::from_bits_retain(table.flags);
    if !flags.is_empty() {
        f.write_str(", ")?;
        bitflags::parser::to_writer(&flags, &mut *f)?;
    }
    writeln!(f)?;
    table.sets.values().try_for_each(|s| set(table, s, f))?;
    for object in table.objects.values() {
        writeln!(f, "  object {} {:?}", object.value.name, object.value.data)?;
    }
    table.chains.values().try_for_each(|c| chain(table, c, f))?;
    writeln!(f, "}}")
}

fn set(table: &Table, set: &Set, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let what = if set.is_map() { "map" } else { "set" };
    writeln!(f, "  {what} {} {{ # handle {}", set.value.name, set.handle)?;
    for element in table.dump_elements(set) {
        f.write_str("    ")?;
        match &element.key {
            Some(key) => hex(key, f)?,
            None => f.write_str("*")?,
        }
        if let Some(end) = &element.key_end {
            f.write_str("-")?;
            hex(end, f)?;
        }
        match &element.data {
            Some(ElementData::Value(value)) => {
                f.write_str(" : ")?;
                hex(value, f)?;
            }
            Some(ElementData::Verdict(verdict)) => write!(f, " : {}", nft::listing::verdict(verdict))?,
            None => {}
        }
        writeln!(f)?;
    }
    writeln!(f, "  }}")
}

fn chain(table: &Table, chain: &Chain, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "  chain {} {{ # handle {}, {} uses", chain.name, chain.handle, chain.uses)?;
    if let Some(Base { kind, hook, priority, policy, .. }) = &chain.base {
        let policy = match policy {
            Policy::Drop => "drop",
            Policy::Accept => "accept",
        };
        writeln!(f, "    type {} hook {hook} priority {priority}; policy {policy};", kind.name())?;
    }
    for rule in table.dump_rules(chain) {
        write!(f, "    # handle {}", rule.handle.unwrap_or(0))?;
        for expr in &rule.expressions {
            write!(f, "\n    {}", nft::listing::expression(expr))?;
        }
        writeln!(f)?;
    }
    writeln!(f, "  }}")
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("0x")?;
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}
