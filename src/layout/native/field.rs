//! The fields of a packet that rules are told apart by, and values of them.
//!
//! Owns: [`Field`], lists of fields ([`Fields`]) and their values ([`Key`]), and when two values can be of one packet.
//! Never: looks at a rule; [`analysis`](super::analysis) does.
//!
//! A key is what the kernel's register holds: the fields one after the other, each filled up with zeros to a multiple of
//! four bytes (a key of a single field has no filling), in network order, names filled up to 16 bytes.
//!
//! Invariant: bits outside a field's prefix are zero in every key, so that equal bytes mean the same packets.
//!
//! How it is tested: what [`overlaps`] says against packets that are tried one by one.

use std::net::IpAddr;
use std::sync::Arc;

use crate::name::InterfaceName;
use crate::rule::Family;

/// A field that a rule can ask to be one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `-i NAME`.
    Input,
    /// `-o NAME`.
    Output,
    /// `-s ADDRESS/PREFIX`, the length in bits, 1 or more.
    Source(u8),
    /// `-d ADDRESS/PREFIX`, the length in bits, 1 or more.
    Destination(u8),
    /// `-m mac --mac-source`.
    Mac,
    /// `--sport` of the rule's protocol. Never part of an analysed key.
    SourcePort,
    /// `--dport` of the rule's protocol. Never part of an analysed key.
    DestinationPort,
}

impl Field {
    /// Its value's length in bytes.
    #[must_use]
    pub fn len(self, family: Family) -> usize {
        match (self, family) {
            (Self::Source(_) | Self::Destination(_), Family::Ipv4) => 4,
            (Self::Input | Self::Output, _) | (Self::Source(_) | Self::Destination(_), Family::Ipv6) => 16,
            (Self::Mac, _) => 6,
            (Self::SourcePort | Self::DestinationPort, _) => 2,
        }
    }

    /// The bits of its value that count.
    fn bits(self, family: Family) -> usize {
        match self {
            Self::Source(prefix) | Self::Destination(prefix) => usize::from(prefix),
            _ => self.len(family) * 8,
        }
    }

    /// Whether both are read from the same place of a packet.
    fn same_base(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// A list of fields, ascending, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Fields(pub(crate) Box<[Field]>);

impl Fields {
    /// The most bytes of a key: all registers but one, which choices take ([`codegen`](super::codegen)).
    pub const MAX_LEN: usize = 60;
    /// The most fields of a key: `nft` has six bits for the type of each in a number of 32.
    pub const MAX: usize = 5;

    /// These fields, in whatever order they come.
    #[must_use]
    pub fn new(fields: impl IntoIterator<Item = Field>) -> Self {
        let mut fields: Vec<Field> = fields.into_iter().collect();
        fields.sort_unstable();
        fields.dedup();
        Self(fields.into())
    }

    /// The fields, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Field> + Clone + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields with their places in a key, in bytes.
    pub fn places(&self, family: Family) -> impl Iterator<Item = (Field, usize)> + Clone + '_ {
        self.iter().scan(0, move |next, field| {
            let place = *next;
            *next += padded(field.len(family));
            Some((field, place))
        })
    }

    /// The length of a key in bytes.
    #[must_use]
    pub fn key_len(&self, family: Family) -> usize {
        match *self.0 {
            [one] => one.len(family),
            ref several => several.iter().map(|field| padded(field.len(family))).sum(),
        }
    }

    /// Whether the kernel and `nft` take a key of these fields.
    #[must_use]
    pub fn fit(&self, family: Family) -> bool {
        !self.is_empty() && self.len() <= Self::MAX && self.key_len(family) <= Self::MAX_LEN
    }

    /// The fields of both.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self::new(self.iter().chain(other.iter()))
    }
}

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        Self::new(fields)
    }
}

/// A value of a list of fields. A rule and its place in the index share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Key(pub(crate) Arc<[u8]>);

