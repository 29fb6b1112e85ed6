//! What carries datagrams: the trait, and the carriers that need no kernel.
//!
//! Owns: [`Transport`]; [`Recorder`], which keeps what passes; [`FaultInjector`], which breaks chosen calls;
//! [`Replay`], which answers from memory.
//! Never: looks into a datagram.
//!
//! Invariant: `receive` never blocks. Netlink processes a request while it is being sent, so when `send` returns, all
//! that will ever be answered is queued (a dump queues its next part while the last one is taken).
//!
//! Where the truth is: `netlink_unicast_kernel` and `netlink_recvmsg`, `net/netlink/af_netlink.c` (Linux v6.12).

use std::collections::VecDeque;
use std::io;

use thiserror::Error;

/// Sends requests to the kernel and takes its answers.
pub trait Transport {
    /// Sends one datagram, whole; makes room in the send buffer itself.
    ///
    /// # Errors
    /// Those of the socket; a datagram that no permitted buffer holds is a [`TransportError::TooLarge`] inside.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Replaces `buf` by the next queued datagram; `false` when there is none.
    ///
    /// # Errors
    /// Those of the socket; lost answers are a [`TransportError::Overrun`] inside.
    fn receive(&mut self, buf: &mut Vec<u8>) -> io::Result<bool>;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        (**self).send(datagram)
    }

    fn receive(&mut self, buf: &mut Vec<u8>) -> io::Result<bool> {
        (**self).receive(buf)
    }
}

/// Failures of a transport that its caller decides on. They travel inside [`io::Error`]; [`TransportError::of`] finds
/// them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The datagram does not fit the largest send buffer that this process may have.
    #[error(
        "the batch has {bytes} bytes and the send buffer takes {limit}: set sysctl net.core.wmem_max to {wmem_max} or \
         more, or run with CAP_NET_ADMIN in the initial user namespace"
    )]
    TooLarge {
        /// Bytes of the datagram.
        bytes: usize,
        /// The most that can be sent.
        limit: usize,
        /// The value of `net.core.wmem_max` with which it can be sent.
        wmem_max: usize,
    },
    /// `ENOBUFS`: answers were lost because the receive buffer was full. Those that came before it are still queued.
    #[error("answers of the kernel were lost because the receive buffer was full")]
    Overrun,
    /// A datagram was longer than the buffer to receive it, and is lost.
    #[error("an answer of {bytes} bytes was cut to {limit}")]
    Cut {
        /// Its bytes.
        bytes: usize,
        /// The size of the buffer.
        limit: usize,
    },
}

impl TransportError {
    /// The transport failure inside an I/O error.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<TransportError> for io::Error {
    fn from(error: TransportError) -> Self {
        let kind = match error {
            TransportError::TooLarge { .. } => io::ErrorKind::InvalidInput,
            TransportError::Overrun | TransportError::Cut { .. } => io::ErrorKind::OutOfMemory,
        };
        Self::new(kind, error)
    }
}

/// Keeps a copy of every datagram that passes.
#[derive(Debug, Default)]
pub struct Recorder<T> {
    inner: T,
    /// Datagrams that were sent without error, in order.
    pub sent: Vec<Vec<u8>>,
    /// Datagrams that were received, in order.
    pub received: Vec<Vec<u8>>,
}

impl<T> Recorder<T> {
    /// Records what goes through `inner`.
    pub fn new(inner: T) -> Self {
        Self { inner, sent: Vec::new(), received: Vec::new() }
    }

    /// The transport underneath.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Transport> Transport for Recorder<T> {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.inner.send(datagram)?;
        self.sent.push(datagram.to_vec());
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>) -> io::Result<bool> {
        let some = self.inner.receive(buf)?;
        if some {
            self.received.push(buf.clone());
        }
        Ok(some)
    }
}

/// What a [`FaultInjector`] does to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `send` fails with this errno and nothing is sent.
    SendFails(i32),
    /// `receive` fails with this errno and leaves the queue alone.
    ReceiveFails(i32),
    /// `receive` fails as if answers had been lost.
    Overrun,
    /// The datagram is sent and its answers vanish.
    AnswersVanish,
    /// The received datagram is cut to this many bytes.
    Cut(usize),
}

/// Breaks chosen calls of the transport underneath.
#[derive(Debug)]
pub struct FaultInjector<T> {
    inner: T,
    send_faults: VecDeque<Option<Fault>>,
    receive_faults: VecDeque<Option<Fault>>,
}

