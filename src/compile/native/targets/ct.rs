//! `-j CT`: `notrack` and `ct zone set`.

use super::super::{Form, Writer};
use super::{Place, Store, Value};
use crate::nft::expr::{CtDirection, CtKey, Expr, Notrack};
use crate::rule::Target;
use crate::rule::targets::{Ct, CtZone, CtZoneDirection, CtZoneId};

pub(super) fn compile(t: &Ct, w: &mut Writer<'_>) -> Form {
    if t.notrack {
        // The xt target looks at nothing else then.
        w.push(Expr::Notrack(Notrack));
        return Form::Native;
    }
    if t.helper.is_some() || t.timeout.is_some() || t.events.is_some() || t.expect_new {
        return Form::Xt("nft takes helpers, timeouts and events from named objects or later in the path");
    }
    let direction = match t.zone {
        None => return Form::Xt("without an option it attaches a template all the same"),
        Some(CtZone { id: CtZoneId::Mark, .. }) => {
            return Form::Xt("the zone follows the mark up to connection tracking");
        }
        Some(CtZone { direction, .. }) => match direction {
            CtZoneDirection::Both => None,
            CtZoneDirection::Original => Some(CtDirection::Original),
            CtZoneDirection::Reply => Some(CtDirection::Reply),
        },
    };
    if let Some(CtZone { id: CtZoneId::Number(zone), .. }) = t.zone {
        let value = Value::Constant(zone.to_ne_bytes().into());
        Store { to: Place::Ct(CtKey::ZONE, direction), value }.write(w);
    }
    Form::Native
}

pub(super) fn lift(store: &Store) -> Option<Target> {
    let (Place::Ct(_, direction), Value::Constant(data)) = (store.to, store.value) else { return None };
    let direction = match direction {
        None => CtZoneDirection::Both,
        Some(CtDirection::Original) => CtZoneDirection::Original,
        Some(CtDirection::Reply) => CtZoneDirection::Reply,
    };
    let id = CtZoneId::Number(u16::from_ne_bytes(data.as_bytes().try_into().ok()?));
    Some(Target::Ct(Box::new(Ct { zone: Some(CtZone { direction, id }), ..Ct::default() })))
}
