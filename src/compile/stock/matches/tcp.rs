//! `tcp`: native but for options and for a match that asks nothing, which are `struct xt_tcp`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::udp::{compile_ports, field, lift_ports, range};
use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_match};
use crate::compile::stock::test::{Condition, Source, Test};
use crate::nft::expr::{Data, Expr, PayloadBase};
use crate::rule::matches::{Tcp, TcpFlags};
use crate::rule::{Match, Not, PortRange, Protocol};

static NAME: Name = Name::new(|| "tcp".into());

/// `struct tcphdr`: the flags.
const FLAGS: Source = Source::Payload { base: PayloadBase::Transport, offset: 13, len: 1 };

/// `--tcp-flags NONE NONE`, which every packet has.
const NO_FLAGS: Not<TcpFlags> = Not { negated: false, value: TcpFlags { mask: 0, set: 0 } };

/// `XT_TCP_INV_*`.
const INV_SRCPT: u8 = 1;
const INV_DSTPT: u8 = 2;
const INV_FLAGS: u8 = 4;
const INV_OPTION: u8 = 8;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    spts: [u16; 2],
    dpts: [u16; 2],
    option: u8,
    flg_mask: u8,
    flg_cmp: u8,
    invflags: u8,
    pad: [u8; 4],
}
const _: () = assert!(size_of::<Info>() == 16);

impl From<&Tcp> for Info {
    fn from(m: &Tcp) -> Self {
        let inverted = |bit: u8, negated: Option<bool>| if negated == Some(true) { bit } else { 0 };
        let flags = m.flags.unwrap_or(NO_FLAGS).value;
        Self {
            spts: field(m.sport),
            dpts: field(m.dport),
            option: m.option.map_or(0, |o| o.value),
            flg_mask: flags.mask,
            flg_cmp: flags.set,
            invflags: inverted(INV_SRCPT, m.sport.map(|p| p.negated))
                | inverted(INV_DSTPT, m.dport.map(|p| p.negated))
                | inverted(INV_FLAGS, m.flags.map(|f| f.negated))
                | inverted(INV_OPTION, m.option.map(|o| o.negated)),
            pad: [0; 4],
        }
    }
}

/// Whether the native form would be empty.
fn asks_nothing(m: &Tcp) -> bool {
    let all = |ports: Option<Not<PortRange>>| ports.is_none_or(|p| p == Not::is(PortRange::ALL));
    let none = m.flags.is_none_or(|f| f == NO_FLAGS);
    all(m.sport) && all(m.dport) && none
}

pub(super) fn compile(m: &Tcp, context: &Context<'_>, out: &mut Vec<Expr>) -> Result<(), CompileError> {
    context.needs(&[Protocol::TCP], "-m tcp", "needs -p tcp")?;
    if m.option.is_some_and(|o| o.value == 0) {
        return Err(CompileError::Value { field: "--tcp-option", reason: "takes 1 to 255" });
    }
    if m.option.is_some() || asks_nothing(m) {
        out.push(xt_match(&NAME, 0, &Info::from(m)));
        return Ok(());
    }
    if let Some(Not { negated, value: TcpFlags { mask, set } }) = m.flags.filter(|f| *f != NO_FLAGS) {
        let condition = Condition::equals([set], negated);
        Test { source: FLAGS, mask: Some([mask].into()), condition }.write(out);
    }
    compile_ports(m.sport, m.dport, out);
    Ok(())
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    let negated = |bit| info.invflags & bit != 0;
    let flags = Not { negated: negated(INV_FLAGS), value: TcpFlags { mask: info.flg_mask, set: info.flg_cmp } };
    Ok(Match::Tcp(Tcp {
        sport: range(info.spts, negated(INV_SRCPT))?,
        dport: range(info.dpts, negated(INV_DSTPT))?,
        flags: Some(flags).filter(|f| *f != NO_FLAGS),
        option: (info.option != 0).then(|| Not { negated: negated(INV_OPTION), value: info.option }),
    }))
}

/// Reads a native test into the rule's last tcp match that has its place free.
pub(super) fn lift_test(test: &Test, matches: &mut Vec<Match>) -> Result<(), &'static str> {
    let mut found = Tcp::default();
    if test.source == FLAGS {
        found.flags = Some(lift_flags(test)?);
    } else {
        (found.sport, found.dport) = lift_ports(test)?;
    }
    let free = |tcp: &Tcp| {
        !(tcp.sport.is_some() && found.sport.is_some()
            || tcp.dport.is_some() && found.dport.is_some()
            || tcp.flags.is_some() && found.flags.is_some()
            || tcp.option.is_some())
    };
    match matches.last_mut() {
        Some(Match::Tcp(tcp)) if free(tcp) => {
            tcp.sport = tcp.sport.or(found.sport);
            tcp.dport = tcp.dport.or(found.dport);
            tcp.flags = tcp.flags.or(found.flags);
        }
        _ => matches.push(Match::Tcp(found)),
    }
    Ok(())
}

fn lift_flags(test: &Test) -> Result<Not<TcpFlags>, &'static str> {
    match (test.mask.as_ref().map(Data::as_bytes), test.condition.equality()) {
        (Some(&[mask]), Some((&[set], negated))) => Ok(Not { negated, value: TcpFlags { mask, set } }),
        (None, Some((&[set], negated))) => Ok(Not { negated, value: TcpFlags { mask: 0xff, set } }),
        _ => Err("TCP flags are compared under a mask"),
    }
}
