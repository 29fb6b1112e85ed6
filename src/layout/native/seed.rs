//! What an earlier run has left in the kernel, as far as the compiler wants to know it.
//!
//! Owns: [`Seeds`], the numbers that stand in names and elements.
//! Never: says that something may stay as it is; `apply` compares.

use crate::nft::expr::Verdict;

/// A hash of what a chain or set holds, numbers in names left out.
pub type ContentHash = [u8; 16];

/// The numbers of what stands in a table. A thing that is wanted again gets the number that it has, so that it need not
/// be sent; other things get numbers that are free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeds {
    /// Bodies by the hash of their rules. Several can have one.
    pub bodies: Vec<(ContentHash, u32)>,
    /// Sets and maps by the hash of what they are for. Several can have one.
    pub sets: Vec<(ContentHash, u32)>,
    /// The verdicts in the maps of actions. Several numbers can have one.
    pub actions: Vec<(Verdict, u32)>,
    /// The first number that no body has.
    pub next_body: u32,
    /// The first number that no set or map has.
    pub next_set: u32,
    /// The first number that no action has.
    pub next_action: u32,
}
