//! `CHECKSUM`: `struct xt_CHECKSUM_info`.

use crate::compile::stock::info::{Name, read, xt_target};
use crate::nft::expr::Expr;
use crate::rule::Target;

static NAME: Name = Name::new(|| "CHECKSUM".into());

/// `XT_CHECKSUM_OP_FILL`, the only operation.
const FILL: u8 = 1;

pub(super) fn compile() -> Expr {
    xt_target(&NAME, 0, &[FILL, 0, 0, 0, 0, 0, 0, 0])
}

pub(super) fn lift(info: &[u8]) -> Result<Target, &'static str> {
    match read::<[u8; 8]>(info)? {
        [FILL, ..] => Ok(Target::Checksum),
        _ => Err("it has an unknown operation"),
    }
}
