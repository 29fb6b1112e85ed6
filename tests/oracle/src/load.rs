//! Loading rules through libnftnl and its Rust crates, as a baseline and as a record of what they cannot do.
//!
//! The trap: libnftnl collects a batch in pages (128 KiB each in the crate nftnl), and the crate's example sends a
//! datagram a page. The kernel takes a transaction from one datagram only (`nfnetlink_rcv_batch`): the first page has no
//! end marker and is rolled back after every message in it was acknowledged with error 0; the later pages have no begin
//! marker and are refused. So anything above one page is not loaded, and nothing in the first answers says so. The same
//! pages as the iovec of one `sendmsg` do load, given a send buffer that holds them all.

use std::ffi::{CString, c_void};
use std::io;
use std::os::fd::AsRawFd;

use nftnl::nftnl_sys::libc;
use nftnl::{Batch, Chain, FinalizedBatch, MsgType, NlMsg, ProtoFamily, Table};
use nftwrap::nft::Family;
use nftwrap::nft::expr::Expr;

use crate::rule::Rule;

/// The rules of one regular chain.
#[derive(Debug, Clone)]
pub struct ChainRules {
    /// Family of the table.
    pub family: Family,
    /// The table; made if it is not there.
    pub table: String,
    /// The chain; made if it is not there.
    pub chain: String,
    /// The register programs of its rules.
    pub rules: Vec<Vec<Expr>>,
}

/// How the pages of a batch are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// A datagram a page, then an answer for each message: the example of the crate nftnl.
    PageByPage,
    /// All pages as the iovec of one `sendmsg`, with room made in both buffers.
    OneDatagram,
}

/// What was built and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Pages of the batch.
    pub pages: usize,
    /// Rules that were sent.
    pub rules: usize,
    /// Rules with an expression that libnftnl does not know, which were left out.
    pub skipped: usize,
}

// SAFETY: `write` fills no more than libnftnl does for the message, and every caller gives it a buffer for the largest.
unsafe impl NlMsg for Rule {
    unsafe fn write(&self, buf: *mut c_void, seq: u32, _: MsgType) {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_APPEND | libc::NLM_F_EXCL | libc::NLM_F_ACK;
        // SAFETY: the caller's promise about `buf` is the one that this function asks for.
        unsafe { self.write_to(buf.cast(), flags as u16, seq) };
    }
}

/// Builds one batch of all tables, chains and rules.
///
/// # Errors
/// A name with a NUL in it.
pub fn build(chains: &[ChainRules]) -> io::Result<(FinalizedBatch, Loaded)> {
    let mut batch = Batch::new();
    let mut tables: Vec<(Family, &str, Table)> = Vec::new();
    for of in chains {
        if !tables.iter().any(|(family, name, _)| (*family, *name) == (of.family, of.table.as_str())) {
            let table = Table::new(CString::new(of.table.as_str())?, proto_family(of.family));
            batch.add(&table, MsgType::Add);
            tables.push((of.family, &of.table, table));
        }
    }
    for of in chains {
        let known = tables.iter().find(|(family, name, _)| (*family, *name) == (of.family, of.table.as_str()));
        if let Some((_, _, table)) = known {
            batch.add(&Chain::new(CString::new(of.chain.as_str())?, table), MsgType::Add);
        }
    }
    let mut loaded = Loaded { pages: 0, rules: 0, skipped: 0 };
    for of in chains {
        for expressions in &of.rules {
            match Rule::build(of.family, &of.table, &of.chain, expressions) {
                Some(rule) => {
                    batch.add(&rule, MsgType::Add);
                    loaded.rules += 1;
                }
                None => loaded.skipped += 1,
            }
        }
    }
    let batch = batch.finalize();
    loaded.pages = batch.iter().count();
    Ok((batch, loaded))
}

/// Builds and sends, in the network namespace of this thread.
///
/// # Errors
/// Those of [`build`] and of the socket, and the first refusal of the kernel. Page by page, no error means nothing: see
/// the module's documentation.
pub fn load(chains: &[ChainRules], sending: Sending) -> io::Result<Loaded> {
    let (batch, loaded) = build(chains)?;
    let socket = mnl::Socket::new(mnl::Bus::Netfilter)?;
    match sending {
        Sending::PageByPage => socket.send_all(&batch)?,
        Sending::OneDatagram => send_at_once(&socket, &batch)?,
    }
    // `mnl` wants a buffer with the alignment of a message header.
    let mut words = vec![0u32; nftnl::nft_nlmsg_maxsize() as usize / 4 + 1];
    // SAFETY: the words are initialised, bytes have no alignment to break, and the slice is as long as the words are.
    let buffer = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), words.len() * 4) };
    let mut expected = batch.sequence_numbers();
    while !expected.is_empty() {
        for message in socket.recv(buffer)? {
            let seq = expected.next().ok_or_else(|| io::Error::other("more answers than messages"))?;
            mnl::cb_run(message?, seq, socket.portid())?;
        }
    }
    Ok(loaded)
}

fn send_at_once(socket: &mnl::Socket, batch: &FinalizedBatch) -> io::Result<()> {
    /// An acknowledgement takes this much of the receive buffer, kernel bookkeeping included.
    const ANSWER: usize = 1024;
    let pages: Vec<&[u8]> = batch.iter().collect();
    let bytes: usize = pages.iter().map(|page| page.len()).sum();
    make_room(socket, libc::SO_SNDBUFFORCE, bytes + 4096)?;
    make_room(socket, libc::SO_RCVBUFFORCE, batch.sequence_numbers().len() * ANSWER)?;
    let iovec: Vec<libc::iovec> = pages
        .iter()
        .map(|page| libc::iovec { iov_base: page.as_ptr().cast_mut().cast(), iov_len: page.len() })
        .collect();
    // SAFETY: all zeros is a valid `msghdr`: no address, no parts, no control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = iovec.as_ptr().cast_mut();
    message.msg_iovlen = iovec.len() as _;
    // SAFETY: the message points to parts of the batch, which outlives the call; the kernel only reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, 0) };
    match usize::try_from(sent) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(sent) if sent < bytes => Err(io::Error::other("the kernel took a part of the datagram")),
        Ok(_) => Ok(()),
    }
}

fn make_room(socket: &mnl::Socket, option: libc::c_int, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: the option takes an `int`, which lives for the call, and its size.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn proto_family(family: Family) -> ProtoFamily {
    match family {
        Family::Inet => ProtoFamily::Inet,
        Family::Ip => ProtoFamily::Ipv4,
        Family::Arp => ProtoFamily::Arp,
        Family::Netdev => ProtoFamily::NetDev,
        Family::Bridge => ProtoFamily::Bridge,
        Family::Ip6 => ProtoFamily::Ipv6,
    }
}
