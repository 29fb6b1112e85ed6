//! Identifiers of routers, ports, scopes, labels and forwardings.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Text that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no identifier: 1 to {} letters, digits and hyphens, the first no hyphen", Id::MAX)]
pub struct IdError {
    text: String,
}

/// An identifier, as a rule a UUID: what names of files, devices and chains are made of.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

impl Id {
    /// The longest, in characters: that of a UUID.
    pub const MAX: usize = 36;

    /// Checks the text.
    ///
    /// # Errors
    /// [`IdError`].
    pub fn new(text: &str) -> Result<Self, IdError> {
        let fits = (1..=Self::MAX).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let cut = || text.chars().take(64).flat_map(char::escape_default).collect();
        if fits { Ok(Self(text.into())) } else { Err(IdError { text: cut() }) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first characters, all of it if it has fewer.
    pub(in crate::l3_router) fn first(&self, characters: usize) -> &str {
        self.0.get(..characters).unwrap_or(&self.0)
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_cannot_leave_its_directory_or_look_like_an_option() {
        for bad in ["", "-a", "../a", "a/b", "a b", "a\0", "ä", &"a".repeat(37)] {
            assert!(Id::new(bad).is_err(), "{bad:?}");
        }
        let id = Id::new("6b3d5a1e-8c4f-4e57-9a10-0c2f1d7e9b44").unwrap();
        assert_eq!((id.first(11), Id::new("abc").unwrap().first(11)), ("6b3d5a1e-8c", "abc"));
    }
}
