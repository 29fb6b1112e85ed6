//! `-m tcp`: ports as all protocols have them, `tcp flags`, and `tcp option` by `exthdr`.

use super::super::condition::{Condition, Field};
use super::super::lift::Lift;
use super::super::{Form, Writer};
use super::ports;
use crate::compile::CompileError;
use crate::nft::expr::PayloadBase;
use crate::rule::matches::{Multiport, MultiportSide, Tcp, TcpFlags};
use crate::rule::{Match, Not, Protocol};

/// `struct tcphdr`: the flags.
const FLAGS: Field = Field::Payload { base: PayloadBase::Transport, offset: 13, len: 1 };

pub(super) fn compile(m: &Tcp, w: &mut Writer<'_>) -> Result<Form, CompileError> {
    // `TCPOPT_EOL` and `TCPOPT_NOP`, which exthdr does not see in the last byte of the header.
    if m.option.is_some_and(|o| o.value < 2) {
        return Ok(Form::Xt("exthdr does not find padding in every place"));
    }
    let ports = m.sport.is_some() || m.dport.is_some();
    // `exthdr` says "missing" of a later fragment, which must not match.
    let guard = m.flags.is_none() && m.option.is_none_or(|o| o.negated);
    if ports || guard {
        ports::compile(Protocol::TCP, "-m tcp", &m.sport, &m.dport, w)?;
    } else {
        w.needs(&[Protocol::TCP], "-m tcp", "it needs `-p tcp`")?;
    }
    if let Some(Not { negated, value }) = m.option {
        w.test(Condition::equals(Field::TcpOption(value), false, [u8::from(!negated)]));
    }
    if let Some(Not { negated, value: TcpFlags { mask, set } }) = m.flags {
        w.test(Condition::masked(FLAGS, negated, [mask], [set]));
    }
    Ok(Form::Native)
}

pub(super) fn lift_flags(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    (c.field == FLAGS && l.protocol() == Some(Protocol::TCP) && c.mask.is_some()).then_some(())?;
    let (negated, [mask], [set]) = c.as_masked()?;
    let flags = Some(Not { negated, value: TcpFlags { mask, set } });
    match l.rule.matches.last_mut() {
        Some(Match::Tcp(m)) if m.flags.is_none() && !l.guard => {
            m.flags = flags;
            Some(())
        }
        _ => l.push(Match::Tcp(Tcp { flags, ..Tcp::default() })),
    }
}

pub(super) fn lift_option(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    let Field::TcpOption(kind) = c.field else { return None };
    (l.protocol() == Some(Protocol::TCP)).then_some(())?;
    let (differs, [there], [same]) = c.as_range()?;
    (there == same && there <= 1).then_some(())?;
    let negated = (there == 0) != differs;
    let option = Some(Not { negated, value: kind });
    let guard = l.guard;
    let last = l.rule.matches.last_mut();
    if let Some(Match::Tcp(m)) = last
        && m.flags.is_none()
        && m.option.is_none()
        && (negated || !guard)
    {
        m.option = option;
        // Still a match of its own: flags would have made its guard needless.
        return Some(());
    }
    // What is missing is only asked after ports, or after the header, which would be a match of its own.
    if let Some(m) = last
        && negated
        && let Some(ports) = own_port(m)
    {
        *m = Match::Tcp(Tcp { option, ..ports });
        return Some(());
    }
    l.push(Match::Tcp(Tcp { option, ..Tcp::default() }))
}

/// One range of ports as a match of the protocol's own: it was read as `-m multiport` because there was one before.
fn own_port(m: &Match) -> Option<Tcp> {
    let Match::Multiport(Multiport { side, negated, ports }) = m else { return None };
    let &[value] = ports.as_slice() else { return None };
    let ports = Some(Not { negated: *negated, value });
    match side {
        MultiportSide::Source => Some(Tcp { sport: ports, ..Tcp::default() }),
        MultiportSide::Destination => Some(Tcp { dport: ports, ..Tcp::default() }),
        MultiportSide::Either => None,
    }
}
