//! Chains.
//!
//! Owns: the attributes `NFTA_CHAIN_*` and `NFTA_HOOK_*` as one value, written and read side by side.
//! Never: knows which hooks and priorities the chains of iptables have (`wrap` does), or what user data means
//! ([`userdata`](super::userdata)).
//!
//! Invariant: a base chain has a type, a hook and a priority; a regular chain has none of them.
//!
//! Where the truth is: `nft_chain_policy` and `nf_tables_fill_chain_info`, `net/netfilter/nf_tables_api.c` (Linux v6.12).

use std::sync::Arc;

use super::Family;
use super::expr::Counter;
use super::message::named;
use super::uapi::*;
use crate::name::{ChainName, TableName};
use crate::netlink::attr::{Attr, AttrError, Reader, Writer, required};

/// A chain: a regular one, or a base chain when it has [`base`](Chain::base).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Family; in `nfgenmsg`.
    pub family: Family,
    /// `NFTA_CHAIN_TABLE`.
    pub table: TableName,
    /// `NFTA_CHAIN_NAME`; with [`handle`](Chain::handle) in a request, the new name.
    pub name: ChainName,
    /// `NFTA_CHAIN_HANDLE`; set by the kernel, or naming the chain to change.
    pub handle: Option<u64>,
    /// `NFTA_CHAIN_HOOK`, `_TYPE`, `_POLICY`, for base chains.
    pub base: Option<BaseChain>,
    /// `NFTA_CHAIN_COUNTERS`, of base chains: packets and bytes that met the policy.
    pub counters: Option<Counter>,
    /// `NFTA_CHAIN_USE`: rules in it and references to it; set by the kernel.
    pub uses: Option<u32>,
    /// `NFTA_CHAIN_FLAGS` (`NFT_CHAIN_*`: 1 base, 2 hardware offload, 4 binding).
    pub flags: Option<u32>,
    /// `NFTA_CHAIN_USERDATA`, at most 256 bytes (since Linux 5.10).
    pub userdata: Option<Box<[u8]>>,
}

/// What makes a chain a base chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseChain {
    /// `NFTA_CHAIN_TYPE`: `filter`, `nat` or `route`.
    pub kind: Arc<str>,
    /// `NFTA_HOOK_HOOKNUM` (`NF_INET_*`, or `NF_NETDEV_*`).
    pub hook: u32,
    /// `NFTA_HOOK_PRIORITY`: lower runs earlier.
    pub priority: i32,
    /// `NFTA_CHAIN_POLICY`; `None` leaves it as it is, or accept for a new chain.
    pub policy: Option<Policy>,
    /// `NFTA_HOOK_DEV` or `NFTA_HOOK_DEVS`, for the netdev family.
    pub devices: Vec<Arc<str>>,
}

/// What happens to a packet that reaches the end of a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// `NF_DROP`.
    Drop,
    /// `NF_ACCEPT`.
    Accept,
}

impl Policy {
    /// `NF_DROP` or `NF_ACCEPT`.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Drop => NF_DROP,
            Self::Accept => NF_ACCEPT,
        }
    }

    fn decode(attribute: &Attr<'_>) -> Result<Self, AttrError> {
        let code = attribute.u32_be()?;
        match i32::try_from(code) {
            Ok(NF_DROP) => Ok(Self::Drop),
            Ok(NF_ACCEPT) => Ok(Self::Accept),
            _ => Err(AttrError::UnknownValue { kind: attribute.kind, value: code.into() }),
        }
    }
}

impl Chain {
    /// A regular chain to make.
    #[must_use]
    pub fn new(family: Family, table: TableName, name: ChainName) -> Self {
        Self { family, table, name, handle: None, base: None, counters: None, uses: None, flags: None, userdata: None }
    }

