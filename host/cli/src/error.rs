//! The one table from errors to exit codes.

use std::fmt::Write as _;
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
        self.error.span.is_some().then_some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.error.span.clone()?;
        let label = self.error.label.clone().unwrap_or_else(|| "here".into());
        Some(Box::new(std::iter::once(LabeledSpan::new(Some(label), span.start, span.len()))))
    }
}

fn render(file: &SuiteErrors, error: &SuiteError, color: bool) -> String {
    let theme = if color { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    let located = Located { error, source: NamedSource::new(file.path.display().to_string(), file.text.to_string()) };
    let mut text = String::new();
    if error.span.is_none() {
        let _ = writeln!(text, "{}:", file.path.display());
    }
    // Writing to a String cannot fail, and miette only passes on what the writer says.
    let _ = GraphicalReportHandler::new_themed(theme).with_width(100).render_report(&mut text, &located);
    text
}
