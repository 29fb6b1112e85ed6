//! Hashing of what is a hash already, or as good as one.
//!
//! Owns: one multiplication.
//! Never: hashes what others choose: names and rules have a keyed hash, and what is mixed here comes from it, from an
//! address or from a counter.

use std::hash::{BuildHasherDefault, Hasher};

/// Hashes keys that are hashes or dense numbers already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mixer(u64);

/// Builds [`Mixer`]s.
pub(super) type Mix = BuildHasherDefault<Mixer>;

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u64(u64::from(b)));
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    fn write_u64(&mut self, n: u64) {
        // Fibonacci hashing; the fold brings the well-mixed high bits down to where the table looks.
        let n = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = n ^ (n >> 32);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}
