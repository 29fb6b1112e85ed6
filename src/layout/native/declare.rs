//! Sets and maps of the layout as the kernel declares them, and their elements.
//!
//! Owns: flags, lengths and types of every kind of set ([`SetKind`]), and how values and ranges become elements.
//! Never: chooses a name, or keeps what is in a set.
//!
//! Maps that change have no size: it would be a hard cap, and a hash table that grows takes elements one by one.
//! Constant sets are not flagged so, as the kernel then refuses elements that come after the rule.
//!
//! Types are `nft`'s numbers, so that it prints addresses as addresses; the kernel only keeps them. `nft` takes values
//! for network order unless the user data says otherwise, so what is in host order is marked there. Numbers of actions
//! are in network order.
//!
//! Where the truth is: `nf_tables_newset` (`net/netfilter/nf_tables_api.c`, Linux v6.12), `enum datatypes` and
//! `concat_subtype_add` (`datatype.h`, nftables 1.0.6).

use super::field::{Field, Fields, Key};
use super::tlv::Tags;
use crate::name::{SetName, TableName};
use crate::nft::expr::{Counter, Expr};
use crate::nft::userdata::{Entry, Userdata};
use crate::nft::{Element, ElementData, Set, SetData, SetFlags};
use crate::rule::{Family, Target};

/// What a set or map is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetKind<'a> {
    /// Values that do not change.
    Constant {
        /// The fields of the key.
        fields: &'a Fields,
        /// Whether there are ranges among them.
        interval: bool,
        /// How many there are.
        size: u32,
    },
    /// Keys that come and go.
    Member(&'a Fields),
    /// Keys to the numbers of actions.
    Choice(&'a Fields),
    /// Keys to values that a target stores.
    Store {
        /// The fields of the key.
        fields: &'a Fields,
        /// The target without its value.
        store: &'a Target,
    },
    /// Numbers of actions to verdicts.
    Actions,
    /// Chain names to numbers of bodies; no rule looks into it.
    Directory,
}

/// `enum datatypes` of `nft`.
mod datatype {
    pub(super) const IPV4_ADDR: u32 = 7;
    pub(super) const IPV6_ADDR: u32 = 8;
    pub(super) const ETHER_ADDR: u32 = 9;
    pub(super) const INET_SERVICE: u32 = 13;
    pub(super) const MARK: u32 = 19;
    pub(super) const CLASSID: u32 = 23;
    pub(super) const IFNAME: u32 = 41;
}

/// `NFTNL_UDATA_SET_KEYBYTEORDER` and `NFTNL_UDATA_SET_DATABYTEORDER`.
const KEY_BYTE_ORDER: u8 = 0;
const DATA_BYTE_ORDER: u8 = 1;
/// `BYTEORDER_HOST_ENDIAN`.
const HOST_ENDIAN: u32 = 1;

/// The length of a name in the directory.
pub const DIRECTORY_KEY_LEN: usize = 64;

/// The key of an action in the map of [`SetKind::Actions`].
#[must_use]
pub fn action_key(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// The number of the action in [`action_key`].
#[must_use]
pub fn action_of_key(key: &[u8]) -> Option<u32> {
    key.try_into().ok().map(u32::from_be_bytes)
}

/// What a choice has for a key: the word that nothing looks at, and the number of the action.
#[must_use]
pub fn action_value(number: u32) -> [u8; 8] {
    u64::from(number).to_be_bytes()
}

/// The number of the action in [`action_value`].
#[must_use]
pub fn action_number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u64::from_be_bytes).and_then(|number| u32::try_from(number).ok())
}

/// A set as it is declared, without an id. Tags that are longer than the kernel takes are left out: whoever starts anew
/// then does not know the set, and makes another.
#[must_use]
pub fn declare(
    kind: &SetKind<'_>,
    family: Family,
    table: &TableName,
    name: &SetName,
    counters: bool,
    tags: &Tags,
) -> Set {
    let (key_kind, key_len, concat) = match kind {
        SetKind::Constant { fields, .. }
        | SetKind::Member(fields)
        | SetKind::Choice(fields)
        | SetKind::Store { fields, .. } => key(fields, family),
        SetKind::Actions => (datatype::MARK, 4, Vec::new()),
        SetKind::Directory => (datatype::IFNAME, 64, Vec::new()),
    };
    let number = |len| SetData::Value { kind: datatype::MARK, len };
    let data = match kind {
        SetKind::Constant { .. } | SetKind::Member(_) => None,
        SetKind::Choice(_) => Some(number(8)),
        SetKind::Directory => Some(number(4)),
        SetKind::Store { store, .. } => Some(stored(store, family)),
        SetKind::Actions => Some(SetData::Verdict),
    };
    let interval = matches!(kind, SetKind::Constant { interval: true, .. });
    let size = match kind {
        SetKind::Constant { interval: false, size, .. } => Some(*size),
        _ => None,
    };
    let mut flags = SetFlags::empty();
    flags.set(SetFlags::INTERVAL, interval);
    flags.set(SetFlags::CONCAT, !concat.is_empty());
    flags.set(SetFlags::MAP, data.is_some());
    flags.set(SetFlags::EXPR, counters);
    let expressions = if counters { vec![Expr::Counter(Counter::default())] } else { Vec::new() };
    let userdata = userdata(kind, key_kind, tags);
    let base = Set::new(family.into(), table.clone(), name.clone(), key_len);
    Set { flags, key_kind, data, size, fields: concat, expressions, userdata, ..base }
}

