//! What is wrong in a suite file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Span;

/// Something wrong in a suite file: what, where, why and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SuiteError {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where in the text, where that is known.
    pub span: Option<Span>,
    /// What stands under the arrow.
    pub label: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// Every problem of one suite file, in the order of the text: a person can mend them all at once.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {} problem(s)", path.display(), errors.len())]
pub struct SuiteErrors {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: Arc<str>,
    /// At least one.
    pub errors: Vec<SuiteError>,
}

impl SuiteError {
    /// A problem at `span`.
    #[must_use]
    pub fn at(span: &Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span.clone()), label: None, hint: None }
    }

    /// A problem of the file as a whole.
    #[must_use]
    pub fn whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, label: None, hint: None }
    }

    /// Says what stands under the arrow.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `suites/a.toml:3:5: message`: for logs and programs, where no text can be shown with an arrow.
    #[must_use]
    pub fn located(&self, path: &Path, text: &str) -> String {
        match &self.span {
            Some(span) => {
                let (line, column) = line_column(text, span.start);
                format!("{}:{line}:{column}: {}", path.display(), self.message)
            }
            None => format!("{}: {}", path.display(), self.message),
        }
    }
}

impl SuiteErrors {
    /// All problems of `text`, sorted by where they are.
    #[must_use]
    pub fn new(path: &Path, text: &Arc<str>, mut errors: Vec<SuiteError>) -> Self {
        errors.sort_by_key(|error| error.span.as_ref().map(|span| (span.start, span.end)));
        Self { path: path.to_owned(), text: Arc::clone(text), errors }
    }
}

/// Line and column of the byte at `offset`, both counted from 1; the column counts characters.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    // A span may end past the text or, from a parser that recovers, inside a character.
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let text = "a = 1\nü = ∞\n";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(line_column(text, 5), (1, 6));
        assert_eq!(line_column(text, 6), (2, 1));
        assert_eq!(line_column(text, text.find('∞').unwrap_or(0)), (2, 5));
        assert_eq!(line_column(text, text.find('∞').unwrap_or(0) + 1), (2, 5), "inside a character");
        assert_eq!(line_column(text, 1000), (3, 1));
        assert_eq!(line_column("", 0), (1, 1));
    }
}
