//! One expression after the other.
//!
//! Owns: what an expression does to registers, packet and verdict; loads are in `loads.rs`, lookups in `sets.rs`.
//!
//! Where the truth is: the eval function of each `net/netfilter/nft_*.c` (Linux v6.12).

use super::connection::{Template, Tracking};
use super::outcome::{Answer, Effect, Error, NewSource, Translation, TranslationKind, Verdict, Way};
use super::packet::Packet;
use super::registers::Registers;
use super::ruleset::{Step, Table};
use super::wire::Wire;
use super::{loads, matching, targets};
use crate::name::{ChainName, SetName};
use crate::nft::ElementData;
use crate::nft::expr::{
    self, Bitwise, BitwiseOp, Byteorder, ByteorderOp, Cmp, CmpOp, Ct, CtDirection, CtKey, Expr, Immediate, Lookup,
    Meta, MetaKey, NatFlags, NatKind, Operand, Payload, Range, Register, RejectKind,
};
use crate::rule::Family;
use crate::rule::targets::CtZoneDirection;

/// What stands in the verdict register after an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The next expression (`NFT_CONTINUE`).
    Continue,
    /// The next rule (`NFT_BREAK`).
    Break,
    /// Back to where the chain was jumped from (`NFT_RETURN`).
    Return,
    /// `NFT_JUMP`.
    Jump(ChainName),
    /// `NFT_GOTO`.
    Goto(ChainName),
    /// The packet is decided.
    End(Verdict),
}

/// What a rule runs on.
pub(super) struct Machine<'a> {
    pub(super) table: &'a Table,
    pub(super) packet: &'a Packet,
    pub(super) wire: &'a Wire,
    pub(super) way: &'a mut Way,
    pub(super) registers: Registers,
}

/// Whether the rule goes on.
fn when(holds: bool) -> Next {
    if holds { Next::Continue } else { Next::Break }
}

