//! What becomes of rules that go to the kernel through libnftnl's Rust crates.
//!
//! Works in a network namespace of its own.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

#[path = "../../support/lab.rs"]
mod lab;

use lab::Lab;
use nftwrap::kernel::Kernel;
use nftwrap::name::TableName;
use nftwrap::nft::Family;
use nftwrap::nft::expr::*;
use nftwrap_oracle::load::{ChainRules, Loaded, Sending, load};

fn rule(number: u16) -> Vec<Expr> {
    let [high, low] = number.to_be_bytes();
    let dreg = Register::R1;
    vec![
        Payload::Load { dreg, base: PayloadBase::Network, offset: 12, len: 4 }.into(),
        Cmp { sreg: dreg, op: CmpOp::Eq, data: Data::from([10, 0, high, low]) }.into(),
        Counter::default().into(),
        Immediate { dreg: Register::VERDICT, data: Operand::Verdict(Verdict::Accept) }.into(),
    ]
}

/// What loading returned, and the rules that are in the kernel afterwards.
fn loaded(rules: u16, sending: Sending) -> Option<(std::io::Result<Loaded>, Vec<Vec<Expr>>)> {
    let lab = Lab::new(&[])?;
    let chain =
        ChainRules { family: Family::Ip, table: "t".into(), chain: "c".into(), rules: (0..rules).map(rule).collect() };
    let result = lab.0.run(|| load(&[chain], sending)).unwrap();
    let table = TableName::new("t").unwrap();
    let found = lab.kernel().rules(Family::Ip, &table, None).unwrap_or_default();
    Some((result, found.into_iter().map(|rule| rule.expressions).collect()))
}

#[test]
fn one_page_loads_either_way() {
    for sending in [Sending::PageByPage, Sending::OneDatagram] {
        let Some((result, found)) = loaded(100, sending) else { return };
        assert_eq!(result.unwrap(), Loaded { pages: 1, rules: 100, skipped: 0 });
        assert_eq!(found, (0..100).map(rule).collect::<Vec<_>>());
    }
}

#[test]
fn more_than_a_page_is_lost_when_each_page_is_a_datagram() {
    let Some((result, found)) = loaded(5_000, Sending::PageByPage) else { return };
    assert!(result.is_err());
    assert!(found.is_empty());
}

#[test]
fn more_than_a_page_loads_in_one_datagram() {
    let Some((result, found)) = loaded(5_000, Sending::OneDatagram) else { return };
    let result = result.unwrap();
    assert!(result.pages > 1);
    assert_eq!((result.rules, found.len()), (5_000, 5_000));
}
