//! The fields of a packet that rules are told apart by, and values of them.
//!
//! Owns: [`Field`], lists of fields ([`Fields`]) and their values ([`Key`]), and when two values can be of one packet.
//! Never: looks at a rule; [`analysis`](super::analysis) does.
//!
//! A key is what the kernel's register holds: the fields one after the other, each filled up with zeros to a multiple of
//! four bytes (a key of a single field has no filling), in network order, names filled up to 16 bytes.
//!
//! Invariant: bits outside a field's prefix are zero in every key, so that equal bytes mean the same packets.

/// A field that a rule can ask to be one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `-i NAME`.
    Input,
    /// `-o NAME`.
    Output,
    /// `-s ADDRESS/PREFIX`, the length in bits, 1 or more.
    Source(u8),
    /// `-d ADDRESS/PREFIX`, the length in bits, 1 or more.
    Destination(u8),
    /// `-m mac --mac-source`.
    Mac,
}

/// A list of fields, ascending, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Fields(pub(crate) Box<[Field]>);

/// A value of a list of fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Key(pub(crate) Box<[u8]>);
