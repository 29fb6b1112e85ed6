//! `log`: to the kernel log, or to user space by a group.

use std::sync::Arc;

use super::fields::Fields;
use crate::netlink::attr::{AttrError, Reader, Writer};
use crate::nft::uapi::{
    NFT_LOGLEVEL_WARNING, NFTA_LOG_FLAGS, NFTA_LOG_GROUP, NFTA_LOG_LEVEL, NFTA_LOG_PREFIX, NFTA_LOG_QTHRESHOLD,
    NFTA_LOG_SNAPLEN,
};

/// Logs the packet. With a group the packet goes to nfnetlink_log, else to the kernel log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Log {
    /// `NFTA_LOG_GROUP`.
    pub group: Option<u16>,
    /// `NFTA_LOG_PREFIX`, at most 127 bytes.
    pub prefix: Option<Arc<str>>,
    /// `NFTA_LOG_SNAPLEN`, bytes.
    pub snaplen: Option<u32>,
    /// `NFTA_LOG_QTHRESHOLD`, packets.
    pub qthreshold: Option<u16>,
    /// `NFTA_LOG_LEVEL` (syslog level; 8 = audit).
    pub level: Option<u32>,
    /// `NFTA_LOG_FLAGS` (`NF_LOG_*`).
    pub flags: Option<u32>,
}

impl Log {
    /// Writes the attributes of `NFTA_EXPR_DATA`, in libnftnl's order.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        if let Some(prefix) = &self.prefix {
            w.string(NFTA_LOG_PREFIX, prefix);
        }
        if let Some(group) = self.group {
            w.u16_be(NFTA_LOG_GROUP, group);
        }
        if let Some(snaplen) = self.snaplen {
            w.u32_be(NFTA_LOG_SNAPLEN, snaplen);
        }
        if let Some(qthreshold) = self.qthreshold {
            w.u16_be(NFTA_LOG_QTHRESHOLD, qthreshold);
        }
        if let Some(level) = self.level {
            w.u32_be(NFTA_LOG_LEVEL, level);
        }
        if let Some(flags) = self.flags {
            w.u32_be(NFTA_LOG_FLAGS, flags);
        }
    }

    /// Reads the attributes of `NFTA_EXPR_DATA`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_LOG_FLAGS>::read(reader)?;
        Ok(Self {
            group: f.u16(NFTA_LOG_GROUP)?,
            prefix: f.name(NFTA_LOG_PREFIX)?,
            snaplen: f.u32(NFTA_LOG_SNAPLEN)?,
            qthreshold: f.u16(NFTA_LOG_QTHRESHOLD)?,
            level: f.u32(NFTA_LOG_LEVEL)?,
            flags: f.u32(NFTA_LOG_FLAGS)?,
        }
        .normalized())
    }

    /// What the kernel takes by default counts as not given: level warning without a group, no flags, a threshold of 0.
    pub(crate) fn normalized(mut self) -> Self {
        if self.group.is_none() {
            self.level = self.level.filter(|&level| level != NFT_LOGLEVEL_WARNING);
        }
        self.flags = self.flags.filter(|&flags| flags != 0);
        self.qthreshold = self.qthreshold.filter(|&packets| packets != 0);
        self
    }
}