impl Key {
    /// Puts values of fields together; of a field that comes twice the last value counts. A value is cut or filled up to
    /// the field's length, and its bits outside the prefix are cleared.
    #[must_use]
    pub fn build<'a>(family: Family, parts: impl IntoIterator<Item = (Field, &'a [u8])>) -> (Fields, Self) {
        let parts: Vec<(Field, &[u8])> = parts.into_iter().collect();
        let fields = Fields::new(parts.iter().map(|(field, _)| *field));
        let mut bytes = vec![0; fields.key_len(family)];
        for (field, value) in parts {
            let place = fields.places(family).find(|(f, _)| *f == field).map_or(0, |(_, place)| place);
            let bits = field.bits(family);
            let slots = bytes.iter_mut().skip(place).take(field.len(family));
            let values = value.iter().copied().chain(std::iter::repeat(0));
            for (at, (slot, byte)) in slots.zip(values).enumerate() {
                *slot = byte & mask_byte(bits, at);
            }
        }
        (fields, Self(bytes.into()))
    }

    /// The bytes as the kernel has them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The fields of a key with their values.
    pub fn parts<'a>(
        &'a self,
        fields: &'a Fields,
        family: Family,
    ) -> impl Iterator<Item = (Field, &'a [u8])> + Clone + 'a {
        fields
            .places(family)
            .map(move |(field, place)| (field, self.0.get(place..place + field.len(family)).unwrap_or_default()))
    }

    /// The value of one field.
    #[must_use]
    pub fn value<'a>(&'a self, fields: &'a Fields, field: Field, family: Family) -> Option<&'a [u8]> {
        self.parts(fields, family).find(|(f, _)| *f == field).map(|(_, value)| value)
    }

    /// The key of the fields of both. `None` when they have a field in common and differ in it: no packet has both.
    #[must_use]
    pub fn concat(a: (&Fields, &Self), b: (&Fields, &Self), family: Family) -> Option<(Fields, Self)> {
        let joined = Self::build(family, a.1.parts(a.0, family).chain(b.1.parts(b.0, family)));
        let agrees = |(fields, key): (&Fields, &Self)| {
            key.parts(fields, family).all(|(field, value)| joined.1.value(&joined.0, field, family) == Some(value))
        };
        (agrees(a) && agrees(b)).then_some(joined)
    }
}

/// An interface's name as registers hold it.
#[must_use]
pub fn name_bytes(name: &InterfaceName) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.as_str().bytes()).for_each(|(to, from)| *to = from);
    bytes
}

/// An address as registers hold it, the first four bytes for IPv4.
#[must_use]
pub fn address_bytes(address: IpAddr) -> ([u8; 16], usize) {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(v4) => {
            bytes.iter_mut().zip(v4.octets()).for_each(|(to, from)| *to = from);
            (bytes, 4)
        }
        IpAddr::V6(v6) => (v6.octets(), 16),
    }
}

/// Whether one packet can have both values: fields that both ask for agree in the bits that both look at. Two values of
/// equal fields overlap only when they are equal.
#[must_use]
pub fn overlaps(a: (&Fields, &Key), b: (&Fields, &Key), family: Family) -> bool {
    if a.0 == b.0 {
        return a.1 == b.1;
    }
    a.1.parts(a.0, family).all(|(field, value)| {
        b.1.parts(b.0, family)
            .filter(|(other, _)| field.same_base(*other))
            .all(|(other, theirs)| agree(value, theirs, field.bits(family).min(other.bits(family))))
    })
}

/// Whether the first `bits` bits are equal.
fn agree(a: &[u8], b: &[u8], bits: usize) -> bool {
    a.iter().zip(b).enumerate().all(|(at, (a, b))| (a ^ b) & mask_byte(bits, at) == 0)
}

/// Byte number `at` of a mask of `bits` bits.
pub(crate) fn mask_byte(bits: usize, at: usize) -> u8 {
    match bits.saturating_sub(at * 8) {
        0 => 0,
        some @ 1..8 => !(u8::MAX >> some),
        _ => u8::MAX,
    }
}

