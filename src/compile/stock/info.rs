//! The C structs of xt extensions as bytes, and what their fields have in common.

use std::sync::{Arc, LazyLock};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::compile::CompileError;
use crate::nft::expr::{Expr, Match, Target};

/// The name of an extension, made once so that a rule only counts a reference.
pub(super) type Name = LazyLock<Arc<str>>;

/// A `match` expression. `info` must already have the padded size that `nft_compat` asks for.
pub(super) fn xt_match(name: &Name, revision: u32, info: &(impl IntoBytes + Immutable)) -> Expr {
    Expr::Match(Match { name: Arc::clone(name), revision, info: info.as_bytes().into() })
}

/// A `target` expression, as [`xt_match`].
pub(super) fn xt_target(name: &Name, revision: u32, info: &(impl IntoBytes + Immutable)) -> Expr {
    Expr::Target(Target { name: Arc::clone(name), revision, info: info.as_bytes().into() })
}

/// The struct that an extension's bytes hold.
pub(super) fn read<T: FromBytes>(info: &[u8]) -> Result<T, &'static str> {
    T::read_from_bytes(info).map_err(|_| "its struct has another size")
}

/// Whether a flag bit is set.
pub(super) fn has(flags: u32, bit: u32) -> bool {
    flags & bit != 0
}

/// A text in a field of fixed size with at least one NUL after it.
pub(super) fn fixed<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], CompileError> {
    let mut bytes = [0; N];
    let max = N.saturating_sub(1);
    match bytes.get_mut(..text.len()) {
        Some(place) if text.len() <= max => place.copy_from_slice(text.as_bytes()),
        _ => return Err(CompileError::TooLong { field, len: text.len(), max }),
    }
    Ok(bytes)
}

/// The text of such a field.
pub(super) fn text(bytes: &[u8]) -> Result<&str, &'static str> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    std::str::from_utf8(bytes.get(..end).unwrap_or_default()).map_err(|_| "its text is not UTF-8")
}

/// An address in a `union nf_inet_addr`: IPv4 in the first four bytes.
pub(super) fn inet_addr(addr: std::net::IpAddr) -> [u8; 16] {
    match addr {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        std::net::IpAddr::V6(v6) => v6.octets(),
    }
}

/// The address in a `union nf_inet_addr` of this family.
pub(super) fn read_inet_addr(bytes: [u8; 16], family: crate::rule::Family) -> std::net::IpAddr {
    match family {
        crate::rule::Family::Ipv4 => {
            let [a, b, c, d, ..] = bytes;
            [a, b, c, d].into()
        }
        crate::rule::Family::Ipv6 => bytes.into(),
    }
}
