//! The socket and the live kernel, each test in a network namespace of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "support/lab.rs"]
mod lab;

use std::process::Command;

use lab::{Lab, skip};
use nftwrap::kernel::{CommitError, Errno, Kernel, Live};
use nftwrap::name::{ChainName, IpsetName, SetName, TableName};
use nftwrap::netlink::message::Messages;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::netlink::socket::Socket;
use nftwrap::netlink::transport::{Fault, FaultInjector, Recorder};
use nftwrap::nft::expr::{Counter, Expr, Immediate, Lookup, Operand, Quota, Register, SetRef, Verdict};
use nftwrap::nft::uapi::{NF_INET_LOCAL_IN, NFT_CHAIN_BASE, NFT_MSG_NEWCHAIN, NFTA_CHAIN_NAME, NFTA_CHAIN_TABLE};
use nftwrap::nft::{
    BaseChain, Chain, Element, ElementData, Elements, Family, Message, Object, ObjectData, Policy, Rule, Set, SetData,
    SetFlags, Table,
};
use nftwrap::transaction::{Batch, Origin, Sealed};

const ORIGIN: Origin = Origin(0);
/// Set when a test runs itself again with other privileges.
const INSIDE: &str = "NFTWRAP_TEST_INSIDE";

fn namespace() -> Option<Namespace> {
    Lab::new(&[]).map(|lab| lab.0)
}

/// Runs the test with this name again, under a command that takes privileges away.
fn run_again(wrapper: &[&str], test: &str) {
    let output = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

fn table() -> TableName {
    TableName::new("t").unwrap()
}

fn chain(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

fn set(name: &str) -> SetName {
    SetName::new(name).unwrap()
}

fn counter(packets: u64, bytes: u64) -> Expr {
    Expr::Counter(Counter { packets, bytes })
}

fn verdict(verdict: Verdict) -> Expr {
    Expr::Immediate(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) })
}

fn rule(chain_name: &str, expressions: Vec<Expr>) -> Rule {
    Rule {
        family: Family::Ip,
        table: table(),
        chain: chain(chain_name),
        handle: None,
        position: None,
        expressions,
        compat: None,
        userdata: None,
    }
}

fn skeleton(batch: &mut Batch, chains: &[&str]) {
    batch.add_table(&Table::new(Family::Ip, table()), ORIGIN);
    for name in chains {
        batch.add_chain(&Chain::new(Family::Ip, table(), chain(name)), ORIGIN);
    }
}

fn seal(fill: impl FnOnce(&mut Batch)) -> Sealed {
    let mut batch = Batch::begin(None);
    fill(&mut batch);
    batch.seal().unwrap()
}

/// A batch of about `bytes` bytes.
fn big(bytes: usize) -> Sealed {
    seal(|batch| {
        skeleton(batch, &["c"]);
        while batch.size() < bytes {
            batch.add_rule(&rule("c", vec![counter(0, 0); 8]), ORIGIN);
        }
    })
}

