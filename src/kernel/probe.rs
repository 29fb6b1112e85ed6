//! What a kernel can do, found by asking it, never by its version.
//!
//! Owns: one probe a feature, each with the commit that brought it.
//! Never: changes anything: probes are transactions that are checked and dropped, and questions.
//!
//! Where the truth is: the kernel commits named here.

use super::{CommitError, Errno, Error, Kernel};
use crate::name::{ChainName, TableName};
use crate::netlink::header::{FamilyHeader, GetFlags};
use crate::netlink::message;
use crate::netlink::request::{RequestError, request};
use crate::netlink::transport::Transport;
use crate::nft::uapi::NFNL_SUBSYS_NFT_COMPAT;
use crate::nft::{Chain, Family, Table, TableFlags};
use crate::transaction::{Batch, Origin};

const NFNL_MSG_COMPAT_GET: u8 = 0;
const NFTA_COMPAT_NAME: u16 = 1;
const NFTA_COMPAT_REV: u16 = 2;
const NFTA_COMPAT_TYPE: u16 = 3;

/// Features of nf_tables that not every kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "one answer a question")]
pub struct Features {
    /// Tables that only their owner's socket may change: 6001a930ce03 (Linux 5.12).
    pub table_owner: bool,
    /// Owned tables that outlive the socket: da5141bbe0c2 (Linux 6.9).
    pub table_persist: bool,
    /// User data of chains: 002f21765320 (Linux 5.10). Without it a chain cannot say whose it is.
    pub chain_userdata: bool,
    /// Batches that name the generation they were computed from: 8c4d4e8b5626 (Linux 4.11).
    pub batch_generation: bool,
}

/// Asks for all [`Features`].
///
/// # Errors
/// [`CommitError`] when the kernel cannot be asked, or the right is missing.
pub fn features<K: Kernel + ?Sized>(kernel: &mut K) -> Result<Features, CommitError> {
    let table = Table { flags: TableFlags::OWNER, ..probe_table()? };
    Ok(Features {
        table_owner: accepted(kernel, None, |b| b.create_table(&table, Origin(0)))?,
        table_persist: outliving_tables(kernel)?,
        chain_userdata: chain_userdata(kernel)?,
        batch_generation: batch_generation(kernel)?,
    })
}

/// Asks for [`Features::table_persist`] alone, which only kernels with [`Features::table_owner`] have.
///
/// # Errors
/// As [`features`].
pub fn outliving_tables<K: Kernel + ?Sized>(kernel: &mut K) -> Result<bool, CommitError> {
    let table = Table { flags: TableFlags::OWNER | TableFlags::PERSIST, ..probe_table()? };
    accepted(kernel, None, |b| b.create_table(&table, Origin(0)))
}

/// A table that is not there: the name is too odd for anybody to have it.
fn probe_table() -> Result<Table, CommitError> {
    Ok(Table::new(Family::Ip, name(TableName::new("nftwrap.probe~"))?))
}

fn name<T>(checked: Result<T, crate::name::NameError>) -> Result<T, CommitError> {
    checked.map_err(|error| CommitError::Io(std::io::Error::other(error)))
}

fn check<K: Kernel + ?Sized>(
    kernel: &mut K,
    generation: Option<u32>,
    fill: impl FnOnce(&mut Batch),
) -> Result<(), CommitError> {
    let mut batch = Batch::begin(generation);
    fill(&mut batch);
    let sealed = batch.seal().map_err(|error| CommitError::Io(std::io::Error::other(error)))?;
    kernel.check(&sealed).map(drop)
}

fn accepted<K: Kernel + ?Sized>(
    kernel: &mut K,
    generation: Option<u32>,
    fill: impl FnOnce(&mut Batch),
) -> Result<bool, CommitError> {
    match check(kernel, generation, fill) {
        Ok(()) => Ok(true),
        Err(CommitError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A kernel that does not know the attribute passes it over; one that does refuses what is too long.
fn chain_userdata<K: Kernel + ?Sized>(kernel: &mut K) -> Result<bool, CommitError> {
    let table = probe_table()?;
    let long = Chain {
        userdata: Some([0; 257].into()),
        ..Chain::new(Family::Ip, table.name.clone(), name(ChainName::new("probe"))?)
    };
    let refused = check(kernel, None, |b| {
        b.create_table(&table, Origin(0));
        b.create_chain(&long, Origin(0));
    });
    match refused {
        Err(error @ CommitError::Refused(_)) => Ok(error.has(Errno::RANGE)),
        other => other.map(|()| false),
    }
}

/// A kernel that does not know the attribute takes a batch of any generation.
fn batch_generation<K: Kernel + ?Sized>(kernel: &mut K) -> Result<bool, CommitError> {
    let table = probe_table()?;
    let now = kernel.generation().map_err(|error| match error {
        Error::NotPermitted => CommitError::NotPermitted,
        Error::Io(error) => CommitError::Io(error),
        other => CommitError::Io(std::io::Error::other(other)),
    })?;
    // 0 fits any generation, so the one before 1 is not it.
    let other = now.checked_sub(1).filter(|&other| other != 0).unwrap_or(u32::MAX);
    match check(kernel, Some(other), |b| b.create_table(&table, Origin(0))) {
        Err(CommitError::Stale { .. }) => Ok(true),
        answer => answer.map(|()| false),
    }
}

/// Whether the kernel has this revision of an xt match or target, which [`Match`](crate::nft::expr::Match) and
/// [`Target`](crate::nft::expr::Target) run: 0ca743a55991 (Linux 3.13). It may load the module.
///
/// # Errors
/// [`RequestError`] when the kernel cannot be asked.
pub fn xt_revision(
    transport: &mut impl Transport,
    family: Family,
    name: &str,
    revision: u32,
    target: bool,
) -> Result<bool, RequestError> {
    let kind = u16::from_be_bytes([NFNL_SUBSYS_NFT_COMPAT, NFNL_MSG_COMPAT_GET]);
    let mut question = Vec::new();
    let header = FamilyHeader::new(family.nfproto());
    let written = message::append(&mut question, kind, GetFlags::REQUEST.bits(), 1, header, |w| {
        w.string(NFTA_COMPAT_NAME, name);
        w.u32_be(NFTA_COMPAT_REV, revision);
        w.u32_be(NFTA_COMPAT_TYPE, target.into());
    });
    written.map_err(message::MessageError::from)?;
    match request(transport, &question, |_| Ok(())) {
        Ok(()) => Ok(true),
        // No such extension, or not in this revision; the policy of newer kernels knows no revision above 255.
        Err(RequestError::Refused(ack)) if matches!(ack.errno, libc::ENOENT | libc::EPROTONOSUPPORT | libc::ERANGE) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
