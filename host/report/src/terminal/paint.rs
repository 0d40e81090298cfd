//! Colour, and the column that every line starts with.

use anstyle::{AnsiColor, Style};
use difftest_core::event::Verdict;

/// How wide the first column is; what it says stands at its right.
pub(super) const COLUMN: usize = 12;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pass,
    Fail,
    Inconclusive,
    Error,
    NotRun,
    Scored,
    Reused,
    Warning,
    Log,
    Generated,
    Planned,
    Summary,
    Images,
    Next,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Error => "ERROR",
            Self::NotRun => "NOT RUN",
            Self::Scored => "SCORED",
            Self::Reused => "REUSED",
            Self::Warning => "warning",
            Self::Log => "log",
            Self::Generated => "Generated",
            Self::Planned => "Planned",
            Self::Summary => "Summary",
            Self::Images => "images",
            Self::Next => "next",
        }
    }

    fn style(self) -> Style {
        let bold = |color: AnsiColor| Style::new().bold().fg_color(Some(color.into()));
        match self {
            Self::Pass => bold(AnsiColor::Green),
            Self::Fail | Self::Error => bold(AnsiColor::Red),
            Self::NotRun | Self::Warning | Self::Inconclusive => bold(AnsiColor::Yellow),
            Self::Summary | Self::Planned => Style::new().bold(),
            Self::Next => bold(AnsiColor::Cyan),
            Self::Scored | Self::Reused | Self::Log | Self::Generated | Self::Images => Style::new().dimmed(),
        }
    }
}

impl From<Verdict> for Status {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Fail => Self::Fail,
            Verdict::Error => Self::Error,
            Verdict::NotRun => Self::NotRun,
        }
    }
}

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) color: bool,
}

impl Paint {
    /// `        PASS text` with a newline. `text` is safe already.
    pub(super) fn line(self, status: Status, text: &str) -> String {
        // Padded before it is coloured: escape sequences have no width.
        format!("{} {text}\n", self.styled(status.style(), &format!("{:>COLUMN$}", status.word())))
    }

    /// A line below another one: text in the second column.
    pub(super) fn below(self, text: &str) -> String {
        format!("{:COLUMN$} {text}\n", "")
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.styled(Style::new().fg_color(Some(AnsiColor::Red.into())), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
