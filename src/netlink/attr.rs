//! Netlink attributes: a writer into a growing buffer and a borrowing reader.
//!
//! Owns: the layout `nla_len: u16, nla_type: u16, payload, padding to 4` (both header fields in host order).
//! Never: knows what an attribute means.
//!
//! Invariant: byte order is written, never assumed: `u32_be` and `u32_ne` are different calls.
//! Invariant: a length that does not fit the 16-bit field is remembered as an error by the writer and reported by
//! [`Writer::finish`]; it never wraps.
//! Invariant: the reader refuses trailing bytes, short headers and lengths that leave the buffer.
//!
//! Where the truth is: `include/uapi/linux/netlink.h` and `lib/nlattr.c` (Linux v6.12).

use std::borrow::Cow;

use thiserror::Error;

use crate::name::text;

/// Set in an attribute's type when its payload is a list of attributes.
pub const NLA_F_NESTED: u16 = 1 << 15;
/// Set in an attribute's type when its payload is in network byte order. Nothing here sets it; the reader masks it.
pub const NLA_F_NET_BYTEORDER: u16 = 1 << 14;
const NLA_TYPE_MASK: u16 = !(NLA_F_NESTED | NLA_F_NET_BYTEORDER);
const HEADER: usize = 4;

/// Rounds a length up to the next multiple of four, netlink's alignment.
#[must_use]
pub const fn align(len: usize) -> usize {
    (len + 3) & !3
}

/// Why bytes could not be written or read as attributes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AttrError {
    /// An attribute with its header is longer than 65,535 bytes.
    #[error("attribute {kind} is {len} bytes long, more than the 65535 that its length field can hold")]
    TooLong {
        /// The attribute's type.
        kind: u16,
        /// The length that was asked for, in bytes, header included.
        len: usize,
    },
    /// Fewer bytes are left than a header or the header's length asks for.
    #[error("attribute list is cut off: {needed} bytes needed, {left} left")]
    Truncated {
        /// How many bytes the next read needs.
        needed: usize,
        /// How many are there.
        left: usize,
    },
    /// The attribute's length field is smaller than its own header.
    #[error("attribute {kind} claims a length of {len} bytes, less than its own header")]
    BadLength {
        /// The attribute's type.
        kind: u16,
        /// The claimed length in bytes.
        len: u16,
    },
    /// The payload has another size than its type needs.
    #[error("attribute {kind} holds {got} bytes where {want} are expected")]
    BadSize {
        /// The attribute's type.
        kind: u16,
        /// Expected payload size in bytes.
        want: usize,
        /// Actual payload size in bytes.
        got: usize,
    },
    /// A string does not end in its only NUL, or is too long.
    #[error("attribute {kind} is no NUL-terminated string of an allowed length")]
    BadString {
        /// The attribute's type.
        kind: u16,
    },
    /// A mandatory attribute is absent.
    #[error("mandatory attribute {kind} ({name}) is missing")]
    Missing {
        /// The attribute's type.
        kind: u16,
        /// Its kernel name.
        name: &'static str,
    },
    /// A value has a meaning the reader does not know.
    #[error("attribute {kind} has the unknown value {value}")]
    UnknownValue {
        /// The attribute's type.
        kind: u16,
        /// The value, in host order.
        value: u64,
    },
    /// An attribute is not known where it stands, or stands there twice.
    #[error("attribute {kind} is not known here, or stands here twice")]
    Unexpected {
        /// The attribute's type.
        kind: u16,
    },
}

/// Appends attributes to a buffer.
///
/// The first error is kept and returned by [`finish`](Writer::finish), so callers write straight-line code.
#[derive(Debug)]
pub struct Writer<'b> {
    buf: &'b mut Vec<u8>,
    error: Option<AttrError>,
}

impl<'b> Writer<'b> {
    /// Writes to the end of `buf`.
    #[inline]
    pub fn new(buf: &'b mut Vec<u8>) -> Self {
        Self { buf, error: None }
    }

    /// Bytes in the buffer so far, those before this writer included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether the buffer is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Ends writing.
    ///
    /// # Errors
    /// The first attribute that was too long.
    #[inline]
    pub fn finish(self) -> Result<(), AttrError> {
        self.error.map_or(Ok(()), Err)
    }

