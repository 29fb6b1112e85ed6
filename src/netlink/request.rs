//! Drivers for one exchange over a [`Transport`]: ask for one object, or dump a list.
//!
//! Owns: matching answers to the request, ends of multipart answers, interrupted dumps.
//! Never: sends a batch; that needs more care about acknowledgements (`kernel::live`).
//!
//! Invariant: an exchange leaves nothing queued, whatever its outcome: a dump that is not read to its end would block
//! the next one (`EBUSY`).
//! Invariant: a dump that the kernel marked as interrupted is never handed out; it is asked for again, a bounded number
//! of times.
//!
//! Where the truth is: `netlink_dump`, `nl_dump_check_consistent`, `net/netlink/af_netlink.c` (Linux v6.12).

use std::io;

use thiserror::Error;

use super::ack::Ack;
use super::header::{Header, NLMSG_DONE, NLMSG_NOOP, ReplyFlags};
use super::message::{Message, MessageError, Messages};
use super::transport::{Transport, TransportError};

/// How often a dump is asked for before it is given up as interrupted.
pub const DUMP_ATTEMPTS: u32 = 10;

/// Why an exchange failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came back is not netlink.
    #[error("malformed answer of the kernel: {0}")]
    Malformed(#[from] MessageError),
    /// The kernel refused.
    #[error("{}{}", io::Error::from_raw_os_error(.0.errno), .0.text.as_deref().map(|t| format!(": {t}")).unwrap_or_default())]
    Refused(Ack),
    /// The ruleset changed during each attempt.
    #[error("the list changed while it was read, {attempts} times in a row")]
    Interrupted {
        /// How often it was tried.
        attempts: u32,
    },
    /// The kernel did not answer, or stopped in the middle.
    #[error("the kernel did not answer")]
    NoAnswer,
}

impl RequestError {
    /// The kernel's errno, when it refused.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(ack) => Some(ack.errno),
            Self::Io(error) => error.raw_os_error(),
            _ => None,
        }
    }
}

