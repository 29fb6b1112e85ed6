//! The real transport: a `NETLINK_NETFILTER` socket, and the one socket option that is no netlink.
//!
//! Owns: system calls on sockets, the sizes of their buffers, and the limits these have.
//! Never: blocks for an answer; keeps state between requests other than the size of its send buffer.
//!
//! Invariant: only datagrams of the kernel are handed on.
//! Invariant: a datagram is sent whole or not at all; one that does not fit is never split.
//!
//! Where the truth is: `netlink_sendmsg`, `netlink_recvmsg`, `net/netlink/af_netlink.c`; `sk_setsockopt`,
//! `net/core/sock.c` (Linux v6.12); `netlink(7)`.
#![allow(unsafe_code, reason = "the standard library has no netlink sockets")]
#![deny(clippy::undocumented_unsafe_blocks)]

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::namespace::Namespace;
use super::transport::{Transport, TransportError};

/// The kernel builds dump datagrams of at most 32 KiB (`netlink_recvmsg`), and all others no larger than a page;
/// acknowledgements are capped.
const RECEIVE: usize = 64 * 1024;
/// Room for the errors of some thousand operations: each takes about 800 bytes of kernel memory.
const RECEIVE_QUEUE: libc::c_int = 4 * 1024 * 1024;
/// What `netlink_sendmsg` takes off the buffer's size before it compares.
const OVERHEAD: usize = 32;
/// So that a batch that grows a little does not ask again.
const SLACK: usize = 64 * 1024;

/// A netlink socket to the netfilter subsystems of one network namespace.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    /// The largest datagram that can be sent now.
    limit: usize,
}

impl Socket {
    /// Opens one in the caller's namespace, with extended and capped acknowledgements.
    ///
    /// # Errors
    /// Those of `socket(2)`, `bind(2)` and `setsockopt(2)`.
    pub fn open() -> io::Result<Self> {
        let fd = open(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)?;
        set_option(fd.as_fd(), libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, 1)?;
        // Or each error would carry the whole message that it is about.
        set_option(fd.as_fd(), libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
        // A queue that is too small loses errors, not correctness, so a refusal is fine.
        let _ = set_option(fd.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_QUEUE)
            .or_else(|_| set_option(fd.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_QUEUE));
        bind(fd.as_fd())?;
        let limit = send_limit(fd.as_fd())?;
        Ok(Self { fd, limit })
    }

    /// Opens one in another namespace. The caller's stays what it is.
    ///
    /// # Errors
    /// As [`open`](Socket::open); and a [`NamespaceError`](super::namespace::NamespaceError) inside.
    pub fn open_in(namespace: &Namespace) -> io::Result<Self> {
        namespace.run(Self::open)?
    }

    /// Makes room for a datagram of `bytes`.
    fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        let wanted = bytes.saturating_add(OVERHEAD);
        // The kernel doubles what it is asked for.
        let ask = |bytes: usize| libc::c_int::try_from(bytes.div_ceil(2)).unwrap_or(libc::c_int::MAX / 2);
        let fd = self.fd.as_fd();
        if set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, ask(wanted.saturating_add(SLACK))).is_err() {
            // Forcing takes CAP_NET_ADMIN in the initial user namespace; without it net.core.wmem_max is the limit, and
            // the kernel silently takes less than it is asked for.
            set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, ask(wanted))?;
        }
        self.limit = send_limit(fd)?;
        if bytes > self.limit {
            return Err(TransportError::TooLarge { bytes, limit: self.limit, wmem_max: wanted.div_ceil(2) }.into());
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Transport for Socket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        if datagram.len() > self.limit {
            self.make_room(datagram.len())?;
        }
        let kernel = address();
        let sent = retry(|| {
            // SAFETY: `datagram` is readable for its length, `kernel` is a `sockaddr_nl` of the length given, and both
            // outlive the call.
            unsafe {
                libc::sendto(
                    self.fd.as_raw_fd(),
                    datagram.as_ptr().cast(),
                    datagram.len(),
                    0,
                    (&raw const kernel).cast(),
                    length_of(&kernel),
                )
            }
        })?;
        if sent == datagram.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    fn receive(&mut self, buf: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            buf.clear();
            buf.reserve(RECEIVE);
            let mut sender = address();
            let mut length = length_of(&sender);
            let room = buf.spare_capacity_mut();
            let limit = room.len();
            let received = retry(|| {
                // SAFETY: `room` is writable for its length, `sender` for the length given, and both outlive the call.
                // MSG_TRUNC only changes the result.
                unsafe {
                    libc::recvfrom(
                        self.fd.as_raw_fd(),
                        room.as_mut_ptr().cast(),
                        limit,
                        libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                        (&raw mut sender).cast(),
                        &raw mut length,
                    )
                }
            });
            let bytes = match received {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Err(TransportError::Overrun.into()),
                Err(error) => return Err(error),
            };
            // Any process may send to a netlink port.
            if sender.nl_pid != 0 {
                continue;
            }
            if bytes > limit {
                return Err(TransportError::Cut { bytes, limit }.into());
            }
            // SAFETY: the kernel wrote `bytes` bytes, which is no more than `limit`, the spare capacity of the empty
            // vector.
            unsafe { buf.set_len(bytes) };
            return Ok(true);
        }
    }
}