impl Machine<'_> {
    /// Runs one instruction.
    pub(super) fn step(&mut self, step: &Step) -> Result<Next, Error> {
        match step {
            Step::Native(expression) => self.native(expression),
            Step::Match(m) => matching::one(m, self.packet, self.way).map(when),
            Step::Target(target) => Ok(targets::run(target, self.way)?.map_or(Next::Continue, Next::End)),
            Step::Opaque(name, why) => Err(Error::unknown(name.clone(), why)),
        }
    }

    fn native(&mut self, expression: &Expr) -> Result<Next, Error> {
        match expression {
            Expr::Counter(_) => {}
            // Never reached: what it lets pass passes.
            Expr::Limit(limit) => return Ok(when(!limit.over)),
            Expr::Payload(Payload::Load { dreg, base, offset, len }) => {
                return self.loaded(*dreg, loads::payload(self.wire, *base, *offset, *len)?, "payload");
            }
            Expr::Meta(Meta::Load { key, dreg }) => {
                return self.loaded(*dreg, loads::meta(*key, self.packet, self.way, self.wire)?, "meta");
            }
            Expr::Ct(Ct::Load { key, dreg, direction }) => {
                return self.loaded(*dreg, loads::ct(*key, *direction, self.packet, self.way)?, "ct");
            }
            Expr::Fib(fib) => {
                return self.loaded(fib.dreg, loads::fib(fib.result, fib.flags, self.packet)?, "fib");
            }
            Expr::Exthdr(exthdr @ expr::Exthdr::Load { dreg, .. }) => {
                return self.loaded(*dreg, loads::option(exthdr, self.wire)?, "exthdr");
            }
            Expr::Cmp(Cmp { sreg, op, data }) => {
                let order = self.registers.load(*sreg, data.as_bytes().len(), "cmp")?.cmp(data.as_bytes());
                return Ok(when(match op {
                    CmpOp::Eq => order.is_eq(),
                    CmpOp::Neq => order.is_ne(),
                    CmpOp::Lt => order.is_lt(),
                    CmpOp::Lte => order.is_le(),
                    CmpOp::Gt => order.is_gt(),
                    CmpOp::Gte => order.is_ge(),
                }));
            }
            Expr::Range(Range { sreg, op, from, to }) => {
                let value = self.registers.load(*sreg, from.as_bytes().len(), "range")?;
                let inside = (from.as_bytes()..=to.as_bytes()).contains(&value);
                return Ok(when(inside == (*op == CmpOp::Eq)));
            }
            Expr::Bitwise(bitwise) => self.bitwise(bitwise)?,
            Expr::Byteorder(byteorder) => self.byteorder(byteorder)?,
            Expr::Lookup(lookup) => return self.lookup(lookup),
            Expr::Immediate(Immediate { data: Operand::Verdict(verdict), .. }) => return decided(verdict),
            Expr::Immediate(Immediate { dreg, data: Operand::Value(data) }) => {
                self.registers.store(*dreg, data.as_bytes(), "immediate")?;
            }
            Expr::Meta(Meta::Store { key, sreg }) => {
                let value = u32::from_ne_bytes(self.registers.load_array(*sreg, "meta")?);
                match *key {
                    MetaKey::MARK => self.way.mark = value,
                    MetaKey::PRIORITY => self.way.priority = value,
                    MetaKey(number) => {
                        return Err(Error::unknown(format!("meta key {number}"), "it cannot be set here"));
                    }
                }
            }
            Expr::Ct(Ct::Store { key, sreg, direction }) => self.ct_store(*key, *sreg, *direction)?,
            Expr::Notrack(_) => {
                // `nft_notrack_eval`: nothing when there is a connection or template, or it is exempt already.
                if self.way.tracking == Tracking::None {
                    self.way.tracking = Tracking::Untracked;
                }
            }
            Expr::Log(log) => self.way.effects.push(logged(log)),
            Expr::Reject(reject) => return Ok(Next::End(Verdict::Reject(answer(*reject, self.way.family)))),
            Expr::Nat(nat) => return self.nat(nat),
            Expr::Masq(expr::Masq { flags, proto_min, proto_max }) => {
                return self.host_nat(TranslationKind::Source, *flags, *proto_min, *proto_max);
            }
            Expr::Redir(expr::Redir { flags, proto_min, proto_max }) => {
                return self.host_nat(TranslationKind::Destination, *flags, *proto_min, *proto_max);
            }
            other => return Err(Error::unknown(other.name(), "the expression is not known here")),
        }
        Ok(Next::Continue)
    }

    fn loaded(&mut self, dreg: Register, bytes: Option<Vec<u8>>, expression: &'static str) -> Result<Next, Error> {
        let Some(bytes) = bytes else { return Ok(Next::Break) };
        self.registers.store(dreg, &bytes, expression)?;
        Ok(Next::Continue)
    }

    fn bitwise(&mut self, bitwise: &Bitwise) -> Result<(), Error> {
        let Bitwise { sreg, dreg, len, op } = *bitwise;
        let mut bytes = self.registers.load(sreg, (len as usize).next_multiple_of(4), "bitwise")?.to_vec();
        match op {
            BitwiseOp::MaskXor { mask, xor } => {
                let at = |data: &expr::Data, i: usize| data.as_bytes().get(i).copied().unwrap_or(0);
                bytes.iter_mut().enumerate().for_each(|(i, byte)| *byte = *byte & at(&mask, i) ^ at(&xor, i));
            }
            BitwiseOp::Lshift(by) | BitwiseOp::Rshift(by) => {
                // Words of the host's order; longer values shift from word to word.
                let [word] = bytes.as_chunks::<4>().0 else {
                    return Err(Error::unknown("bitwise", "shifts of more than a word are not known here"));
                };
                let word = u32::from_ne_bytes(*word);
                let shifted =
                    if matches!(op, BitwiseOp::Lshift(_)) { word.checked_shl(by) } else { word.checked_shr(by) };
                bytes = shifted.unwrap_or(0).to_ne_bytes().to_vec();
            }
        }
        self.registers.store(dreg, &bytes, "bitwise")
    }

    fn byteorder(&mut self, byteorder: &Byteorder) -> Result<(), Error> {
        let Byteorder { sreg, dreg, op, len, size } = *byteorder;
        if len != size || !matches!(size, 2 | 4 | 8) {
            return Err(Error::unknown("byteorder", "only one value of 2, 4 or 8 bytes is known here"));
        }
        let mut bytes = self.registers.load(sreg, len as usize, "byteorder")?.to_vec();
        match op {
            // The same on every host: both swap on a little-endian one, neither on a big-endian one.
            ByteorderOp::Ntoh | ByteorderOp::Hton if cfg!(target_endian = "little") => bytes.reverse(),
            ByteorderOp::Ntoh | ByteorderOp::Hton => {}
        }
        self.registers.store(dreg, &bytes, "byteorder")
    }

    fn lookup(&mut self, lookup: &Lookup) -> Result<Next, Error> {
        let name = SetName::from_kernel(&lookup.set.name);
        let set = self.table.sets.get(&name).ok_or(Error::NoSet(name))?;
        let key = self.registers.load(lookup.sreg, set.key_len, "lookup")?;
        let found = set.find(key)?;
        let Some(dreg) = lookup.dreg else { return Ok(when(found.is_some() != lookup.inverted)) };
        match found.map(|found| &found.data) {
            None => Ok(Next::Break),
            Some(Some(ElementData::Verdict(verdict))) if dreg == Register::VERDICT => decided(verdict),
            Some(Some(ElementData::Value(value))) if Some(value.len()) == set.data_len => {
                let value = value.clone();
                self.registers.store(dreg, &value, "lookup")?;
                Ok(Next::Continue)
            }
            Some(_) => Err(Error::unknown("lookup", "the element's data does not fit its register")),
        }
    }

    fn ct_store(&mut self, key: CtKey, sreg: Register, direction: Option<CtDirection>) -> Result<(), Error> {
        match key {
            CtKey::MARK => {
                let value = u32::from_ne_bytes(self.registers.load_array(sreg, "ct")?);
                if let Tracking::Connection(connection) = &mut self.way.tracking {
                    connection.mark = value;
                }
            }
            CtKey::ZONE => {
                let id = u16::from_ne_bytes(self.registers.load_array(sreg, "ct")?);
                let direction = match direction {
                    None => CtZoneDirection::Both,
                    Some(CtDirection::Original) => CtZoneDirection::Original,
                    Some(CtDirection::Reply) => CtZoneDirection::Reply,
                };
                // Unlike the xt target it does not see that a packet is exempt: there is no connection then.
                if matches!(self.way.tracking, Tracking::None | Tracking::Untracked) {
                    self.way.tracking = Tracking::Template(targets::zoned(id, Template::default(), direction));
                }
            }
            CtKey(number) => return Err(Error::unknown(format!("ct key {number}"), "it cannot be set here")),
        }
        Ok(())
    }

    fn nat(&mut self, nat: &expr::Nat) -> Result<Next, Error> {
        let address = |register| match self.way.family {
            Family::Ipv4 => self.registers.load_array::<4>(register, "nat").map(std::net::IpAddr::from),
            Family::Ipv6 => self.registers.load_array::<16>(register, "nat").map(std::net::IpAddr::from),
        };
        let to = match nat.addr_min {
            Some(min) => NewSource::Between(address(min)?, address(nat.addr_max.unwrap_or(min))?),
            None => NewSource::Same,
        };
        let kind = match nat.kind {
            NatKind::Snat => TranslationKind::Source,
            NatKind::Dnat => TranslationKind::Destination,
        };
        self.translate(kind, to, nat.flags, nat.proto_min, nat.proto_max)
    }

    fn host_nat(
        &mut self,
        kind: TranslationKind,
        flags: NatFlags,
        min: Option<Register>,
        max: Option<Register>,
    ) -> Result<Next, Error> {
        self.translate(kind, NewSource::Host, flags, min, max)
    }

    fn translate(
        &mut self,
        kind: TranslationKind,
        to: NewSource,
        flags: NatFlags,
        min: Option<Register>,
        max: Option<Register>,
    ) -> Result<Next, Error> {
        let port = |register| self.registers.load_array(register, "nat").map(u16::from_be_bytes);
        let ports = match min {
            Some(min) => Some((port(min)?, port(max.unwrap_or(min))?)),
            None => None,
        };
        let flags = flags.difference(NatFlags::MAP_IPS | NatFlags::PROTO_SPECIFIED);
        if flags.intersects(NatFlags::NETMAP | NatFlags::PROTO_OFFSET) {
            return Err(Error::unknown("nat", "a flag of it is not known here"));
        }
        self.way.effects.push(Effect::Translate(Translation { kind, to, ports, base_port: None, flags }));
        Ok(Next::End(Verdict::Accept))
    }
}

