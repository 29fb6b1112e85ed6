//! Names: checked once at the edge, trusted everywhere after.
//!
//! Owns: the length and character rules of table, chain, wrap and interface names, sets and comments; hardware
//! addresses.
//! Never: guesses or shortens; a name that does not fit is an error that says what fits.
//!
//! Invariant: no name that is given to us holds a control character or white space. Names that the kernel shows us can
//! hold anything, because other programs may call their tables and chains as they like; they are kept as they are, bytes
//! that are no UTF-8 included (see [`text`]).
//! Invariant: `Display` and `Debug` of any name are one word of one line. What would break a line or reach a terminal
//! stands there as `\\x0a`; `as_str` is the name itself.
//!
//! Where the truth is: `NFT_NAME_MAXLEN` (255 characters, `net/netfilter/nf_tables_api.c`), `XT_EXTENSION_MAXNAMELEN`
//! (28 characters, what iptables takes), `IFNAMSIZ` (15), `IPSET_MAXNAMELEN` (31).

mod mac;
pub mod text;

use std::fmt::{self, Write as _};
use std::sync::Arc;

use thiserror::Error;

pub use mac::{MacAddress, MacAddressError};

/// Why a word cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("{what} is empty")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// The name is too long.
    #[error("{what} `{name}` is {len} bytes long, {max} is the most")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// The name, cut to 64 characters for the message.
        name: String,
        /// Its length in bytes.
        len: usize,
        /// The longest that is taken.
        max: usize,
    },
    /// The name holds a character that names cannot hold.
    #[error("{what} `{name}` holds {bad:?}, which a name cannot hold")]
    BadCharacter {
        /// What was to be named.
        what: &'static str,
        /// The name with the offending characters escaped.
        name: String,
        /// The first offending character.
        bad: char,
    },
    /// The name starts with a character that would make it an option or a negation.
    #[error("{what} `{name}` starts with `{first}`")]
    BadStart {
        /// What was to be named.
        what: &'static str,
        /// The name.
        name: String,
        /// Its first character.
        first: char,
    },
}

/// A character that no checked name holds, and that is printed escaped.
fn is_odd(c: char) -> bool {
    c.is_control() || c.is_whitespace() || text::stray(c).is_some()
}

/// Writes a name as one word.
fn print(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_usual = |b: u8| b.is_ascii_graphic();
    if name.bytes().all(is_usual) || !name.chars().any(is_odd) {
        return f.write_str(name);
    }
    for c in name.chars() {
        match text::stray(c) {
            Some(byte) => write!(f, "\\x{byte:02x}")?,
            None if c == '\\' => f.write_str("\\\\")?,
            None if is_odd(c) => c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|b| write!(f, "\\x{b:02x}"))?,
            None => f.write_char(c)?,
        }
    }
    Ok(())
}

fn check(what: &'static str, name: &str, max: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    // Most names are ASCII, which takes no decoding.
    let odd = if name.bytes().all(|b| b.is_ascii_graphic()) { None } else { name.chars().find(|c| is_odd(*c)) };
    if let Some(bad) = odd {
        let name = name.chars().take(64).flat_map(char::escape_default).collect();
        return Err(NameError::BadCharacter { what, name, bad });
    }
    if name.len() > max {
        return Err(NameError::TooLong { what, name: name.chars().take(64).collect(), len: name.len(), max });
    }
    Ok(())
}

fn check_start(what: &'static str, name: &str) -> Result<(), NameError> {
    match name.chars().next() {
        Some(first @ ('-' | '!')) => Err(NameError::BadStart { what, name: name.to_owned(), first }),
        _ => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr $(, $extra:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest name, in bytes.
            pub const MAX: usize = $max;

            /// Checks the name.
            ///
            /// # Errors
            /// [`NameError`] when it is empty, too long, or holds white space or a control character.
            pub fn new(name: &str) -> Result<Self, NameError> {
                Self::check(name)?;
                Ok(Self(name.into()))
            }

            /// Whether it can be a name, which then is not made.
            pub(crate) fn check(name: &str) -> Result<(), NameError> {
                check($what, name, $max)?;
                $($extra($what, name)?;)?
                Ok(())
            }

            /// The name, raw. One that came from the kernel can hold anything; see [`text`].
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_char('"')?;
                print(&self.0, f)?;
                f.write_char('"')
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }
    };
}