#[test]
fn objects_read_back_as_they_were_made() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let before = live.generation().unwrap();

    let base = BaseChain {
        kind: "filter".into(),
        hook: NF_INET_LOCAL_IN,
        priority: -10,
        policy: Some(Policy::Drop),
        devices: vec![],
    };
    let input = Chain { base: Some(base), ..Chain::new(Family::Ip, table(), chain("input")) };
    let first = Rule { userdata: Some([0, 2, b'x', 0].into()), ..rule("input", vec![counter(7, 8)]) };
    let second = rule("input", vec![verdict(Verdict::Jump(chain("other")))]);
    let plain = Set {
        id: Some(1),
        flags: SetFlags::TIMEOUT,
        size: Some(16),
        timeout: Some(3_600_000),
        ..Set::new(Family::Ip, table(), set("plain"), 4)
    };
    let map = Set {
        id: Some(2),
        flags: SetFlags::MAP,
        data: Some(SetData::Verdict),
        ..Set::new(Family::Ip, table(), set("map"), 4)
    };
    let ranges = Set { id: Some(3), flags: SetFlags::INTERVAL, ..Set::new(Family::Ip, table(), set("ranges"), 4) };
    let of = |name, elements| Elements { family: Family::Ip, table: table(), set: set(name), set_id: None, elements };
    let quota = Object::new(
        Family::Ip,
        table(),
        "q".into(),
        ObjectData::Quota(Quota { bytes: 1000, over: true, consumed: 10 }),
    );

    let sealed = seal(|batch| {
        skeleton(batch, &["other"]);
        batch.add_chain(&input, ORIGIN);
        batch.add_set(&plain, ORIGIN);
        batch.add_set(&map, ORIGIN);
        batch.add_set(&ranges, ORIGIN);
        batch.add_object(&quota, ORIGIN);
        batch.add_rule(&first, ORIGIN);
        batch.add_rule(&second, ORIGIN);
        let counted = Element { expressions: vec![counter(1, 2)], ..Element::new(&[10, 0, 0, 1]) };
        batch.add_elements(&of("plain", vec![counted]), ORIGIN);
        let jump = Element::with_verdict(&[0, 0, 0, 1], Verdict::Goto(chain("other")));
        batch.add_elements(&of("map", vec![jump]), ORIGIN);
        let range = vec![Element::new(&[10, 0, 0, 0]), Element::interval_end(&[10, 0, 1, 0])];
        batch.add_elements(&of("ranges", range), ORIGIN);
    });
    live.commit(&sealed).unwrap();
    assert_eq!(live.generation().unwrap(), before + 1);

    assert_eq!(live.tables(Family::Ip).unwrap()[0].uses, Some(6));
    assert!(live.tables(Family::Ip6).unwrap().is_empty());
    let chains = live.chains(Family::Ip).unwrap();
    assert_eq!(chains[1].base, input.base);
    assert_eq!(chains[1].flags, Some(NFT_CHAIN_BASE));
    assert_eq!(live.chain(Family::Ip, &table(), &chain("input")).unwrap().as_ref(), Some(&chains[1]));
    assert_eq!(live.chain(Family::Ip, &table(), &chain("none")).unwrap(), None);

    let rules = live.rules(Family::Ip, &table(), Some(&chain("input"))).unwrap();
    let same = |dumped: &Rule, made: &Rule| {
        assert_eq!(*dumped, Rule { handle: dumped.handle, position: dumped.position, ..made.clone() });
    };
    same(&rules[0], &first);
    same(&rules[1], &second);
    assert_eq!(rules[1].position, rules[0].handle);
    assert!(live.rules(Family::Ip, &table(), Some(&chain("none"))).unwrap().is_empty());

    let sets = live.sets(Family::Ip, &table()).unwrap();
    let dumped = sets.iter().find(|s| s.name == set("plain")).unwrap();
    assert_eq!((dumped.size, dumped.timeout, dumped.key_len), (Some(16), Some(3_600_000), 4));
    assert_eq!(sets.iter().find(|s| s.name == set("map")).unwrap().data, Some(SetData::Verdict));

    let counted = live.elements(Family::Ip, &table(), &set("plain")).unwrap();
    assert_eq!(counted[0].expressions, [counter(1, 2)]);
    assert_eq!(counted[0].timeout.or(Some(3_600_000)), Some(3_600_000));
    let jumps = live.elements(Family::Ip, &table(), &set("map")).unwrap();
    assert_eq!(jumps[0].data, Some(ElementData::Verdict(Verdict::Goto(chain("other")))));
    let ends = live.elements(Family::Ip, &table(), &set("ranges")).unwrap();
    assert!(ends.iter().any(|e| *e == Element::interval_end(&[10, 0, 1, 0])), "{ends:?}");
    assert!(live.elements(Family::Ip, &table(), &set("none")).unwrap().is_empty());

    let objects = live.objects(Family::Ip, &table()).unwrap();
    assert_eq!((&objects[0].data, &*objects[0].name), (&quota.data, "q"));
}

#[test]
fn all_elements_of_a_long_list_arrive() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let keys = 0..10_000_u32;
    let elements = keys.map(|key| Element::new(&key.to_be_bytes())).collect();
    let list = Elements { family: Family::Ip, table: table(), set: set("s"), set_id: None, elements };
    let sealed = seal(|batch| {
        skeleton(batch, &[]);
        let size = Some(20_000);
        batch.add_set(&Set { id: Some(1), size, ..Set::new(Family::Ip, table(), set("s"), 4) }, ORIGIN);
        batch.add_elements(&list, ORIGIN);
    });
    assert_eq!(sealed.operations(), 5);
    live.commit(&sealed).unwrap();
    let mut back = live.elements(Family::Ip, &table(), &set("s")).unwrap();
    back.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(back, list.elements);
}

