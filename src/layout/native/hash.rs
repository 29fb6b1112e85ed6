//! Content hashes: how a restarted agent recognises in the kernel what it is about to make.
//!
//! Owns: 128 bits of SHA-256 over what a thing says.
//! Never: decides equality within a process; values are compared there.
//!
//! Tenants choose part of what is hashed, so the hash must be one that nobody can find a second content for. It also
//! covers the version of the compiler: another one may write the same rules in another way.
//!
//! Invariant: the same content has the same hash in every process of one version; another version has other hashes, and
//! sends what it needs anew.

use std::hash::{Hash as Content, Hasher};

use sha2::{Digest, Sha256};

/// A content hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Hash(pub(super) [u8; 16]);

/// Goes up whenever the same items are written as other expressions.
const FORMAT: u32 = 2;

/// Collects what `Content` feeds to a hasher.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Hash {
    /// The hash of a value. `Hash` of the standard library sets lengths before lists, so that nothing runs together.
    pub(super) fn of(content: &impl Content) -> Self {
        let mut bytes = Bytes(Vec::with_capacity(256));
        (env!("CARGO_PKG_VERSION"), FORMAT).hash(&mut bytes);
        content.hash(&mut bytes);
        let digest = Sha256::digest(&bytes.0);
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;

    #[test]
    fn what_differs_has_another_hash() {
        let (accept, drop) = (Rule::new().accept(), Rule::new().discard());
        assert_eq!(Hash::of(&accept), Hash::of(&accept.clone()));
        assert_ne!(Hash::of(&accept), Hash::of(&drop));
        assert_ne!(Hash::of(&vec![vec![1_u8], vec![2]]), Hash::of(&vec![vec![1_u8, 2], vec![]]));
    }
}
