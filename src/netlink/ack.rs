//! Acknowledgements: `NLMSG_ERROR` with the extended ack, and the error code of `NLMSG_DONE`.
//!
//! Owns: errno, the kernel's own text, the offset of the attribute it points at, and the attribute it missed.
//! Never: decides what an errno means for the caller.
//!
//! Invariant: the offset counts from the first byte of the failing message's `nlmsghdr`, as the kernel sends it.
//!
//! Where the truth is: `netlink_ack` and `netlink_ack_tlv_fill`, `net/netlink/af_netlink.c` (Linux v6.12).

use super::attr::{Reader, align};
use super::header::{Header, NLMSG_DONE, NLMSG_ERROR, ReplyFlags};
use super::message::{Message, MessageError};

const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;
const NLMSGERR_ATTR_MISS_TYPE: u16 = 5;
const NLMSGERR_ATTR_MISS_NEST: u16 = 6;

/// What the kernel says to a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Ack {
    /// `nlmsg_seq` of the request.
    pub seq: u32,
    /// The error, positive as in `errno.h`; 0 is success.
    pub errno: i32,
    /// `NLMSGERR_ATTR_OFFS`: where in the request the offending attribute starts, from its `nlmsghdr` on.
    pub offset: Option<u32>,
    /// `NLMSGERR_ATTR_MSG`: the reason in the kernel's words.
    pub text: Option<String>,
    /// `NLMSGERR_ATTR_MISS_TYPE`: the attribute that should have been there (since Linux 6.1).
    pub missing: Option<u32>,
    /// `NLMSGERR_ATTR_MISS_NEST`: offset of the nest in which it is missing; absent for the message itself.
    pub missing_in: Option<u32>,
}

impl Ack {
    /// Whether the request succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.errno == 0
    }

    /// Reads an `NLMSG_ERROR` or `NLMSG_DONE` message; `None` for any other kind.
    ///
    /// # Errors
    /// [`MessageError`] when the message is too short or its extended-ack attributes are malformed.
    pub fn decode(message: &Message<'_>) -> Result<Option<Self>, MessageError> {
        let payload = message.payload;
        let flags = message.header.reply_flags();
        let done = match message.header.kind {
            NLMSG_ERROR => false,
            NLMSG_DONE => true,
            _ => return Ok(None),
        };
        // The end of a dump carries its code only since it can fail late; older kernels send nothing.
        if done && payload.is_empty() {
            return Ok(Some(Self { seq: message.header.seq, ..Self::default() }));
        }
        let Some((code, rest)) = payload.split_first_chunk() else {
            return Err(MessageError::Truncated { needed: 4, left: payload.len() });
        };
        let errno = i32::from_ne_bytes(*code).checked_neg().unwrap_or(i32::MAX);
        let mut ack = Self { seq: message.header.seq, errno: errno.max(0), ..Self::default() };
        let tlvs = if done { rest } else { skip_request(rest, flags)? };
        if flags.contains(ReplyFlags::ACK_TLVS) {
            ack.read_attributes(Reader::new(tlvs))?;
        }
        Ok(Some(ack))
    }

    fn read_attributes(&mut self, attributes: Reader<'_>) -> Result<(), MessageError> {
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NLMSGERR_ATTR_MSG => self.text = Some(attribute.string()?.into_owned()),
                NLMSGERR_ATTR_OFFS => self.offset = Some(attribute.u32_ne()?),
                NLMSGERR_ATTR_MISS_TYPE => self.missing = Some(attribute.u32_ne()?),
                NLMSGERR_ATTR_MISS_NEST => self.missing_in = Some(attribute.u32_ne()?),
                // Cookies and policies are of no use to a person.
                _ => {}
            }
        }
        Ok(())
    }
}

