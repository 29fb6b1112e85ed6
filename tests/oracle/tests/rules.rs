//! Whole rule messages of random rules, byte for byte as libnftnl writes them.
#![allow(clippy::unwrap_used)]

use nftwrap::name::{ChainName, TableName};
use nftwrap::netlink::header::NewFlags;
use nftwrap::nft::expr::*;
use nftwrap::nft::uapi::{NFT_MSG_NEWRULE, NFT_RULE_COMPAT_F_INV};
use nftwrap::nft::{self, Compat, Family, message};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

#[path = "../../../src/nft/expr/tests/random.rs"]
mod random;

fn ours(rule: &nft::Rule, flags: u16, seq: u32) -> Vec<u8> {
    let mut buf = Vec::new();
    message::append(&mut buf, NFT_MSG_NEWRULE, flags, rule.family, 0, seq, |w| rule.encode(w)).unwrap();
    buf
}

fn theirs(rule: &nft::Rule, flags: u16, seq: u32) -> Vec<u8> {
    let mut built =
        nftwrap_oracle::rule::Rule::build(rule.family, rule.table.as_str(), rule.chain.as_str(), &rule.expressions)
            .unwrap();
    built.handle(rule.handle, rule.position);
    if let Some(compat) = rule.compat {
        built.compat(compat.protocol, if compat.inverted { NFT_RULE_COMPAT_F_INV } else { 0 });
    }
    if let Some(userdata) = &rule.userdata {
        built.userdata(userdata);
    }
    built.message(flags, seq)
}

fn rule() -> impl Strategy<Value = nft::Rule> {
    let family = proptest::sample::select(vec![Family::Ip, Family::Ip6, Family::Inet, Family::Bridge]);
    let compat = of((any::<u8>(), any::<bool>()))
        .prop_map(|compat| compat.map(|(protocol, inverted)| Compat { protocol: protocol.into(), inverted }));
    let userdata = of(vec(any::<u8>(), 1..=255)).prop_map(|bytes| bytes.map(Into::into));
    let expressions = vec(random::expression(), 1..12);
    (family, "[a-z]{1,12}", "[a-zA-Z-][a-z0-9]{1,27}", of(1u64..), of(1u64..), expressions, compat, userdata).prop_map(
        |(family, table, chain, handle, position, expressions, compat, userdata)| nft::Rule {
            family,
            table: TableName::new(&table).unwrap(),
            chain: ChainName::new(&chain.replace('-', "x")).unwrap(),
            handle,
            position,
            expressions,
            compat,
            userdata,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_message_is_libnftnls(rule in rule(), flags in any::<u16>(), seq in any::<u32>()) {
        // libnftnl always sets it.
        let flags = flags | NewFlags::REQUEST.bits();
        prop_assert_eq!(ours(&rule, flags, seq), theirs(&rule, flags, seq));
    }
}