#[test]
fn a_ruleset_of_nft_decodes_and_encodes_to_itself() {
    let Some(lab) = Lab::new(&["nft"]) else { return };
    let ruleset = r#"
        table ip t {
            comment "a table"
            counter c { packets 1 bytes 2 }
            quota q { over 10 mbytes }
            limit l { rate 5/second }
            ct helper h { type "tftp" protocol udp; }
            set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.0.1-192.168.0.9 } }
            set d { type ipv4_addr . inet_service; flags timeout,dynamic; size 100; timeout 1h; }
            map m { type ipv4_addr : verdict; elements = { 10.0.0.1 : goto a, 10.0.0.2 : drop } }
            map n { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.1, 443 : 10.0.0.2 } }
            chain a { comment "a chain"; counter name c accept; }
            chain i {
                type filter hook input priority -5; policy drop;
                ip saddr @s counter accept comment "ours"
                ip saddr vmap @m
                tcp dport { 22, 80-90 } ct state established,related limit rate 5/minute log prefix "x" accept
                add @d { ip saddr . tcp dport timeout 5m }
                meta mark set 0x1 quota name "q" reject with icmp type host-unreachable
            }
            chain p { type nat hook prerouting priority -100; tcp dport 80 dnat to tcp dport map @n; }
        }
        table netdev n { chain i { type filter hook ingress device lo priority 0; }
        }
    "#;
    lab.quietly(&["nft", "-f", "-"], ruleset);

    let mut live = Live::over(Recorder::new(Socket::open_in(&lab.0).unwrap()), &lab.0);
    for family in [Family::Ip, Family::Netdev] {
        for table in live.tables(family).unwrap() {
            live.chains(family).unwrap();
            live.rules(family, &table.name, None).unwrap();
            for set in live.sets(family, &table.name).unwrap() {
                live.elements(family, &table.name, &set.name).unwrap();
            }
            live.objects(family, &table.name).unwrap();
        }
    }

    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for datagram in &live.transport().received {
        for message in Messages::new(datagram) {
            let message = message.unwrap();
            if message.header.kind < 0x10 {
                continue;
            }
            let decoded = Message::decode(&message).unwrap();
            let mut attributes = Vec::new();
            let mut w = nftwrap::netlink::attr::Writer::new(&mut attributes);
            let name = match &decoded {
                Message::NewTable(o) => (o.encode(&mut w), "table").1,
                Message::NewChain(o) => (o.encode(&mut w), "chain").1,
                Message::NewRule(o) => (o.encode(&mut w), "rule").1,
                Message::NewSet(o) => (o.encode(&mut w), "set").1,
                Message::NewElements(o) => (o.encode(&mut w), "elements").1,
                Message::NewObject(o) => (o.encode(&mut w), "object").1,
                Message::NewGen(_) => continue,
                other => panic!("not understood: {other:?}"),
            };
            w.finish().unwrap();
            let family = Family::from_nfproto(message.family().unwrap().0.family).unwrap();
            let kind = message.header.kind.to_be_bytes()[1];
            let mut again = Vec::new();
            nftwrap::nft::message::append(&mut again, kind, 0, family, 0, 0, |w| w.raw(&attributes)).unwrap();
            let again = Messages::new(&again).next().unwrap().map(|m| Message::decode(&m)).unwrap().unwrap();
            assert_eq!(again, decoded);
            if let Message::NewRule(rule) = &decoded {
                let unknown: Vec<_> = rule.expressions.iter().filter(|e| matches!(e, Expr::Unknown(_))).collect();
                assert!(unknown.is_empty(), "{unknown:?}");
            }
            *seen.entry(name).or_default() += 1;
        }
    }
    assert_eq!(seen["table"], 2);
    assert_eq!(seen["object"], 4);
    assert_eq!(seen["rule"], 7);
    assert!(seen["set"] >= 5 && seen["elements"] >= 4 && seen["chain"] == 4, "{seen:?}");
}