    /// Header bytes of an attribute; one that is too long is remembered as the error.
    #[inline]
    fn head(&mut self, kind: u16, payload: usize) -> [u8; HEADER] {
        let len = payload + HEADER;
        let [l0, l1] = u16::try_from(len).map_or_else(|_| self.too_long(kind, len), u16::to_ne_bytes);
        let [k0, k1] = kind.to_ne_bytes();
        [l0, l1, k0, k1]
    }

    #[cold]
    fn too_long(&mut self, kind: u16, len: usize) -> [u8; 2] {
        self.error.get_or_insert(AttrError::TooLong { kind, len });
        [0; 2]
    }

    #[inline]
    fn header(&mut self, kind: u16, payload: usize) {
        let head = self.head(kind, payload);
        self.buf.extend_from_slice(&head);
    }

    #[inline]
    fn pad(&mut self) {
        // One store of a known size instead of a call for at most three bytes.
        let end = align(self.buf.len());
        self.buf.extend_from_slice(&[0; 4]);
        self.buf.truncate(end);
    }

    /// An attribute of known size in one copy. `SPACE` is the attribute's size with header and padding.
    #[inline]
    fn fixed<const LEN: usize, const SPACE: usize>(&mut self, kind: u16, payload: [u8; LEN]) {
        const { assert!(SPACE == align(HEADER + LEN) && SPACE < 65_536) };
        let mut whole = [0; SPACE];
        let (head, rest) = whole.split_at_mut(HEADER);
        head.copy_from_slice(&self.head(kind, LEN));
        rest.iter_mut().zip(payload).for_each(|(to, from)| *to = from);
        self.buf.extend_from_slice(&whole);
    }

    /// An attribute with the given payload.
    #[inline]
    pub fn bytes(&mut self, kind: u16, payload: &[u8]) {
        self.buf.reserve(HEADER + payload.len() + 4);
        self.header(kind, payload.len());
        self.buf.extend_from_slice(payload);
        self.pad();
    }

    /// A string, written with a terminating NUL; characters that stand for bytes become these
    /// ([`text`]).
    #[inline]
    pub fn string(&mut self, kind: u16, text: &str) {
        let text = text::to_bytes(text);
        self.buf.reserve(HEADER + text.len() + 5);
        self.header(kind, text.len() + 1);
        self.buf.extend_from_slice(&text);
        self.buf.push(0);
        self.pad();
    }

    /// An attribute whose presence is its meaning.
    #[inline]
    pub fn flag(&mut self, kind: u16) {
        self.bytes(kind, &[]);
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.fixed::<1, 8>(kind, [value]);
    }

    /// 16 bits in network byte order.
    #[inline]
    pub fn u16_be(&mut self, kind: u16, value: u16) {
        self.fixed::<2, 8>(kind, value.to_be_bytes());
    }

    /// 32 bits in network byte order.
    #[inline]
    pub fn u32_be(&mut self, kind: u16, value: u32) {
        self.fixed::<4, 8>(kind, value.to_be_bytes());
    }

    /// 64 bits in network byte order.
    #[inline]
    pub fn u64_be(&mut self, kind: u16, value: u64) {
        self.fixed::<8, 12>(kind, value.to_be_bytes());
    }

    /// 16 bits in host byte order.
    #[inline]
    pub fn u16_ne(&mut self, kind: u16, value: u16) {
        self.fixed::<2, 8>(kind, value.to_ne_bytes());
    }

    /// 32 bits in host byte order.
    #[inline]
    pub fn u32_ne(&mut self, kind: u16, value: u32) {
        self.fixed::<4, 8>(kind, value.to_ne_bytes());
    }

    /// A list of attributes, written by `fill`; the type gets [`NLA_F_NESTED`] and the length is patched afterwards.
    #[inline]
    pub fn nest<R>(&mut self, kind: u16, fill: impl FnOnce(&mut Self) -> R) -> R {
        let start = self.buf.len();
        self.header(kind | NLA_F_NESTED, 0);
        let result = fill(self);
        let len = self.buf.len() - start;
        match u16::try_from(len) {
            Ok(field) => {
                if let Some(slot) = self.buf.get_mut(start..start + 2) {
                    slot.copy_from_slice(&field.to_ne_bytes());
                }
            }
            Err(_) => {
                self.error.get_or_insert(AttrError::TooLong { kind, len });
            }
        }
        result
    }

