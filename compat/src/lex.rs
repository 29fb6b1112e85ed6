//! Text to words, as `iptables-restore` splits a line.
//!
//! Owns: blanks, double quotes, backslashes, and the limits of a line.
//! Never: knows options.
//!
//! Invariant: a word is borrowed from the text unless quotes force a copy; no word holds a control character, so no
//! field can start a rule of its own.
//!
//! Where the truth is: `add_param_to_argv` of `iptables/xshared.c`. Words are separated by blanks; double quotes group,
//! also from the middle of a word; inside quotes a backslash takes the next character as it is; outside it is an
//! ordinary character, as single quotes are everywhere.

use std::borrow::Cow;

use crate::error::{ErrorKind, ParseError, Span};

/// The most words on a line.
pub(crate) const MAX_WORDS: usize = 255;
/// The most bytes on a line.
pub(crate) const MAX_LINE: usize = 10_239;

/// A word and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Word<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) span: Span,
}

impl<'a> Word<'a> {
    /// The word from byte `at` on: the value in `-s10.0.0.1` or `--source=10.0.0.1`.
    pub(crate) fn tail(&self, at: usize) -> Word<'a> {
        let text = match &self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(at..).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(at..).unwrap_or_default().to_owned()),
        };
        // In a quoted word the offsets are not those of the text.
        let plain = self.span.end - self.span.start == self.text.len();
        let start = if plain { self.span.start + at } else { self.span.start };
        Word { text, span: Span::new(start, self.span.end) }
    }
}

/// The words of one line.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    text: &'a str,
    at: usize,
    /// Where the line starts in the text that spans count in.
    base: usize,
    count: usize,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a str, base: usize) -> Self {
        Self { text, at: 0, base, count: 0 }
    }

    /// Where the next word may start.
    pub(crate) fn position(&self) -> usize {
        self.base + self.at
    }

    /// What is left, with the blanks before it removed.
    pub(crate) fn rest(&mut self) -> &'a str {
        self.skip_blanks();
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over two words if they are written exactly so; there are no quotes in them.
    pub(crate) fn skip_pair(&mut self, pair: &str) -> bool {
        let after = self.rest().strip_prefix(pair).map(str::as_bytes);
        let found = matches!(after, Some([] | [b' ' | b'\t', ..]));
        if found {
            self.at += pair.len();
            self.count += 2;
        }
        found
    }

    fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next word, or `None` at the end of the line.
    pub(crate) fn next(&mut self) -> Result<Option<Word<'a>>, ParseError> {
        self.skip_blanks();
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start;
        loop {
            match bytes.get(at) {
                None | Some(b' ' | b'\t') => break,
                Some(b'"') => return self.quoted(start, at).map(Some),
                Some(&byte) if byte < 0x20 || byte == 0x7f => return Err(self.control(at)),
                Some(_) => at += 1,
            }
        }
        self.at = at;
        if at == start {
            return Ok(None);
        }
        let text = Cow::Borrowed(self.text.get(start..at).unwrap_or_default());
        self.word(text, start).map(Some)
    }

    /// A word with a quote in it; `quote` is where the first stands.
    fn quoted(&mut self, start: usize, quote: usize) -> Result<Word<'a>, ParseError> {
        let bytes = self.text.as_bytes();
        // The usual case: one quoted piece without backslashes, which can be borrowed.
        let plain = bytes.get(quote + 1..).unwrap_or_default().iter();
        let inside = plain.take_while(|&&b| b >= 0x20 && !matches!(b, b'"' | b'\\' | 0x7f)).count();
        let close = quote + 1 + inside;
        if quote == start
            && bytes.get(close) == Some(&b'"')
            && matches!(bytes.get(close + 1), None | Some(b' ' | b'\t'))
        {
            self.at = close + 1;
            let text = Cow::Borrowed(self.text.get(start + 1..close).unwrap_or_default());
            return self.word(text, start);
        }
        let mut word = Vec::new();
        let mut quoting = false;
        let mut at = start;
        loop {
            match bytes.get(at) {
                None if quoting => {
                    return Err(ParseError::new(ErrorKind::UnterminatedQuote, self.span(start, at)));
                }
                None => break,
                Some(b' ' | b'\t') if !quoting => break,
                Some(b'"') => quoting = !quoting,
                Some(b'\\') if quoting && bytes.get(at + 1).is_some_and(|&b| b >= 0x20 && b != 0x7f) => {
                    at += 1;
                    word.extend(bytes.get(at));
                }
                Some(&byte) if byte < 0x20 || byte == 0x7f => return Err(self.control(at)),
                Some(&byte) => word.push(byte),
            }
            at += 1;
        }
        self.at = at;
        // Only whole ASCII characters were taken out of valid UTF-8.
        let text = String::from_utf8(word).map_err(|_| ParseError::new(ErrorKind::NotUtf8, self.span(start, at)))?;
        self.word(Cow::Owned(text), start)
    }

    fn word(&mut self, text: Cow<'a, str>, start: usize) -> Result<Word<'a>, ParseError> {
        let span = self.span(start, self.at);
        self.count += 1;
        if self.count > MAX_WORDS {
            return Err(ParseError::new(ErrorKind::TooManyWords { max: MAX_WORDS }, span));
        }
        Ok(Word { text, span })
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.base + start, self.base + end)
    }

    fn control(&self, at: usize) -> ParseError {
        let character = self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
        ParseError::new(ErrorKind::ControlCharacter { character }, self.span(at, at + 1))
    }
}

