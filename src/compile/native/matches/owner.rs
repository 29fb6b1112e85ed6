//! `-m owner`: `meta skuid` and `meta skgid`.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::nft::expr::MetaKey;
use crate::rule::matches::Owner;
use crate::rule::{Match, Not};

const UID: Field = Field::Meta(MetaKey::SKUID);
const GID: Field = Field::Meta(MetaKey::SKGID);

pub(super) fn compile(m: &Owner, w: &mut Writer<'_>) -> Form {
    if m.socket_exists.is_some() || m.supplementary_groups {
        return Form::Xt("nft asks neither for a socket nor for supplementary groups");
    }
    if [m.uid, m.gid].into_iter().flatten().any(|id| id.negated) {
        return Form::Xt("inverted, it also matches packets without a socket, for which nft has no owner");
    }
    if m.uid.is_none() && m.gid.is_none() {
        return Form::Xt("without an option it matches packets that have no socket");
    }
    for (ids, field) in [(m.uid, UID), (m.gid, GID)] {
        if let Some(Not { value: (first, last), .. }) = ids {
            w.test(Condition::host_range(field, false, first, last));
        }
    }
    Form::Native
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let (false, first, last) = c.as_host_range()? else { return None };
    let ids = Some(Not::is((first, last)));
    match (c.field, l.rule.matches.last_mut()) {
        (GID, Some(Match::Owner(m @ Owner { gid: None, socket_exists: None, .. })))
            if m.uid.is_some_and(|uid| !uid.negated) =>
        {
            m.gid = ids;
            Some(())
        }
        (UID, _) => l.push(Match::Owner(Owner { uid: ids, ..Owner::default() })),
        (GID, _) => l.push(Match::Owner(Owner { gid: ids, ..Owner::default() })),
        _ => None,
    }
}