    /// Attributes that were encoded before, copied as they are. They must end on a multiple of four bytes.
    #[inline]
    pub fn raw(&mut self, attributes: &[u8]) {
        self.buf.extend_from_slice(attributes);
        self.pad();
    }
}

/// One attribute of a list, borrowed from the buffer it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr<'a> {
    /// The type without the nested and byte-order bits.
    pub kind: u16,
    /// Whether [`NLA_F_NESTED`] was set. The kernel does not always set it: never rely on it being present.
    pub nested: bool,
    /// The payload without padding.
    pub payload: &'a [u8],
}

impl<'a> Attr<'a> {
    #[inline]
    fn sized<const N: usize>(&self) -> Result<[u8; N], AttrError> {
        self.payload.try_into().map_err(|_| AttrError::BadSize { kind: self.kind, want: N, got: self.payload.len() })
    }

    /// The payload as one byte.
    ///
    /// # Errors
    /// [`AttrError::BadSize`] when the payload is not one byte; so do the other integer readers.
    pub fn u8(&self) -> Result<u8, AttrError> {
        self.sized::<1>().map(|[b]| b)
    }

    /// 16 bits in network byte order.
    ///
    /// # Errors
    /// As [`u8`](Attr::u8).
    pub fn u16_be(&self) -> Result<u16, AttrError> {
        self.sized().map(u16::from_be_bytes)
    }

    /// 32 bits in network byte order.
    ///
    /// # Errors
    /// As [`u8`](Attr::u8).
    pub fn u32_be(&self) -> Result<u32, AttrError> {
        self.sized().map(u32::from_be_bytes)
    }

    /// 64 bits in network byte order.
    ///
    /// # Errors
    /// As [`u8`](Attr::u8).
    pub fn u64_be(&self) -> Result<u64, AttrError> {
        self.sized().map(u64::from_be_bytes)
    }

    /// 16 bits in host byte order.
    ///
    /// # Errors
    /// As [`u8`](Attr::u8).
    pub fn u16_ne(&self) -> Result<u16, AttrError> {
        self.sized().map(u16::from_ne_bytes)
    }

    /// 32 bits in host byte order.
    ///
    /// # Errors
    /// As [`u8`](Attr::u8).
    pub fn u32_ne(&self) -> Result<u32, AttrError> {
        self.sized().map(u32::from_ne_bytes)
    }

    /// A NUL-terminated string, without its NUL. Bytes that are no UTF-8 are kept, as [`text`] says.
    ///
    /// # Errors
    /// [`AttrError::BadString`] when the last byte is not NUL, or an inner byte is.
    pub fn string(&self) -> Result<Cow<'a, str>, AttrError> {
        match self.payload.split_last() {
            Some((0, text)) if !text.contains(&0) => Ok(text::from_bytes(text)),
            _ => Err(AttrError::BadString { kind: self.kind }),
        }
    }

    /// The payload as a list of attributes.
    #[must_use]
    pub fn attrs(&self) -> Reader<'a> {
        Reader::new(self.payload)
    }
}

/// Walks a list of attributes.
///
/// Yields each attribute in order. After an error it yields nothing more. Padding after the last attribute may be
/// missing, as the kernel allows; any other trailing byte is an error.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the list that fills `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn step(&mut self) -> Result<Attr<'a>, AttrError> {
        let left = self.rest.len();
        let &[l0, l1, k0, k1, ..] = self.rest else {
            return Err(AttrError::Truncated { needed: HEADER, left });
        };
        let len = u16::from_ne_bytes([l0, l1]);
        let kind = u16::from_ne_bytes([k0, k1]);
        if usize::from(len) < HEADER {
            return Err(AttrError::BadLength { kind: kind & NLA_TYPE_MASK, len });
        }
        let needed = usize::from(len);
        let payload = self.rest.get(HEADER..needed).ok_or(AttrError::Truncated { needed, left })?;
        self.rest = self.rest.get(align(needed)..).unwrap_or_default();
        Ok(Attr { kind: kind & NLA_TYPE_MASK, nested: kind & NLA_F_NESTED != 0, payload })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Attr<'a>, AttrError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.step();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// Unwraps a mandatory attribute.
