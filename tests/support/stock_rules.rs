//! The rules of `tests/corpus/stock`, and the stock tools that load them.

use std::collections::HashMap;

use nftwrap::compile::Ipsets;
use nftwrap::kernel::{Kernel, Live};
use nftwrap::name::{IpsetName, TableName};
use nftwrap::nft::expr::Expr;
use nftwrap::nft::userdata::Userdata;
use nftwrap::nft::{Rule, listing};
use nftwrap::rule::Family;

use crate::lab::Lab;

/// The sets that the corpus names.
pub(crate) const SETS: &str = "create four1 hash:ip counters
create four2 hash:ip,port counters
create four3 hash:ip,port,net counters
create six1 hash:ip family inet6 counters
create six2 hash:ip,port family inet6 counters
";

/// What the corpus of a family is made of, and the stock tools for it.
pub(crate) struct Side {
    pub(crate) family: Family,
    pub(crate) files: [&'static str; 2],
    pub(crate) restore: &'static str,
    pub(crate) save: &'static str,
}

impl Side {
    /// A namespace for a test that runs the tools of this side.
    pub(crate) fn lab(&self) -> Option<Lab> {
        Lab::new(&["ipset", self.restore, self.save])
    }
}

pub(crate) const V4: Side = Side {
    family: Family::Ipv4,
    files: [include_str!("../corpus/stock/both.rules"), include_str!("../corpus/stock/v4.rules")],
    restore: "iptables-nft-restore",
    save: "iptables-nft-save",
};
pub(crate) const V6: Side = Side {
    family: Family::Ipv6,
    files: [include_str!("../corpus/stock/both.rules"), include_str!("../corpus/stock/v6.rules")],
    restore: "ip6tables-nft-restore",
    save: "ip6tables-nft-save",
};

/// The ipsets of a namespace, looked up in advance.
#[derive(Default)]
pub(crate) struct Sets(pub(crate) HashMap<String, u16>);

impl Sets {
    /// Makes them in a namespace.
    pub(crate) fn make(lab: &Lab) -> Self {
        lab.quietly(&["ipset", "restore"], SETS);
        let mut kernel = lab.kernel();
        let names = SETS.lines().map(|line| line.split(' ').nth(1).unwrap());
        let mut index = |name: &str| kernel.ipset_index(&IpsetName::new(name).unwrap()).unwrap().unwrap();
        Self(names.map(|name| (name.to_owned(), index(name))).collect())
    }
}

impl Ipsets for Sets {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        self.0.get(name.as_str()).copied()
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.0.iter().find(|(_, i)| **i == index).and_then(|(name, _)| IpsetName::new(name).ok())
    }
}

pub(crate) fn rules(kernel: &mut Live, family: Family, table: &str) -> Vec<Rule> {
    kernel.rules(family.into(), &TableName::new(table).unwrap(), None).unwrap()
}

pub(crate) fn comment(rule: &Rule) -> Option<nftwrap::name::Comment> {
    Userdata::decode(rule.userdata.as_deref()?).unwrap().comment
}

/// The readable form of a program, with what xt extensions carry.
pub(crate) fn listed(expressions: &[Expr]) -> String {
    listing::compact(expressions).to_string().replace("; ", "\n")
}

/// Loads the corpus by the stock tool, file after file: the second is added to the first.
pub(crate) fn load_by_stock(lab: &Lab, side: &Side) {
    for file in side.files {
        lab.quietly(&[side.restore, "--noflush"], file);
    }
}
