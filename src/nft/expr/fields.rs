//! The attributes of one expression, by type, and the numbers of its closed sets.
//!
//! Owns: reading a list of attributes into slots, refusing what has no slot.
//! Never: gives an attribute a default; that is the expression's own decode.
//!
//! Invariant: an attribute that the expression does not know, or that stands twice, is an error: the caller then keeps
//! the expression as it is instead of losing a part of it.

use std::sync::Arc;

use super::{Data, Register};
use crate::name::text;
use crate::netlink::attr::{Attr, AttrError, Reader};

/// No expression has more attribute types than this.
const SLOTS: usize = 12;

/// Attributes of the types 1 to `MAX`.
#[derive(Debug)]
pub(super) struct Fields<'a, const MAX: u16> {
    slots: [Option<Attr<'a>>; SLOTS],
}

impl<'a, const MAX: u16> Fields<'a, MAX> {
    /// Reads a whole list.
    pub(super) fn read(reader: Reader<'a>) -> Result<Self, AttrError> {
        Self::collect(reader, None)
    }

    /// As [`read`](Self::read), for a list in which the kernel may put padding of the type `pad` before 64-bit values.
    pub(super) fn read_padded(reader: Reader<'a>, pad: u16) -> Result<Self, AttrError> {
        Self::collect(reader, Some(pad))
    }

    fn collect(reader: Reader<'a>, pad: Option<u16>) -> Result<Self, AttrError> {
        const { assert!((MAX as usize) < SLOTS) };
        let mut slots = [None; SLOTS];
        for attr in reader {
            let attr = attr?;
            if pad == Some(attr.kind) && attr.payload.is_empty() {
                continue;
            }
            match slots.get_mut(usize::from(attr.kind)) {
                Some(slot @ None) if (1..=MAX).contains(&attr.kind) => *slot = Some(attr),
                _ => return Err(AttrError::Unexpected { kind: attr.kind }),
            }
        }
        Ok(Self { slots })
    }

    /// The attribute itself.
    pub(super) fn attr(&self, kind: u16) -> Option<Attr<'a>> {
        self.slots.get(usize::from(kind)).copied().flatten()
    }

    pub(super) fn u8(&self, kind: u16) -> Result<Option<u8>, AttrError> {
        self.attr(kind).map(|a| a.u8()).transpose()
    }

    pub(super) fn u16(&self, kind: u16) -> Result<Option<u16>, AttrError> {
        self.attr(kind).map(|a| a.u16_be()).transpose()
    }

    pub(super) fn u32(&self, kind: u16) -> Result<Option<u32>, AttrError> {
        self.attr(kind).map(|a| a.u32_be()).transpose()
    }

    pub(super) fn u64(&self, kind: u16) -> Result<Option<u64>, AttrError> {
        self.attr(kind).map(|a| a.u64_be()).transpose()
    }

    pub(super) fn register(&self, kind: u16) -> Result<Option<Register>, AttrError> {
        Ok(self.u32(kind)?.map(Register))
    }

    pub(super) fn name(&self, kind: u16) -> Result<Option<Arc<str>>, AttrError> {
        self.attr(kind).map(|a| a.string().map(Arc::from)).transpose()
    }

    /// A name that may stand without its NUL, as `NLA_STRING` allows.
    pub(super) fn open_name(&self, kind: u16) -> Result<Option<Arc<str>>, AttrError> {
        let Some(attr) = self.attr(kind) else { return Ok(None) };
        let text = attr.payload.strip_suffix(&[0]).unwrap_or(attr.payload);
        if text.contains(&0) {
            return Err(AttrError::BadString { kind });
        }
        Ok(Some(text::from_bytes(text).into()))
    }

    pub(super) fn data(&self, kind: u16) -> Result<Option<Data>, AttrError> {
        self.attr(kind).map(|a| Data::decode(a.attrs())).transpose()
    }

    /// One bit of a flags attribute that knows no other bit; absent means unset.
    pub(super) fn flag(&self, kind: u16, flag: u32) -> Result<bool, AttrError> {
        match self.u32(kind)?.unwrap_or(0) {
            0 => Ok(false),
            bits if bits == flag => Ok(true),
            bits => Err(AttrError::UnknownValue { kind, value: bits.into() }),
        }
    }
}

/// A mandatory field: `need!(fields.u32(NFTA_CMP_OP))`.
macro_rules! need {
    ($fields:ident . $get:ident ( $kind:ident )) => {
        $crate::netlink::attr::required($fields.$get($kind)?, $kind, stringify!($kind))?
    };
}
pub(super) use need;

/// Ties a closed enum to the kernel's numbers, in one place for both directions.
macro_rules! numbered {
    ($name:ident: $($variant:ident = $number:ident),+ $(,)?) => {
        impl $name {
            /// The kernel's number.
            #[must_use]
            pub fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $crate::nft::uapi::$number,)+
                }
            }

            /// The value that `number` stands for in an attribute of the type `kind`.
            ///
            /// # Errors
            /// [`AttrError::UnknownValue`](crate::netlink::attr::AttrError::UnknownValue) for any other number.
            pub(crate) fn from_number(kind: u16, number: u32) -> Result<Self, $crate::netlink::attr::AttrError> {
                match number {
                    $($crate::nft::uapi::$number => Ok(Self::$variant),)+
                    _ => Err($crate::netlink::attr::AttrError::UnknownValue { kind, value: number.into() }),
                }
            }
        }
    };
}
pub(super) use numbered;
