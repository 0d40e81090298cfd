//! The one table from errors to exit codes.

use std::fmt::Write as _;
use std::ops::Range;
use std::process::ExitCode;

use difftest_core::event::{Conclusion, ErrorInfo};
use difftest_core::metric::MetricError;
use difftest_core::suite::{SuiteError, SuiteErrors};
use miette::{Diagnostic, GraphicalReportHandler, LabeledSpan, NamedSource, SourceCode};

use crate::ui::Ui;

/// How a command ended: a public contract, never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All passed, or there was nothing to complain about.
    Success = 0,
    /// A test failed.
    Failed = 1,
    /// Something could not be done or computed.
    Error = 2,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Conclusion> for Exit {
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Passed => Self::Success,
            Conclusion::Failed => Self::Failed,
            Conclusion::Error => Self::Error,
            Conclusion::Interrupted => Self::Interrupted,
        }
    }
}

/// What kept a command from doing its work. All of these are exit code 2.
#[derive(Debug)]
pub(crate) enum CliError {
    /// Problems in suite files, with their places.
    Suites(Vec<SuiteErrors>),
    /// Anything else: what happened, and what to do next.
    Plain(ErrorInfo),
}

const REPORTS: &str = "reports";

impl CliError {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self::Plain(ErrorInfo { kind: kind.into(), message: message.into(), hint: None, case: None })
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Plain(info) = &mut self {
            info.hint = Some(hint.into());
        }
        self
    }

    /// [`CliError::hint`], where there is one.
    pub(crate) fn hint_if(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// A plugin that cannot be used.
    pub(crate) fn refused(error: MetricError) -> Self {
        Self::Plain(ErrorInfo { kind: error.kind, message: error.message, hint: error.hint, case: None })
    }

    /// The error, marked as one of the files that reports are to be written to.
    pub(crate) fn of_reports(mut self) -> Self {
        if let Self::Plain(info) = &mut self {
            info.kind = REPORTS.into();
        }
        self
    }

    /// Whether it is about where reports are to be written: then it is not written there.
    pub(crate) fn is_of_reports(&self) -> bool {
        matches!(self, Self::Plain(info) if info.kind == REPORTS)
    }

    /// The error with its message changed.
    pub(crate) fn map(mut self, change: impl FnOnce(String) -> String) -> Self {
        if let Self::Plain(info) = &mut self {
            info.message = change(std::mem::take(&mut info.message));
        }
        self
    }

    /// Shows the error and says how the program ends.
    pub(crate) fn report(self, ui: &mut Ui) -> Exit {
        match self {
            Self::Suites(files) => {
                for file in &files {
                    for error in &file.errors {
                        ui.error_text(&render(file, error, ui.color_stderr()));
                    }
                }
            }
            Self::Plain(info) => ui.error(&info.message, info.hint.as_deref()),
        }
        Exit::Error
    }
}

impl From<ErrorInfo> for CliError {
    fn from(info: ErrorInfo) -> Self {
        Self::Plain(info)
    }
}

impl From<difftest_store::atomic::WriteError> for CliError {
    fn from(error: difftest_store::atomic::WriteError) -> Self {
        Self::Plain(ErrorInfo { kind: "write".into(), message: error.to_string(), hint: error.hint(), case: None })
    }
}

/// One problem of a suite file as miette draws it.
#[derive(Debug)]
struct Located<'a> {
    error: &'a SuiteError,
    span: Option<Range<usize>>,
    source: NamedSource<String>,
}

impl std::fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error.message)
    }
}

impl std::error::Error for Located<'_> {}

impl Diagnostic for Located<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.error.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.span.is_some().then_some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        let label = self.error.label.clone().unwrap_or_else(|| "here".into());
        Some(Box::new(std::iter::once(LabeledSpan::new(Some(label), span.start, span.len()))))
    }
}

/// Longest line that is shown as it is. A prompt may have a hundred thousand characters, which nobody reads on a terminal, and which are
/// more columns than miette can draw.
const LONG: usize = 1_000;
/// What is shown of a longer one: so much around what is wrong, or from its beginning.
const SHOWN: usize = 60;

/// `text` with its long lines cut, and where `span` is in that.
fn excerpt(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    let mut out = String::with_capacity(text.len().min(1 << 16));
    let mut found = 0..0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let here = at..at + line.len();
        at = here.end;
        let is_last = at == text.len();
        let holds = here.contains(&span.start) || (is_last && span.start == at);
        let [start, end] = [span.start, span.end].map(|place| place.clamp(here.start, here.end) - here.start);
        if line.len() <= LONG {
            if holds {
                found = out.len() + start..out.len() + end;
            }
            out.push_str(line);
            continue;
        }
        let (from, to) = if holds { (start.saturating_sub(SHOWN), end.min(start + LONG) + SHOWN) } else { (0, SHOWN) };
        let (from, to) = (line.floor_char_boundary(from), line.floor_char_boundary(to.min(line.trim_end().len())));
        if from > 0 {
            out.push('…');
        }
        if holds {
            found = out.len() + start - from..out.len() + end.min(to) - from;
        }
        out.push_str(&line[from..to]);
        out.push_str("…\n");
    }
    (out, found)
}

fn render(file: &SuiteErrors, error: &SuiteError, color: bool) -> String {
    let theme = if color { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    let (source, span) = match &error.span {
        Some(span) => {
            let (source, span) = excerpt(&file.text, span.clone());
            (source, Some(span))
        }
        None => (String::new(), None),
    };
    let located = Located { error, span, source: NamedSource::new(file.path.display().to_string(), source) };
    let mut text = String::new();
    if error.span.is_none() {
        let _ = writeln!(text, "{}:", file.path.display());
    }
    // Writing to a String cannot fail, and miette only passes on what the writer says.
    let _ = GraphicalReportHandler::new_themed(theme).with_width(100).render_report(&mut text, &located);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_around_what_is_wrong() {
        let short = "a = 1\nb = 2\n";
        assert_eq!(excerpt(short, 6..7), (short.to_owned(), 6..7));
        let long = format!(
            "a = 1\nb = [\"{}é\", wrong, \"{}\"]\nc = \"{}\"",
            "x".repeat(80_000),
            "y".repeat(80_000),
            "z".repeat(2000)
        );
        let at = long.find("wrong").unwrap_or_default();
        let (text, span) = excerpt(&long, at..at + 5);
        assert_eq!(&text[span], "wrong");
        assert!(text.lines().count() == 3 && text.len() < 400, "{text}");
        // All of a long value is wrong.
        let at = long.find('y').unwrap_or_default();
        let (text, span) = excerpt(&long, at..at + 80_000);
        assert!(text[span].chars().all(|c| c == 'y') && text.len() < 2000);
        let end = long.len();
        let (text, span) = excerpt(&long, end..end);
        assert!(span.start <= text.len() && span.is_empty());
    }
}
