//! A closed batch, ready to be committed.
//!
//! Owns: the datagram, and the way from a sequence number to the operation's number, origin and message.
//! Never: changes a byte, or is made by anything but [`Batch::seal`](super::Batch::seal).
//!
//! Invariant: sequence numbers are without a gap: the operation of number `n` (from 0) has `first_seq + 1 + n`.

use thiserror::Error;

use super::handles::Handles;
use crate::netlink::attr::AttrError;

/// Where an operation came from: a number that means something to whoever filled the batch, most often an index into a
/// list of (table, chain, rule number, text).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Origin(pub u32);

/// Why a batch cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// An operation does not fit the attribute format.
    #[error("operation {index} of the batch cannot be encoded: {reason}")]
    Encode {
        /// The operation that asked for it.
        origin: Origin,
        /// Its number in the batch, from 0.
        index: usize,
        /// What does not fit.
        reason: AttrError,
    },
}

impl SealError {
    /// The operation that is to blame.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self {
            Self::Encode { origin, .. } => *origin,
        }
    }
}

/// One transaction: `BATCH_BEGIN`, the operations, `BATCH_END`, in one piece of memory.
///
/// It must reach the kernel in one datagram: the kernel aborts a batch whose datagram ends before `BATCH_END`, and says
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub(super) bytes: Vec<u8>,
    pub(super) first_seq: u32,
    pub(super) origins: Vec<Origin>,
    pub(super) generation: Option<u32>,
    pub(super) handles: Option<Handles>,
}

impl Sealed {
    /// The datagram.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The datagram without `BATCH_END`: the kernel runs and validates the operations, then drops them.
    #[must_use]
    pub fn bytes_for_check(&self) -> &[u8] {
        // `BATCH_END` is a header without attributes.
        self.bytes.get(..self.bytes.len().saturating_sub(20)).unwrap_or_default()
    }

    /// The message with this sequence number, header included. It is searched from the start: meant for errors.
    #[must_use]
    pub fn message(&self, seq: u32) -> Option<&[u8]> {
        let mut rest = self.bytes.as_slice();
        loop {
            let len = usize::try_from(u32::from_ne_bytes(*rest.first_chunk()?)).ok()?;
            let message = rest.get(..len)?;
            if message.get(8..12)? == seq.to_ne_bytes() {
                return Some(message);
            }
            rest = rest.get(crate::netlink::attr::align(len)..)?;
        }
    }

    /// Number of messages, `BATCH_BEGIN` and `BATCH_END` included.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.origins.len() + 2
    }

    /// Number of operations.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.origins.len()
    }

    /// Whether it changes nothing. Committing such a batch sends nothing: there is no operation that could carry the
    /// acknowledgement.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// The generation it was computed from, if the kernel is to refuse it in any other.
    #[must_use]
    pub fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// Sequence number of `BATCH_BEGIN`. The first operation has the next one, and so on.
    #[must_use]
    pub fn first_seq(&self) -> u32 {
        self.first_seq
    }

    /// Sequence number of the last operation, the one that asks for an acknowledgement.
    #[must_use]
    pub fn last_seq(&self) -> u32 {
        let operations = u32::try_from(self.origins.len()).unwrap_or(u32::MAX);
        self.first_seq.wrapping_add(operations)
    }

    /// The origin of the operation with this sequence number; `None` for `BATCH_BEGIN`, `BATCH_END` and numbers that
    /// are not of this batch.
    #[must_use]
    pub fn origin(&self, seq: u32) -> Option<Origin> {
        self.index(seq).and_then(|index| self.origins.get(index).copied())
    }

    /// The number, from 0, of the operation with this sequence number.
    #[must_use]
    pub fn index(&self, seq: u32) -> Option<usize> {
        let index = usize::try_from(seq.wrapping_sub(self.first_seq)).ok()?.checked_sub(1)?;
        (index < self.origins.len()).then_some(index)
    }

    /// The handles of new rules by the number, from 0, of their operation, as they follow from those that the kernel sent back
    /// ([`Committed::echoed`](crate::kernel::Committed::echoed)); none unless [asked for](super::Batch::ask_for_handles).
    pub fn handles<'a>(&'a self, echoed: &[(u32, u64)]) -> impl Iterator<Item = (usize, u64)> + use<'a> {
        let echoed: Vec<_> = echoed.iter().filter_map(|(seq, handle)| Some((self.index(*seq)?, *handle))).collect();
        self.handles.as_ref().map(|handles| handles.learn(&echoed)).into_iter().flatten()
    }

    /// The origins of all operations, in order.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Gives the memory back for the next [`Batch`](super::Batch).
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
