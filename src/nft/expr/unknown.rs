//! Expressions that are kept and not understood.

use std::sync::Arc;

/// An expression of another tool or a later kernel, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// `NFTA_EXPR_NAME`.
    pub name: Arc<str>,
    /// Payload of `NFTA_EXPR_DATA`; `None` when the expression has none.
    pub data: Option<Arc<[u8]>>,
}