/// What a field takes of a concatenated key.
fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    /// A packet as far as fields see it, so small that values meet often.
    #[derive(Debug, Clone)]
    struct Packet {
        input: u8,
        output: u8,
        source: u8,
        destination: u8,
        mac: u8,
    }

    impl Packet {
        /// The value of a field, from scratch: addresses vary in their first byte only.
        fn has(&self, field: Field, value: &[u8]) -> bool {
            let prefix = |byte: u8, bits: u8| (0..bits.min(8)).all(|bit| (byte ^ value[0]) & (0x80 >> bit) == 0);
            match field {
                Field::Input => value[0] == self.input,
                Field::Output => value[0] == self.output,
                Field::Source(bits) => prefix(self.source, bits),
                Field::Destination(bits) => prefix(self.destination, bits),
                Field::Mac => value[0] == self.mac,
                Field::SourcePort | Field::DestinationPort => false,
            }
        }

        fn has_all(&self, key: &(Fields, Key), family: Family) -> bool {
            key.1.parts(&key.0, family).all(|(field, value)| self.has(field, value))
        }
    }

    /// All packets of two interfaces, two MACs and the addresses that differ in two bits of one byte.
    fn packets() -> impl Iterator<Item = Packet> {
        (0..128u8).map(|n| Packet {
            input: 1 + (n & 1),
            output: 1 + (n >> 1 & 1),
            mac: 1 + (n >> 2 & 1),
            source: 0x80 | (n >> 3 & 3) << 4,
            destination: 0x80 | (n >> 5 & 3) << 4,
        })
    }

    fn key(family: Family) -> impl Strategy<Value = (Fields, Key)> {
        let all = vec![
            Field::Input,
            Field::Output,
            Field::Source(2),
            Field::Source(3),
            Field::Source(4),
            Field::Destination(3),
            Field::Destination(4),
            Field::Mac,
        ];
        let addresses = [0x80, 0x90, 0xa0, 0xb0];
        (subsequence(all, 0..4), prop::collection::vec(0..4usize, 4)).prop_map(move |(fields, values)| {
            let bytes: Vec<[u8; 1]> = fields
                .iter()
                .zip(&values)
                .map(|(field, n)| match field {
                    Field::Source(_) | Field::Destination(_) => [addresses[*n]],
                    _ => [1 + u8::from(n % 2 == 1)],
                })
                .collect();
            Key::build(family, fields.iter().copied().zip(bytes.iter().map(<[u8; 1]>::as_slice)))
        })
    }

    fn any_family() -> impl Strategy<Value = Family> {
        prop::sample::select(&Family::BOTH)
    }

    proptest! {
        #[test]
        fn values_overlap_when_a_packet_has_both(
            (family, a, b) in any_family().prop_flat_map(|f| (Just(f), key(f), key(f)))
        ) {
            // A key that contradicts itself has no packet, which `overlaps` need not see.
            let possible = |k: &(Fields, Key)| packets().any(|p| p.has_all(k, family));
            prop_assume!(possible(&a) && possible(&b));
            let both = packets().any(|p| p.has_all(&a, family) && p.has_all(&b, family));
            prop_assert_eq!(overlaps((&a.0, &a.1), (&b.0, &b.1), family), both);
            prop_assert_eq!(overlaps((&b.0, &b.1), (&a.0, &a.1), family), both);
        }

        #[test]
        fn joined_keys_hold_both((family, a, b) in any_family().prop_flat_map(|f| (Just(f), key(f), key(f)))) {
            let joined = Key::concat((&a.0, &a.1), (&b.0, &b.1), family);
            for packet in packets() {
                let both = packet.has_all(&a, family) && packet.has_all(&b, family);
                prop_assert_eq!(joined.as_ref().is_some_and(|joined| packet.has_all(joined, family)), both);
            }
            if let Some((fields, key)) = joined {
                prop_assert_eq!(&fields, &a.0.join(&b.0));
                prop_assert_eq!(key.bytes().len(), fields.key_len(family));
            }
        }
    }

    #[test]
    fn keys_are_laid_out_as_registers_are() {
        let (fields, key) = Key::build(
            Family::Ipv4,
            [(Field::Mac, [2, 0, 0, 0, 0, 9].as_slice()), (Field::Source(20), &[10, 1, 255, 255])],
        );
        assert_eq!(fields, Fields::new([Field::Source(20), Field::Mac]));
        assert_eq!(key.bytes(), [10, 1, 0xf0, 0, 2, 0, 0, 0, 0, 9, 0, 0]);
        assert_eq!(key.value(&fields, Field::Mac, Family::Ipv4), Some([2, 0, 0, 0, 0, 9].as_slice()));
        let (alone, key) = Key::build(Family::Ipv6, [(Field::Mac, [1, 2, 3, 4, 5, 6].as_slice())]);
        assert_eq!((alone.key_len(Family::Ipv6), key.bytes().len()), (6, 6));
    }

    #[test]
    fn what_is_too_long_for_the_registers_does_not_fit() {
        let three = [Field::Input, Field::Source(128), Field::Destination(128)];
        let five = [Field::Input, Field::Output, Field::Source(1), Field::Destination(1), Field::Mac];
        assert!(Fields::new(three.into_iter().chain([Field::Mac])).fit(Family::Ipv6));
        assert!(!Fields::new(three.into_iter().chain([Field::Output])).fit(Family::Ipv6));
        assert!(Fields::new(five).fit(Family::Ipv4));
        assert!(!Fields::new(five.into_iter().chain([Field::SourcePort])).fit(Family::Ipv4));
        assert!(!Fields::default().fit(Family::Ipv4));
    }
}
