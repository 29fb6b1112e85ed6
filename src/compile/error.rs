//! Why a rule cannot be compiled, or a program not be read as a rule.

use thiserror::Error;

use crate::name::IpsetName;
use crate::rule::Family;

/// Why a rule has no program. Each names the option that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A part of the rule belongs to the other family.
    #[error("{field} does not fit an {family} table")]
    Family {
        /// The option, match or target.
        field: &'static str,
        /// The family of the table.
        family: Family,
    },
    /// A value does not fit what the kernel takes.
    #[error("{field}: {reason}")]
    Value {
        /// The option.
        field: &'static str,
        /// What would fit.
        reason: &'static str,
    },
    /// A text is longer than the kernel takes.
    #[error("{field} is {len} bytes long, {max} is the most")]
    TooLong {
        /// The option.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The longest that is taken.
        max: usize,
    },
    /// More of something than a rule can hold.
    #[error("{field}: {count} given, {max} is the most")]
    TooMany {
        /// What there is too much of.
        field: &'static str,
        /// How many there are.
        count: usize,
        /// How many there can be.
        max: usize,
    },
    /// The rule names a set that does not exist.
    #[error("Set {0} doesn't exist.")]
    NoSuchSet(IpsetName),
    /// A wrapped chain's name (`$name`) that nobody has turned into a kernel name.
    #[error("chain `${0}` is a wrapped chain outside of a wrapped table")]
    Unwrapped(crate::name::ChainName),
    /// The kernel takes an extension in some tables of iptables only, and the rule stands in one of ours: see
    /// [`manual::native_layout`](crate::manual::native_layout).
    #[error("{part} exists in table {} of iptables only: {reason}", tables.join(" or "))]
    OtherTable {
        /// The match or target.
        part: &'static str,
        /// Why no native expression does instead.
        reason: &'static str,
        /// The tables.
        tables: &'static [&'static str],
    },
    /// The encoding has no form for this.
    #[error("{field} has no form in this layout")]
    NoForm {
        /// The option, match or target.
        field: &'static str,
    },
}

/// Why a program cannot be read as an iptables rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expression {at} ({name}): {reason}")]
pub struct Opaque {
    /// The first expression that is not understood, from 0; the number of expressions when the end is at fault.
    pub at: usize,
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
}
