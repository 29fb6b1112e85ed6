//! Matches to expressions and back: one file a match, its C struct with its writing and reading.

mod addrtype;
mod comment;
mod connmark;
mod conntrack;
mod dccp;
mod icmp;
mod iprange;
mod length;
mod limit;
mod mac;
mod mark;
mod multiport;
mod owner;
mod physdev;
mod pkttype;
mod rpfilter;
mod sctp;
mod set;
mod tcp;
mod tos;
mod ttl;
mod udp;

pub(super) use conntrack::clear_dead_mask_bytes;
pub(super) use limit::lift as lift_limit;

use super::Context;
use super::test::{Source, Test};
use crate::compile::CompileError;
use crate::name::Comment;
use crate::nft::expr::{self, Expr, MetaKey, PayloadBase};
use crate::rule::{Family, Match, Not, Protocol};

/// Appends a match's expressions.
pub(super) fn compile(m: &Match, context: &Context<'_>, out: &mut Vec<Expr>) -> Result<(), CompileError> {
    let one = match m {
        Match::Addrtype(m) => addrtype::compile(m),
        Match::Comment(m) => comment::compile(m)?,
        Match::Connmark(m) => connmark::compile(*m),
        Match::Conntrack(m) => conntrack::compile(m, context)?,
        Match::Dccp(m) => dccp::compile(m, context)?,
        Match::Dscp(m) => tos::compile_dscp(*m)?,
        Match::Hl(m) => ttl::compile_hl(*m, context)?,
        Match::Icmp(m) => icmp::compile(*m, context)?,
        Match::Icmp6(m) => icmp::compile6(*m, context)?,
        Match::Iprange(m) => iprange::compile(m, context)?,
        Match::Length(m) => length::compile(*m)?,
        Match::Limit(m) => limit::compile(m)?,
        Match::Mac(m) => mac::compile(*m),
        Match::Mark(m) => {
            mark::compile(*m, out);
            return Ok(());
        }
        Match::Multiport(m) => multiport::compile(m, context)?,
        Match::Owner(m) => owner::compile(m)?,
        Match::Physdev(m) => physdev::compile(m),
        Match::Pkttype(m) => pkttype::compile(*m),
        Match::Rpfilter(m) => rpfilter::compile(*m),
        Match::Sctp(m) => sctp::compile(m, context)?,
        Match::Set(m) => set::compile(m, context)?,
        Match::State(m) => conntrack::compile_state(*m)?,
        Match::Tcp(m) => return tcp::compile(m, context, out),
        Match::Tos(m) => tos::compile(*m),
        Match::Ttl(m) => ttl::compile(*m, context)?,
        Match::Udp(m) => return udp::compile(m, context, out),
    };
    out.push(one);
    Ok(())
}

/// Reads an xt match.
pub(super) fn lift(m: &expr::Match, context: &Context<'_>) -> Result<Match, &'static str> {
    let info = &*m.info;
    match (&*m.name, m.revision) {
        ("addrtype", 1) => addrtype::lift(info),
        ("comment", 0) => comment::lift(info),
        ("connmark", 1) => connmark::lift(info),
        ("conntrack", 3) => conntrack::lift(info, context),
        ("dccp", 0) => dccp::lift(info),
        ("dscp", 0) => tos::lift_dscp(info),
        ("hl", 0) if context.family == Family::Ipv6 => ttl::lift(info).map(Match::Hl),
        ("icmp", 0) if context.family == Family::Ipv4 => icmp::lift(info).map(Match::Icmp),
        ("icmp6", 0) if context.family == Family::Ipv6 => icmp::lift(info).map(Match::Icmp6),
        ("iprange", 1) => iprange::lift(info, context),
        ("length", 0) => length::lift(info),
        ("mac", 0) => mac::lift(info),
        ("mark", 1) => mark::lift(info),
        ("multiport", 1) => multiport::lift(info),
        ("owner", 1) => owner::lift(info),
        ("physdev", 0) => physdev::lift(info),
        ("pkttype", 0) => pkttype::lift(info),
        ("rpfilter", 0) => rpfilter::lift(info),
        ("sctp", 0) => sctp::lift(info),
        ("set", 4) => set::lift(info, context),
        ("tcp", 0) => tcp::lift(info),
        ("tos", 1) => tos::lift(info),
        ("ttl", 0) if context.family == Family::Ipv4 => ttl::lift(info).map(Match::Ttl),
        ("udp", 0) => udp::lift(info),
        _ => Err("this match, or this revision of it, is not known"),
    }
}

/// The comment of an xt comment match.
pub(super) fn lift_comment(m: &expr::Match) -> Option<Comment> {
    match (&*m.name, m.revision) {
        ("comment", 0) => match comment::lift(&m.info) {
            Ok(Match::Comment(comment)) => Some(comment),
            _ => None,
        },
        _ => None,
    }
}

/// Reads a native match into the rule's matches.
pub(super) fn lift_test(test: &Test, context: &Context<'_>, matches: &mut Vec<Match>) -> Result<(), &'static str> {
    match test.source {
        Source::Meta(MetaKey::MARK) => matches.push(mark::lift_test(test)?),
        Source::Meta(MetaKey::PKTTYPE) => matches.push(pkttype::lift_test(test)?),
        Source::Payload { base: PayloadBase::Network, offset, len: 1 } => {
            matches.push(ttl::lift_test(test, offset, context.family)?);
        }
        Source::Payload { base: PayloadBase::Transport, .. } => match context.protocol {
            Some(Not { negated: false, value: Protocol::TCP }) => tcp::lift_test(test, matches)?,
            Some(Not { negated: false, value: Protocol::UDP }) => udp::lift_test(test, matches)?,
            Some(Not { negated: false, value: Protocol::ICMP }) if context.family == Family::Ipv4 => {
                matches.push(icmp::lift_test(test).map(Match::Icmp)?);
            }
            Some(Not { negated: false, value: Protocol::ICMPV6 }) if context.family == Family::Ipv6 => {
                matches.push(icmp::lift_test(test).map(Match::Icmp6)?);
            }
            _ => return Err("a field of a header whose protocol the rule does not say"),
        },
        _ => return Err("no iptables match looks at this"),
    }
    Ok(())
}
