//! Register contents of up to 16 bytes.

use super::fields::Fields;
use crate::netlink::attr::{AttrError, Reader, Writer, required};
use crate::nft::uapi::NFTA_DATA_VALUE;

/// Bytes as they stand in a register: in the order that the expression which loads the register uses (network order
/// for packet fields, host order for marks and other kernel integers).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Data {
    len: u8,
    bytes: [u8; Data::MAX],
}

impl Data {
    /// Size of a register, `NFT_REG_SIZE`.
    pub const MAX: usize = 16;

    /// The bytes, unless they are more than [`Data::MAX`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut data = Self { len: u8::try_from(bytes.len()).ok()?, bytes: [0; Self::MAX] };
        data.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(data)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl<const N: usize> From<[u8; N]> for Data {
    fn from(value: [u8; N]) -> Self {
        const { assert!(N <= Data::MAX) };
        let mut bytes = [0; Self::MAX];
        for (to, from) in bytes.iter_mut().zip(value) {
            *to = from;
        }
        #[allow(clippy::cast_possible_truncation, reason = "N is at most 16, checked above")]
        Self { len: N as u8, bytes }
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("0x")?;
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl Data {
    /// Writes the attribute `kind` with the bytes as `NFTA_DATA_VALUE`.
    #[inline]
    pub(crate) fn encode(&self, kind: u16, w: &mut Writer<'_>) {
        w.nest(kind, |w| w.bytes(NFTA_DATA_VALUE, self.as_bytes()));
    }

    /// Reads the payload of an attribute that holds `NFTA_DATA_VALUE`.
    pub(crate) fn decode(reader: Reader<'_>) -> Result<Self, AttrError> {
        let f = Fields::<NFTA_DATA_VALUE>::read(reader)?;
        let value = required(f.attr(NFTA_DATA_VALUE), NFTA_DATA_VALUE, "NFTA_DATA_VALUE")?.payload;
        Self::new(value).ok_or(AttrError::BadSize { kind: NFTA_DATA_VALUE, want: Self::MAX, got: value.len() })
    }
}
