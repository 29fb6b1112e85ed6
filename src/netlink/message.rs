//! Whole messages: writing one, and splitting what was received into them.
//!
//! Owns: the frame around attributes: header, family header, length, padding to four bytes.
//! Never: does I/O; knows what a message means.
//!
//! Invariant: a message that cannot be written leaves the buffer as it was.
//! Invariant: splitting refuses lengths shorter than a header, lengths that leave the datagram, and trailing bytes.
//!
//! Where the truth is: `include/uapi/linux/netlink.h` (`NLMSG_OK`, `NLMSG_NEXT`), `net/netlink/af_netlink.c` (v6.12).

use thiserror::Error;

use super::attr::{AttrError, Reader, Writer, align};
use super::header::{FamilyHeader, Header};

/// Why received bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Fewer bytes are left than a header, or the header's length, asks for.
    #[error("netlink message is cut off: {needed} bytes needed, {left} left")]
    Truncated {
        /// How many bytes the next read needs.
        needed: usize,
        /// How many are there.
        left: usize,
    },
    /// The length field is smaller than the header it stands in.
    #[error("netlink message claims a length of {len} bytes, less than its own header")]
    BadLength {
        /// The claimed length in bytes.
        len: u32,
    },
    /// An attribute in the message is malformed.
    #[error(transparent)]
    Attr(#[from] AttrError),
}

/// Writes one message to the end of `buf`: headers, the attributes that `fill` writes, and the patched length.
///
/// # Errors
/// [`AttrError`] when an attribute was too long; `buf` is then as it was before.
#[inline]
pub fn append(
    buf: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    seq: u32,
    family: FamilyHeader,
    fill: impl FnOnce(&mut Writer<'_>),
) -> Result<(), AttrError> {
    let start = buf.len();
    // One write of a fixed size for both headers: this runs once a rule.
    let mut head = [0; Header::LEN + FamilyHeader::LEN];
    let (outer, inner) = head.split_at_mut(Header::LEN);
    outer.copy_from_slice(&Header { len: 0, kind, flags, seq, port: 0 }.encode());
    inner.copy_from_slice(&family.encode());
    buf.extend_from_slice(&head);

    let mut writer = Writer::new(buf);
    fill(&mut writer);
    let written = writer.finish().and_then(|()| {
        let len = buf.len() - start;
        let field = u32::try_from(len).map_err(|_| AttrError::TooLong { kind, len })?;
        if let Some(slot) = buf.get_mut(start..start + 4) {
            slot.copy_from_slice(&field.to_ne_bytes());
        }
        Ok(())
    });
    if written.is_err() {
        buf.truncate(start);
    }
    written
}

/// One received message, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The header.
    pub header: Header,
    /// What follows it, without padding.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The family header of a netfilter message, and the attributes after it.
    ///
    /// # Errors
    /// [`MessageError::Truncated`] when the payload is too short for one.
    pub fn family(&self) -> Result<(FamilyHeader, Reader<'a>), MessageError> {
        let (family, attributes) = FamilyHeader::decode(self.payload)?;
        Ok((family, Reader::new(attributes)))
    }
}

/// Walks the messages of a datagram (or of a batch). After an error it yields nothing more.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Reads the messages that fill `datagram`.
    #[must_use]
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn step(&mut self) -> Result<Message<'a>, MessageError> {
        let header = Header::decode(self.rest)?;
        let left = self.rest.len();
        let needed = usize::try_from(header.len).unwrap_or(usize::MAX);
        if needed < Header::LEN {
            return Err(MessageError::BadLength { len: header.len });
        }
        let payload = self.rest.get(Header::LEN..needed).ok_or(MessageError::Truncated { needed, left })?;
        // The last message of a datagram may come without padding.
        self.rest = self.rest.get(align(needed)..).unwrap_or_default();
        Ok(Message { header, payload })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, MessageError>;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<u8> {
        let mut buf = Vec::new();
        append(&mut buf, 7, 1, 1, FamilyHeader::new(2), |w| w.string(1, "one")).unwrap();
        append(&mut buf, 8, 5, 2, FamilyHeader::new(10), |w| w.u8(2, 9)).unwrap();
        buf
    }

    #[test]
    fn a_datagram_splits_into_the_messages_it_was_made_of() {
        let buf = two();
        let messages: Vec<_> = Messages::new(&buf).map(Result::unwrap).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].header, Header { len: 28, kind: 7, flags: 1, seq: 1, port: 0 });
        let (family, mut attributes) = messages[1].family().unwrap();
        assert_eq!(family.family, 10);
        assert_eq!(attributes.next().unwrap().unwrap().u8(), Ok(9));
    }

    #[test]
    fn every_truncation_fails_or_ends_on_a_message() {
        let buf = two();
        for cut in 1..buf.len() {
            let whole = cut == 28;
            assert_eq!(Messages::new(&buf[..cut]).all(|m| m.is_ok()), whole, "cut at {cut}");
        }
        let mut trailing = two();
        trailing.extend_from_slice(&[0, 0, 0]);
        assert!(matches!(Messages::new(&trailing).last(), Some(Err(MessageError::Truncated { needed: 16, left: 3 }))));
    }

    #[test]
    fn a_length_shorter_than_the_header_is_refused_once() {
        let mut buf = two();
        buf[..4].copy_from_slice(&15_u32.to_ne_bytes());
        let mut messages = Messages::new(&buf);
        assert_eq!(messages.next(), Some(Err(MessageError::BadLength { len: 15 })));
        assert_eq!(messages.next(), None);
    }

    #[test]
    fn a_message_that_cannot_be_written_leaves_the_buffer_alone() {
        let mut buf = two();
        let before = buf.clone();
        let error = append(&mut buf, 1, 0, 3, FamilyHeader::new(2), |w| w.bytes(5, &[0; 70_000])).unwrap_err();
        assert_eq!(error, AttrError::TooLong { kind: 5, len: 70_004 });
        assert_eq!(buf, before);
    }
}