/// Sends `request`, one message with `NLM_F_DUMP`, and decodes each message of the answer.
///
/// `decode` is called again from the first message on when the dump was interrupted; what it gave before is dropped.
///
/// # Errors
/// [`RequestError`]; the first error of `decode` is returned after the answer was read to its end.
pub fn dump<V>(
    transport: &mut impl Transport,
    request: &[u8],
    mut decode: impl FnMut(&Message<'_>) -> Result<V, MessageError>,
) -> Result<Vec<V>, RequestError> {
    let mut values = Vec::new();
    for _ in 0..DUMP_ATTEMPTS {
        values.clear();
        let mut failed = None;
        let exchange = exchange(transport, request, |message| {
            // Drain on after an error, so that the next dump does not find this one still open.
            if failed.is_none() {
                match decode(message) {
                    Ok(value) => values.push(value),
                    Err(error) => failed = Some(error),
                }
            }
        })?;
        if exchange.interrupted {
            continue;
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        return if exchange.ended { Ok(values) } else { Err(RequestError::NoAnswer) };
    }
    Err(RequestError::Interrupted { attempts: DUMP_ATTEMPTS })
}

/// Sends `request`, one message without `NLM_F_DUMP`, and decodes the object that comes back.
///
/// # Errors
/// [`RequestError`]; [`RequestError::Refused`] with `ENOENT` when there is no such object.
pub fn request<V>(
    transport: &mut impl Transport,
    request: &[u8],
    mut decode: impl FnMut(&Message<'_>) -> Result<V, MessageError>,
) -> Result<V, RequestError> {
    let mut value = None;
    exchange(transport, request, |message| {
        if value.is_none() {
            value = Some(decode(message));
        }
    })?;
    Ok(value.ok_or(RequestError::NoAnswer)??)
}

/// Sends `order`, one message with `NLM_F_ACK`, of which nothing but the acknowledgement comes back.
///
/// # Errors
/// [`RequestError`].
pub fn order(transport: &mut impl Transport, order: &[u8]) -> Result<(), RequestError> {
    let exchange = exchange(transport, order, |_| {})?;
    if exchange.acknowledged { Ok(()) } else { Err(RequestError::NoAnswer) }
}

struct Exchange {
    acknowledged: bool,
    ended: bool,
    interrupted: bool,
}

/// One send, and everything that comes back for it.
fn exchange(
    transport: &mut impl Transport,
    request: &[u8],
    mut each: impl FnMut(&Message<'_>),
) -> Result<Exchange, RequestError> {
    let seq = Header::decode(request)?.seq;
    let mut outcome = Exchange { acknowledged: false, ended: false, interrupted: false };
    let mut failure = None;
    let mut buf = Vec::new();

    transport.send(request)?;
    loop {
        match transport.receive(&mut buf) {
            Ok(true) => {}
            Ok(false) => break,
            // Something was lost; what is still queued has to go all the same.
            Err(error) if TransportError::of(&error).is_some() => {
                failure.get_or_insert(RequestError::Io(error));
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        for message in Messages::new(&buf) {
            let message = match message {
                Ok(message) => message,
                Err(error) => {
                    failure.get_or_insert(RequestError::Malformed(error));
                    break;
                }
            };
            // Left over from a request that was given up.
            if message.header.seq != seq || message.header.kind == NLMSG_NOOP {
                continue;
            }
            outcome.interrupted |= message.header.reply_flags().contains(ReplyFlags::DUMP_INTR);
            match Ack::decode(&message) {
                Ok(Some(ack)) if !ack.is_success() => {
                    failure.get_or_insert(RequestError::Refused(ack));
                }
                Ok(Some(_)) if message.header.kind == NLMSG_DONE => outcome.ended = true,
                Ok(Some(_)) => outcome.acknowledged = true,
                Ok(None) => each(&message),
                Err(error) => {
                    failure.get_or_insert(RequestError::Malformed(error));
                }
            }
        }
    }
    failure.map_or(Ok(outcome), Err)
}

#[cfg(test)]
mod tests {
    use super::super::header::{FamilyHeader, NLMSG_ERROR};
    use super::super::message::append;
    use super::super::transport::Replay;
    use super::*;

    const SEQ: u32 = 77;

    fn ask() -> Vec<u8> {
        let mut buf = Vec::new();
        append(&mut buf, 0x0a01, 0x301, SEQ, FamilyHeader::new(2), |_| {}).unwrap();
        buf
    }

    fn part(flags: u16, names: &[&str]) -> Vec<u8> {
        let mut buf = Vec::new();
        for name in names {
            append(&mut buf, 0x0a00, 2 | flags, SEQ, FamilyHeader::new(2), |w| w.string(1, name)).unwrap();
        }
        buf
    }

    fn end(kind: u16, flags: u16, code: i32) -> Vec<u8> {
        let len = if kind == NLMSG_DONE { 20 } else { 36 };
        let mut buf = Header { len, kind, flags, seq: SEQ, port: 0 }.encode().to_vec();
        buf.extend((-code).to_ne_bytes());
        if kind == NLMSG_ERROR {
            buf.extend(Header { len: 20, kind: 0x0a01, flags: 0x301, seq: SEQ, port: 0 }.encode());
        }
        buf
    }

    fn name(message: &Message<'_>) -> Result<String, MessageError> {
        let (_, mut attributes) = message.family()?;
        let first = attributes.next().ok_or(MessageError::Truncated { needed: 4, left: 0 })??;
        Ok(first.string()?.into_owned())
    }

    #[test]
    fn a_dump_spans_datagrams_up_to_its_end() {
        let mut replay = Replay::new([vec![part(0, &["a", "b"]), part(0, &["c"]), end(NLMSG_DONE, 2, 0)]]);
        assert_eq!(dump(&mut replay, &ask(), name).unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn an_interrupted_dump_is_asked_for_again() {
        let torn = vec![part(0, &["a"]), part(0x10, &["x"]), end(NLMSG_DONE, 2, 0)];
        let late = vec![part(0, &["a"]), end(NLMSG_DONE, 0x12, 0)];
        let whole = vec![part(0, &["a", "b"]), end(NLMSG_DONE, 2, 0)];
        let mut replay = Replay::new([torn.clone(), late, whole]);
        assert_eq!(dump(&mut replay, &ask(), name).unwrap(), ["a", "b"]);
        assert_eq!(replay.sent.len(), 3);

        let mut always = Replay::new(std::iter::repeat_n(torn, 20));
        assert!(matches!(dump(&mut always, &ask(), name), Err(RequestError::Interrupted { attempts: DUMP_ATTEMPTS })));
    }

    #[test]
    fn a_dump_without_end_is_no_answer() {
        let mut replay = Replay::new([vec![part(0, &["a"])]]);
        assert!(matches!(dump(&mut replay, &ask(), name), Err(RequestError::NoAnswer)));
        assert!(matches!(dump(&mut replay, &ask(), name), Err(RequestError::NoAnswer)));
    }

    #[test]
    fn a_bad_answer_is_read_to_its_end_all_the_same() {
        let mut replay = Replay::new([vec![part(0, &["a"])[..23].to_vec(), part(0, &["b"]), end(NLMSG_DONE, 2, 0)]]);
        assert!(matches!(dump(&mut replay, &ask(), name), Err(RequestError::Malformed(_))));
        let mut buf = Vec::new();
        assert!(!replay.receive(&mut buf).unwrap());
    }

    #[test]
    fn an_order_is_acknowledged_or_not_answered() {
        let mut replay =
            Replay::new([vec![end(NLMSG_ERROR, 0x100, 0)], vec![end(NLMSG_ERROR, 0x100, libc::EPERM)], vec![]]);
        order(&mut replay, &ask()).unwrap();
        assert_eq!(order(&mut replay, &ask()).unwrap_err().errno(), Some(libc::EPERM));
        assert!(matches!(order(&mut replay, &ask()), Err(RequestError::NoAnswer)));
    }

    #[test]
    fn refusals_and_foreign_answers() {
        let mut replay = Replay::new([vec![end(NLMSG_ERROR, 0x100, libc::ENOENT)]]);
        let error = request(&mut replay, &ask(), name).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOENT));

        let mut stale = part(0, &["old"]);
        stale[8..12].copy_from_slice(&5_u32.to_ne_bytes());
        let mut replay = Replay::new([vec![stale, part(0, &["new"])]]);
        assert_eq!(request(&mut replay, &ask(), name).unwrap(), "new");
    }
}
