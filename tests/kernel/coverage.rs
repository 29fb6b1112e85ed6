//! Every verb for every object, and that none is missing.

use nftwrap::kernel::{Fake, Kernel};
use nftwrap::nft::expr::Counter;
use nftwrap::nft::uapi::NFT_OBJECT_COUNTER;
use nftwrap::nft::{Family, Object, ObjectData, Rule};
use nftwrap::transaction::Batch;

use crate::objects::*;

const OBJECTS: [&str; 6] = ["table", "chain", "rule", "set", "elements", "object"];
const VERBS: [&str; 7] = ["add", "create", "insert", "replace", "rename", "flush", "delete"];

/// Puts an operation into a batch, and the words that the batch lists it with.
type Case = (fn(&mut Batch), &'static str);

/// What the verb sends for the object, in words of the batch's listing; `None` where nf_tables has no such operation.
fn operation(verb: &str, object: &str) -> Option<Case> {
    const IP: Family = Family::Ip;
    fn counter() -> Object {
        Object::new(IP, tname("t"), "o".into(), ObjectData::Counter(Counter { packets: 0, bytes: 0 }))
    }
    fn accepting() -> Rule {
        rule("t", "c", vec![accept()])
    }
    Some(match (verb, object) {
        ("add", "table") => (|b| b.add_table(&table("t"), O), "add table ip t"),
        ("create", "table") => (|b| b.create_table(&table("t"), O), "create table ip t"),
        ("flush", "table") => (|b| b.flush_table(IP, &tname("t"), O), "flush table ip t"),
        ("delete", "table") => (|b| b.delete_table(IP, &tname("t"), O), "delete table ip t"),
        ("add", "chain") => (|b| b.add_chain(&chain("t", "c"), O), "add chain ip t c"),
        ("create", "chain") => (|b| b.create_chain(&chain("t", "c"), O), "create chain ip t c"),
        ("rename", "chain") => {
            (|b| b.rename_chain(IP, &tname("t"), 1, &cname("d"), O), "rename chain ip t handle 1 to d")
        }
        ("flush", "chain") => (|b| b.flush_chain(IP, &tname("t"), &cname("c"), O), "flush chain ip t c"),
        ("delete", "chain") => (|b| b.delete_chain(IP, &tname("t"), &cname("c"), O), "delete chain ip t c"),
        ("add", "rule") => (|b| b.add_rule(&accepting(), O), "add rule ip t c: immediate reg 0 accept"),
        ("insert", "rule") => (|b| b.insert_rule(&accepting(), O), "insert rule ip t c: immediate reg 0 accept"),
        ("replace", "rule") => {
            (|b| b.replace_rule(&accepting(), 2, O), "replace rule ip t c handle 2: immediate reg 0 accept")
        }
        ("delete", "rule") => (|b| b.delete_rule(IP, &tname("t"), &cname("c"), 2, O), "delete rule ip t c handle 2"),
        ("add", "set") => (|b| b.add_set(&set("t", "s", 1), O), "add set ip t s"),
        ("create", "set") => (|b| b.create_set(&vmap("t", "m", 2), O), "create map ip t m"),
        ("flush", "set") => (|b| b.flush_set(IP, &tname("t"), &sname("s"), O), "flush set ip t s"),
        ("delete", "set") => (|b| b.delete_set(IP, &tname("t"), &sname("s"), O), "delete set ip t s"),
        ("add", "elements") => (|b| b.add_elements(&elements("t", "s", vec![key(1)]), O), "add 1 elements of ip t s"),
        ("create", "elements") => {
            (|b| b.create_elements(&elements("t", "s", vec![key(2)]), O), "create 1 elements of ip t s")
        }
        ("delete", "elements") => {
            (|b| b.delete_elements(&elements("t", "s", vec![key(1)]), O), "delete 1 elements of ip t s")
        }
        ("add", "object") => (|b| b.add_object(&counter(), O), "add object ip t o"),
        ("create", "object") => (|b| b.create_object(&counter(), O), "create object ip t o"),
        ("delete", "object") => {
            (|b| b.delete_object(IP, &tname("t"), NFT_OBJECT_COUNTER, "o", O), "delete object ip t o")
        }
        _ => return None,
    })
}

/// Pairs that nf_tables has no operation for.
const ABSENT: [(&str, &[&str]); 6] = [
    ("table", &["insert", "replace", "rename"]),
    ("chain", &["insert", "replace"]),
    ("rule", &["create", "rename", "flush"]),
    ("set", &["insert", "replace", "rename"]),
    ("elements", &["insert", "replace", "rename", "flush"]),
    ("object", &["insert", "replace", "rename", "flush"]),
];

#[test]
fn no_pair_of_object_and_verb_is_missing() {
    for object in OBJECTS {
        for verb in VERBS {
            let absent = ABSENT.iter().any(|(o, verbs)| *o == object && verbs.contains(&verb));
            assert_eq!(operation(verb, object).is_none(), absent, "{verb} {object}");
        }
    }
}

#[test]
fn every_pair_is_listed_in_words() {
    for (verb, object) in VERBS.iter().flat_map(|verb| OBJECTS.iter().map(move |object| (verb, object))) {
        let Some((fill, words)) = operation(verb, object) else { continue };
        let mut batch = Batch::begin(None);
        fill(&mut batch);
        let text = batch.seal().unwrap().to_string();
        let line = text.lines().nth(1).unwrap();
        assert!(line.starts_with(words) && !words.is_empty(), "{verb} {object}: {text}");
    }
}

#[test]
fn every_pair_that_can_is_taken_by_the_fake() {
    let mut fake = Fake::new();
    let order = [
        ("create", "table"),
        ("add", "table"),
        ("create", "chain"),
        ("add", "chain"),
        ("add", "rule"),
        ("insert", "rule"),
        ("replace", "rule"),
        ("delete", "rule"),
        ("add", "set"),
        ("create", "set"),
        ("add", "elements"),
        ("create", "elements"),
        ("delete", "elements"),
        ("flush", "set"),
        ("create", "object"),
        ("add", "object"),
        ("delete", "object"),
        ("delete", "set"),
        ("flush", "chain"),
        ("flush", "table"),
        ("delete", "chain"),
        ("create", "chain"),
        ("delete", "table"),
    ];
    for (verb, object) in order {
        let (fill, _) = operation(verb, object).unwrap();
        let mut batch = Batch::begin(None);
        fill(&mut batch);
        fake.commit(&batch.seal().unwrap()).unwrap_or_else(|error| panic!("{verb} {object}: {error}\n{fake}"));
    }
    assert_eq!(fake.to_string(), "");
}
