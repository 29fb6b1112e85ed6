//! `-m multiport`: an anonymous set of ports; one port or range is compared itself.
//!
//! `--ports` is an "or" of source and destination. Negated it is two lookups that must both fail; otherwise it is a set
//! of pairs in which one side is any port.

use super::super::condition::{Condition, Field, Test};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use super::ports;
use crate::compile::{AnonymousSet, CompileError, sets};
use crate::rule::matches::{Multiport, MultiportSide};
use crate::rule::{Match, Not, PortRange, Protocol};

const PROTOCOLS: [Protocol; 5] = [Protocol::TCP, Protocol::UDP, Protocol::UDPLITE, Protocol::SCTP, Protocol::DCCP];

pub(super) fn compile(m: &Multiport, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    w.needs(&PROTOCOLS, "-m multiport", "it needs `-p tcp`, udp, udplite, sctp or dccp")?;
    if m.slots() > Multiport::SLOTS {
        return Err(CompileError::TooMany { field: "-m multiport", count: m.slots(), max: Multiport::SLOTS });
    }
    let ranges: Vec<_> = m.ports.iter().map(|p| (p.first(), p.last())).collect();
    let ranges = sets::merged(&ranges);
    match m.side {
        _ if ranges.is_empty() => return Ok(Form::Xt("a set has at least one port")),
        MultiportSide::Source => list(ports::SOURCE, m, &ranges, w),
        MultiportSide::Destination => list(ports::DESTINATION, m, &ranges, w),
        MultiportSide::Either if m.negated => {
            list(ports::SOURCE, m, &ranges, w);
            list(ports::DESTINATION, m, &ranges, w);
        }
        // There the start or end of one element would lie in another, which the kernel refuses.
        MultiportSide::Either if ranges.iter().any(|r| r.0 == 0 || r.1 == u16::MAX) => {
            return Ok(Form::Xt("pairs of ports at the end of the port range would overlap"));
        }
        MultiportSide::Either => {
            let set = w.set(|id| AnonymousSet::either_u16(id, sets::key::INET_SERVICE, &ranges));
            w.test(Condition::new(Field::Ports, Test::Lookup { negated: false, set }));
        }
    }
    Ok(Form::Native)
}

fn list(field: Field, m: &Multiport, ranges: &[(u16, u16)], w: &mut Writer<'_>) {
    let condition = match *ranges {
        [(first, last)] => Condition::range(field, m.negated, first.to_be_bytes(), last.to_be_bytes()),
        _ => {
            let set = w.set(|id| AnonymousSet::of_u16(id, sets::key::INET_SERVICE, ranges));
            Condition::new(field, Test::Lookup { negated: m.negated, set })
        }
    };
    w.test(condition);
}

/// One port or range only comes here for protocols that have no match of their own.
pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    PROTOCOLS.contains(&l.protocol()?).then_some(())?;
    let (negated, side, ranges) = match (c.field, &c.test) {
        (Field::Ports, _) => {
            let (negated, set) = l.set(c)?;
            (!negated).then_some((false, MultiportSide::Either, set.to_either_u16()?))?
        }
        (field, test) => {
            let side = match field {
                ports::SOURCE => MultiportSide::Source,
                ports::DESTINATION => MultiportSide::Destination,
                _ => return None,
            };
            match test {
                Test::Lookup { .. } => {
                    let (negated, set) = l.set(c)?;
                    (negated, side, set.to_u16()?)
                }
                _ => {
                    let Not { negated, value } = ports::range(c)?;
                    (negated, side, vec![(value.first(), value.last())])
                }
            }
        }
    };
    let ports = ranges.into_iter().map(|(first, last)| PortRange::new(first, last)).collect::<Option<_>>()?;
    l.push(Match::Multiport(Multiport { side, negated, ports }))
}
