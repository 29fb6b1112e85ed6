//! `MARK` revision 2: `struct xt_mark_tginfo2`.

use crate::compile::stock::info::{Name, read, xt_target};
use crate::nft::expr::Expr;
use crate::rule::{MarkMask, Target};

static NAME: Name = Name::new(|| "MARK".into());

/// `{ u32 mark, mask }`.
pub(super) fn compile(MarkMask { value, mask }: MarkMask) -> Expr {
    xt_target(&NAME, 2, &[value, mask])
}

pub(super) fn lift(info: &[u8]) -> Result<Target, &'static str> {
    let [value, mask]: [u32; 2] = read(info)?;
    Ok(Target::Mark(MarkMask { value, mask }))
}