/// Appends a string value in save form: bare when it is of letters, digits, `_` and `-`, else quoted.
pub(crate) fn quote(text: &str, out: &mut String) {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !text.is_empty() && text.bytes().all(bare) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<String>, ErrorKind> {
        let mut words = Words::new(text, 0);
        let mut all = Vec::new();
        while let Some(word) = words.next().map_err(|e| e.kind)? {
            all.push(word.text.into_owned());
        }
        Ok(all)
    }

    #[test]
    fn blanks_separate_and_double_quotes_group() {
        assert_eq!(words(" -s\t1.2.3.4  \"a b\" ").unwrap(), ["-s", "1.2.3.4", "a b"]);
        assert_eq!(words(r#"a"b c"d 'e f' \g "h\"i\\" "" "#).unwrap(), ["ab cd", "'e", "f'", r"\g", r#"h"i\"#, ""]);
        assert_eq!(words("\"tab\there\"").unwrap_err(), ErrorKind::ControlCharacter { character: '\t' });
    }

    #[test]
    fn control_characters_and_open_quotes_are_refused() {
        for bad in ["a\nb", "a\rb", "a\0b", "\"a\nb\"", "\"a\\\nb\"", "\"x\ry\"z", "a\u{7f}"] {
            assert!(matches!(words(bad), Err(ErrorKind::ControlCharacter { .. })), "{bad:?}");
        }
        assert_eq!(words("a \"b"), Err(ErrorKind::UnterminatedQuote));
        assert_eq!(words(&"a ".repeat(256)), Err(ErrorKind::TooManyWords { max: 255 }));
    }

    #[test]
    fn what_is_quoted_reads_back() {
        for text in ["", "plain-text_1", "a b", "it's", "say \"x\" \\ y", "ünï", "10.0.0.1", "-j"] {
            let mut quoted = String::new();
            quote(text, &mut quoted);
            assert_eq!(words(&quoted).unwrap(), [text], "{quoted}");
        }
    }

    #[test]
    fn spans_name_the_bytes() {
        let mut all = Words::new("-s  \"x y\" z", 100);
        let mut spans = Vec::new();
        while let Some(word) = all.next().unwrap() {
            spans.push((word.span.start, word.span.end));
        }
        assert_eq!(spans, [(100, 102), (104, 109), (110, 111)]);
    }
}
