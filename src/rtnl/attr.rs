//! Attributes over neli's types: a writer that remembers what did not fit, and payloads as values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neli::consts::rtnl::RtaType;
use neli::rtnl::{Rtattr, RtattrBuilder};
use neli::types::{Buffer, RtBuffer};
use neli::{Size, ToBytes};

use crate::name::text;

/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`, which are no part of the type.
const TYPE_MASK: u16 = 0x3fff;

/// An attribute that this version has no field for, as the kernel sent it; it is sent back as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RawAttribute {
    /// The attribute's type, flags included.
    pub kind: u16,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The payload is not of the size or form that the attribute's type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadPayload(pub(super) u16);

/// Attributes of a message or nest that is being built.
pub(super) struct Writer<T> {
    list: RtBuffer<T, Buffer>,
    too_long: bool,
}

impl<T: RtaType> Writer<T> {
    pub(super) fn new() -> Self {
        Self { list: RtBuffer::new(), too_long: false }
    }

    pub(super) fn put(&mut self, kind: T, payload: impl Into<Vec<u8>>) {
        let payload: Vec<u8> = payload.into();
        // The length field has 16 bits and counts a header of four bytes; neli would cut what does not fit.
        if payload.len() > usize::from(u16::MAX) - 4 {
            self.too_long = true;
            return;
        }
        match RtattrBuilder::default().rta_type(kind).rta_payload(Buffer::from(payload)).build() {
            Ok(attribute) => self.list.push(attribute),
            Err(_) => self.too_long = true,
        }
    }

    pub(super) fn string(&mut self, kind: T, value: &str) {
        let mut bytes = text::to_bytes(value).into_owned();
        bytes.push(0);
        self.put(kind, bytes);
    }

    pub(super) fn u8(&mut self, kind: T, value: u8) {
        self.put(kind, [value]);
    }

    pub(super) fn u16(&mut self, kind: T, value: u16) {
        self.put(kind, value.to_ne_bytes());
    }

    pub(super) fn u32(&mut self, kind: T, value: u32) {
        self.put(kind, value.to_ne_bytes());
    }

    pub(super) fn ip(&mut self, kind: T, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.put(kind, address.octets()),
            IpAddr::V6(address) => self.put(kind, address.octets()),
        }
    }

    pub(super) fn raw(&mut self, attributes: &[RawAttribute]) {
        for attribute in attributes {
            self.put(T::from(attribute.kind), attribute.payload.clone());
        }
    }

    pub(super) fn nest<U: RtaType>(&mut self, kind: T, fill: impl FnOnce(&mut Writer<U>)) {
        let mut inner = Writer::new();
        fill(&mut inner);
        match inner.bytes() {
            Some(bytes) => self.put(kind, bytes),
            None => self.too_long = true,
        }
    }

    /// The attributes as bytes; `None` when something did not fit.
    pub(super) fn bytes(self) -> Option<Vec<u8>> {
        let mut cursor = std::io::Cursor::new(vec![0; self.list.padded_size()]);
        if self.too_long || self.list.to_bytes(&mut cursor).is_err() {
            return None;
        }
        Some(cursor.into_inner())
    }

    /// The attributes; `None` when something did not fit.
    pub(super) fn finish(self) -> Option<RtBuffer<T, Buffer>> {
        (!self.too_long).then_some(self.list)
    }
}

/// A received attribute.
#[derive(Clone, Copy)]
pub(super) struct Received<'a> {
    /// Without flags.
    pub(super) kind: u16,
    /// With flags.
    whole_kind: u16,
    pub(super) payload: &'a [u8],
}

impl<'a> Received<'a> {
    pub(super) fn raw(&self) -> RawAttribute {
        RawAttribute { kind: self.whole_kind, payload: self.payload.to_vec() }
    }

    fn bad(&self) -> BadPayload {
        BadPayload(self.kind)
    }

    pub(super) fn u8(&self) -> Result<u8, BadPayload> {
        self.array().map(u8::from_ne_bytes)
    }

    pub(super) fn u16(&self) -> Result<u16, BadPayload> {
        self.array().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&self) -> Result<u32, BadPayload> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(super) fn array<const N: usize>(&self) -> Result<[u8; N], BadPayload> {
        self.payload.try_into().map_err(|_| self.bad())
    }

    /// The first four-byte words of a struct, which newer kernels may have made longer.
    pub(super) fn words<const N: usize>(&self) -> Result<[u32; N], BadPayload> {
        let mut words = [0; N];
        let mut bytes = self.payload;
        for word in &mut words {
            let (first, rest) = bytes.split_first_chunk().ok_or(self.bad())?;
            (*word, bytes) = (u32::from_ne_bytes(*first), rest);
        }
        Ok(words)
    }

    pub(super) fn ip(&self) -> Result<IpAddr, BadPayload> {
        if let Ok(octets) = <[u8; 4]>::try_from(self.payload) {
            return Ok(Ipv4Addr::from(octets).into());
        }
        self.array::<16>().map(|octets| Ipv6Addr::from(octets).into())
    }

    pub(super) fn string(&self) -> String {
        let end = self.payload.iter().position(|byte| *byte == 0).unwrap_or(self.payload.len());
        text::from_bytes(self.payload.get(..end).unwrap_or_default()).into_owned()
    }

    pub(super) fn nest(&self) -> Result<Vec<Received<'a>>, BadPayload> {
        parse(self.payload).ok_or(self.bad())
    }
}

/// The attributes of a message that neli took apart.
pub(super) fn received<T>(list: &RtBuffer<T, Buffer>) -> impl Iterator<Item = Received<'_>>
where
    T: RtaType,
    u16: From<T>,
{
    list.iter().map(|attribute: &Rtattr<T, Buffer>| {
        let whole_kind = u16::from(*attribute.rta_type());
        Received { kind: whole_kind & TYPE_MASK, whole_kind, payload: attribute.rta_payload().as_ref() }
    })
}

/// A list of attributes; `None` when it is cut off. neli copies nests, so these are read in place.
pub(super) fn parse(mut bytes: &[u8]) -> Option<Vec<Received<'_>>> {
    let mut list = Vec::new();
    while let Some((header, _)) = bytes.split_first_chunk::<4>() {
        let [a, b, c, d] = *header;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let whole_kind = u16::from_ne_bytes([c, d]);
        let payload = bytes.get(4..length)?;
        list.push(Received { kind: whole_kind & TYPE_MASK, whole_kind, payload });
        bytes = bytes.get((length + 3) & !3..).unwrap_or_default();
    }
    bytes.is_empty().then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nest_is_read_as_it_was_written() {
        let mut writer = Writer::<u16>::new();
        writer.u8(1, 7);
        writer.nest::<u16>(2, |inner| {
            inner.string(3, "br");
            inner.ip(4, "2001:db8::1".parse().unwrap());
        });
        let bytes = writer.bytes().unwrap();
        let list = parse(&bytes).unwrap();
        assert_eq!(list.iter().map(|a| a.kind).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(list[0].u8(), Ok(7));
        assert_eq!(list[0].u32(), Err(BadPayload(1)));
        let inner = list[1].nest().unwrap();
        assert_eq!((inner[0].string(), inner[1].ip()), ("br".into(), Ok("2001:db8::1".parse().unwrap())));
        for cut in 0..bytes.len() {
            // Padding may be missing at the end.
            let between = cut == 0 || (5..=8).contains(&cut);
            assert_eq!(parse(&bytes[..cut]).is_some_and(|list| list.len() < 2), between, "cut at {cut}");
        }
    }

    #[test]
    fn what_does_not_fit_is_remembered() {
        let mut writer = Writer::<u16>::new();
        writer.put(1, vec![0; 65_532]);
        writer.u8(2, 0);
        assert!(writer.finish().is_none());
    }
}
