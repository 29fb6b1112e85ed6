//! What went wrong, as a person reads it, and the exit code that says so.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use nftwrap::Error;
use nftwrap::error::{Location, Refusal};
use nftwrap::kernel::Errno;
use nftwrap_compat::error::ParseError;
use nftwrap_compat::load::LoadError;

use crate::source::Source;

/// Why the command ends without success.
pub(crate) struct Failure {
    pub(crate) code: Code,
    messages: Vec<Message>,
}

/// The exit codes of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Anything that is neither input nor kernel.
    Other = 1,
    /// The input is wrong; nothing was sent.
    Input = 2,
    /// The kernel, or what stands in it, refuses; nothing was changed.
    Kernel = 4,
}

/// One thing that is wrong.
struct Message {
    title: String,
    excerpt: Option<Excerpt>,
    help: Option<String>,
}

/// Where in a file it is.
struct Excerpt {
    file: String,
    line: u32,
    text: String,
    span: Range<usize>,
    label: String,
}

impl Failure {
    fn one(code: Code, title: String, help: Option<String>) -> Self {
        Self { code, messages: vec![Message { title, excerpt: None, help }] }
    }

    pub(crate) fn other(title: impl Into<String>) -> Self {
        Self::one(Code::Other, title.into(), None)
    }

    pub(crate) fn input(title: impl Into<String>) -> Self {
        Self::one(Code::Input, title.into(), None)
    }

    /// Mistakes in the text of a file.
    pub(crate) fn parse(source: &Source, errors: &[ParseError]) -> Self {
        let messages = errors.iter().map(|error| {
            let line = error.line.unwrap_or(1);
            let excerpt = source.line(line).map(|(start, text)| Excerpt {
                file: source.name.clone(),
                line,
                // Places in a file count from its start.
                span: clamp(&text, error.span.start.saturating_sub(start)..error.span.end.saturating_sub(start)),
                text,
                label: String::new(),
            });
            Message { title: error.kind.to_string(), excerpt, help: error.help.clone() }
        });
        Self { code: Code::Input, messages: messages.collect() }
    }

    /// A mistake in a rule given on the command line.
    pub(crate) fn rule(text: &str, error: &ParseError) -> Self {
        let excerpt = Excerpt {
            file: "<rule>".into(),
            line: 1,
            text: text.to_owned(),
            span: clamp(text, error.span.clone()),
            label: String::new(),
        };
        let message = Message { title: error.kind.to_string(), excerpt: Some(excerpt), help: error.help.clone() };
        Self { code: Code::Input, messages: vec![message] }
    }

    /// A file without any table, where it would mean that the component wants nothing.
    pub(crate) fn nothing_stated(source: &Source) -> Self {
        let help = "a component's rules are removed by `nftwrap flush`".to_owned();
        Self::one(Code::Input, format!("{} states no table", source.name), Some(help))
    }

    /// A file that does not make a model.
    pub(crate) fn load(source: &Source, error: &LoadError) -> Self {
        let excerpt = whole_line(source, error.line, "");
        Self { code: Code::Input, messages: vec![Message { title: error.to_string(), excerpt, help: None }] }
    }

    /// An application that failed.
    pub(crate) fn apply(sources: &[Source], error: &Error) -> Self {
        let at = |location: &Location, label: &str| {
            let source = sources.iter().find(|s| s.family == location.table.family)?;
            whole_line(source, location.line?, label)
        };
        let (code, messages) = match error {
            Error::Model(errors) => {
                let messages = errors.iter().map(|e| {
                    let excerpt = e.at().and_then(|rule| {
                        let source = sources.iter().find(|s| s.family == rule.table.family)?;
                        whole_line(source, rule.line?, "")
                    });
                    Message { title: e.to_string(), excerpt, help: None }
                });
                (Code::Input, messages.collect())
            }
            Error::Compile { location, source, .. } => (
                Code::Input,
                vec![Message { title: error.to_string(), excerpt: at(location, &source.to_string()), help: None }],
            ),
            Error::Refused(refusals) => (Code::Kernel, refusals.iter().map(|r| refusal(r, &at)).collect()),
            Error::Layout(_) => (Code::Input, vec![Message { title: error.to_string(), excerpt: None, help: None }]),
            Error::StillReferenced { .. }
            | Error::Incompatible { .. }
            | Error::ForeignTable { .. }
            | Error::TableOwned { .. } => {
                (Code::Kernel, vec![Message { title: error.to_string(), excerpt: None, help: None }])
            }
            _ => {
                let help =
                    error.is_not_permitted().then(|| "run it as root, or try a file out with --sandbox".to_owned());
                (Code::Other, vec![Message { title: error.to_string(), excerpt: None, help }])
            }
        };
        Self { code, messages }
    }

    /// The messages as text with excerpts and carets.
    pub(crate) fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for message in &self.messages {
            let mut group = Level::ERROR
                .primary_title(message.title.as_str())
                .elements(None::<Snippet<'_, annotate_snippets::Annotation<'_>>>);
            let mut framed = false;
            if let Some(excerpt) = &message.excerpt {
                let annotation = AnnotationKind::Primary.span(excerpt.span.clone()).label(excerpt.label.as_str());
                group = group.element(
                    Snippet::source(excerpt.text.as_str())
                        .line_start(usize::try_from(excerpt.line).unwrap_or(1))
                        .path(excerpt.file.as_str())
                        .annotation(annotation),
                );
                if let Some(help) = &message.help {
                    group = group.element(Level::HELP.message(help.as_str()));
                }
                framed = true;
            }
            out.push_str(&renderer.render(&[group]));
            // Without an excerpt there is no frame to hang it in.
            if let Some(help) = message.help.as_ref().filter(|_| !framed) {
                out.push('\n');
                out.push_str(&renderer.render(&[Group::with_title(Level::HELP.primary_title(help.as_str()))]));
            }
            out.push('\n');
        }
        out
    }
}

fn refusal(refusal: &Refusal, at: &dyn Fn(&Location, &str) -> Option<Excerpt>) -> Message {
    let mut label = refusal.errno.to_string();
    if let Some(expression) = &refusal.expression {
        label = format!("{label}, at {expression}");
    }
    // The most common refusal of a rule that parses, and the kernel has one number for all its reasons.
    let extension = refusal.expression.as_ref().is_some_and(|e| e.contains("target name") || e.contains("match name"));
    let help = (refusal.errno == Errno::INVAL && extension)
        .then(|| "the extension does not take this table, chain or value; the kernel's log may say which".to_owned());
    Message { title: format!("the kernel refused: {refusal}"), excerpt: at(&refusal.location, &label), help }
}

fn whole_line(source: &Source, line: u32, label: &str) -> Option<Excerpt> {
    let (_, text) = source.line(line)?;
    Some(Excerpt { file: source.name.clone(), line, span: 0..text.len(), text, label: label.to_owned() })
}

/// Keeps a span inside the text and on character boundaries; an empty one at the end points behind the last character.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = floor(span.start);
    start..floor(span.end).max(start)
}
