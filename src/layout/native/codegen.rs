//! Kernel rules of the layout as expressions.
//!
//! Owns: the four forms of a rule ([`Code`]), and the registers that a key is in.
//! Never: decides which form a rule has, or declares a set ([`declare`](super::declare) does).
//!
//! A key is loaded from the first register on, each field in words of its own. What a map gives goes to the first
//! register as well, over the key: the kernel has looked the key up before it writes (`nft_lookup_eval`).
//!
//! A choice has its key one word further on, and its map gives two words: nothing, and the number of the action, which so
//! lands where the key began. `nft` up to 1.0.6 at least aborts in the middle of a listing when what a map gave is itself
//! looked up (`netlink_parse_concat_expr`: it takes it to have no length). As it does not see that the map writes two
//! words, it takes the second lookup to be of the key and lists `ip daddr vmap @C/actions/7`.
//!
//! Invariant: rule, form and family decide the program; a dump of it is equal to it.
//!
//! Where the truth is: `nft_lookup_init` and `nft_lookup_eval` (`net/netfilter/nft_lookup.c`), `nft_validate_register_load`
//! (`nf_tables_api.c`, Linux v6.12).
//!
//! How it is tested: programs beside their listings; `tests/layout_sets.rs` has the running kernel take each form and
//! field, and compares its dump and what `nft` lists.

use std::sync::Arc;

use super::field::{Field, Fields, mask_byte};
use crate::compile::native::lead::{self, Lead, Part};
use crate::compile::native::{self, Fallback};
use crate::compile::{CompileError, Ipsets, Program};
use crate::name::{ChainName, SetName};
use crate::nft::expr::{Bitwise, BitwiseOp, Data, Expr, Lookup, Register, SetRef};
use crate::rule::{Family, Rule};

/// How a kernel rule does what its rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code<'a> {
    /// As written.
    Plain,
    /// It applies when the set holds the packet's fields.
    Member {
        /// The set.
        set: &'a SetName,
        /// The fields that are looked up.
        fields: &'a Fields,
    },
    /// A map gives the number of an action, the verdict map `actions` its verdict; the rule has no target.
    Choose {
        /// The map from the fields to numbers.
        map: &'a SetName,
        /// The map from numbers to verdicts.
        actions: &'a SetName,
        /// The fields that are looked up.
        fields: &'a Fields,
    },
    /// A map gives the value that the target stores; the one in the rule is a placeholder.
    Assign {
        /// The map from the fields to values.
        map: &'a SetName,
        /// The fields that are looked up.
        fields: &'a Fields,
    },
}

/// Where keys start and results go.
const FIRST: Register = Register::R1;
/// Where the key of a choice starts, and where the number of the action is then.
const SECOND: Register = Register::word(1);

/// Writes a kernel rule. With `to`, its jump or goto leads there. `out` is emptied first and used again.
///
/// # Errors
/// [`CompileError`] as of [`native::compile`]; among them `TooMany` for a rule of more expressions than the kernel takes.
/// [`CompileError::OtherTable`] for an extension that the kernel ties to the name of a table: ours have others.
pub fn write(
    rule: &Rule,
    to: Option<&ChainName>,
    code: &Code<'_>,
    family: Family,
    ipsets: &dyn Ipsets,
    out: &mut Program,
) -> Result<Vec<Fallback>, CompileError> {
    let mut middle = Vec::new();
    let mut value = None;
    match *code {
        Code::Plain => {}
        Code::Member { set, fields } => {
            load(fields, 0, family, &mut middle);
            middle.push(look_up(set, FIRST, None));
        }
        Code::Choose { map, actions, fields } => {
            load(fields, 1, family, &mut middle);
            middle.push(look_up(map, SECOND, Some(FIRST)));
            middle.push(look_up(actions, SECOND, Some(Register::VERDICT)));
        }
        Code::Assign { map, fields } => {
            load(fields, 0, family, &mut middle);
            middle.push(look_up(map, FIRST, Some(FIRST)));
            value = Some(FIRST);
        }
    }
    let lead = Lead { expressions: &middle, value, chain: to };
    let fallbacks = native::compile_led(rule, family, &lead, ipsets, out)?;
    match fallbacks.iter().find(|fallback| !fallback.tables.is_empty()) {
        Some(Fallback { part, reason, tables }) => Err(CompileError::OtherTable { part, reason, tables }),
        None => Ok(fallbacks),
    }
}

/// Appends what loads a key into the registers from this word on, the guards before the first load: they use the first
/// register.
fn load(fields: &Fields, first: usize, family: Family, out: &mut Vec<Expr>) {
    fields.iter().for_each(|field| lead::guard(part(field), out));
    for (field, place) in fields.places(family) {
        let dreg = register(first + place / 4);
        lead::load(part(field), family, dreg, out);
        out.extend(mask(field, family, dreg));
    }
}

/// Clears the bits of an address that the prefix leaves out.
fn mask(field: Field, family: Family, dreg: Register) -> Option<Expr> {
    let (Field::Source(prefix) | Field::Destination(prefix)) = field else { return None };
    let (bits, len) = (usize::from(prefix), field.len(family));
    (bits < len * 8).then_some(())?;
    let mut bytes = [0; Data::MAX];
    bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = mask_byte(bits, at));
    let mask = bytes.get(..len).and_then(Data::new)?;
    let xor = [0; Data::MAX].get(..len).and_then(Data::new)?;
    Some(Expr::Bitwise(Bitwise {
        sreg: dreg,
        dreg,
        len: u32::try_from(len).ok()?,
        op: BitwiseOp::MaskXor { mask, xor },
    }))
}

fn look_up(set: &SetName, sreg: Register, dreg: Option<Register>) -> Expr {
    let set = SetRef { name: Arc::from(set.as_str()), id: 0 };
    Expr::Lookup(Lookup { set, sreg, dreg, inverted: false })
}

/// The register that is this word of the storage, by the number that a dump shows: one that starts a quarter has its old
/// number (`nft_dump_register`).
fn register(word: usize) -> Register {
    let word = u32::try_from(word).unwrap_or(u32::MAX);
    if word % 4 == 0 { Register(1 + word / 4) } else { Register::word(word) }
}

fn part(field: Field) -> Part {
    match field {
        Field::Input => Part::Input,
        Field::Output => Part::Output,
        Field::Source(_) => Part::Source,
        Field::Destination(_) => Part::Destination,
        Field::Mac => Part::Mac,
        Field::SourcePort => Part::SourcePort,
        Field::DestinationPort => Part::DestinationPort,
    }
}
