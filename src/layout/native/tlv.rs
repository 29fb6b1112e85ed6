//! Entries of the layout in user data: what a restarted process reads the kernel's state by.
//!
//! Owns: the entry types 0x78 to 0x7c, as one value ([`Tags`]).
//! Never: reads comments or owners, which are [`userdata`](crate::nft::userdata)'s own.
//!
//! | type | name | value |
//! |---|---|---|
//! | 0x78 | `NAME` | a chain name of the model |
//! | 0x79 | `HASH` | 16 bytes: the content hash of what it stands on |
//! | 0x7a | `FIELDS` | version 1, the set's kind, how many fields the context and the rest have, two bytes for each field |
//! | 0x7b | `KEY` | the key of a context |
//! | 0x7c | `CHAIN` | the chain of the model that a set belongs to |
//!
//! Invariant: `Tags::read(tags.entries()) == tags`; an entry of another form is left alone.
//!
//! How it is tested: round trips through user data; each entry cut short.

use super::field::{Field, Fields};
use crate::name::ChainName;
use crate::nft::userdata::{Entry, Userdata, UserdataError};

const NAME: u8 = 0x78;
const HASH: u8 = 0x79;
const FIELDS: u8 = 0x7a;
const KEY: u8 = 0x7b;
const CHAIN: u8 = 0x7c;
const VERSION: u8 = 1;

/// What a set of the layout is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Values of a folded rule.
    Constant = 0,
    /// A run's actions.
    Choice = 1,
    /// A run's values.
    Store = 2,
    /// A run's members.
    Member = 3,
    /// Members of a family.
    FamilyMember = 4,
    /// A family's actions.
    FamilyChoice = 5,
    /// A family's values.
    FamilyStore = 6,
    /// Numbers of actions to verdicts.
    Actions = 7,
    /// Names of chains to bodies.
    Directory = 8,
    /// Members of a set that rules name.
    Named = 9,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Constant,
        Self::Choice,
        Self::Store,
        Self::Member,
        Self::FamilyMember,
        Self::FamilyChoice,
        Self::FamilyStore,
        Self::Actions,
        Self::Directory,
        Self::Named,
    ];
}

/// What a set says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetTag {
    /// What it is for.
    pub kind: Kind,
    /// The fields that led to the chain; empty but for families.
    pub context: Fields,
    /// The other fields of the key.
    pub fields: Fields,
}

/// The layout's entries of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tags {
    /// `NAME`.
    pub name: Option<ChainName>,
    /// `HASH`.
    pub hash: Option<[u8; 16]>,
    /// `FIELDS`.
    pub set: Option<SetTag>,
    /// `KEY`.
    pub key: Option<Box<[u8]>>,
    /// `CHAIN`.
    pub chain: Option<ChainName>,
}

impl Tags {
    /// The entries, in the order of their types.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut push = |kind, value: &[u8]| entries.push(Entry { kind, value: value.into() });
        if let Some(name) = &self.name {
            push(NAME, name.as_str().as_bytes());
        }
        if let Some(hash) = &self.hash {
            push(HASH, hash);
        }
        if let Some(set) = &self.set {
            push(FIELDS, &set.encode());
        }
        if let Some(key) = &self.key {
            push(KEY, key);
        }
        if let Some(chain) = &self.chain {
            push(CHAIN, chain.as_str().as_bytes());
        }
        entries
    }

    /// Takes the layout's entries out of a list. The first of each type counts; what is not understood stays in the list.
    #[must_use]
    pub fn take(others: &mut Vec<Entry>) -> Self {
        let mut tags = Self::default();
        others.retain(|entry| tags.read_one(entry).is_none());
        tags
    }

    /// The layout's entries of user data.
    ///
    /// # Errors
    /// [`UserdataError::Truncated`] when the bytes are not a list of entries.
    pub fn decode(bytes: &[u8]) -> Result<Self, UserdataError> {
        Ok(Self::take(&mut Userdata::decode(bytes)?.others))
    }

    /// The layout's entries of an object; user data in another form has none.
    #[must_use]
    pub fn of(userdata: Option<&[u8]>) -> Self {
        userdata.and_then(|bytes| Self::decode(bytes).ok()).unwrap_or_default()
    }

    /// Appends the entries to user data.
    ///
    /// # Errors
    /// [`UserdataError::TooLong`] for an entry that is longer than the kernel takes.
    pub fn append(&self, bytes: &mut Vec<u8>) -> Result<(), UserdataError> {
        Userdata { others: self.entries(), ..Userdata::default() }.encode(bytes)
    }

    /// User data of these entries alone.
    ///
    /// # Errors
    /// [`UserdataError::TooLong`] when they are longer than the kernel takes.
    pub fn encode(&self) -> Result<Box<[u8]>, UserdataError> {
        let mut bytes = Vec::new();
        self.append(&mut bytes)?;
        Ok(bytes.into())
    }

    fn read_one(&mut self, entry: &Entry) -> Option<()> {
        let name = || ChainName::new(std::str::from_utf8(&entry.value).ok()?).ok();
        match entry.kind {
            NAME => fill(&mut self.name, name()),
            HASH => fill(&mut self.hash, (*entry.value).try_into().ok()),
            FIELDS => fill(&mut self.set, SetTag::decode(&entry.value)),
            KEY => fill(&mut self.key, Some(entry.value.clone())),
            CHAIN => fill(&mut self.chain, name()),
            _ => None,
        }
    }
}

