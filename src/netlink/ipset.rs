//! Names and indices of ipsets: rules carry a set's index, people its name.
//!
//! Owns: the two questions of `SO_IP_SET` that a rule needs.
//! Never: changes a set, or holds on to one: an index is good as long as a rule or nobody destroys the set.
//!
//! Where the truth is: `include/uapi/linux/netfilter/ipset/ip_set.h`, `ip_set_sockfn_get` in
//! `net/netfilter/ipset/ip_set_core.c` (Linux v6.12).

use std::io;

use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout};

use super::namespace::Namespace;
use super::socket::OptionSocket;
use crate::name::text;

const SO_IP_SET: libc::c_int = 83;
const IP_SET_OP_GET_BYINDEX: u32 = 7;
const IP_SET_OP_GET_FNAME: u32 = 8;
/// The oldest protocol that has these questions and that the kernel still speaks, `IPSET_PROTOCOL_MIN`.
const IPSET_PROTOCOL: u32 = 6;
const IPSET_INVALID_ID: u16 = 65535;
const IPSET_MAXNAMELEN: usize = 32;

/// `struct ip_set_req_get_set`; the index is in the first two bytes of `set`.
#[derive(zerocopy::FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct GetSet {
    op: u32,
    version: u32,
    set: [u8; IPSET_MAXNAMELEN],
}

/// `struct ip_set_req_get_set_family`.
#[derive(zerocopy::FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct GetSetFamily {
    op: u32,
    version: u32,
    family: u32,
    set: [u8; IPSET_MAXNAMELEN],
}

/// Asks for the sets of one namespace.
#[derive(Debug)]
pub struct Ipsets {
    socket: OptionSocket,
}

impl Ipsets {
    /// For the sets of a namespace.
    ///
    /// # Errors
    /// As [`OptionSocket::open_in`].
    pub fn open_in(namespace: &Namespace) -> io::Result<Self> {
        Ok(Self { socket: OptionSocket::open_in(namespace)? })
    }

    /// The index of the set with this name; `None` when there is none, also because the kernel has no ipset at all.
    ///
    /// # Errors
    /// Those of the kernel; `EPERM` without `CAP_NET_ADMIN`.
    pub fn index(&self, name: &str) -> io::Result<Option<u16>> {
        let mut request =
            GetSetFamily { op: IP_SET_OP_GET_FNAME, version: IPSET_PROTOCOL, ..GetSetFamily::new_zeroed() };
        let name = text::to_bytes(name);
        // The last byte stays NUL, so a name that is longer than any set's cannot be cut to match one.
        match request.set.split_last_mut().and_then(|(_, room)| room.get_mut(..name.len())) {
            Some(room) => room.copy_from_slice(&name),
            None => return Ok(None),
        }
        if !self.ask(request.as_mut_bytes())? {
            return Ok(None);
        }
        let [low, high, ..] = request.set;
        let index = u16::from_ne_bytes([low, high]);
        Ok((index != IPSET_INVALID_ID).then_some(index))
    }

    /// The name of the set with this index; `None` when there is none.
    ///
    /// # Errors
    /// As [`index`](Ipsets::index).
    pub fn name(&self, index: u16) -> io::Result<Option<String>> {
        let mut request = GetSet { op: IP_SET_OP_GET_BYINDEX, version: IPSET_PROTOCOL, ..GetSet::new_zeroed() };
        let [low, high, ..] = &mut request.set;
        [*low, *high] = index.to_ne_bytes();
        match self.ask(request.as_mut_bytes()) {
            // An index past the end of the kernel's list.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(None),
            asked => {
                if !asked? {
                    return Ok(None);
                }
            }
        }
        let name = request.set.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok((!name.is_empty()).then(|| text::from_bytes(name).into_owned()))
    }

    /// Whether there was anyone to ask.
    fn ask(&self, request: &mut [u8]) -> io::Result<bool> {
        match self.socket.query(SO_IP_SET, request) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