///
/// # Errors
/// [`AttrError::Missing`] when it was not in the list.
pub fn required<T>(value: Option<T>, kind: u16, name: &'static str) -> Result<T, AttrError> {
    value.ok_or(AttrError::Missing { kind, name })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is a panic")]
mod tests {
    use super::*;

    fn written(fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buf = Vec::new();
        let mut w = Writer::new(&mut buf);
        fill(&mut w);
        w.finish().unwrap();
        buf
    }

    #[test]
    fn integers_keep_the_byte_order_that_was_asked_for() {
        let buf = written(|w| {
            w.u16_be(1, 0x0102);
            w.u32_be(2, 0x0102_0304);
            w.u32_ne(3, 7);
        });
        assert_eq!(&buf[4..8], &[1, 2, 0, 0]);
        let attrs: Vec<_> = Reader::new(&buf).map(Result::unwrap).collect();
        assert_eq!(attrs[0].u16_be(), Ok(0x0102));
        assert_eq!(attrs[1].u32_be(), Ok(0x0102_0304));
        assert_eq!(attrs[2].u32_ne(), Ok(7));
        assert_eq!(attrs[0].u32_be(), Err(AttrError::BadSize { kind: 1, want: 4, got: 2 }));
    }

    #[test]
    fn nests_carry_their_length_and_flag() {
        let buf = written(|w| {
            w.nest(4, |w| {
                w.string(1, "abc");
                w.nest(2, |w| w.flag(3));
            });
        });
        let outer = Reader::new(&buf).next().unwrap().unwrap();
        assert!(outer.nested);
        let inner: Vec<_> = outer.attrs().map(Result::unwrap).collect();
        assert_eq!(inner[0].string(), Ok("abc".into()));
        assert_eq!(inner[1].attrs().next().unwrap().unwrap(), Attr { kind: 3, nested: false, payload: &[] });
    }

    #[test]
    fn an_attribute_over_64_kib_is_an_error_and_never_wraps() {
        let mut buf = Vec::new();
        let mut w = Writer::new(&mut buf);
        w.bytes(9, &[0; 65_532]);
        assert_eq!(w.finish(), Err(AttrError::TooLong { kind: 9, len: 65_536 }));

        let mut buf = Vec::new();
        let mut w = Writer::new(&mut buf);
        w.nest(9, |w| (0..2).for_each(|_| w.bytes(1, &[0; 40_000])));
        assert_eq!(w.finish(), Err(AttrError::TooLong { kind: 9, len: 80_012 }));

        written(|w| w.bytes(9, &[0; 65_531]));
    }

    #[test]
    fn every_truncation_fails_or_ends_on_an_attribute() {
        let buf = written(|w| {
            w.u32_be(1, 1);
            w.string(2, "name");
        });
        for cut in 1..buf.len() {
            let items: Vec<_> = Reader::new(&buf[..cut]).collect();
            let whole = cut == 8 || cut >= 17;
            assert_eq!(items.iter().all(Result::is_ok), whole, "cut at {cut}: {items:?}");
        }
    }

    #[test]
    fn trailing_bytes_and_short_lengths_are_refused() {
        assert!(Reader::new(&[0, 0, 0]).next().unwrap().is_err());
        assert!(matches!(Reader::new(&[3, 0, 1, 0]).next(), Some(Err(AttrError::BadLength { kind: 1, len: 3 }))));
        let mut twice = Reader::new(&[3, 0, 1, 0, 0, 0, 0, 0]);
        assert!(twice.next().unwrap().is_err());
        assert_eq!(twice.next(), None);
    }

    #[test]
    fn strings_need_exactly_one_nul_at_the_end() {
        let attr = |payload| Attr { kind: 1, nested: false, payload };
        assert_eq!(attr(b"ok\0").string(), Ok("ok".into()));
        assert_eq!(attr(b"\xff\0").string(), Ok("\u{10feff}".into()), "no UTF-8 is no error");
        for bad in [&b"no"[..], b"", b"a\0b\0"] {
            assert_eq!(attr(bad).string(), Err(AttrError::BadString { kind: 1 }));
        }
    }
}
