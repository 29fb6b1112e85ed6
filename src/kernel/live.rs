//! The running kernel, over a transport.
//!
//! Owns: the requests behind each dump, and what the answers to a batch say about it.
//! Never: tries a batch again, splits one, or reads more than it was asked for.
//!
//! Invariant: a commit is reported as done only when the last operation was acknowledged and nothing was refused. The
//! kernel acknowledges operations before it commits, so an error that comes with an acknowledgement wins.
//! Invariant: a dump, and a generation, is that of no commit which is still under way. `nf_tables_commit` writes the new
//! generation first, and only then swaps what is visible and takes what has gone off its lists, which a dump counts
//! through: one that begins in between can miss most of what it should have, and the kernel does not mark it
//! (`NLM_F_DUMP_INTR` compares generations). A batch, be it empty, waits for the commit's end, as both hold the mutex.
//!
//! Where the truth is: `nfnetlink_rcv_batch`, `net/netfilter/nfnetlink.c`; `nf_tables_cb`, `nf_tables_commit`,
//! `nf_tables_valid_genid`, `net/netfilter/nf_tables_api.c` (Linux v6.12).

use std::io;
use std::time::{Duration, Instant};

use super::{CommitError, Committed, Errno, Error, Kernel, Rejection};
use crate::ipset;
use crate::name::{ChainName, IpsetName, SetName, TableName};
use crate::netlink::ack::Ack;
use crate::netlink::attr::{AttrError, Writer};
use crate::netlink::header::{FamilyHeader, GetFlags};
use crate::netlink::ipset::Ipsets;
use crate::netlink::message::{self, MessageError, Messages};
use crate::netlink::namespace::Namespace;
use crate::netlink::request::{self, DUMP_ATTEMPTS, RequestError};
use crate::netlink::socket::Socket;
use crate::netlink::transport::{Transport, TransportError};
use crate::nft::message::{append_batch_begin, append_batch_end, message_type};
use crate::nft::uapi::*;
use crate::nft::{Chain, Element, Family, Message, Object, Rule, Set, Table};
use crate::transaction::Sealed;

/// nf_tables of a running kernel, in one network namespace.
#[derive(Debug)]
pub struct Live<T = Socket> {
    transport: T,
    namespace: Namespace,
    ipsets: Option<Ipsets>,
    sets: Option<ipset::Client>,
    seq: u32,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Live<Socket> {
    /// The caller's own namespace.
    ///
    /// # Errors
    /// Those of [`Socket::open`].
    pub fn open() -> io::Result<Self> {
        Self::open_in(&Namespace::current())
    }

    /// Another namespace.
    ///
    /// # Errors
    /// Those of [`Socket::open_in`].
    pub fn open_in(namespace: &Namespace) -> io::Result<Self> {
        Ok(Live::over(Socket::open_in(namespace)?, namespace))
    }
}

impl<T> Live<T> {
    /// Over a transport that leads to a namespace, which is where ipsets are looked up.
    pub fn over(transport: T, namespace: &Namespace) -> Self {
        // Batches count from 1; numbers of their own keep answers to the two apart.
        let seq = 0x8000_0000;
        Self {
            transport,
            namespace: namespace.clone(),
            ipsets: None,
            sets: None,
            seq,
            request: Vec::new(),
            answer: Vec::new(),
        }
    }

    /// The transport.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    fn ipsets(&mut self) -> io::Result<&Ipsets> {
        match &mut self.ipsets {
            Some(ipsets) => Ok(ipsets),
            none => Ok(none.insert(Ipsets::open_in(&self.namespace)?)),
        }
    }

    /// What changes ipsets, which are on a socket of their own: the answers there are no answers to a batch.
    fn sets(&mut self) -> io::Result<&mut ipset::Client> {
        match &mut self.sets {
            Some(sets) => Ok(sets),
            none => Ok(none.insert(ipset::Client::open_in(&self.namespace)?)),
        }
    }

