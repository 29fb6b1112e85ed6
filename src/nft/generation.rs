//! Generations of the ruleset.

use std::sync::Arc;

use super::uapi::*;
use crate::netlink::attr::{AttrError, Reader, Writer, required};

/// The state of a namespace's ruleset: its number grows by one with each transaction that changes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// `NFTA_GEN_ID`. Never 0: in a batch that means "whatever it is".
    pub id: u32,
    /// `NFTA_GEN_PROC_PID`: who asked for this answer, or in a notification, who committed.
    pub process: Option<u32>,
    /// `NFTA_GEN_PROC_NAME`: that process's name.
    pub process_name: Option<Arc<str>>,
}

impl Generation {
    /// Writes the attributes of `NFT_MSG_NEWGEN`.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u32_be(NFTA_GEN_ID, self.id);
        if let Some(process) = self.process {
            w.u32_be(NFTA_GEN_PROC_PID, process);
        }
        if let Some(name) = &self.process_name {
            w.string(NFTA_GEN_PROC_NAME, name);
        }
    }

    /// Reads the attributes of `NFT_MSG_NEWGEN`.
    ///
    /// # Errors
    /// [`AttrError`] when one is malformed, or the number is missing.
    pub fn decode(attributes: Reader<'_>) -> Result<Self, AttrError> {
        let (mut id, mut process, mut process_name) = (None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                NFTA_GEN_ID => id = Some(attribute.u32_be()?),
                NFTA_GEN_PROC_PID => process = Some(attribute.u32_be()?),
                NFTA_GEN_PROC_NAME => process_name = Some(Arc::from(attribute.string()?)),
                _ => {}
            }
        }
        Ok(Self { id: required(id, NFTA_GEN_ID, "NFTA_GEN_ID")?, process, process_name })
    }
}