#[test]
fn a_refused_batch_tells_where_and_why_and_changes_nothing() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let before = live.generation().unwrap();
    let none = SetRef { name: "none".into(), id: 0 };
    let lookup = Lookup { set: none, sreg: Register::R1, dreg: None, inverted: false };
    let sealed = seal(|batch| {
        skeleton(batch, &["c"]);
        batch.add_rule(&rule("c", vec![counter(0, 0), Expr::Lookup(lookup)]), Origin(7));
        batch.add_rule(&rule("c", vec![counter(0, 0)]), ORIGIN);
        batch.add_rule(&rule("absent", vec![]), Origin(9));
    });
    let error = live.commit(&sealed).unwrap_err();
    assert!(error.is_not_found());
    let [first, second] = error.rejections() else { panic!("{error:?}") };
    assert_eq!((sealed.origin(first.seq), first.errno), (Some(Origin(7)), Errno::NOENT));
    assert_eq!((sealed.origin(second.seq), second.errno), (Some(Origin(9)), Errno::NOENT));
    // The offset leads to the attribute: here to the second expression, and to the name of the chain.
    let at = |seq: u32, offset: u32| {
        let message = Messages::new(sealed.bytes()).map(Result::unwrap).find(|m| m.header.seq == seq).unwrap();
        message.payload[usize::try_from(offset).unwrap() - 16..].to_vec()
    };
    let text = String::from_utf8_lossy(&at(first.seq, first.offset.unwrap())[..24]).into_owned();
    assert!(text.contains("lookup") && !text.contains("counter"), "{text:?}");
    assert!(at(second.seq, second.offset.unwrap())[4..].starts_with(b"absent\0"));
    assert_eq!(live.generation().unwrap(), before);
    assert!(live.tables(Family::Ip).unwrap().is_empty());
}

#[test]
fn the_kernels_own_words_are_kept() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let sealed = seal(|batch| {
        skeleton(batch, &[]);
        batch.operation(NFT_MSG_NEWCHAIN, 0x400, Family::Ip, ORIGIN, |w| {
            w.string(NFTA_CHAIN_TABLE, "t");
            w.string(NFTA_CHAIN_NAME, &"c".repeat(300));
        });
    });
    let error = live.commit(&sealed).unwrap_err();
    let [rejection] = error.rejections() else { panic!("{error:?}") };
    assert_eq!(rejection.errno, Errno::RANGE);
    // Before Linux 6.13 nfnetlink passes no extended ack to the policy check.
    if let Some(text) = &rejection.text {
        assert_eq!(text, "Attribute failed policy validation");
    }
}

#[test]
fn a_moved_ruleset_is_stale() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let generation = live.generation().unwrap();
    let guarded = |generation| {
        let mut batch = Batch::begin(Some(generation));
        skeleton(&mut batch, &["c"]);
        batch.seal().unwrap()
    };
    live.commit(&guarded(generation)).unwrap();
    let error = live.commit(&guarded(generation)).unwrap_err();
    assert!(matches!(error, CommitError::Stale { expected } if expected == generation), "{error:?}");
    live.commit(&guarded(generation + 1)).unwrap();
}

#[test]
fn a_check_changes_nothing_and_finds_what_a_commit_would() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let before = live.generation().unwrap();
    live.check(&seal(|batch| skeleton(batch, &["a"]))).unwrap();
    assert_eq!(live.generation().unwrap(), before);
    assert!(live.tables(Family::Ip).unwrap().is_empty());

    let base = BaseChain { kind: "filter".into(), hook: NF_INET_LOCAL_IN, priority: 0, policy: None, devices: vec![] };
    let absent = seal(|batch| {
        skeleton(batch, &["a"]);
        batch.add_rule(&rule("a", vec![verdict(Verdict::Jump(chain("absent")))]), ORIGIN);
    });
    assert!(live.check(&absent).unwrap_err().is_not_found());
    assert_eq!(live.generation().unwrap(), before);

    live.commit(&seal(|batch| skeleton(batch, &[]))).unwrap();
    let looping = seal(|batch| {
        skeleton(batch, &["a", "b"]);
        batch.add_chain(&Chain { base: Some(base), ..Chain::new(Family::Ip, table(), chain("i")) }, ORIGIN);
        for (from, to) in [("i", "a"), ("a", "b"), ("b", "a")] {
            batch.add_rule(&rule(from, vec![verdict(Verdict::Jump(chain(to)))]), ORIGIN);
        }
    });
    let checked = live.check(&looping).unwrap_err();
    let committed = live.commit(&looping).unwrap_err();
    for error in [checked, committed] {
        assert!(error.has(Errno::LOOP) || error.has(Errno::MLINK), "{error:?}");
    }
    assert!(live.chains(Family::Ip).unwrap().is_empty());
}

