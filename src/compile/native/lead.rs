//! What a layout puts between a rule's matches and its target: a look into a set or map of its own.
//!
//! Owns: how packet fields are loaded one after the other ([`load`]), and how the result takes the place of a part of the
//! target ([`Lead`]).
//! Never: knows the sets, or what is in them.
//!
//! Invariant: a field is loaded under the same conditions under which the rule's own match looks at it.

use super::base::Side;
use super::condition::Field;
use super::matches;
use crate::name::ChainName;
use crate::nft::expr::{Expr, Meta, MetaKey, Payload, Register};
use crate::rule::Family;

/// What stands between the matches and the target of a rule.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lead<'a> {
    /// Expressions that come before the target.
    pub expressions: &'a [Expr],
    /// The register whose value the target stores in place of its own. Heeded by MARK with a full mask, CLASSIFY, CT with
    /// a zone, and SNAT or DNAT to one address without ports; what others do with it is not defined.
    pub value: Option<Register>,
    /// The chain that a jump or goto leads to in place of the target's own.
    pub chain: Option<&'a ChainName>,
}

/// A field that can be part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The incoming interface's name, 16 bytes.
    Input,
    /// The outgoing interface's name, 16 bytes.
    Output,
    /// The source address.
    Source,
    /// The destination address.
    Destination,
    /// The source MAC, 6 bytes.
    Mac,
    /// The source port, 2 bytes; the rule asks for a protocol that has ports.
    SourcePort,
    /// The destination port, 2 bytes; the rule asks for a protocol that has ports.
    DestinationPort,
}

/// Appends what loads a field to a register. Only tests use the first register before that, so a key may begin in it
/// when all tests are written before: see [`guard`].
pub fn load(part: Part, family: Family, dreg: Register, out: &mut Vec<Expr>) {
    let field = match part {
        Part::Input => Field::Meta(MetaKey::IIFNAME),
        Part::Output => Field::Meta(MetaKey::OIFNAME),
        Part::Source => Side::Source.whole(family),
        Part::Destination => Side::Destination.whole(family),
        Part::Mac => matches::MAC,
        Part::SourcePort => matches::SOURCE_PORT,
        Part::DestinationPort => matches::DESTINATION_PORT,
    };
    match field {
        Field::Payload { base, offset, len } => out.push(Expr::Payload(Payload::Load { dreg, base, offset, len })),
        Field::Meta(key) => out.push(Expr::Meta(Meta::Load { key, dreg })),
        _ => {}
    }
}

/// Appends what must hold before a field is loaded, unless it is there. It uses the first register.
pub fn guard(part: Part, out: &mut Vec<Expr>) {
    match part {
        Part::Mac => matches::on_ethernet().write(out),
        Part::SourcePort | Part::DestinationPort => {
            let whole = matches::unfragmented();
            if !out.contains(&whole) {
                out.push(whole);
            }
        }
        Part::Input | Part::Output | Part::Source | Part::Destination => {}
    }
}