/// Fills a place that has nothing in it yet.
fn fill<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = value;
    place.is_some().then_some(())
}

impl SetTag {
    fn encode(&self) -> Vec<u8> {
        let count = |fields: &Fields| u8::try_from(fields.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![VERSION, self.kind as u8, count(&self.context), count(&self.fields)];
        bytes.extend(self.context.iter().chain(self.fields.iter()).flat_map(code));
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[VERSION, kind, context, fields], rest) = bytes.split_first_chunk()? else { return None };
        let kind = Kind::ALL.into_iter().find(|k| *k as u8 == kind)?;
        let (context, fields) = (usize::from(context), usize::from(fields));
        let (pairs, left) = rest.as_chunks();
        (left.is_empty() && pairs.len() == context + fields).then_some(())?;
        let list = |pairs: &[[u8; 2]], len| {
            let list = pairs.iter().map(|pair| field(*pair)).collect::<Option<Fields>>()?;
            (list.len() == len).then_some(list)
        };
        let (first, second) = pairs.split_at_checked(context)?;
        Some(Self { kind, context: list(first, context)?, fields: list(second, fields)? })
    }
}

/// Code and prefix of a field.
fn code(field: Field) -> [u8; 2] {
    match field {
        Field::Input => [1, 0],
        Field::Output => [2, 0],
        Field::Source(prefix) => [3, prefix],
        Field::Destination(prefix) => [4, prefix],
        Field::Mac => [5, 0],
        Field::SourcePort => [6, 0],
        Field::DestinationPort => [7, 0],
    }
}

/// The inverse of [`code`].
fn field(code: [u8; 2]) -> Option<Field> {
    Some(match code {
        [1, 0] => Field::Input,
        [2, 0] => Field::Output,
        [3, prefix @ 1..=128] => Field::Source(prefix),
        [4, prefix @ 1..=128] => Field::Destination(prefix),
        [5, 0] => Field::Mac,
        [6, 0] => Field::SourcePort,
        [7, 0] => Field::DestinationPort,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::name::Comment;

    fn fields() -> impl Strategy<Value = Fields> {
        let all = [
            Field::Input,
            Field::Output,
            Field::Source(1),
            Field::Source(128),
            Field::Destination(24),
            Field::Mac,
            Field::SourcePort,
            Field::DestinationPort,
        ];
        subsequence(all.to_vec(), 0..=5).prop_map(Fields::new)
    }

    fn tags() -> impl Strategy<Value = Tags> {
        let name = || prop::option::of("[a-z][a-z0-9-]{0,27}".prop_map(|name| ChainName::new(&name).unwrap()));
        let set = (select(&Kind::ALL), fields(), fields());
        let set = prop::option::of(set.prop_map(|(kind, context, fields)| SetTag { kind, context, fields }));
        let key = prop::option::of(prop::collection::vec(any::<u8>(), 0..=60).prop_map(Vec::into_boxed_slice));
        (name(), any::<Option<[u8; 16]>>(), set, key, name()).prop_map(|(name, hash, set, key, chain)| Tags {
            name,
            hash,
            set,
            key,
            chain,
        })
    }

    proptest! {
        #[test]
        fn tags_come_back_beside_what_others_wrote(tags in tags(), foreign in any::<[u8; 3]>()) {
            let comment = Comment::new("web in").ok();
            let mut others = tags.entries();
            others.insert(others.len() / 2, Entry { kind: 0x7d, value: foreign.into() });
            let mut bytes = Vec::new();
            Userdata { comment: comment.clone(), others, ..Userdata::default() }.encode(&mut bytes).unwrap();
            let mut read = Userdata::decode(&bytes).unwrap();
            prop_assert_eq!(Tags::take(&mut read.others), tags);
            prop_assert_eq!(read.others, [Entry { kind: 0x7d, value: foreign.into() }]);
            prop_assert_eq!(read.comment, comment);
        }

        #[test]
        fn a_set_cut_short_is_no_set(context in fields(), fields in fields(), kind in select(&Kind::ALL)) {
            let set = SetTag { kind, context, fields };
            let bytes = set.encode();
            for cut in 0..bytes.len() {
                prop_assert_eq!(SetTag::decode(&bytes[..cut]), None);
            }
            prop_assert_eq!(SetTag::decode(&bytes), Some(set));
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (SetTag::decode(&bytes), Tags::decode(&bytes));
        }
    }

    #[test]
    fn entries_of_another_form_are_left_alone() {
        let entry = |kind, value: &[u8]| Entry { kind, value: value.into() };
        let odd = [
            entry(NAME, b"two words"),
            entry(NAME, b"\xff"),
            entry(HASH, &[0; 15]),
            entry(FIELDS, &[2, 1, 0, 0]),
            entry(FIELDS, &[1, 10, 0, 0]),
            entry(FIELDS, &[1, 0, 0, 1, 3, 0]),
            entry(FIELDS, &[1, 0, 0, 2, 5, 0, 5, 0]),
        ];
        let mut others = odd.to_vec();
        assert_eq!(Tags::take(&mut others), Tags::default());
        assert_eq!(others, odd);
        let mut twice = vec![entry(NAME, b"first"), entry(NAME, b"second")];
        assert_eq!(Tags::take(&mut twice).name, ChainName::new("first").ok());
        assert_eq!(twice, [entry(NAME, b"second")]);
    }
}
