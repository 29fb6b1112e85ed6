//! Messages of a batch as nfnetlink cuts them up: attributes by number, checked against the kernel's policies.

use std::borrow::Cow;

use crate::kernel::Errno;
use crate::name::text;
use crate::netlink::attr::{Attr, Reader, align};
use crate::netlink::header::{DeleteFlags, NewFlags};

pub(super) const NLM_F_REQUEST: u16 = NewFlags::REQUEST.bits();
pub(super) const NLM_F_REPLACE: u16 = NewFlags::REPLACE.bits();
pub(super) const NLM_F_EXCL: u16 = NewFlags::EXCL.bits();
pub(super) const NLM_F_CREATE: u16 = NewFlags::CREATE.bits();
pub(super) const NLM_F_APPEND: u16 = NewFlags::APPEND.bits();
pub(super) const NLM_F_ECHO: u16 = NewFlags::ECHO.bits();
pub(super) const NLM_F_NONREC: u16 = DeleteFlags::NONREC.bits();

/// Why an operation fails: what goes into the kernel's error message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) errno: Errno,
    /// `NLMSGERR_ATTR_OFFS`.
    pub(super) offset: Option<u32>,
    /// `NLMSGERR_ATTR_MSG`.
    pub(super) text: Option<String>,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno, offset: None, text: None }
    }
}

pub(super) type Done = Result<(), Failure>;

/// What the kernel checks of an attribute before its operation runs (`struct nla_policy`).
#[derive(Debug, Clone, Copy)]
pub(super) enum Policy {
    /// Anything: a nested attribute, or one that is not looked at.
    Any,
    /// A string of at most so many bytes, its NUL not counted.
    Text(usize),
    /// Bytes, at most so many.
    Bytes(usize),
    /// An integer of so many bytes.
    Int(usize),
}

impl Policy {
    fn takes(self, payload: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Text(max) => match payload.split_last() {
                Some((0, text)) => text.len() <= max,
                Some(_) => payload.len() <= max,
                None => false,
            },
            Self::Bytes(max) => payload.len() <= max,
            Self::Int(size) => payload.len() >= size,
        }
    }
}

/// An attribute and where it starts in its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) payload: &'a [u8],
    pub(super) offset: u32,
}

impl<'a> Slot<'a> {
    /// The failure that points at this attribute.
    pub(super) fn bad(self, errno: Errno) -> Failure {
        Failure { errno, offset: Some(self.offset), text: None }
    }

    /// The text up to its NUL (`nla_strdup`).
    pub(super) fn text(self) -> Cow<'a, str> {
        text::from_bytes(self.payload.split(|&b| b == 0).next().unwrap_or_default())
    }

    pub(super) fn u32(self) -> u32 {
        self.payload.first_chunk().map_or(0, |b| u32::from_be_bytes(*b))
    }

    pub(super) fn u64(self) -> u64 {
        self.payload.first_chunk().map_or(0, |b| u64::from_be_bytes(*b))
    }

    /// The nested attributes, by number.
    pub(super) fn nested(self, policies: &[Policy]) -> Result<Attrs<'a>, Failure> {
        Attrs::parse(self.payload, self.offset + 4, policies)
    }

    /// The nested attributes, in order.
    pub(super) fn list(self) -> impl Iterator<Item = (u16, Slot<'a>)> {
        slots(self.payload, self.offset + 4)
    }
}

/// Attributes by number; of several with one number the last counts, as in `nla_parse`.
#[derive(Debug, Clone)]
pub(super) struct Attrs<'a>(Vec<Option<Slot<'a>>>);

impl<'a> Attrs<'a> {
    /// Cuts `bytes`, which start at `offset` of their message. `policies` is indexed by attribute number.
    pub(super) fn parse(bytes: &'a [u8], offset: u32, policies: &[Policy]) -> Result<Self, Failure> {
        let mut found = vec![None; policies.len()];
        for (kind, slot) in slots(bytes, offset) {
            let kind = usize::from(kind);
            let (Some(place), Some(policy)) = (found.get_mut(kind), policies.get(kind)) else { continue };
            if !policy.takes(slot.payload) {
                let text = Some("Attribute failed policy validation".to_owned());
                return Err(Failure { errno: Errno::RANGE, offset: Some(slot.offset), text });
            }
            *place = Some(slot);
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, kind: u16) -> Option<Slot<'a>> {
        self.0.get(usize::from(kind)).copied().flatten()
    }

    pub(super) fn u32(&self, kind: u16) -> Option<u32> {
        self.get(kind).map(Slot::u32)
    }

    pub(super) fn need(&self, kind: u16) -> Result<Slot<'a>, Failure> {
        self.get(kind).ok_or(Errno::INVAL.into())
    }
}

fn slots(bytes: &[u8], mut offset: u32) -> impl Iterator<Item = (u16, Slot<'_>)> {
    Reader::new(bytes).map_while(Result::ok).map(move |Attr { kind, payload, .. }| {
        let slot = Slot { payload, offset };
        offset = offset.saturating_add(u32::try_from(align(payload.len() + 4)).unwrap_or(u32::MAX));
        (kind, slot)
    })
}

/// One message: its headers and the bytes after them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// `nlmsg_type`.
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) seq: u32,
    /// `nfgen_family`.
    pub(super) family: u8,
    /// `res_id`, in host order.
    pub(super) res_id: u16,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Length of `nlmsghdr` and `nfgenmsg`.
    pub(super) const HEADERS: u32 = 20;

    pub(super) fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// The attributes, uncut.
    pub(super) fn body(self) -> &'a [u8] {
        self.body
    }

    pub(super) fn attrs(self, policies: &[Policy]) -> Result<Attrs<'a>, Failure> {
        Attrs::parse(self.body, Self::HEADERS, policies)
    }
}

/// The messages of a datagram. Ends at the first that is malformed, like the kernel does, with `None`.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Option<Message<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let message = cut(&mut bytes);
        if message.is_none() {
            bytes = &[];
        }
        Some(message)
    })
}

fn cut<'a>(bytes: &mut &'a [u8]) -> Option<Message<'a>> {
    let &[l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, _, _, _, _, family, _, r0, r1, ..] = *bytes else {
        return None;
    };
    let len = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
    let body = bytes.get(20..len)?;
    *bytes = bytes.get(align(len)..).unwrap_or_default();
    Some(Message {
        kind: u16::from_ne_bytes([k0, k1]),
        flags: u16::from_ne_bytes([f0, f1]),
        seq: u32::from_ne_bytes([s0, s1, s2, s3]),
        family,
        res_id: u16::from_be_bytes([r0, r1]),
        body,
    })
}
