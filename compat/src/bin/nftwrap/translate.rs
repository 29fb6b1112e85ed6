//! `translate`.
use crate::{args::Translate, failure::Failure};
pub(crate) fn translate(_: &Translate) -> Result<(), Failure> {
    Err(Failure::other("x"))
}