/// What follows the copy of the request that an `NLMSG_ERROR` carries: its header, and without `NLM_F_CAPPED` all of it.
fn skip_request(bytes: &[u8], flags: ReplyFlags) -> Result<&[u8], MessageError> {
    let request = Header::decode(bytes)?;
    let needed = if flags.contains(ReplyFlags::CAPPED) {
        Header::LEN
    } else {
        align(usize::try_from(request.len).unwrap_or(usize::MAX - 3)).max(Header::LEN)
    };
    match bytes.get(needed..) {
        Some(rest) => Ok(rest),
        // The request's own padding may be missing when nothing follows it.
        None if !flags.contains(ReplyFlags::ACK_TLVS) => Ok(&[]),
        None => Err(MessageError::Truncated { needed, left: bytes.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::attr::Writer;
    use super::super::message::Messages;
    use super::*;

    /// An `NLMSG_ERROR` as the kernel builds it, with the request's payload unless it is capped.
    fn error(errno: i32, flags: ReplyFlags, echoed: &[u8]) -> Vec<u8> {
        let request = Header { len: 16 + 20, kind: 0x0a06, flags: 5, seq: 9, port: 3 };
        let mut body = (-errno).to_ne_bytes().to_vec();
        body.extend(request.encode());
        body.extend(echoed);
        if flags.contains(ReplyFlags::ACK_TLVS) {
            let mut w = Writer::new(&mut body);
            w.string(NLMSGERR_ATTR_MSG, "no such thing");
            w.u32_ne(NLMSGERR_ATTR_OFFS, 40);
            w.u32_ne(NLMSGERR_ATTR_MISS_TYPE, 2);
            w.finish().unwrap();
        }
        let len = u32::try_from(16 + body.len()).unwrap();
        let mut buf = Header { len, kind: NLMSG_ERROR, flags: flags.bits(), seq: 9, port: 3 }.encode().to_vec();
        buf.extend(body);
        buf
    }

    fn decode(bytes: &[u8]) -> Result<Ack, MessageError> {
        Ack::decode(&Messages::new(bytes).next().unwrap()?).map(Option::unwrap)
    }

    #[test]
    fn capped_and_whole_requests_are_skipped_alike() {
        let want = Ack {
            seq: 9,
            errno: 2,
            offset: Some(40),
            text: Some("no such thing".into()),
            missing: Some(2),
            missing_in: None,
        };
        assert_eq!(decode(&error(2, ReplyFlags::ACK_TLVS | ReplyFlags::CAPPED, &[])), Ok(want.clone()));
        assert_eq!(decode(&error(2, ReplyFlags::ACK_TLVS, &[0; 20])), Ok(want));
        assert_eq!(decode(&error(0, ReplyFlags::CAPPED, &[])), Ok(Ack { seq: 9, ..Ack::default() }));
    }

    #[test]
    fn every_truncation_fails() {
        let whole = error(2, ReplyFlags::ACK_TLVS | ReplyFlags::CAPPED, &[]);
        let payload = &whole[16..];
        for cut in 0..payload.len() {
            let header = Header { len: 0, kind: NLMSG_ERROR, flags: 0x300, seq: 9, port: 0 };
            let decoded = Ack::decode(&Message { header, payload: &payload[..cut] });
            // Cuts between attributes leave a valid, shorter list.
            let between = [20, 38, 39, 40, 48].contains(&cut);
            assert_eq!(decoded.is_ok(), between, "cut at {cut}");
        }
    }

    #[test]
    fn the_end_of_a_dump_carries_its_error() {
        let mut bytes = Header { len: 20, kind: NLMSG_DONE, flags: 2, seq: 4, port: 0 }.encode().to_vec();
        bytes.extend((-105_i32).to_ne_bytes());
        assert_eq!(decode(&bytes), Ok(Ack { seq: 4, errno: 105, ..Ack::default() }));
        let bare = Header { len: 16, kind: NLMSG_DONE, flags: 2, seq: 4, port: 0 }.encode();
        assert!(decode(&bare).unwrap().is_success());
    }
}
