//! Broken files through the library as the command uses it: no panic, and on an error the kernel is as it was.

use nftwrap::Manager;
use nftwrap::kernel::{Fake, Kernel};
use nftwrap::rule::Family;
use nftwrap::wrap::Model;
use nftwrap_compat::load;
use nftwrap_compat::restore::SaveFile;
use nftwrap_compat::view::View;
use proptest::prelude::*;

/// A file to a kernel, or not.
fn bring(kernel: Fake, family: Family, bytes: &[u8], wrapped: bool) -> (Fake, bool) {
    let mut model = match wrapped {
        true => Model::builder().component("nova-compute".parse().unwrap()).build().unwrap(),
        false => Model::whole(),
    };
    let Ok(file) = SaveFile::parse_scoped(bytes, family, load::scope(&model)) else { return (kernel, false) };
    if load::load(&mut model, family, file, true).is_err() {
        return (kernel, false);
    }
    let mut manager = Manager::with_kernel(model, kernel);
    let done = manager.apply().is_ok();
    (manager.into_parts().1, done)
}

fn state(kernel: &mut Fake) -> (u32, serde_json::Value) {
    (kernel.generation().unwrap(), View::read(kernel).unwrap().json())
}

fn check(family: Family, bytes: &[u8], wrapped: bool) {
    let standing =
        b"*filter\n:INPUT DROP [0:0]\n:old - [0:0]\n-A INPUT -j old\n-A old -s 192.0.2.1 -j ACCEPT\nCOMMIT\n";
    let (mut kernel, done) = bring(Fake::new(), Family::Ipv4, standing, false);
    assert!(done);
    let before = state(&mut kernel);
    let (mut kernel, done) = bring(kernel, family, bytes, wrapped);
    if !done {
        assert_eq!(state(&mut kernel), before);
    }
}

/// The dumps of the specifications.
fn dumps() -> Vec<(Family, String)> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/dumps");
    let mut paths: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let dumps: Vec<_> = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "save"))
        .map(|path| {
            let family = if path.to_string_lossy().contains(".v6.") { Family::Ipv6 } else { Family::Ipv4 };
            (family, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(!dumps.is_empty());
    dumps
}

/// One change of a line.
#[derive(Debug, Clone)]
enum Mutation {
    Delete,
    Double,
    SwapWithNext,
    DropWord(prop::sample::Index),
    DoubleWord(prop::sample::Index),
    ReplaceByte(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    TakeFrom(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        Just(Mutation::Delete),
        Just(Mutation::Double),
        Just(Mutation::SwapWithNext),
        index().prop_map(Mutation::DropWord),
        index().prop_map(Mutation::DoubleWord),
        (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::ReplaceByte(at, byte)),
        index().prop_map(Mutation::Cut),
        index().prop_map(Mutation::TakeFrom),
    ]
}

fn mutate(lines: &mut Vec<Vec<u8>>, at: usize, mutation: &Mutation) {
    let line = lines[at].clone();
    let words = || line.split(|b| *b == b' ').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match mutation {
        Mutation::Delete => drop(lines.remove(at)),
        Mutation::Double => lines.insert(at, line),
        Mutation::SwapWithNext if at + 1 < lines.len() => lines.swap(at, at + 1),
        Mutation::SwapWithNext => {}
        Mutation::DropWord(word) => {
            let mut words = words();
            words.remove(word.index(words.len()));
            lines[at] = words.join(&b' ');
        }
        Mutation::DoubleWord(word) => {
            let mut words = words();
            let word = word.index(words.len());
            words.insert(word, words[word].clone());
            lines[at] = words.join(&b' ');
        }
        Mutation::ReplaceByte(byte, value) if !line.is_empty() => lines[at][byte.index(line.len())] = *value,
        Mutation::ReplaceByte(..) => {}
        Mutation::Cut(byte) => lines[at].truncate(byte.index(line.len() + 1)),
        Mutation::TakeFrom(other) => lines[at] = lines[other.index(lines.len())].clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), wrapped: bool) {
        check(Family::Ipv4, &bytes, wrapped);
    }

    #[test]
    fn changed_dumps(
        dump: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..4),
        wrapped: bool,
    ) {
        let dumps = dumps();
        let (family, text) = &dumps[dump.index(dumps.len())];
        let mut lines: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
        for (at, change) in &changes {
            if !lines.is_empty() {
                let at = at.index(lines.len());
                mutate(&mut lines, at, change);
            }
        }
        let mut bytes = lines.join(&b'\n');
        bytes.push(b'\n');
        check(*family, &bytes, wrapped);
    }
}
