//! How checks are printed: one line each, and what to do next below those that failed.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use difftest_plugin::conformance::{Check, Outcome};

/// Columns that the names of what is checked may take.
const WIDEST: usize = 28;

/// The lines of one check. `of` is told where it is not plain what the check is of.
pub(super) fn line(check: &Check, with_of: bool, color: bool) -> String {
    let (word, style) = match check.outcome {
        Outcome::Passed { .. } => ("ok", Style::new().fg_color(Some(AnsiColor::Green.into()))),
        Outcome::Failed { .. } => ("FAILED", Style::new().bold().fg_color(Some(AnsiColor::Red.into()))),
        Outcome::Skipped { .. } => ("skipped", Style::new().fg_color(Some(AnsiColor::Yellow.into()))),
    };
    let (style, dim) = if color { (style, Style::new().dimmed()) } else { (Style::new(), Style::new()) };
    let mut text = format!("{style}{word:<7}{style:#}  ");
    if with_of {
        let _ = write!(text, "{:<WIDEST$}  ", check.of);
    }
    let (note, hint) = match &check.outcome {
        Outcome::Passed { note } => (note, None),
        Outcome::Failed { reason, hint } => (reason, hint.as_deref()),
        Outcome::Skipped { reason } => (reason, None),
    };
    let passed = matches!(check.outcome, Outcome::Passed { .. });
    if with_of {
        text += &check.what;
    } else {
        let _ = write!(text, "{:<16}", check.what);
    }
    if !note.is_empty() {
        let note = note.replace('\n', "\n         ");
        let _ = if passed { write!(text, "  {dim}{note}{dim:#}") } else { write!(text, ": {note}") };
    }
    text.push('\n');
    if let Some(hint) = hint {
        let _ = writeln!(text, "         next: {hint}");
    }
    text
}
