//! `mark`: native; its struct `xt_mark_mtinfo1`, which `connmark` has too, is only read.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::compile::stock::info::read;
use crate::compile::stock::test::{Condition, Source, Test};
use crate::nft::expr::{Data, Expr, MetaKey};
use crate::rule::{MarkMask, Match, Not};

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Info {
    mark: u32,
    mask: u32,
    invert: u8,
    pad: [u8; 7],
}
const _: () = assert!(size_of::<Info>() == 16);

impl From<Not<MarkMask>> for Info {
    fn from(Not { negated, value: MarkMask { value, mask } }: Not<MarkMask>) -> Self {
        Self { mark: value, mask, invert: u8::from(negated), pad: [0; 7] }
    }
}

impl Info {
    pub(super) fn lift(info: &[u8]) -> Result<Not<MarkMask>, &'static str> {
        let info: Self = read(info)?;
        Ok(Not { negated: info.invert != 0, value: MarkMask { value: info.mark, mask: info.mask } })
    }
}

/// Marks are in host order; a mask of all bits is left out.
pub(super) fn compile(mark: Not<MarkMask>, out: &mut Vec<Expr>) {
    let MarkMask { value, mask } = mark.value;
    let mask = (mask != u32::MAX).then(|| Data::from(mask.to_ne_bytes()));
    let condition = Condition::equals(value.to_ne_bytes(), mark.negated);
    Test { source: Source::Meta(MetaKey::MARK), mask, condition }.write(out);
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    Info::lift(info).map(Match::Mark)
}

pub(super) fn lift_test(test: &Test) -> Result<Match, &'static str> {
    let word = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(u32::from_ne_bytes).map_err(|_| "a mark has four bytes");
    let (value, negated) = test.condition.equality().ok_or("iptables only knows equal marks")?;
    let mask = test.mask.map_or(Ok(u32::MAX), |m| word(m.as_bytes()))?;
    Ok(Match::Mark(Not { negated, value: MarkMask { value: word(value)?, mask } }))
}
