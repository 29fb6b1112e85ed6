//! Words that tenants choose, and that end up in a line or an argument for dnsmasq.
//!
//! Owns: which characters a host name, a domain, the label and the id of a network can have.
//! Never: changes or escapes a character; what does not fit is refused, and the error says which word and why. The one
//! thing that is changed is the length of a host name.
//!
//! Invariant: a checked word is one field of a line: it holds no blank, line break, comma, colon, `#`, quote or
//! backslash, and does not start with a hyphen. So it can neither end its line nor be an option, a tag or a comment.
//!
//! Where the truth is: RFC 1123 2.1; `check_name` and `legal_hostname` in dnsmasq's `src/util.c` (2.90), which want a
//! letter or a digit first and take underscores after it.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Why a word cannot be given to dnsmasq.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {field} `{text}` {problem}")]
pub struct LabelError {
    field: &'static str,
    text: String,
    problem: LabelProblem,
}

impl LabelError {
    fn new(field: &'static str, text: &str, problem: LabelProblem) -> Self {
        Self { field, text: text.chars().take(64).flat_map(char::escape_default).collect(), problem }
    }

    /// What the word was to be: `host name`, `domain`, `network label`, `network id`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &LabelProblem {
        &self.problem
    }
}

/// What is wrong with a word.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabelProblem {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("is {len} characters long, {max} is the most")]
    TooLong {
        /// Its length.
        len: usize,
        /// The longest that is taken.
        max: usize,
    },
    /// It holds a character that it cannot.
    #[error("holds {0:?}; it can have letters and digits of ASCII, hyphens, underscores and dots")]
    BadCharacter(char),
    /// A part between dots is empty or longer than 63 characters.
    #[error("has a part between dots that is empty or longer than 63 characters")]
    BadPart,
    /// A part between dots starts or ends with a hyphen or starts with an underscore.
    #[error("has a part between dots with a hyphen at an end or an underscore in front")]
    BadEdge,
    /// The last part of a domain has only digits, so that a host's name in it could be an address.
    #[error("ends with a part of digits only")]
    Numeric,
    /// dnsmasq would take it for something else.
    #[error("is a word of our own for the guests' interfaces (NW-<number>)")]
    Reserved,
}

/// The longest part between dots, and the longest host name (RFC 1035 2.3.4).
const PART: usize = 63;

/// Characters and length.
fn check(field: &'static str, text: &str, max: usize) -> Result<(), LabelError> {
    let usual = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let problem = match text.chars().find(|c| !usual(c)) {
        Some(bad) => LabelProblem::BadCharacter(bad),
        None if text.is_empty() => LabelProblem::Empty,
        None if text.len() > max => LabelProblem::TooLong { len: text.len(), max },
        None => return Ok(()),
    };
    Err(LabelError::new(field, text, problem))
}

/// The parts between dots.
fn check_parts(field: &'static str, text: &str) -> Result<(), LabelError> {
    for part in text.split('.') {
        if part.is_empty() || part.len() > PART {
            return Err(LabelError::new(field, text, LabelProblem::BadPart));
        }
        if part.starts_with(['-', '_']) || part.ends_with('-') {
            return Err(LabelError::new(field, text, LabelProblem::BadEdge));
        }
    }
    Ok(())
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(Arc<str>);

            impl $name {
                /// The text.
                #[must_use]
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl std::str::FromStr for $name {
                type Err = LabelError;
                fn from_str(text: &str) -> Result<Self, LabelError> {
                    Self::new(text)
                }
            }
        )+
    };
}

words! {
    /// The name of a guest without its domain: 63 characters at most, which a longer one is shortened to.
    HostName;
    /// The domain of the guests.
    Domain;
    /// The name that a tenant gave a network; dnsmasq's tag for it.
    Label;
    /// The id of a network, by which the lease script finds it.
    NetworkId;
}

impl HostName {
    /// Checks a name, and shortens one of more than 63 characters to its first two, a hyphen and its last sixty.
    ///
    /// # Errors
    /// [`LabelError`] for what is no name, also after shortening.
    ///
    /// ```
    /// use nftwrap::linux_net::dnsmasq::HostName;
    /// let long = HostName::new("really_long_fake_instance02_to_test_hostname_truncation_when_too_long")?;
    /// assert_eq!(long.as_str(), "re-ng_fake_instance02_to_test_hostname_truncation_when_too_long");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(text: &str) -> Result<Self, LabelError> {
        const FIELD: &str = "host name";
        check(FIELD, text, usize::MAX)?;
        // All ASCII, so bytes are characters.
        let short = match (text.get(..2), text.len().checked_sub(60).and_then(|at| text.get(at..))) {
            (Some(first), Some(last)) if text.len() > PART => format!("{first}-{last}"),
            _ => text.to_owned(),
        };
        check_parts(FIELD, &short).map_err(|error| LabelError::new(FIELD, text, error.problem))?;
        Ok(Self(short.into()))
    }
}