/// A raw IPv4 socket, through which netfilter's older interfaces are asked by `getsockopt`.
#[derive(Debug)]
pub struct OptionSocket {
    fd: OwnedFd,
}

impl OptionSocket {
    /// Opens one in a namespace.
    ///
    /// # Errors
    /// Those of `socket(2)` (it takes `CAP_NET_RAW`); and a [`NamespaceError`](super::namespace::NamespaceError) inside.
    pub fn open_in(namespace: &Namespace) -> io::Result<Self> {
        let fd = namespace.run(|| open(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW))??;
        Ok(Self { fd })
    }

    /// `getsockopt` of level `SOL_IP` with a request that the kernel turns into the answer, in place.
    ///
    /// # Errors
    /// Those of the kernel; `ENOPROTOOPT` when no module serves this option.
    pub fn query(&self, option: libc::c_int, request: &mut [u8]) -> io::Result<()> {
        let mut length = libc::socklen_t::try_from(request.len()).unwrap_or(libc::socklen_t::MAX);
        retry(|| {
            // SAFETY: `request` is readable and writable for `length` bytes, which is at most its length, and both
            // outlive the call.
            unsafe {
                let result = libc::getsockopt(
                    self.fd.as_raw_fd(),
                    libc::SOL_IP,
                    option,
                    request.as_mut_ptr().cast(),
                    &raw mut length,
                );
                result as libc::ssize_t
            }
        })?;
        Ok(())
    }
}

/// Calls again when a signal came between; the result as a count.
pub(super) fn retry(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<usize> {
    loop {
        match usize::try_from(call()) {
            Ok(count) => return Ok(count),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// The result of a system call, or its error.
pub(super) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `socket(2)`, closed when another program starts.
pub(super) fn open(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the call takes three numbers and touches no memory of ours.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: `fd` was just opened, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The kernel's address, which is also the one that asks for a port when bound to: all zero but the family.
fn address() -> libc::sockaddr_nl {
    // SAFETY: the struct is made of integers only, for which zero is a value.
    let mut address: libc::sockaddr_nl = unsafe { zeroed() };
    #[allow(clippy::cast_possible_truncation, reason = "AF_NETLINK is 16")]
    {
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    }
    address
}

#[allow(clippy::cast_possible_truncation, reason = "an address has twelve bytes")]
fn length_of(address: &libc::sockaddr_nl) -> libc::socklen_t {
    size_of_val(address) as libc::socklen_t
}

fn bind(fd: BorrowedFd<'_>) -> io::Result<()> {
    let address = address();
    // SAFETY: `address` is a `sockaddr_nl` of the length given and outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length_of(&address)) }).map(drop)
}

#[allow(clippy::cast_possible_truncation, reason = "an int has four bytes")]
const INT: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

fn set_option(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: `value` is an `int` of the length given and outlives the call.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), INT) }).map(drop)
}

/// The largest datagram that `netlink_sendmsg` takes on this socket.
fn send_limit(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut value: libc::c_int = 0;
    let mut length = INT;
    // SAFETY: `value` is writable for `length` bytes, and both outlive the call.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw mut value).cast(), &raw mut length)
    })?;
    Ok(usize::try_from(value).unwrap_or(0).saturating_sub(OVERHEAD))
}
