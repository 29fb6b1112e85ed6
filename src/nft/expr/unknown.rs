//! Expressions that are kept and not understood.

use std::sync::Arc;

use crate::netlink::attr::Writer;
use crate::nft::uapi::{NFTA_EXPR_DATA, NFTA_EXPR_NAME};

/// An expression of another tool or a later kernel, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// `NFTA_EXPR_NAME`.
    pub name: Arc<str>,
    /// Payload of `NFTA_EXPR_DATA`; `None` when the expression has none.
    pub data: Option<Arc<[u8]>>,
}

impl Unknown {
    /// Writes `NFTA_EXPR_NAME` and, if there is any, `NFTA_EXPR_DATA`.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        w.string(NFTA_EXPR_NAME, &self.name);
        if let Some(data) = &self.data {
            w.nest(NFTA_EXPR_DATA, |w| w.raw(data));
        }
    }
}