    /// Writes the attributes of a message about this chain.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_CHAIN_TABLE, self.table.as_str());
        w.string(NFTA_CHAIN_NAME, self.name.as_str());
        if let Some(base) = &self.base {
            base.encode_hook(w);
            if let Some(policy) = base.policy {
                w.u32_be(NFTA_CHAIN_POLICY, policy.code().cast_unsigned());
            }
        }
        if let Some(uses) = self.uses {
            w.u32_be(NFTA_CHAIN_USE, uses);
        }
        if let Some(counter) = self.counters {
            w.nest(NFTA_CHAIN_COUNTERS, |w| counter.encode(w));
        }
        if let Some(handle) = self.handle {
            w.u64_be(NFTA_CHAIN_HANDLE, handle);
        }
        if let Some(base) = &self.base {
            w.string(NFTA_CHAIN_TYPE, &base.kind);
        }
        if let Some(flags) = self.flags {
            w.u32_be(NFTA_CHAIN_FLAGS, flags);
        }
        if let Some(userdata) = &self.userdata {
            w.bytes(NFTA_CHAIN_USERDATA, userdata);
        }
    }

    /// Reads the attributes of a message about a chain.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed, table or name is missing, or a hook comes without a type.
    pub fn decode(family: Family, attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (mut table, mut name, mut hook, mut kind, mut policy) = (None, None, None, None, None);
        let (mut handle, mut counters, mut uses, mut flags, mut userdata) = (None, None, None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_CHAIN_TABLE => table = Some(named(&attribute, TableName::from_kernel)?),
                NFTA_CHAIN_NAME => name = Some(named(&attribute, ChainName::from_kernel)?),
                NFTA_CHAIN_HANDLE => handle = Some(attribute.u64_be()?),
                NFTA_CHAIN_HOOK => hook = Some(Hook::decode(attribute.attrs())?),
                NFTA_CHAIN_TYPE => kind = Some(Arc::from(attribute.string()?)),
                NFTA_CHAIN_POLICY => policy = Some(Policy::decode(&attribute)?),
                NFTA_CHAIN_COUNTERS => counters = Some(Counter::decode(attribute.attrs())?),
                NFTA_CHAIN_USE => uses = Some(attribute.u32_be()?),
                NFTA_CHAIN_FLAGS => flags = Some(attribute.u32_be()?),
                NFTA_CHAIN_USERDATA => userdata = Some(attribute.payload.into()),
                _ => {}
            }
        }
        let base = match hook {
            Some(Hook { number: hook, priority, devices }) => {
                let kind = required(kind, NFTA_CHAIN_TYPE, "NFTA_CHAIN_TYPE")?;
                Some(BaseChain { kind, hook, priority, policy, devices })
            }
            None => None,
        };
        let table = required(table, NFTA_CHAIN_TABLE, "NFTA_CHAIN_TABLE")?;
        let name = required(name, NFTA_CHAIN_NAME, "NFTA_CHAIN_NAME")?;
        Ok(Self { family, table, name, handle, base, counters, uses, flags, userdata })
    }
}

impl BaseChain {
    fn encode_hook(&self, w: &mut Writer<'_>) {
        w.nest(NFTA_CHAIN_HOOK, |w| {
            w.u32_be(NFTA_HOOK_HOOKNUM, self.hook);
            w.u32_be(NFTA_HOOK_PRIORITY, self.priority.cast_unsigned());
            match self.devices.as_slice() {
                [] => {}
                [device] => w.string(NFTA_HOOK_DEV, device),
                devices => w.nest(NFTA_HOOK_DEVS, |w| devices.iter().for_each(|d| w.string(NFTA_DEVICE_NAME, d))),
            }
        });
    }
}

struct Hook {
    number: u32,
    priority: i32,
    devices: Vec<Arc<str>>,
}

impl Hook {
    fn decode(attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (mut number, mut priority, mut first, mut devices) = (None, None, None, Vec::new());
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_HOOK_HOOKNUM => number = Some(attribute.u32_be()?),
                NFTA_HOOK_PRIORITY => priority = Some(attribute.u32_be()?.cast_signed()),
                NFTA_HOOK_DEV => first = Some(Arc::from(attribute.string()?)),
                NFTA_HOOK_DEVS => {
                    devices = attribute.attrs().map(|d| Ok(Arc::from(d?.string()?))).collect::<Result<_, _>>()?;
                }
                _ => {}
            }
        }
        // A chain on one device is dumped with both attributes (`nft_dump_basechain_hook`).
        if devices.is_empty() {
            devices.extend(first);
        }
        Ok(Self {
            number: required(number, NFTA_HOOK_HOOKNUM, "NFTA_HOOK_HOOKNUM")?,
            priority: required(priority, NFTA_HOOK_PRIORITY, "NFTA_HOOK_PRIORITY")?,
            devices,
        })
    }
}
