//! What the targets of iptables do to a packet, jumps aside.
//!
//! Owns: the meaning of a target that is an xt extension, in a model or in a program.
//!
//! Where the truth is: `xt_mark.c`, `xt_connmark.c`, `xt_CT.c`, `xt_nat.c`, `ipt_REJECT.c`, `ip6t_REJECT.c` and their
//! like (Linux v6.12).

use super::connection::{Template, Tracking};
use super::outcome::{Answer, Effect, Error, NewSource, Translation, TranslationKind, Verdict, Way};
use crate::nft::expr::NatFlags;
use crate::rule::targets::{
    Connmark, ConnmarkOp, Ct, CtZone, CtZoneDirection, CtZoneId, Nat, NatOptions, PortNat, Reject,
};
use crate::rule::{Family, PortRange, Target};

/// Runs a target that is no verdict and no jump; `None` when the walk goes on with the next rule.
pub(super) fn run(target: &Target, way: &mut Way) -> Result<Option<Verdict>, Error> {
    match target {
        Target::Accept => return Ok(Some(Verdict::Accept)),
        Target::Drop => return Ok(Some(Verdict::Drop)),
        Target::Return | Target::Jump(_) | Target::Goto(_) => {
            return Err(Error::unknown("target", "a jump is the walk's own business"));
        }
        Target::Checksum => way.effects.push(Effect::Checksum),
        Target::Classify(class) => way.priority = *class,
        Target::Connmark(t) => connmark(*t, way)?,
        Target::Ct(t) => ct(t, way),
        Target::Notrack => notrack(way),
        Target::Log(t) => way.effects.push(Effect::Log {
            level: t.level.into(),
            prefix: t.prefix.clone(),
            flags: t.flags.bits().into(),
        }),
        Target::Nflog(t) => way.effects.push(Effect::Nflog {
            group: t.group,
            prefix: t.prefix.clone().unwrap_or_default(),
            size: t.size,
            threshold: t.threshold.unwrap_or(0),
        }),
        Target::Mark(m) => way.mark = way.mark & !m.mask ^ m.value,
        Target::Tcpmss(t) => way.effects.push(Effect::Tcpmss(*t)),
        Target::Reject(t) => return Ok(Some(Verdict::Reject(answer(*t, way.family)))),
        Target::Dnat(t) => return Ok(Some(translate(TranslationKind::Destination, nat(t), t, way))),
        Target::Snat(t) => return Ok(Some(translate(TranslationKind::Source, nat(t), t, way))),
        Target::Masquerade(t) => {
            return Ok(Some(translate(TranslationKind::Source, NewSource::Host, &of_ports(t), way)));
        }
        Target::Redirect(t) => {
            return Ok(Some(translate(TranslationKind::Destination, NewSource::Host, &of_ports(t), way)));
        }
    }
    Ok(None)
}

fn nat(t: &Nat) -> NewSource {
    t.addresses.map_or(NewSource::Same, |(first, last)| NewSource::Between(first, last))
}

fn of_ports(t: &PortNat) -> Nat {
    Nat { ports: t.ports, options: t.options, ..Nat::default() }
}

fn translate(kind: TranslationKind, to: NewSource, t: &Nat, way: &mut Way) -> Verdict {
    let ports = |range: PortRange| (range.first(), range.last());
    let flags = flags(t.options);
    let base_port = t.base_port;
    way.effects.push(Effect::Translate(Translation { kind, to, ports: t.ports.map(ports), base_port, flags }));
    Verdict::Accept
}

fn flags(options: NatOptions) -> NatFlags {
    NatFlags::from_bits_retain(options.bits())
}

/// The codes of `ICMP_DEST_UNREACH` and `ICMPV6_DEST_UNREACH` that the answers stand for.
fn answer(reject: Reject, family: Family) -> Answer {
    Answer::Unreachable(match (reject, family) {
        (Reject::TcpReset, _) => return Answer::Reset,
        (Reject::PortUnreachable, Family::Ipv4) => 3,
        (Reject::PortUnreachable, Family::Ipv6) => 4,
        (Reject::NetUnreachable | Reject::NoRoute, _) => 0,
        (Reject::HostUnreachable | Reject::AdmProhibited6, _) => 1,
        (Reject::ProtoUnreachable, _) => 2,
        (Reject::AddrUnreachable, _) => 3,
        (Reject::NetProhibited, _) => 9,
        (Reject::HostProhibited, _) => 10,
        (Reject::AdminProhibited, _) => 13,
        (Reject::PolicyFail, _) => 5,
        (Reject::RejectRoute, _) => 6,
    })
}

/// `connmark_tg_shift`. A packet without a connection goes on untouched.
fn connmark(Connmark { op, shift }: Connmark, way: &mut Way) -> Result<(), Error> {
    if !(-31..=31).contains(&shift) {
        return Err(Error::unknown("CONNMARK", "a shift by all bits has no meaning in C"));
    }
    let shifted = |value: u32| {
        let by = u32::from(shift.unsigned_abs());
        if shift < 0 { value >> by } else { value << by }
    };
    let mark = way.mark;
    let Some(connmark) = way.tracking.mark_mut() else { return Ok(()) };
    match op {
        ConnmarkOp::Set(m) => *connmark = shifted(*connmark & !m.mask ^ m.value),
        ConnmarkOp::Save { nfmask, ctmask } => *connmark = *connmark & !ctmask ^ shifted(mark & nfmask),
        ConnmarkOp::Restore { nfmask, ctmask } => way.mark = mark & !nfmask ^ shifted(*connmark & ctmask),
    }
    Ok(())
}

/// `xt_ct_target`: whoever comes first decides, `NOTRACK` included.
fn ct(t: &Ct, way: &mut Way) {
    if t.notrack {
        return notrack(way);
    }
    if way.tracking != Tracking::None {
        return;
    }
    way.tracking = Tracking::Template(t.zone.map_or(Template::default(), template));
    if t.helper.is_some() || t.timeout.is_some() || t.events.is_some() || t.expect_new {
        let (helper, timeout, events) = (t.helper.clone(), t.timeout.clone(), t.events);
        way.effects.push(Effect::Helper { helper, timeout, events, expect_new: t.expect_new });
    }
}

fn template(zone: CtZone) -> Template {
    let (id, zone_from_mark) = match zone.id {
        CtZoneId::Number(id) => (id, false),
        CtZoneId::Mark => (0, true),
    };
    zoned(id, Template { zone_from_mark, ..Template::default() }, zone.direction)
}

/// A template with a zone in the directions it is for; the other direction is in zone 0.
pub(super) fn zoned(id: u16, template: Template, direction: CtZoneDirection) -> Template {
    match direction {
        CtZoneDirection::Both => Template { original_zone: id, reply_zone: id, ..template },
        CtZoneDirection::Original => Template { original_zone: id, ..template },
        CtZoneDirection::Reply => Template { reply_zone: id, ..template },
    }
}

fn notrack(way: &mut Way) {
    if way.tracking == Tracking::None {
        way.tracking = Tracking::Untracked;
    }
}