    /// Puts a request into `self.request`.
    fn prepare(
        &mut self,
        kind: u8,
        flags: GetFlags,
        family: u8,
        fill: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), MessageError> {
        let seq = self.next_seq();
        self.request.clear();
        let flags = (GetFlags::REQUEST | flags).bits();
        let header = FamilyHeader::new(family);
        Ok(message::append(&mut self.request, message_type(kind), flags, seq, header, fill)?)
    }

    fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1) | 0x8000_0000;
        self.seq
    }
}

impl<T: Transport> Live<T> {
    /// A list as one generation has it.
    fn dump<V>(
        &mut self,
        what: &'static str,
        kind: u8,
        family: Family,
        fill: impl Fn(&mut Writer<'_>),
        pick: impl Fn(Message) -> Option<V>,
    ) -> Result<Vec<V>, Error> {
        for attempt in 0..DUMP_ATTEMPTS {
            let generation = self.generation()?;
            self.prepare(kind, GetFlags::DUMP, family.nfproto(), &fill)?;
            let values = match request::dump(&mut self.transport, &self.request, |m| Message::decode(m).map(&pick)) {
                Ok(values) => values.into_iter().flatten().collect(),
                // Some dumps of what is in a table or set fail without it, others are empty.
                Err(RequestError::Refused(ack)) if ack.errno == libc::ENOENT => Vec::new(),
                Err(error) => return Err(failed(what, error)),
            };
            if self.generation_as_it_is()? == generation {
                return Ok(values);
            }
            // Whoever commits in a row gets through, and we do between two of them.
            std::thread::sleep(Duration::from_millis(1 << attempt.min(4)));
        }
        Err(Error::Interrupted { attempts: DUMP_ATTEMPTS })
    }

    /// Waits for the end of a commit that is under way. The kernel answers an empty batch only when it refuses it, and then
    /// the request that follows, too.
    fn settle(&mut self) -> Result<(), Error> {
        self.request.clear();
        let seq = self.next_seq();
        append_batch_begin(&mut self.request, seq, None).map_err(MessageError::from)?;
        append_batch_end(&mut self.request, seq).map_err(MessageError::from)?;
        self.transport.send(&self.request).map_err(|error| failed("an empty batch", error.into()))
    }

    /// The generation, perhaps that of a commit under way.
    fn generation_as_it_is(&mut self) -> Result<u32, Error> {
        let pick = |message| match message {
            Message::NewGen(generation) => Some(generation.id),
            _ => None,
        };
        let generation = self.get("the generation", NFT_MSG_GETGEN, 0, |_| {}, pick)?;
        generation.ok_or(Error::Malformed(AttrError::Missing { kind: NFTA_GEN_ID, name: "NFTA_GEN_ID" }.into()))
    }

    /// One object; `None` when the kernel says that it, or what it is in, is not there.
    fn get<V>(
        &mut self,
        what: &'static str,
        kind: u8,
        family: u8,
        fill: impl FnOnce(&mut Writer<'_>),
        pick: impl Fn(Message) -> Option<V>,
    ) -> Result<Option<V>, Error> {
        self.prepare(kind, GetFlags::empty(), family, fill)?;
        match request::request(&mut self.transport, &self.request, |m| Message::decode(m).map(&pick)) {
            Ok(value) => Ok(value),
            Err(RequestError::Refused(ack)) if ack.errno == libc::ENOENT => Ok(None),
            Err(error) => Err(failed(what, error)),
        }
    }

    /// Sends a batch and reads all that comes back for it.
    fn transact(&mut self, batch: &Sealed, bytes: &[u8]) -> Result<Committed, CommitError> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        // Answers to a batch that was given up would be taken for those to this one.
        self.drain(&mut Outcome::default())?;
        let mut outcome = Outcome::default();
        let start = Instant::now();
        self.transport.send(bytes).map_err(not_sent)?;
        self.drain(&mut outcome)?;
        let elapsed = start.elapsed();
        let echoed = std::mem::take(&mut outcome.echoed);
        outcome.judge(batch).map(|()| Committed { elapsed, echoed })
    }

    fn drain(&mut self, outcome: &mut Outcome) -> Result<(), CommitError> {
        loop {
            match self.transport.receive(&mut self.answer) {
                Ok(true) => outcome.read(&self.answer),
                Ok(false) => return Ok(()),
                Err(error) if TransportError::of(&error).is_some() => outcome.lost = true,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// All that the kernel said to a batch.
#[derive(Debug, Default)]
struct Outcome {
    acks: Vec<Ack>,
    /// Some answer was lost, so success cannot be told from what is there.
    lost: bool,
    malformed: Option<MessageError>,
    /// Rules that were sent back, by sequence number.
    echoed: Vec<(u32, u64)>,
}

impl Outcome {
    fn read(&mut self, datagram: &[u8]) {
        for message in Messages::new(datagram) {
            let read = message.and_then(|message| {
                match Ack::decode(&message)? {
                    Some(ack) => self.acks.push(ack),
                    None if message.header.kind == message_type(NFT_MSG_NEWRULE) => {
                        let handle = handle(&message)?;
                        self.echoed.extend(handle.map(|handle| (message.header.seq, handle)));
                    }
                    None => {}
                }
                Ok(())
            });
            if let Err(error) = read {
                self.malformed.get_or_insert(error);
            }
        }
    }

    fn judge(self, batch: &Sealed) -> Result<(), CommitError> {
        let errors = || self.acks.iter().filter(|ack| !ack.is_success());
        if let Some(expected) = batch.generation()
            && errors().any(|ack| ack.errno == libc::ERESTART && ack.seq == batch.first_seq())
        {
            return Err(CommitError::Stale { expected });
        }
        // The whole batch is refused before any of it is looked at.
        if errors().any(|ack| ack.errno == libc::EPERM && ack.seq == batch.first_seq()) {
            return Err(CommitError::NotPermitted);
        }
        let rejections: Vec<_> = errors()
            .map(|ack| Rejection { seq: ack.seq, errno: Errno(ack.errno), offset: ack.offset, text: ack.text.clone() })
            .collect();
        if !rejections.is_empty() {
            return Err(CommitError::Refused(rejections));
        }
        if let Some(error) = self.malformed {
            return Err(error.into());
        }
        let acknowledged = self.acks.iter().any(|ack| ack.is_success() && ack.seq == batch.last_seq());
        if acknowledged && !self.lost { Ok(()) } else { Err(CommitError::NoAnswer) }
    }
}

/// The handle in a rule that the kernel sends back.
fn handle(message: &message::Message<'_>) -> Result<Option<u64>, MessageError> {
    for attr in message.family()?.1 {
        let attr = attr?;
        if attr.kind == NFTA_RULE_HANDLE {
            return Ok(Some(attr.u64_be()?));
        }
    }
    Ok(None)
}

fn failed(what: &'static str, error: RequestError) -> Error {
    match error {
        RequestError::Refused(ack) if ack.errno == libc::EPERM => Error::NotPermitted,
        RequestError::Refused(ack) => Error::Refused { what, errno: Errno(ack.errno), text: ack.text },
        RequestError::Interrupted { attempts } => Error::Interrupted { attempts },
        RequestError::Malformed(error) => error.into(),
        RequestError::Io(error) if error.raw_os_error() == Some(libc::EPERM) => Error::NotPermitted,
        RequestError::Io(error) => error.into(),
        error @ RequestError::NoAnswer => Error::Io(io::Error::other(error)),
    }
}

fn not_sent(error: io::Error) -> CommitError {
    match TransportError::of(&error) {
        Some(&TransportError::TooLarge { bytes, limit, .. }) => CommitError::TooLarge { size: bytes, limit },
        _ if error.raw_os_error() == Some(libc::EPERM) => CommitError::NotPermitted,
        _ => CommitError::Io(error),
    }
}

impl<T: Transport> Kernel for Live<T> {
    fn generation(&mut self) -> Result<u32, Error> {
        self.settle()?;
        self.generation_as_it_is()
    }

    fn tables(&mut self, family: Family) -> Result<Vec<Table>, Error> {
        self.dump(
            "tables",
            NFT_MSG_GETTABLE,
            family,
            |_| {},
            |message| match message {
                Message::NewTable(table) => Some(table),
                _ => None,
            },
        )
    }

    fn chains(&mut self, family: Family) -> Result<Vec<Chain>, Error> {
        self.dump(
            "chains",
            NFT_MSG_GETCHAIN,
            family,
            |_| {},
            |message| match message {
                Message::NewChain(chain) => Some(chain),
                _ => None,
            },
        )
    }

    fn chain(&mut self, family: Family, table: &TableName, chain: &ChainName) -> Result<Option<Chain>, Error> {
        let fill = |w: &mut Writer<'_>| {
            w.string(NFTA_CHAIN_TABLE, table.as_str());
            w.string(NFTA_CHAIN_NAME, chain.as_str());
        };
        self.get("a chain", NFT_MSG_GETCHAIN, family.nfproto(), fill, |message| match message {
            Message::NewChain(chain) => Some(chain),
            _ => None,
        })
    }

    fn rules(&mut self, family: Family, table: &TableName, chain: Option<&ChainName>) -> Result<Vec<Rule>, Error> {
        let fill = |w: &mut Writer<'_>| {
            w.string(NFTA_RULE_TABLE, table.as_str());
            if let Some(chain) = chain {
                w.string(NFTA_RULE_CHAIN, chain.as_str());
            }
        };
        self.dump("rules", NFT_MSG_GETRULE, family, fill, |message| match message {
            Message::NewRule(rule) => Some(rule),
            _ => None,
        })
    }

    fn rule_and_reset(
        &mut self,
        family: Family,
        table: &TableName,
        chain: &ChainName,
        handle: u64,
    ) -> Result<Option<Rule>, Error> {
        let fill = |w: &mut Writer<'_>| {
            w.string(NFTA_RULE_TABLE, table.as_str());
            w.string(NFTA_RULE_CHAIN, chain.as_str());
            w.u64_be(NFTA_RULE_HANDLE, handle);
        };
        // Not a dump: one that was interrupted is taken again, and what the first has counted would be lost.
        let rule = self.get("a rule", NFT_MSG_GETRULE_RESET, family.nfproto(), fill, |message| match message {
            Message::NewRule(rule) => Some(rule),
            _ => None,
        });
        match rule {
            // What nfnetlink says about a message that it does not know.
            Err(Error::Refused { errno: Errno::INVAL | Errno::OPNOTSUPP, .. }) => Ok(None),
            other => other,
        }
    }

    fn sets(&mut self, family: Family, table: &TableName) -> Result<Vec<Set>, Error> {
        let fill = |w: &mut Writer<'_>| w.string(NFTA_SET_TABLE, table.as_str());
        self.dump("sets", NFT_MSG_GETSET, family, fill, |message| match message {
            Message::NewSet(set) => Some(set),
            _ => None,
        })
    }

    fn elements(&mut self, family: Family, table: &TableName, set: &SetName) -> Result<Vec<Element>, Error> {
        let fill = |w: &mut Writer<'_>| {
            w.string(NFTA_SET_ELEM_LIST_TABLE, table.as_str());
            w.string(NFTA_SET_ELEM_LIST_SET, set.as_str());
        };
        let parts = self.dump("elements", NFT_MSG_GETSETELEM, family, fill, |message| match message {
            Message::NewElements(part) => Some(part.elements),
            _ => None,
        })?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn objects(&mut self, family: Family, table: &TableName) -> Result<Vec<Object>, Error> {
        let fill = |w: &mut Writer<'_>| w.string(NFTA_OBJ_TABLE, table.as_str());
        self.dump("objects", NFT_MSG_GETOBJ, family, fill, |message| match message {
            Message::NewObject(object) => Some(object),
            _ => None,
        })
    }

    fn ipset_index(&mut self, name: &IpsetName) -> Result<Option<u16>, Error> {
        Ok(self.ipsets()?.index(name.as_str())?)
    }

    fn ipset_name(&mut self, index: u16) -> Result<Option<IpsetName>, Error> {
        Ok(self.ipsets()?.name(index)?.map(|name| IpsetName::from_kernel(&name)))
    }

    fn ipset(&mut self, name: &IpsetName) -> Result<Option<ipset::Content>, ipset::Error> {
        let failed = |error: io::Error| ipset::Error::unreachable(ipset::Operation::List, name, error);
        self.sets().map_err(failed)?.list(name)
    }

    fn change_ipset(&mut self, order: &ipset::Order) -> Result<(), ipset::Error> {
        let failed = |error: io::Error| ipset::Error::unreachable(order.operation(), order.set(), error);
        self.sets().map_err(failed)?.run(order)
    }

    fn commit(&mut self, batch: &Sealed) -> Result<Committed, CommitError> {
        self.transact(batch, batch.bytes())
    }

    fn check(&mut self, batch: &Sealed) -> Result<Committed, CommitError> {
        self.transact(batch, batch.bytes_for_check())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::header::{Header, NLMSG_ERROR};
    use crate::netlink::transport::Replay;
    use crate::transaction::{Batch, Origin};

    fn batch(generation: Option<u32>) -> Sealed {
        let mut batch = Batch::begin(generation);
        for name in ["a", "b"] {
            batch.add_table(&Table::new(Family::Ip, TableName::new(name).unwrap()), Origin(0));
        }
        batch.seal().unwrap()
    }

    fn answer(seq: u32, errno: i32) -> Vec<u8> {
        let mut bytes = Header { len: 36, kind: NLMSG_ERROR, flags: 0x100, seq, port: 0 }.encode().to_vec();
        bytes.extend((-errno).to_ne_bytes());
        bytes.extend(Header { len: 20, kind: 0x0a00, flags: 5, seq, port: 0 }.encode());
        bytes
    }

    /// What a commit says when the kernel answers with these errors, by position in the batch: 0 is its begin.
    fn commit(generation: Option<u32>, answers: &[(u32, i32)]) -> Result<Committed, CommitError> {
        let batch = batch(generation);
        let answers = answers.iter().map(|(at, errno)| answer(batch.first_seq() + at, *errno)).collect();
        Live::over(Replay::new([answers]), &Namespace::current()).commit(&batch)
    }

    #[test]
    fn only_the_acknowledgement_of_the_last_operation_is_success() {
        assert!(commit(None, &[(2, 0)]).is_ok());
        assert!(matches!(commit(None, &[]), Err(CommitError::NoAnswer)));
        assert!(matches!(commit(None, &[(1, 0)]), Err(CommitError::NoAnswer)));
    }

    #[test]
    fn an_error_wins_over_the_acknowledgement_after_it() {
        let error = commit(None, &[(1, libc::EINVAL), (2, 0)]).unwrap_err();
        assert!(matches!(&error, CommitError::Refused(all) if all.len() == 1 && all[0].errno == Errno::INVAL));
        let error = commit(None, &[(1, libc::ENOENT), (2, libc::EBUSY)]).unwrap_err();
        assert!(error.is_not_found() && error.is_busy());
    }

    #[test]
    fn errors_of_the_whole_batch_have_their_own_kinds() {
        assert!(matches!(commit(Some(7), &[(0, libc::ERESTART)]), Err(CommitError::Stale { expected: 7 })));
        assert!(matches!(commit(None, &[(0, libc::EPERM)]), Err(CommitError::NotPermitted)));
        // A table that another socket owns is the operation's fault, not the caller's privilege.
        assert!(matches!(commit(None, &[(1, libc::EPERM)]), Err(CommitError::Refused(_))));
        assert!(matches!(commit(None, &[(0, libc::ERESTART)]), Err(CommitError::Refused(_))));
    }

    #[test]
    fn an_empty_batch_is_not_sent() {
        let mut live = Live::over(Replay::default(), &Namespace::current());
        live.commit(&Batch::begin(None).seal().unwrap()).unwrap();
        assert!(live.transport().sent.is_empty());
    }
}