fn decided(verdict: &expr::Verdict) -> Result<Next, Error> {
    Ok(match verdict {
        expr::Verdict::Accept => Next::End(Verdict::Accept),
        expr::Verdict::Drop => Next::End(Verdict::Drop),
        expr::Verdict::Continue => Next::Continue,
        expr::Verdict::Break => Next::Break,
        expr::Verdict::Return => Next::Return,
        expr::Verdict::Jump(chain) => Next::Jump(chain.clone()),
        expr::Verdict::Goto(chain) => Next::Goto(chain.clone()),
        expr::Verdict::Other(code) => return Err(Error::unknown(format!("verdict {code}"), "it is not known here")),
    })
}

/// `nft_log_init`: with a group it is for user space, and the level is a warning unless given.
fn logged(log: &expr::Log) -> Effect {
    let prefix = log.prefix.clone().unwrap_or_default();
    match log.group {
        Some(group) => Effect::Nflog { group, prefix, size: log.snaplen, threshold: log.qthreshold.unwrap_or(0) },
        None => Effect::Log { level: log.level.unwrap_or(4), prefix, flags: log.flags.unwrap_or(0) },
    }
}

/// `nft_reject_ipv4_eval`, `nft_reject_ipv6_eval`; `icmpx` has codes of its own (`nft_reject_icmp_code`).
fn answer(reject: expr::Reject, family: Family) -> Answer {
    let codes: [u8; 4] = match family {
        Family::Ipv4 => [0, 3, 1, 13],
        Family::Ipv6 => [0, 4, 3, 1],
    };
    match reject.kind {
        RejectKind::TcpRst => Answer::Reset,
        RejectKind::IcmpUnreach => Answer::Unreachable(reject.code),
        RejectKind::IcmpxUnreach => {
            Answer::Unreachable(codes.get(usize::from(reject.code)).copied().unwrap_or(reject.code))
        }
    }
}
