//! Matches: which native conditions mean the same, and what conditions read as.

mod addrtype;
mod conntrack;
mod icmp;
mod iprange;
mod length;
mod limit;
mod mac;
mod mark;
mod multiport;
mod owner;
mod pkttype;
mod ports;
mod rpfilter;
mod set;
mod tcp;
mod tos;
mod ttl;

pub(super) use limit::lift as lift_limit;
pub(super) use mac::{SOURCE as MAC, on_ethernet};
pub(super) use ports::{DESTINATION as DESTINATION_PORT, SOURCE as SOURCE_PORT, unfragmented};

use std::borrow::Cow;

use super::condition::{Condition, Field};
use super::lift::Lift;
use super::{Form, Writer};
use crate::compile::CompileError;
use crate::compile::stock::Extension;
use crate::nft::expr::{CtKey, MetaKey, PayloadBase};
use crate::rule::{Family, Match, Protocol};

/// Appends the conditions of a match, or its xt extension.
pub(super) fn compile(m: &Match, w: &mut Writer<'_>) -> Result<(), CompileError> {
    let form = match m {
        Match::Addrtype(m) => addrtype::compile(m, w),
        Match::Comment(_) => Form::Xt("user data has room for one comment of 253 bytes"),
        Match::Connmark(m) => mark::compile(*m, Field::Ct(CtKey::MARK, None), w),
        Match::Conntrack(m) => conntrack::compile(m, w)?,
        Match::Dccp(m) => ports::compile(Protocol::DCCP, "-m dccp", &m.sport, &m.dport, w)?,
        Match::Dscp(m) => tos::compile_dscp(*m, w)?,
        Match::Hl(m) => ttl::compile(*m, Family::Ipv6, w)?,
        Match::Icmp(m) => icmp::compile(*m, Protocol::ICMP, w)?,
        Match::Icmp6(m) => icmp::compile(*m, Protocol::ICMPV6, w)?,
        Match::Iprange(m) => iprange::compile(m, w)?,
        Match::Length(m) => length::compile(*m, w),
        Match::Limit(m) => limit::compile(*m, w),
        Match::Mac(m) => mac::compile(*m, w),
        Match::Mark(m) => mark::compile(*m, Field::Meta(MetaKey::MARK), w),
        Match::Multiport(m) => multiport::compile(m, w)?,
        Match::Owner(m) => owner::compile(m, w),
        Match::Physdev(_) => Form::Xt("nft knows bridge ports in the bridge family only"),
        Match::Pkttype(m) => pkttype::compile(*m, w),
        Match::Rpfilter(m) => rpfilter::compile(*m, w),
        Match::Sctp(m) => ports::compile(Protocol::SCTP, "-m sctp", &m.sport, &m.dport, w)?,
        Match::Set(m) => set::compile(m, w)?,
        Match::State(m) => conntrack::compile_state(*m, w),
        Match::Tcp(m) => tcp::compile(m, w)?,
        Match::Tos(m) => tos::compile(*m, w),
        Match::Ttl(m) => ttl::compile(*m, Family::Ipv4, w)?,
        Match::Udp(m) => ports::compile(Protocol::UDP, "-m udp", &m.sport, &m.dport, w)?,
    };
    match form {
        Form::Native => Ok(()),
        Form::Xt(reason) => w.xt(name(m), &Extension::Match(Cow::Borrowed(m)), reason),
    }
}

/// Takes a condition into the rule's matches.
pub(super) fn lift(c: &Condition, l: &mut Lift<'_>) -> Option<()> {
    if set::lift(c, l).is_some() {
        return Some(());
    }
    match c.field {
        Field::Payload { base: PayloadBase::Link, .. } => mac::lift(c, l),
        Field::Payload { base: PayloadBase::Network, .. } => {
            tos::lift(c, l).or_else(|| ttl::lift(c, l)).or_else(|| iprange::lift(c, l))
        }
        Field::Payload { base: PayloadBase::Transport, .. } => match l.protocol()? {
            Protocol::ICMP | Protocol::ICMPV6 => icmp::lift(c, l),
            _ => tcp::lift_flags(c, l).or_else(|| ports::lift(c, l)).or_else(|| multiport::lift(c, l)),
        },
        Field::Payload { base: PayloadBase::Inner, .. } => None,
        Field::Meta(MetaKey::MARK) => l.push(Match::Mark(mark::lift(c)?)),
        Field::Meta(MetaKey::LEN) => length::lift(c, l),
        Field::Meta(MetaKey::PKTTYPE) => pkttype::lift(c, l),
        Field::Meta(MetaKey::IIFTYPE) => mac::lift_ethernet(c),
        Field::Meta(_) => owner::lift(c, l),
        Field::Ct(CtKey::MARK, None) => l.push(Match::Connmark(mark::lift(c)?)),
        Field::Ct(..) => conntrack::lift(c, l),
        Field::Fib(..) => rpfilter::lift(c, l).or_else(|| addrtype::lift(c, l)),
        Field::TcpOption(_) => tcp::lift_option(c, l),
        Field::Ports => multiport::lift(c, l),
    }
}

/// The name that iptables has for a match.
pub(super) fn name(m: &Match) -> &'static str {
    match m {
        Match::Addrtype(_) => "addrtype",
        Match::Comment(_) => "comment",
        Match::Connmark(_) => "connmark",
        Match::Conntrack(_) => "conntrack",
        Match::Dccp(_) => "dccp",
        Match::Dscp(_) => "dscp",
        Match::Hl(_) => "hl",
        Match::Icmp(_) => "icmp",
        Match::Icmp6(_) => "icmp6",
        Match::Iprange(_) => "iprange",
        Match::Length(_) => "length",
        Match::Limit(_) => "limit",
        Match::Mac(_) => "mac",
        Match::Mark(_) => "mark",
        Match::Multiport(_) => "multiport",
        Match::Owner(_) => "owner",
        Match::Physdev(_) => "physdev",
        Match::Pkttype(_) => "pkttype",
        Match::Rpfilter(_) => "rpfilter",
        Match::Sctp(_) => "sctp",
        Match::Set(_) => "set",
        Match::State(_) => "state",
        Match::Tcp(_) => "tcp",
        Match::Tos(_) => "tos",
        Match::Ttl(_) => "ttl",
        Match::Udp(_) => "udp",
    }
}
