//! `notrack`: keep the packet out of connection tracking.

use crate::netlink::attr::{AttrError, Reader};

/// Turns tracking off for the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Notrack;

impl Notrack {
    /// There are no attributes.
    pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Self, AttrError> {
        match reader.next() {
            None => Ok(Self),
            Some(attr) => Err(AttrError::Unexpected { kind: attr?.kind }),
        }
    }
}
