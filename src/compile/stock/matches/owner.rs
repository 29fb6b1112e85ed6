//! `owner` revision 1: `struct xt_owner_match_info`.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::compile::CompileError;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::Owner;
use crate::rule::{Match, Not};

static NAME: Name = Name::new(|| "owner".into());

/// `XT_OWNER_*`.
const UID: u8 = 1 << 0;
const GID: u8 = 1 << 1;
const SOCKET: u8 = 1 << 2;
const SUPPL_GROUPS: u8 = 1 << 3;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    uid_min: u32,
    uid_max: u32,
    gid_min: u32,
    gid_max: u32,
    matched: u8,
    invert: u8,
    pad: [u8; 6],
}
const _: () = assert!(size_of::<Info>() == 24);

impl Info {
    fn option<T>(&mut self, option: Option<Not<T>>, bit: u8) -> Option<T> {
        let Not { negated, value } = option?;
        self.matched |= bit;
        if negated {
            self.invert |= bit;
        }
        Some(value)
    }

    fn given<T>(&self, bit: u8, value: T) -> Option<Not<T>> {
        (self.matched & bit != 0).then(|| Not { negated: self.invert & bit != 0, value })
    }
}

pub(super) fn compile(m: &Owner) -> Result<Expr, CompileError> {
    let mut info = Info::new_zeroed();
    info.option(m.socket_exists, SOCKET);
    if let Some((min, max)) = info.option(m.uid, UID) {
        (info.uid_min, info.uid_max) = (min, max);
    }
    if let Some((min, max)) = info.option(m.gid, GID) {
        (info.gid_min, info.gid_max) = (min, max);
    }
    if m.supplementary_groups {
        if m.gid.is_none() {
            return Err(CompileError::Value { field: "--suppl-groups", reason: "needs --gid-owner" });
        }
        info.matched |= SUPPL_GROUPS;
    }
    Ok(xt_match(&NAME, 1, &info))
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    Ok(Match::Owner(Owner {
        socket_exists: info.given(SOCKET, ()),
        uid: info.given(UID, (info.uid_min, info.uid_max)),
        gid: info.given(GID, (info.gid_min, info.gid_max)),
        supplementary_groups: info.matched & SUPPL_GROUPS != 0,
    }))
}