name_type!(
    /// The name of a kernel table.
    TableName,
    "table name",
    255,
    check_start
);
name_type!(
    /// The name of a kernel chain. `Layout::Iptables` takes at most [`ChainName::IPTABLES_MAX`] bytes.
    ChainName,
    "chain name",
    255,
    check_start
);
name_type!(
    /// The name of a kernel set or map.
    SetName,
    "set name",
    255,
    check_start
);
name_type!(
    /// The name of an ipset, as `-m set` uses it.
    IpsetName,
    "set name",
    31
);
name_type!(
    /// The component's name that wrapped chains carry in front: `nova-compute`, `neutron-l3-agent`.
    WrapName,
    "wrap name",
    16,
    check_start
);
name_type!(
    /// The name of a network interface.
    InterfaceName,
    "interface name",
    15
);

/// Names that the kernel shows us, whoever gave them.
macro_rules! kernel_names {
    ($($name:ident),+) => {
        $(impl $name {
            /// The name of an object that is there: the kernel took it, so nothing is left to check.
            pub(crate) fn from_kernel(name: &str) -> Self {
                Self(name.into())
            }
        })+
    };
}

kernel_names!(TableName, ChainName, SetName, IpsetName, InterfaceName);

impl TableName {
    /// A name that stands in this crate's own source and needs no check.
    pub(crate) fn fixed(name: &'static str) -> Self {
        Self(name.into())
    }
}

impl WrapName {
    /// A name that stands in this crate's own source and needs no check.
    pub(crate) fn fixed(name: &'static str) -> Self {
        Self(name.into())
    }
}

impl ChainName {
    /// The longest chain name that iptables and `Layout::Iptables` take, in bytes.
    pub const IPTABLES_MAX: usize = 28;
}

/// A comment on a rule: at most 255 bytes, without NUL or line breaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Comment(Arc<str>);

impl Comment {
    /// The longest comment, in bytes.
    pub const MAX: usize = 255;

    /// Checks the text. Blanks and quotes are fine, control characters are not. It may be empty.
    ///
    /// # Errors
    /// [`NameError`] when it is longer than [`Comment::MAX`] bytes or holds a control character.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let what = "comment";
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            let name = text.chars().take(64).flat_map(char::escape_default).collect();
            return Err(NameError::BadCharacter { what, name, bad });
        }
        if text.len() > Self::MAX {
            let name = text.chars().take(64).collect();
            return Err(NameError::TooLong { what, name, len: text.len(), max: Self::MAX });
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is a panic")]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_up_to_their_longest() {
        assert!(ChainName::new(&"c".repeat(255)).is_ok());
        assert!(matches!(ChainName::new(&"c".repeat(256)), Err(NameError::TooLong { len: 256, max: 255, .. })));
        assert!(WrapName::new("neutron-l3-agent").is_ok());
        assert!(WrapName::new("nova-api-metadata").is_err());
        assert!(InterfaceName::new("qg-1f2e3d4c-5bx").is_ok());
        assert!(InterfaceName::new("qg-1f2e3d4c-5bxy").is_err());
    }

    #[test]
    fn white_space_and_control_characters_are_refused() {
        for bad in ["a b", "a\nb", "a\tb", "a\0", "a\u{a0}b"] {
            assert!(matches!(ChainName::new(bad), Err(NameError::BadCharacter { .. })), "{bad:?}");
        }
        assert!(matches!(Comment::new("one\ntwo"), Err(NameError::BadCharacter { bad: '\n', .. })));
        assert_eq!(Comment::new("it's \"fine\"").unwrap().as_str(), "it's \"fine\"");
    }

    #[test]
    fn names_of_the_kernel_stay_as_they_are_and_print_as_one_word() {
        for (raw, printed) in [
            ("a b", r"a\x20b"),
            ("-ab", "-ab"),
            ("!ab", "!ab"),
            ("", ""),
            ("a\n\x1b[2J", r"a\x0a\x1b[2J"),
            ("a\u{a0}b", r"a\xc2\xa0b"),
            ("a\u{9b}b", r"a\xc2\x9bb"),
            ("\u{10feff}", r"\xff"),
            (r"a\ b", r"a\\\x20b"),
            (r"a\b", r"a\b"),
            ("n\u{e4}me", "n\u{e4}me"),
        ] {
            let name = ChainName::from_kernel(raw);
            assert_eq!(name.as_str(), raw);
            assert_eq!(name.to_string(), printed);
            assert_eq!(format!("{name:?}"), format!("\"{printed}\""));
        }
        assert!(matches!(ChainName::new("\u{10feff}"), Err(NameError::BadCharacter { .. })), "a byte is no character");
    }

    #[test]
    fn a_name_cannot_look_like_an_option() {
        assert!(matches!(ChainName::new("-x"), Err(NameError::BadStart { first: '-', .. })));
        assert!(matches!(ChainName::new("!x"), Err(NameError::BadStart { first: '!', .. })));
        assert!(matches!(ChainName::new(""), Err(NameError::Empty { .. })));
    }
}