#[test]
fn a_failed_commit_is_an_error_although_its_last_operation_was_acknowledged() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    // An anonymous set that no rule uses is refused only by the commit itself.
    let unbound = seal(|batch| {
        skeleton(batch, &[]);
        let flags = SetFlags::ANONYMOUS | SetFlags::CONSTANT;
        batch.add_set(&Set { id: Some(1), flags, ..Set::new(Family::Ip, table(), set("__set%d"), 4) }, ORIGIN);
        skeleton(batch, &["c"]);
    });
    let error = live.commit(&unbound).unwrap_err();
    assert!(matches!(&error, CommitError::Refused(all) if all[0].errno == Errno::INVAL), "{error:?}");
    assert!(live.tables(Family::Ip).unwrap().is_empty());
}

#[test]
fn a_batch_of_megabytes_goes_in_one_piece() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let sealed = big(4_000_000);
    match live.commit(&sealed) {
        // Root in a container, whose sockets are limited as any user's.
        Err(CommitError::TooLarge { limit, .. }) => return skip(format_args!("the send buffer ends at {limit}")),
        committed => committed.unwrap(),
    };
    assert_eq!(live.rules(Family::Ip, &table(), None).unwrap().len(), sealed.operations() - 2);
}

#[test]
fn an_oversized_batch_is_a_typed_error_in_a_user_namespace() {
    if !is_inside() {
        if Lab::new(&["unshare"]).is_some() {
            run_again(&["unshare", "-Urn"], "an_oversized_batch_is_a_typed_error_in_a_user_namespace");
        }
        return;
    }
    let mut live = Live::open().unwrap();
    let sealed = big(40_000_000);
    let error = live.commit(&sealed).unwrap_err();
    let CommitError::TooLarge { size, limit } = error else { panic!("{error:?}") };
    assert_eq!(size, sealed.bytes().len());
    assert!(error.to_string().contains("net.core.wmem_max"), "{error}");
    assert!(live.tables(Family::Ip).unwrap().is_empty());
    // All that the limit allows does go in.
    live.commit(&big(limit - 1000)).unwrap();
}

#[test]
fn a_missing_privilege_is_named() {
    if !is_inside() {
        if Lab::new(&["setpriv"]).is_some() {
            // Still the user who may read this program, without the capabilities.
            let bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"];
            run_again(&bare, "a_missing_privilege_is_named");
        }
        return;
    }
    let mut live = Live::open().unwrap();
    assert!(live.generation().unwrap_err().is_not_permitted());
    assert!(live.tables(Family::Ip).unwrap_err().is_not_permitted());
    let error = live.commit(&seal(|batch| skeleton(batch, &["c"]))).unwrap_err();
    assert!(matches!(error, CommitError::NotPermitted), "{error:?}");
    assert!(error.to_string().contains("CAP_NET_ADMIN"));
    let error = Namespace::path("/proc/self/ns/net").unwrap().run(|| ()).unwrap_err();
    assert!(error.is_not_permitted() && error.to_string().contains("CAP_SYS_ADMIN"), "{error}");
}

#[test]
fn lost_answers_are_never_success() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::over(FaultInjector::new(Socket::open_in(&namespace).unwrap()), &namespace);
    let before = live.generation().unwrap();
    let sealed = seal(|batch| skeleton(batch, &["c"]));

    live.transport().inject(0, Fault::AnswersVanish);
    assert!(matches!(live.commit(&sealed), Err(CommitError::NoAnswer)));
    assert_eq!(live.generation().unwrap(), before + 1, "only the generation tells that it was committed");

    // The first call drains what earlier requests left.
    live.transport().inject(1, Fault::Overrun);
    assert!(matches!(live.commit(&sealed), Err(CommitError::NoAnswer)));

    live.transport().inject(0, Fault::SendFails(libc::ENOMEM));
    assert!(matches!(live.commit(&sealed), Err(CommitError::Io(_))));
    live.transport().inject(1, Fault::Cut(18));
    assert!(matches!(live.commit(&sealed), Err(CommitError::Malformed(_))));
    live.commit(&sealed).unwrap();
}

