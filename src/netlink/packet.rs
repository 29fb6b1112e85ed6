//! Frames of one device: a packet socket that sends.
//!
//! Owns: the socket, and the hardware address of its device.
//! Never: receives; knows a protocol above Ethernet.
//!
//! Where the truth is: `packet(7)`; `packet_snd` and `packet_getname`, `net/packet/af_packet.c` (Linux v6.12).
//!
//! How it is tested: `tests/announce.rs`, with a neighbour that hears the frames.
#![allow(unsafe_code, reason = "the standard library has no packet sockets")]
#![deny(clippy::undocumented_unsafe_blocks)]

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, OwnedFd};

use super::namespace::Namespace;
use super::socket::{check, open, retry};
use crate::name::{InterfaceName, MacAddress};

/// A packet socket that sends through one device.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    address: MacAddress,
}

impl PacketSocket {
    /// Opens one for a device of a namespace. The caller's namespace stays what it is.
    ///
    /// # Errors
    /// Those of `socket(2)` (it takes `CAP_NET_RAW`) and `bind(2)`; `ENODEV` when there is no such device; `EAFNOSUPPORT`
    /// when it has no address of six bytes; a [`NamespaceError`](super::namespace::NamespaceError) inside.
    pub fn open_in(namespace: &Namespace, device: &InterfaceName) -> io::Result<Self> {
        namespace.run(|| Self::open(device))?
    }

    fn open(device: &InterfaceName) -> io::Result<Self> {
        let name = CString::new(device.as_str())?;
        // SAFETY: `name` is a string that ends with a zero and outlives the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(io::Error::last_os_error());
        }
        // Protocol 0 receives nothing.
        let fd = open(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        // SAFETY: the struct is made of integers only, for which zero is a value.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or_default();
        address.sll_ifindex = libc::c_int::try_from(index).unwrap_or_default();
        let mut length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
        // SAFETY: `address` is a `sockaddr_ll` of the length given and outlives the call.
        check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) })?;
        // SAFETY: `address` is writable for `length` bytes, and both outlive the call.
        check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut address).cast(), &raw mut length) })?;
        let [a, b, c, d, e, f, ..] = address.sll_addr;
        if address.sll_halen != 6 {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        }
        Ok(Self { fd, address: MacAddress([a, b, c, d, e, f]) })
    }

    /// The device's own hardware address, when the socket was opened.
    #[must_use]
    pub fn address(&self) -> MacAddress {
        self.address
    }

    /// Sends a frame, beginning with its Ethernet header. It does not wait for room in the device's queue.
    ///
    /// # Errors
    /// Those of `send(2)`: `ENETDOWN` while the device is down, `ENXIO` when it is gone, `ENOBUFS` when its queue is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: `frame` is readable for its length and outlives the call.
        retry(|| unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), libc::MSG_DONTWAIT) })?;
        Ok(())
    }
}
