//! Tap devices: made by a system call on a file, for which rtnetlink has no message.
//!
//! Owns: opening `/dev/net/tun` and the two requests that make a device and keep it.
//! Never: reads or writes a frame.
//!
//! Where the truth is: `drivers/net/tun.c` (`tun_set_iff`), `include/uapi/linux/if_tun.h` (Linux v6.12).
#![allow(unsafe_code, reason = "the standard library has no ioctl")]
#![deny(clippy::undocumented_unsafe_blocks)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

use super::namespace::Namespace;
use super::socket::check;
use crate::name::InterfaceName;

const CONTROL: &str = "/dev/net/tun";
/// `_IOW('T', 202, int)`.
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
/// `_IOW('T', 203, int)`.
const TUNSETPERSIST: libc::c_ulong = 0x4004_54cb;
/// Frames of Ethernet, without a header of the driver's own.
const FLAGS: libc::c_int = libc::IFF_TAP | libc::IFF_NO_PI;

/// A tap device that goes with this handle, unless it is made persistent.
#[derive(Debug)]
pub struct Tap {
    file: File,
}

impl Tap {
    /// Makes a device in a namespace, or takes hold of a tap device that is there and that nobody holds. It is down.
    ///
    /// # Errors
    /// Those of `open(2)` and `ioctl(2)`: `EBUSY` when the device is held, `EINVAL` when it is of another kind, `EPERM`
    /// without `CAP_NET_ADMIN`; and a [`NamespaceError`](super::namespace::NamespaceError) inside.
    pub fn open_in(namespace: &Namespace, name: &InterfaceName, multi_queue: bool) -> io::Result<Self> {
        // The device belongs to the namespace in which the file was opened.
        let file = namespace.run(|| OpenOptions::new().read(true).write(true).open(CONTROL))??;
        let flags = if multi_queue { FLAGS | libc::IFF_MULTI_QUEUE } else { FLAGS };
        // SAFETY: the struct is made of integers and a union of integers and addresses, for all of which zero is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // A name has at most 15 bytes of the 16, so the last stays zero.
        for (to, from) in request.ifr_name.iter_mut().zip(name.as_str().bytes().take(InterfaceName::MAX)) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: this request reads and writes one `ifreq`, which is what it is given, and which outlives the call.
        check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF as _, &raw mut request) })?;
        Ok(Self { file })
    }

    /// Keeps the device when the handle goes.
    ///
    /// # Errors
    /// Those of `ioctl(2)`.
    pub fn persist(self) -> io::Result<()> {
        let on: libc::c_ulong = 1;
        // SAFETY: this request takes a number and touches no memory of ours.
        check(unsafe { libc::ioctl(self.file.as_raw_fd(), TUNSETPERSIST as _, on) }).map(drop)
    }
}
