//! Identifiers of instances, groups and rules.
//!
//! Owns: what an identifier may be made of, so that it is safe in names and messages.
//! Never: changes or cuts one.

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The longest, in bytes.
            pub const MAX: usize = 64;

            /// Checks the identifier: letters, digits, `-`, `_` and `.`, so that it cannot be taken for anything else.
            ///
            /// # Errors
            /// [`NameError`](crate::name::NameError) when it is empty, too long, or has another character.
            pub fn new(text: &str) -> Result<Self, $crate::name::NameError> {
                let what = $what;
                if text.is_empty() {
                    return Err($crate::name::NameError::Empty { what });
                }
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                let shown = || text.chars().take(Self::MAX).flat_map(char::escape_default).collect();
                if let Some(bad) = text.chars().find(|&c| !plain(c)) {
                    return Err($crate::name::NameError::BadCharacter { what, name: shown(), bad });
                }
                if text.len() > Self::MAX {
                    return Err($crate::name::NameError::TooLong { what, name: shown(), len: text.len(), max: Self::MAX });
                }
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::name::NameError;
            fn from_str(text: &str) -> Result<Self, $crate::name::NameError> {
                Self::new(text)
            }
        }
    };
}

pub(super) use identifier;