impl Domain {
    /// The longest domain: a host name, a dot and it are 253 characters.
    pub const MAX: usize = 253 - 1 - PART;

    /// Checks a domain.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn new(text: &str) -> Result<Self, LabelError> {
        const FIELD: &str = "domain";
        check(FIELD, text, Self::MAX)?;
        check_parts(FIELD, text)?;
        if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err(LabelError::new(FIELD, text, LabelProblem::Numeric));
        }
        Ok(Self(text.into()))
    }

    /// Nova's default.
    #[must_use]
    pub fn novalocal() -> Self {
        Self("novalocal".into())
    }
}

impl Label {
    /// The longest label: nova's column for it.
    pub const MAX: usize = 255;

    /// Checks a label. One like the tags of the guests' interfaces (`NW-7`) is refused, because options of that
    /// interface would then go to all guests of the network.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn new(text: &str) -> Result<Self, LabelError> {
        const FIELD: &str = "network label";
        check(FIELD, text, Self::MAX)?;
        if text.starts_with(['-', '_', '.']) {
            return Err(LabelError::new(FIELD, text, LabelProblem::BadEdge));
        }
        let number = text.strip_prefix("NW-");
        if number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
            return Err(LabelError::new(FIELD, text, LabelProblem::Reserved));
        }
        Ok(Self(text.into()))
    }
}

impl NetworkId {
    /// The longest id.
    pub const MAX: usize = 64;

    /// Checks an id.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn new(text: &str) -> Result<Self, LabelError> {
        check("network id", text, Self::MAX)?;
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_words_are_refused_by_name() {
        for (bad, said) in [
            ("", "the host name `` is empty"),
            ("a\nb", r"the host name `a\nb` holds '\n'"),
            ("a,b", "the host name `a,b` holds ','"),
            ("set:x", "the host name `set:x` holds ':'"),
            ("a b", "the host name `a b` holds ' '"),
            ("#a", "the host name `#a` holds '#'"),
            ("a\0", r"the host name `a\u{0}` holds '\0'"),
            ("b\u{fc}ro", r"the host name `b\u{fc}ro` holds 'ü'"),
            ("a/../b", "the host name `a/../b` holds '/'"),
            ("-a", "the host name `-a` has a part between dots with a hyphen at an end"),
            ("_a", "the host name `_a` has a part between dots with a hyphen at an end or an underscore in front"),
            ("a-", "the host name `a-` has a part between dots with a hyphen at an end"),
            ("a..b", "the host name `a..b` has a part between dots that is empty"),
            (".a", "the host name `.a` has a part between dots that is empty"),
            ("*", "the host name `*` holds '*'"),
        ] {
            let error = HostName::new(bad).unwrap_err();
            assert!(error.to_string().starts_with(said), "{error}");
            assert_eq!(error.field(), "host name");
        }
        for bad in ["-x", "a,b", "NW-7", "", "my net", "tag:x", "a\r"] {
            assert!(Label::new(bad).is_err(), "{bad:?}");
            assert!(bad == "NW-7" || bad == "-x" || NetworkId::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["10", "example.10", "#", "a,10.0.0.0/8", ".novalocal", "novalocal."] {
            assert!(Domain::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn usual_words_are_taken_as_they_are() {
        for good in ["a", "web-1", "WEB_1", "a.b", "1", "ignore", "infinite", "10.0.0.1"] {
            assert_eq!(HostName::new(good).unwrap().as_str(), good);
        }
        for good in ["private", "NW-", "NW-7a", "net_1.b"] {
            assert_eq!(Label::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Domain::new("cloud.example").unwrap().to_string(), "cloud.example");
    }

    #[test]
    fn long_names_are_shortened_and_then_checked() {
        assert_eq!(HostName::new(&"a".repeat(63)).unwrap().as_str(), "a".repeat(63));
        assert_eq!(HostName::new(&"a".repeat(64)).unwrap().as_str(), format!("aa-{}", "a".repeat(60)));
        // The second character is a dot: what follows would start with the hyphen.
        let error = HostName::new(&format!("a.{}", "b".repeat(62))).unwrap_err();
        assert_eq!(error.problem(), &LabelProblem::BadEdge);
        assert!(HostName::new(&"x\n".repeat(40)).is_err());
    }
}
