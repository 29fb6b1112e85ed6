//! Ports of `-m tcp`, `-m udp`, `-m sctp` and `-m dccp`: loads from the transport header.
//!
//! Fragments but the first have no ports. The kernel ends a rule that loads from their transport header, but not in the
//! fast path that it takes for loads of one, two or four bytes (`nft_payload_fast_eval`, `nf_tables_core.c`): these read
//! the fragment's data. So three bytes are loaded before the first such load of a rule ([`unfragmented`]); what they are is
//! of no matter. The ports of iptables-nft lack this. It only shows where nothing tracks connections, as tracking puts
//! packets together first.

use super::super::condition::{Condition, Field, Test};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use crate::compile::CompileError;
use crate::compile::registers::TEST;
use crate::nft::expr::{CmpOp, Expr, Payload, PayloadBase};
use crate::rule::matches::{Dccp, Sctp, Tcp, Udp};
use crate::rule::{Match, Not, PortRange, Protocol};

pub(in super::super) const SOURCE: Field = Field::Payload { base: PayloadBase::Transport, offset: 0, len: 2 };
pub(in super::super) const DESTINATION: Field = Field::Payload { base: PayloadBase::Transport, offset: 2, len: 2 };
const BOTH: Field = Field::Payload { base: PayloadBase::Transport, offset: 0, len: 4 };

/// The start of the header, by a length that is not loaded in the fast path.
const HEADER: Field = Field::Payload { base: PayloadBase::Transport, offset: 0, len: 3 };

/// Ends the rule for all fragments but the first. `nft` does not list a load whose register is loaded again.
pub(in super::super) fn unfragmented() -> Expr {
    Expr::Payload(Payload::Load { dreg: TEST, base: PayloadBase::Transport, offset: 0, len: 3 })
}

type Ports = Option<Not<PortRange>>;

pub(super) fn compile(
    protocol: Protocol,
    option: &'static str,
    sport: &Ports,
    dport: &Ports,
    w: &mut Writer<'_>,
) -> Result<Form, CompileError> {
    w.needs(&[protocol], option, "it needs `-p` with the same protocol")?;
    match (*sport, *dport) {
        (None, None) => w.test(present()),
        (Some(sport), Some(dport)) if is_one(sport) && is_one(dport) => {
            let ([a, b], [c, d]) = (sport.value.first().to_be_bytes(), dport.value.first().to_be_bytes());
            w.test(Condition::equals(BOTH, false, [a, b, c, d]));
        }
        (sport, dport) => {
            for (ports, field) in [(sport, SOURCE), (dport, DESTINATION)] {
                if let Some(Not { negated, value }) = ports {
                    w.test(Condition::range(field, negated, value.first().to_be_bytes(), value.last().to_be_bytes()));
                }
            }
        }
    }
    Ok(Form::Native)
}

/// The header is there: what a match without options asks.
pub(super) fn present() -> Condition {
    Condition::new(HEADER, Test::Cmp(CmpOp::Gte, [0; 3].into()))
}

fn is_one(ports: Not<PortRange>) -> bool {
    !ports.negated && ports.value.is_single()
}

/// The ports of a condition on one side.
pub(super) fn range(c: &Condition) -> Option<Not<PortRange>> {
    let (negated, first, last) = c.as_range()?;
    Some(Not { negated, value: PortRange::new(u16::from_be_bytes(first), u16::from_be_bytes(last))? })
}

pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let protocol = l.protocol()?;
    match c.field {
        HEADER if *c == present() => {
            l.push(fresh(protocol, None, None)?)?;
            l.guard = true;
            Some(())
        }
        SOURCE => {
            let sport = range(c)?;
            once(l, fresh(protocol, Some(sport), None)?)
        }
        DESTINATION => {
            let dport = range(c)?;
            // Two single ports of one match would have been one load.
            let joins = |sport: &Ports| sport.is_some_and(|sport| !(is_one(sport) && is_one(dport)));
            match l.rule.matches.last_mut() {
                Some(Match::Tcp(Tcp { sport, dport: place @ None, flags: None, option: None }))
                | Some(Match::Udp(Udp { sport, dport: place @ None }))
                | Some(Match::Sctp(Sctp { sport, dport: place @ None }))
                | Some(Match::Dccp(Dccp { sport, dport: place @ None }))
                    if joins(sport) =>
                {
                    *place = Some(dport);
                    Some(())
                }
                _ => once(l, fresh(protocol, None, Some(dport))?),
            }
        }
        BOTH => {
            let (false, [a, b, c, d], same) = c.as_range()? else { return None };
            (same == [a, b, c, d]).then_some(())?;
            let port = |bytes| Some(Not::is(PortRange::single(u16::from_be_bytes(bytes))));
            l.push(fresh(protocol, port([a, b]), port([c, d]))?)
        }
        _ => None,
    }
}

/// Text names a protocol's match once: another condition on its ports is one of `-m multiport`.
fn once(l: &mut Lift<'_>, m: Match) -> Option<()> {
    let again = l.rule.matches.iter().any(|other| std::mem::discriminant(other) == std::mem::discriminant(&m));
    if again { None } else { l.push(m) }
}

/// The match of a protocol.
fn fresh(protocol: Protocol, sport: Ports, dport: Ports) -> Option<Match> {
    Some(match protocol {
        Protocol::TCP => Match::Tcp(Tcp { sport, dport, ..Tcp::default() }),
        Protocol::UDP => Match::Udp(Udp { sport, dport }),
        Protocol::SCTP => Match::Sctp(Sctp { sport, dport }),
        Protocol::DCCP => Match::Dccp(Dccp { sport, dport }),
        _ => return None,
    })
}
