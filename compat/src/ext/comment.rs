//! `-m comment`: a text that matches everything.

use nftwrap::rule::Match;
use nftwrap::rule::matches::Comment;

use super::{Extension, OptionSpec, Options, Parse};
use crate::error::ParseError;
use crate::lex::quote;
use crate::value::{self, Fault};

pub(crate) static EXTENSION: Extension = Extension {
    name: "comment",
    family: None,
    options: &[OptionSpec::value(&["comment"], &["text"])],
    summary: "a comment of up to 255 bytes; matches everything",
    parse: Parse::Match(parse),
};

fn parse(o: &Options<'_, '_>) -> Result<Match, ParseError> {
    let comment = o.value("comment", |text| {
        // As iptables does, a longer comment is cut; it changes no packet's fate.
        Comment::new(value::cut(text, Comment::MAX)).map_err(|_| Fault::Bad)
    })?;
    comment.map(Match::Comment).ok_or_else(|| o.missing("comment"))
}

pub(super) fn print(comment: &Comment, out: &mut String) {
    out.push_str(" -m comment --comment ");
    quote(comment.as_str(), out);
}