impl<T> FaultInjector<T> {
    /// Breaks nothing until told to.
    pub fn new(inner: T) -> Self {
        Self { inner, send_faults: VecDeque::new(), receive_faults: VecDeque::new() }
    }

    /// Breaks the call that comes after `skip` good ones of its direction, counted from the last call that was broken.
    #[must_use]
    pub fn after(mut self, skip: usize, fault: Fault) -> Self {
        self.inject(skip, fault);
        self
    }

    /// As [`after`](FaultInjector::after), on an injector in use.
    pub fn inject(&mut self, skip: usize, fault: Fault) {
        let queue = match fault {
            Fault::SendFails(_) | Fault::AnswersVanish => &mut self.send_faults,
            Fault::ReceiveFails(_) | Fault::Overrun | Fault::Cut(_) => &mut self.receive_faults,
        };
        queue.extend(std::iter::repeat_n(None, skip));
        queue.push_back(Some(fault));
    }

    /// The transport underneath.
    pub fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: Transport> Transport for FaultInjector<T> {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        match self.send_faults.pop_front().flatten() {
            Some(Fault::SendFails(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::AnswersVanish) => {
                self.inner.send(datagram)?;
                let mut lost = Vec::new();
                while self.inner.receive(&mut lost)? {}
            }
            _ => self.inner.send(datagram)?,
        }
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>) -> io::Result<bool> {
        match self.receive_faults.pop_front().flatten() {
            Some(Fault::ReceiveFails(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::Overrun) => Err(TransportError::Overrun.into()),
            Some(Fault::Cut(bytes)) => {
                let some = self.inner.receive(buf)?;
                buf.truncate(bytes);
                Ok(some)
            }
            _ => self.inner.receive(buf),
        }
    }
}

/// Answers each sent datagram with the next prepared list of datagrams, and with nothing when there are no more lists.
#[derive(Debug, Default)]
pub struct Replay {
    answers: VecDeque<Vec<Vec<u8>>>,
    queued: VecDeque<Vec<u8>>,
    /// Datagrams that were sent, in order.
    pub sent: Vec<Vec<u8>>,
}

impl Replay {
    /// One list of datagrams for each `send`.
    #[must_use]
    pub fn new(answers: impl IntoIterator<Item = Vec<Vec<u8>>>) -> Self {
        Self { answers: answers.into_iter().collect(), ..Self::default() }
    }
}

impl Transport for Replay {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.sent.push(datagram.to_vec());
        self.queued.extend(self.answers.pop_front().unwrap_or_default());
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>) -> io::Result<bool> {
        buf.clear();
        let Some(datagram) = self.queued.pop_front() else { return Ok(false) };
        buf.extend(datagram);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay() -> Replay {
        Replay::new([vec![vec![1, 2, 3], vec![4]], vec![vec![5]]])
    }

    fn drain(transport: &mut impl Transport) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut buf = Vec::new();
        while transport.receive(&mut buf).unwrap() {
            all.push(buf.clone());
        }
        all
    }

    #[test]
    fn the_recorder_keeps_both_directions() {
        let mut recorder = Recorder::new(replay());
        recorder.send(b"a").unwrap();
        drain(&mut recorder);
        recorder.send(b"b").unwrap();
        drain(&mut recorder);
        assert_eq!(recorder.sent, [b"a", b"b"]);
        assert_eq!(recorder.received, [vec![1, 2, 3], vec![4], vec![5]]);
    }

    #[test]
    fn faults_hit_the_call_they_are_meant_for() {
        let mut broken = FaultInjector::new(replay()).after(1, Fault::SendFails(libc::ENOMEM)).after(0, Fault::Cut(2));
        broken.send(b"a").unwrap();
        assert_eq!(drain(&mut broken), [vec![1, 2], vec![4]]);
        assert_eq!(broken.send(b"b").unwrap_err().raw_os_error(), Some(libc::ENOMEM));
        broken.inject(0, Fault::Overrun);
        broken.send(b"b").unwrap();
        let lost = broken.receive(&mut Vec::new()).unwrap_err();
        assert_eq!(TransportError::of(&lost), Some(&TransportError::Overrun));
        assert_eq!(drain(&mut broken), [vec![5]], "what was queued before is still there");
    }

    #[test]
    fn answers_can_vanish() {
        let mut broken = FaultInjector::new(replay()).after(0, Fault::AnswersVanish);
        broken.send(b"a").unwrap();
        assert!(drain(&mut broken).is_empty());
        broken.send(b"b").unwrap();
        assert_eq!(drain(&mut broken), [vec![5]]);
    }
}
