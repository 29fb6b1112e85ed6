//! Ipsets as we make them, beside the `ipset` tool.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "support/lab.rs"]
mod lab;

use std::collections::BTreeSet;

use ipnetwork::IpNetwork;
use lab::Lab;
use nftwrap::ipset::{DEFAULT_MAXELEM, Family, Form, Kind, Order, Reason};
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::name::IpsetName;

fn name(text: &str) -> IpsetName {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNetwork> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const NET4: Form = Form { kind: Kind::Net, family: Family::Ipv4, maxelem: DEFAULT_MAXELEM };

/// The lines of `ipset save` without the numbers that a newer tool makes up.
fn save(lab: &Lab) -> BTreeSet<String> {
    lab.run("ipset save").lines().map(str::to_owned).collect()
}

#[test]
fn the_stock_tool_shows_what_was_made() {
    let Some(lab) = Lab::new(&["ipset"]) else { return };
    let mut kernel = lab.kernel();
    let mut run = |order| kernel.change_ipset(&order).unwrap();
    run(Order::Create(name("NIPv4abc"), NET4));
    run(Order::Add(name("NIPv4abc"), nets(&["10.0.0.0/24", "10.0.1.7/32"])));
    run(Order::Create(name("hosts6"), Form { kind: Kind::Ip, family: Family::Ipv6, maxelem: 1 << 17 }));
    run(Order::Add(name("hosts6"), nets(&["2001:db8::1/128"])));
    let want = [
        "create NIPv4abc hash:net family inet hashsize 1024 maxelem 65536",
        "add NIPv4abc 10.0.0.0/24",
        "add NIPv4abc 10.0.1.7",
        "create hosts6 hash:ip family inet6 hashsize 1024 maxelem 131072",
        "add hosts6 2001:db8::1",
    ];
    assert_eq!(save(&lab), want.map(str::to_owned).into());
    let mut run = |order| kernel.change_ipset(&order).unwrap();
    run(Order::Delete(name("NIPv4abc"), nets(&["10.0.0.0/24", "10.9.9.9/32"])));
    run(Order::Destroy(name("hosts6")));
    assert_eq!(save(&lab).len(), 2);
}

#[test]
fn what_the_stock_tool_made_is_read() {
    let Some(lab) = Lab::new(&["ipset"]) else { return };
    lab.run("ipset create s hash:net family inet6 && ipset add s ::/1 && ipset add s 8000::/1 && ipset add s 2001:db8::1 nomatch");
    lab.run("ipset create l list:set && ipset add l s");
    let mut kernel = lab.kernel();
    let content = kernel.ipset(&name("s")).unwrap().unwrap();
    assert!(content.is(Kind::Net, Family::Ipv6));
    assert_eq!(content.members.into_iter().collect::<BTreeSet<_>>(), nets(&["::/1", "8000::/1"]).into_iter().collect());
    assert_eq!(content.exceptions, nets(&["2001:db8::1/128"]));
    let list = kernel.ipset(&name("l")).unwrap().unwrap();
    assert_eq!((list.type_name.as_str(), list.family, list.members.len()), ("list:set", None, 0));
    assert_eq!(kernel.ipset(&name("none")).unwrap(), None);
}

/// The same on the fake and on the kernel: what is refused, and with which number.
fn orders<K: Kernel>(mut kernel: K) {
    let (set, other) = (name("s"), name("t"));
    let errno = |result: Result<(), nftwrap::ipset::Error>| result.unwrap_err().errno().unwrap();
    assert_eq!(errno(kernel.change_ipset(&Order::Add(set.clone(), nets(&["10.0.0.1/32"])))), libc::ENOENT);
    kernel.change_ipset(&Order::Destroy(set.clone())).unwrap();
    kernel.change_ipset(&Order::Create(set.clone(), Form { maxelem: 4, ..NET4 })).unwrap();
    assert_eq!(errno(kernel.change_ipset(&Order::Create(set.clone(), NET4))), libc::EEXIST);
    for _ in 0..2 {
        kernel.change_ipset(&Order::Add(set.clone(), nets(&["10.0.0.1/32", "10.0.0.0/24"]))).unwrap();
    }
    assert_eq!(kernel.ipset(&set).unwrap().unwrap().members.len(), 2);
    kernel.change_ipset(&Order::Delete(set.clone(), nets(&["10.0.0.1/32", "10.0.0.9/32"]))).unwrap();
    assert_eq!(kernel.ipset(&set).unwrap().unwrap().members, nets(&["10.0.0.0/24"]));

    let many: Vec<IpNetwork> = (0..40_u8).map(|n| format!("10.1.{n}.0/24").parse().unwrap()).collect();
    let error = kernel.change_ipset(&Order::Add(set.clone(), many.clone())).unwrap_err();
    assert_eq!(error.reason(), Some(Reason::Full));
    assert!(error.member.is_some());

    kernel.change_ipset(&Order::Create(other.clone(), Form { kind: Kind::Ip, ..NET4 })).unwrap();
    let error = kernel.change_ipset(&Order::Swap(set.clone(), other.clone())).unwrap_err();
    assert_eq!(error.reason(), Some(Reason::TypeMismatch));
    let error = kernel.change_ipset(&Order::Add(other.clone(), nets(&["0.0.0.0/32"]))).unwrap_err();
    assert_eq!(error.reason(), Some(Reason::Element));
    kernel.change_ipset(&Order::Destroy(other.clone())).unwrap();

    kernel.change_ipset(&Order::Create(other.clone(), NET4)).unwrap();
    kernel.change_ipset(&Order::Add(other.clone(), many.clone())).unwrap();
    let index = kernel.ipset_index(&set).unwrap();
    kernel.change_ipset(&Order::Swap(set.clone(), other.clone())).unwrap();
    assert_eq!(kernel.ipset_index(&set).unwrap(), index, "rules look into the other set now");
    assert_eq!(kernel.ipset(&set).unwrap().unwrap().members.len(), many.len());
    kernel.change_ipset(&Order::Destroy(other)).unwrap();
    kernel.change_ipset(&Order::Destroy(set.clone())).unwrap();
    assert_eq!(kernel.ipset(&set).unwrap(), None);
}

#[test]
fn orders_on_the_fake() {
    orders(Fake::new());
}

#[test]
fn orders_on_the_kernel() {
    if let Some(lab) = Lab::new(&[]) {
        orders(lab.kernel());
    }
}

/// More members than one message holds, of both families.
#[test]
fn ten_thousand_members_arrive() {
    let Some(lab) = Lab::new(&["ipset"]) else { return };
    let mut kernel = lab.kernel();
    for (set, family) in [("v4", Family::Ipv4), ("v6", Family::Ipv6)] {
        let member = |n: u32| match family {
            Family::Ipv4 => format!("10.{}.{}.0/24", n >> 8, n & 255),
            Family::Ipv6 => format!("2001:db8:{n:x}::/48"),
        };
        let members: BTreeSet<IpNetwork> = (0..10_000).map(|n| member(n).parse().unwrap()).collect();
        kernel.change_ipset(&Order::Create(name(set), Form { family, ..NET4 })).unwrap();
        kernel.change_ipset(&Order::Add(name(set), members.iter().copied().collect())).unwrap();
        let stands: BTreeSet<IpNetwork> = kernel.ipset(&name(set)).unwrap().unwrap().members.into_iter().collect();
        assert!(stands == members);
    }
}