#[test]
fn more_errors_than_the_receive_buffer_takes_are_still_a_refusal() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let sealed = seal(|batch| {
        skeleton(batch, &["c"]);
        (0..30_000).for_each(|_| batch.add_rule(&rule("absent", vec![]), ORIGIN));
    });
    let error = live.commit(&sealed).unwrap_err();
    assert!(error.is_not_found() && error.rejections().len() > 100);
    // Nothing of it is in the way of what comes next.
    live.commit(&seal(|batch| skeleton(batch, &["c"]))).unwrap();
}

#[test]
fn ipsets_have_an_index_and_a_name() {
    let Some(lab) = Lab::new(&["ipset"]) else { return };
    let mut live = lab.kernel();
    let name = |text: &str| IpsetName::new(text).unwrap();
    assert_eq!(live.ipset_index(&name("none")).unwrap(), None);
    lab.run("ipset create one hash:ip; ipset create two hash:net");
    let (one, two) = (live.ipset_index(&name("one")).unwrap(), live.ipset_index(&name("two")).unwrap());
    assert_ne!(one, two);
    assert_eq!(live.ipset_name(one.unwrap()).unwrap(), Some(name("one")));
    assert_eq!(live.ipset_name(two.unwrap()).unwrap(), Some(name("two")));
    assert_eq!(live.ipset_name(200).unwrap(), None);
    assert_eq!(live.ipset_name(u16::MAX).unwrap(), None);
    assert_eq!(live.ipset_index(&name("none")).unwrap(), None);
}

#[test]
fn a_dump_during_commits_is_whole_or_interrupted() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let mut writer = Live::open_in(&namespace).unwrap();
    const RULES: usize = 2_000;
    let load = seal(|batch| {
        skeleton(batch, &["c"]);
        batch.flush_chain(Family::Ip, &table(), &chain("c"), ORIGIN);
        (0..RULES).for_each(|_| batch.add_rule(&rule("c", vec![counter(0, 0)]), ORIGIN));
    });
    writer.commit(&load).unwrap();
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| (0..100).for_each(|_| assert!(writer.commit(&load).is_ok())));
        while !busy.is_finished() {
            match live.rules(Family::Ip, &table(), None) {
                Ok(rules) => assert_eq!(rules.len(), RULES),
                Err(nftwrap::kernel::Error::Interrupted { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert_eq!(live.rules(Family::Ip, &table(), None).unwrap().len(), RULES);
}

/// Where the kernel can: a rule is read and its counters begin anew, and nothing else of it changes.
#[test]
fn counters_begin_anew_when_they_are_read_so() {
    let Some(namespace) = namespace() else { return };
    let mut live = Live::open_in(&namespace).unwrap();
    let mut batch = Batch::begin(None);
    batch.add_table(&Table::new(Family::Ip, table()), ORIGIN);
    batch.add_chain(&Chain::new(Family::Ip, table(), chain("c")), ORIGIN);
    let counted = Expr::Counter(Counter { packets: 3, bytes: 300 });
    batch.add_rule(&rule("c", vec![counted.clone()]), ORIGIN);
    live.commit(&batch.seal().unwrap()).unwrap();
    let handle = live.rules(Family::Ip, &table(), Some(&chain("c"))).unwrap()[0].handle.unwrap();
    let generation = live.generation().unwrap();
    let Some(read) = live.rule_and_reset(Family::Ip, &table(), &chain("c"), handle).unwrap() else {
        assert_eq!(live.rules(Family::Ip, &table(), None).unwrap()[0].expressions, [counted], "nothing has changed");
        return;
    };
    assert_eq!(read.expressions, [counted]);
    let rules = live.rules(Family::Ip, &table(), None).unwrap();
    assert_eq!(rules[0].expressions, [Expr::Counter(Counter::default())]);
    assert_eq!((rules[0].handle, live.generation().unwrap()), (Some(handle), generation));
    assert_eq!(live.rule_and_reset(Family::Ip, &table(), &chain("c"), 999).unwrap(), None);
}
