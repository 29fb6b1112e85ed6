//! `physdev`: `struct xt_physdev_info`.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::compile::stock::info::{Name, read, text, xt_match};
use crate::nft::expr::Expr;
use crate::rule::matches::Physdev;
use crate::rule::{InterfaceMatch, Match, Not};

static NAME: Name = Name::new(|| "physdev".into());

/// `XT_PHYSDEV_OP_*`.
const IN: u8 = 1 << 0;
const OUT: u8 = 1 << 1;
const BRIDGED: u8 = 1 << 2;
const ISIN: u8 = 1 << 3;
const ISOUT: u8 = 1 << 4;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Info {
    physindev: [u8; 16],
    in_mask: [u8; 16],
    physoutdev: [u8; 16],
    out_mask: [u8; 16],
    invert: u8,
    bitmask: u8,
    pad: [u8; 6],
}
const _: () = assert!(size_of::<Info>() == 72);

impl Info {
    fn option<'a, T>(&mut self, option: &'a Option<Not<T>>, bit: u8) -> Option<&'a T> {
        let Not { negated, value } = option.as_ref()?;
        self.bitmask |= bit;
        if *negated {
            self.invert |= bit;
        }
        Some(value)
    }

    fn given<T>(&self, bit: u8, value: T) -> Option<Not<T>> {
        (self.bitmask & bit != 0).then(|| Not { negated: self.invert & bit != 0, value })
    }

    fn interface(&self, bit: u8, name: &[u8]) -> Result<Option<Not<InterfaceMatch>>, &'static str> {
        if self.bitmask & bit == 0 {
            return Ok(None);
        }
        let interface = InterfaceMatch::new(text(name)?).map_err(|_| "no interface name")?;
        Ok(self.given(bit, interface))
    }
}

pub(super) fn compile(m: &Physdev) -> Expr {
    let mut info = Info::new_zeroed();
    if let Some(interface) = info.option(&m.input, IN) {
        (info.physindev, info.in_mask) = name_and_mask(interface);
    }
    if let Some(interface) = info.option(&m.output, OUT) {
        (info.physoutdev, info.out_mask) = name_and_mask(interface);
    }
    info.option(&m.is_in, ISIN);
    info.option(&m.is_out, ISOUT);
    info.option(&m.is_bridged, BRIDGED);
    xt_match(&NAME, 0, &info)
}

/// A whole name is masked with its NUL, a prefix without; the field keeps the `+`.
fn name_and_mask(interface: &InterfaceMatch) -> ([u8; 16], [u8; 16]) {
    let (name, plus, masked) = match interface {
        InterfaceMatch::Name(name) => (name.as_str(), "", name.as_str().len() + 1),
        InterfaceMatch::Prefix(prefix) => (prefix.as_str(), "+", prefix.as_str().len()),
        InterfaceMatch::Any => ("", "+", 0),
    };
    let (mut field, mut mask) = ([0; 16], [0; 16]);
    field.iter_mut().zip(name.bytes().chain(plus.bytes())).for_each(|(to, from)| *to = from);
    mask.iter_mut().take(masked).for_each(|to| *to = 0xff);
    (field, mask)
}

pub(super) fn lift(info: &[u8]) -> Result<Match, &'static str> {
    let info: Info = read(info)?;
    Ok(Match::Physdev(Box::new(Physdev {
        input: info.interface(IN, &info.physindev)?,
        output: info.interface(OUT, &info.physoutdev)?,
        is_in: info.given(ISIN, ()),
        is_out: info.given(ISOUT, ()),
        is_bridged: info.given(BRIDGED, ()),
    })))
}
