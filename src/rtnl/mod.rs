//! Links, addresses, routes and neighbours of one network namespace, over rtnetlink.
//!
//! Owns: the rtnetlink socket, what the kernel's answers mean, and the messages that change them.
//! Never: decides what a host should look like, tolerates an error on its own, or runs a program.
//!
//! Invariant: what was read can be sent back: an [`Address`] or [`Route`] that was deleted is added again by the same
//! value, without loss. Attributes that this version does not know are kept raw and are sent back; what only states a
//! condition (`linkdown`, `secondary`, `tentative`, the time of the last change) never is.
//! Invariant: lists have the kernel's order, and a dump that the kernel marks as interrupted is taken again.
//!
//! neli carries the messages; its typed headers and attribute types are used as far as they go, and what they lack is
//! declared in its style in [`kind`]. Its routing thread is not used: requests here come one after the other.
//!
//! Where the truth is: `rtnetlink(7)`; `net/core/rtnetlink.c`, `net/ipv4/devinet.c`, `net/ipv4/fib_frontend.c`,
//! `net/ipv6/addrconf.c`, `net/ipv6/route.c` (Linux v6.12).
//!
//! How tested: what is pure beside the code; the rest in `tests/linux_net`, each test in a namespace of its own, beside
//! what `ip` shows.

mod address;
mod attr;
mod error;
pub mod kind;
mod link;
mod neighbour;
mod route;
mod vf;

use std::fmt;
use std::io;

use neli::consts::nl::{NlmF, Nlmsg, NlmsgerrAttr};
use neli::consts::rtnl::Rtm;
use neli::consts::socket::NlFamily;
use neli::err::SocketError;
use neli::nl::{NlPayload, Nlmsghdr, NlmsghdrBuilder};
use neli::socket::synchronous::NlSocketHandle;
use neli::types::{Buffer, GenlBuffer};
use neli::utils::Groups;
use neli::{FromBytesWithInput, Size, ToBytes};

pub use address::{Address, AddressFlags, Lifetimes, Scope};
pub use attr::RawAttribute;
pub use error::{Error, Tolerate};
pub use kind::{Bridge, Kind, Peer, Port};
pub use link::{Link, LinkChange, NewLink};
pub use neighbour::Neighbour;
pub use route::{Hop, HopFlags, Route, RouteKind};
pub use vf::VfChange;

pub use crate::netlink::family::Family;

use crate::netlink::errno::Errno;
use crate::netlink::namespace::Namespace;

/// How often a dump that was interrupted is begun.
const ATTEMPTS: u32 = 8;

/// A failure that is made on purpose, to test what follows from one: a change is refused with `ENOMEM` and not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// How many changes are made before.
    pub after: u32,
    /// Whether all later changes fail too, as for a program that ended there.
    pub lasting: bool,
}

/// The rtnetlink of one namespace.
pub struct Rtnl {
    socket: NlSocketHandle,
    namespace: Namespace,
    seq: u32,
    fault: Option<Fault>,
}

impl fmt::Debug for Rtnl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rtnl").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// What is being done, for errors.
#[derive(Clone, Copy)]
struct Doing<'a> {
    operation: &'static str,
    object: &'a dyn fmt::Display,
}

impl Doing<'_> {
    fn refused(self, code: i32, text: Option<String>) -> Error {
        let errno = Errno(code.checked_neg().unwrap_or(i32::MAX));
        Error::Refused { operation: self.operation, object: self.object.to_string(), errno, text }
    }

    fn malformed(self, reason: impl fmt::Display) -> Error {
        Error::Malformed { operation: self.operation, reason: reason.to_string() }
    }

    fn too_long(self) -> Error {
        Error::TooLong { operation: self.operation, object: self.object.to_string() }
    }

    fn socket(self, error: &SocketError) -> Error {
        let source = match error {
            SocketError::Io(kind) => match kind.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(kind.kind(), kind.to_string()),
            },
            other => return self.malformed(other),
        };
        Error::Socket { operation: self.operation, source }
    }

    fn bad_payload(self, bad: attr::BadPayload) -> Error {
        self.malformed(format_args!("attribute {} has an unexpected size", bad.0))
    }
}

/// One answer of a dump or question.
enum Answer {
    Object(Buffer),
    /// The end of the answers, with an error of the kernel or 0.
    End(i32, Option<String>),
}

