//! The options that were given to one match or target.
//!
//! Owns: that an option comes once, is there when it must be, and excludes or needs others; and the naming of the
//! extension, option and place in every error.
//!
//! The parser collects what was typed; each extension then reads it as a whole. So an extension is one function from
//! options to a value, and no half-made value exists.

use std::fmt;

use nftwrap::rule::{Family, Not, PortRange, Protocol};

use super::{Extension, OptionSpec};
use crate::error::{ErrorKind, ParseError, Span};
use crate::lex::Word;
use crate::value::{self, Fault};

/// An option as it was typed.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    /// The match or target it belongs to, by the parser's count.
    pub(crate) instance: usize,
    pub(crate) option: &'static OptionSpec,
    pub(crate) negated: bool,
    pub(crate) first: Option<Word<'a>>,
    pub(crate) second: Option<Word<'a>>,
    /// The whole option with its values.
    pub(crate) span: Span,
}

impl Given<'_> {
    /// Its value, or its first.
    pub(crate) fn text(&self) -> &str {
        self.first.as_ref().map_or("", |word| &word.text)
    }

    /// Its second value.
    pub(crate) fn second(&self) -> &str {
        self.second.as_ref().map_or("", |word| &word.text)
    }
}

/// The options of one match or target, and what of the rule they depend on.
pub(crate) struct Options<'p, 'a> {
    pub(crate) extension: &'static Extension,
    pub(crate) family: Family,
    pub(crate) protocol: Option<Not<Protocol>>,
    /// Where the extension was named.
    pub(crate) span: Span,
    pub(crate) instance: usize,
    pub(crate) given: &'p [Given<'a>],
}

impl fmt::Debug for Options<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("extension", &self.extension.name).field("given", &self.given).finish()
    }
}

impl<'p, 'a> Options<'p, 'a> {
    fn all(&self) -> impl Iterator<Item = &'p Given<'a>> + use<'p, 'a> {
        let instance = self.instance;
        self.given.iter().filter(move |g| g.instance == instance)
    }

    /// Refuses an option that comes twice.
    pub(crate) fn check_once(&self) -> Result<(), ParseError> {
        let mut seen = 0u64;
        for given in self.all() {
            let position = self.extension.options.iter().position(|o| std::ptr::eq(o, given.option));
            let bit = 1u64 << position.unwrap_or(63).min(63);
            if seen & bit != 0 {
                let kind = ErrorKind::OnceOnly { extension: self.extension.name, option: given.option.name() };
                return Err(ParseError::new(kind, given.span));
            }
            seen |= bit;
        }
        Ok(())
    }

    /// The option of this name, if it was given.
    pub(crate) fn get(&self, name: &'static str) -> Option<&'p Given<'a>> {
        debug_assert!(self.extension.options.iter().any(|o| o.name() == name), "{name} is an option");
        self.all().find(|g| g.option.name() == name)
    }

    /// Whether the flag was given.
    pub(crate) fn has(&self, name: &'static str) -> bool {
        self.get(name).is_some()
    }

    /// The flag with its `!`.
    pub(crate) fn flag(&self, name: &'static str) -> Option<Not<()>> {
        self.get(name).map(|given| Not { negated: given.negated, value: () })
    }

    /// The value of the option.
    pub(crate) fn value<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<Option<T>, ParseError> {
        self.get(name).map(|given| parse(given.text()).map_err(|fault| self.fault(given, fault))).transpose()
    }

    /// The value of the option with its `!`.
    pub(crate) fn negatable<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Result<Option<Not<T>>, ParseError> {
        let Some(given) = self.get(name) else { return Ok(None) };
        let value = parse(given.text()).map_err(|fault| self.fault(given, fault))?;
        Ok(Some(Not { negated: given.negated, value }))
    }

    /// The ports of the option with its `!`; service names are those of the protocol.
    pub(crate) fn ports(&self, name: &'static str) -> Result<Option<Not<PortRange>>, ParseError> {
        let protocol = self.protocol.map(|p| p.value);
        self.negatable(name, |text| value::port_range(text, protocol))
    }

    /// The error for an option that must be there and is not.
    pub(crate) fn missing(&self, option: &'static str) -> ParseError {
        self.error(ErrorKind::MissingOption { extension: self.extension.name, option })
    }

    /// The error when one of several options must be there and none is.
    pub(crate) fn missing_one_of(&self, options: &'static str) -> ParseError {
        self.error(ErrorKind::MissingOneOf { extension: self.extension.name, options })
    }

    /// The one of these options that was given; several exclude each other.
    pub(crate) fn one_of(&self, names: &[&'static str]) -> Result<Option<&'p Given<'a>>, ParseError> {
        let mut found: Option<&'p Given<'a>> = None;
        for given in self.all().filter(|g| names.contains(&g.option.name())) {
            if let Some(first) = found {
                let (option, other) = (given.option.name(), first.option.name());
                let kind = ErrorKind::Together { extension: self.extension.name, option, other };
                return Err(ParseError::new(kind, given.span));
            }
            found = Some(given);
        }
        Ok(found)
    }

    /// Refuses `name` without `other`.
    pub(crate) fn requires(&self, name: &'static str, other: &'static str) -> Result<(), ParseError> {
        match self.get(name) {
            Some(given) if !self.has(other) => {
                let kind = ErrorKind::AlsoRequires { extension: self.extension.name, option: name, other };
                Err(ParseError::new(kind, given.span))
            }
            _ => Ok(()),
        }
    }

    /// Refuses the extension unless the rule has one of these protocols, not negated.
    pub(crate) fn needs_protocol(&self, any: &[Protocol], words: &'static str) -> Result<(), ParseError> {
        match self.protocol {
            Some(Not { negated: false, value }) if any.contains(&value) => Ok(()),
            _ => Err(self.error(ErrorKind::NeedsProtocol { extension: self.extension.name, protocols: words })),
        }
    }

    /// An error about the extension as a whole.
    pub(crate) fn error(&self, kind: ErrorKind) -> ParseError {
        ParseError::new(kind, self.span)
    }

    /// The error for the value of an option.
    pub(crate) fn fault(&self, given: &Given<'_>, fault: Fault) -> ParseError {
        let (extension, option) = (self.extension.name, given.option.name());
        let kind = match fault {
            Fault::Kind(kind) => kind,
            Fault::Bad => ErrorKind::BadValue { extension, option, value: given.text().into() },
            Fault::Range(low, high) => ErrorKind::OutOfRange { extension, option, low, high },
        };
        let word = given.first.as_ref().map_or(given.span, |word| word.span);
        ParseError::new(kind, word)
    }

    /// As [`fault`](Options::fault), for the second value of an option.
    pub(crate) fn second_fault(&self, given: &Given<'_>) -> ParseError {
        let (extension, option) = (self.extension.name, given.option.name());
        let kind = ErrorKind::BadValue { extension, option, value: given.second().into() };
        ParseError::new(kind, given.second.as_ref().map_or(given.span, |word| word.span))
    }
}

/// Appends ` --name `, with `!` in front of it when negated.
pub(crate) fn option(negated: bool, name: &str, out: &mut String) {
    out.push_str(if negated { " ! --" } else { " --" });
    out.push_str(name);
}

/// Appends the names with commas between them and a blank in front.
pub(crate) fn names<'n>(names: impl Iterator<Item = &'n str>, out: &mut String) {
    let mut separator = ' ';
    for name in names {
        out.push(separator);
        out.push_str(name);
        separator = ',';
    }
}