/// The byte orders that `nft` would not think of, and the tags.
fn userdata(kind: &SetKind<'_>, key_kind: u32, tags: &Tags) -> Option<Box<[u8]>> {
    let host = |kind| Entry { kind, value: HOST_ENDIAN.to_ne_bytes().into() };
    let stores_number = match kind {
        SetKind::Store { store, .. } => !matches!(store, Target::Snat(_) | Target::Dnat(_)),
        _ => matches!(kind, SetKind::Directory),
    };
    let mut userdata = Userdata::default();
    if key_kind == datatype::IFNAME {
        userdata.others.push(host(KEY_BYTE_ORDER));
    }
    if stores_number {
        userdata.others.push(host(DATA_BYTE_ORDER));
    }
    let mut bytes = Vec::new();
    let orders = userdata.others.len();
    userdata.others.extend(tags.entries());
    if userdata.encode(&mut bytes).is_err() {
        userdata.others.truncate(orders);
        userdata.encode(&mut bytes).ok()?;
    }
    (!bytes.is_empty()).then(|| bytes.into())
}

/// Type, length and, of a concatenation, the lengths of the fields.
fn key(fields: &Fields, family: Family) -> (u32, u32, Vec<u32>) {
    let kind = fields.iter().fold(0, |kind, field| kind << 6 | datatype_of(field, family));
    let len = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let concat = if fields.len() > 1 { fields.iter().map(|f| len(f.len(family))).collect() } else { Vec::new() };
    (kind, len(fields.key_len(family)), concat)
}

fn datatype_of(field: Field, family: Family) -> u32 {
    match field {
        Field::Input | Field::Output => datatype::IFNAME,
        Field::Source(_) | Field::Destination(_) => address(family),
        Field::Mac => datatype::ETHER_ADDR,
        Field::SourcePort | Field::DestinationPort => datatype::INET_SERVICE,
    }
}

fn address(family: Family) -> u32 {
    match family {
        Family::Ipv4 => datatype::IPV4_ADDR,
        Family::Ipv6 => datatype::IPV6_ADDR,
    }
}

/// What a target stores.
fn stored(store: &Target, family: Family) -> SetData {
    let (kind, len) = match store {
        Target::Classify(_) => (datatype::CLASSID, 4),
        Target::Ct(_) => (datatype::MARK, 2),
        Target::Snat(_) | Target::Dnat(_) => (address(family), if family == Family::Ipv4 { 4 } else { 16 }),
        _ => (datatype::MARK, 4),
    };
    SetData::Value { kind, len }
}

/// An element of a map from keys to values.
#[must_use]
pub fn mapping(key: &[u8], value: &[u8]) -> Element {
    Element { data: Some(ElementData::Value(value.into())), ..Element::new(key) }
}

/// The elements of a constant set from ranges, first and last key, as [`SetKind::Constant`] with the same `interval` takes
/// them. The ranges must not overlap; without `interval` each is one key.
#[must_use]
pub fn constants(fields: &Fields, interval: bool, ranges: &[(Key, Key)]) -> Vec<Element> {
    let mut sorted: Vec<&(Key, Key)> = ranges.iter().collect();
    sorted.sort_unstable();
    let mut elements = Vec::with_capacity(sorted.len() * 2);
    for (first, last) in sorted {
        let element = Element::new(first.bytes());
        match (interval, fields.len() > 1) {
            (false, _) => elements.push(element),
            (true, true) => elements.push(Element { key_end: Some(last.bytes().into()), ..element }),
            (true, false) => {
                elements.push(element);
                // The range up to the last key has no end.
                elements.extend(after(last.bytes()).map(|end| Element::interval_end(&end)));
            }
        }
    }
    elements
}

/// The number after a number in network order; none after the largest.
pub(super) fn after(bytes: &[u8]) -> Option<Box<[u8]>> {
    let mut next: Box<[u8]> = bytes.into();
    for byte in next.iter_mut().rev() {
        let (sum, carries) = byte.overflowing_add(1);
        *byte = sum;
        if !carries {
            return Some(next);
        }
    }
    None
}