impl Rtnl {
    /// Opens one in a namespace. The caller's stays what it is.
    ///
    /// # Errors
    /// [`Error::Namespace`] when it cannot be entered, [`Error::Socket`].
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        let doing = Doing { operation: "open a socket", object: &"" };
        let socket = namespace.run(|| -> Result<_, SocketError> {
            let socket = NlSocketHandle::connect(NlFamily::Route, None, Groups::empty())?;
            socket.enable_ext_ack(true)?;
            Ok(socket)
        })?;
        let socket = socket.map_err(|error| doing.socket(&error))?;
        Ok(Self { socket, namespace: namespace.clone(), seq: 0, fault: None })
    }

    /// The namespace it was opened in.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Makes a later change fail, or none.
    pub fn inject(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    fn is_faulty(&mut self) -> bool {
        match &mut self.fault {
            Some(Fault { after: 0, lasting }) => {
                if !*lasting {
                    self.fault = None;
                }
                true
            }
            Some(fault) => {
                fault.after -= 1;
                false
            }
            None => false,
        }
    }

    /// Sends a request and waits for its acknowledgement.
    fn execute<P>(&mut self, doing: Doing<'_>, kind: Rtm, flags: NlmF, payload: P) -> Result<(), Error>
    where
        P: Size + ToBytes + fmt::Debug,
    {
        if self.is_faulty() {
            return Err(doing.refused(-Errno::NOMEM.0, Some("a fault was injected".to_owned())));
        }
        self.ask(doing, kind, flags | NlmF::ACK, payload, |_| {}).map(drop)
    }

    /// All objects of a kind, in the kernel's order; taken again when they changed meanwhile.
    fn dump<P, M, V>(
        &mut self,
        operation: &'static str,
        kind: Rtm,
        request: impl Fn() -> Option<P>,
        decode: impl Fn(&M) -> Result<Option<V>, attr::BadPayload>,
    ) -> Result<Vec<V>, Error>
    where
        P: Size + ToBytes + fmt::Debug,
        M: FromBytesWithInput<Input = usize>,
    {
        let doing = Doing { operation, object: &"" };
        for _ in 0..ATTEMPTS {
            let mut objects = Vec::new();
            let request = request().ok_or_else(|| doing.too_long())?;
            if !self.ask(doing, kind, NlmF::DUMP, request, |object| objects.push(object))? {
                let decoded = objects.iter().map(|object| decode_as(doing, object, &decode));
                return decoded.filter_map(Result::transpose).collect();
            }
        }
        Err(Error::Interrupted { operation, attempts: ATTEMPTS })
    }

    /// Sends a request and hands its answers on; whether a dump was interrupted.
    fn ask<P>(
        &mut self,
        doing: Doing<'_>,
        kind: Rtm,
        flags: NlmF,
        payload: P,
        mut take: impl FnMut(Buffer),
    ) -> Result<bool, Error>
    where
        P: Size + ToBytes + fmt::Debug,
    {
        self.seq = self.seq.wrapping_add(1).max(1);
        let message = NlmsghdrBuilder::default()
            .nl_type(kind)
            .nl_flags(flags | NlmF::REQUEST)
            .nl_seq(self.seq)
            .nl_payload(NlPayload::Payload(payload))
            .build()
            .map_err(|error| doing.malformed(error))?;
        self.socket.send(&message).map_err(|error| doing.socket(&error))?;
        let mut interrupted = false;
        loop {
            let (messages, _) = self.socket.recv::<u16, Buffer>().map_err(|error| doing.socket(&error))?;
            for message in messages {
                let message = message.map_err(|error| doing.socket(&error))?;
                // What an earlier request left behind, which failed half-way.
                if *message.nl_seq() != self.seq {
                    continue;
                }
                interrupted |= message.nl_flags().contains(NlmF::DUMP_INTR);
                match answer(message) {
                    Answer::Object(object) => take(object),
                    Answer::End(0, _) => return Ok(interrupted),
                    Answer::End(code, text) => return Err(doing.refused(code, text)),
                }
            }
        }
    }
}

/// An object as neli's type, and from there as ours.
fn decode_as<M, V>(
    doing: Doing<'_>,
    object: &Buffer,
    decode: impl Fn(&M) -> Result<V, attr::BadPayload>,
) -> Result<V, Error>
where
    M: FromBytesWithInput<Input = usize>,
{
    let bytes = object.as_ref();
    let message = M::from_bytes_with_input(&mut io::Cursor::new(bytes), bytes.len());
    decode(&message.map_err(|error| doing.malformed(error))?).map_err(|bad| doing.bad_payload(bad))
}

fn answer(message: Nlmsghdr<u16, Buffer>) -> Answer {
    let done = *message.nl_type() == u16::from(Nlmsg::Done);
    match message.nl_payload() {
        NlPayload::Payload(_) if done => Answer::End(0, None),
        NlPayload::Payload(object) => Answer::Object(object.clone()),
        NlPayload::Err(error) => Answer::End(*error.error(), text(error.ext_ack())),
        NlPayload::DumpExtAck(error) => Answer::End((*error.error()).min(0), text(error.ext_ack())),
        NlPayload::Ack(_) | NlPayload::Empty => Answer::End(0, None),
    }
}

/// The kernel's own words.
fn text(attributes: &GenlBuffer<NlmsgerrAttr, Buffer>) -> Option<String> {
    let found = attributes.iter().find(|a| *a.nla_type().nla_type() == NlmsgerrAttr::Msg)?;
    let bytes = found.nla_payload().as_ref();
    Some(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned())
}
