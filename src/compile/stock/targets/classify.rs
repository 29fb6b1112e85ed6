//! `CLASSIFY`: `struct xt_classify_target_info`.

use crate::compile::stock::info::{Name, read, xt_target};
use crate::nft::expr::Expr;
use crate::rule::Target;

static NAME: Name = Name::new(|| "CLASSIFY".into());

pub(super) fn compile(class: u32) -> Expr {
    xt_target(&NAME, 0, &[class, 0])
}

pub(super) fn lift(info: &[u8]) -> Result<Target, &'static str> {
    let [class, _]: [u32; 2] = read(info)?;
    Ok(Target::Classify(class))
}
