//! Where the lines that plugins log go.

use serde::Serialize;

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// For whoever reads the run.
    Info,
    /// For whoever should do something.
    Warn,
}

impl Level {
    /// As suites' events write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
        }
    }
}

/// One line that a plugin logged. `message` is escaped and cut: it may be printed as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// The plugin's name.
    pub plugin: String,
    /// The case it was working on; `None` while it described itself, measured a set or wrote prompts.
    pub sample: Option<String>,
    /// As the plugin says.
    pub level: Level,
    /// The text.
    pub message: String,
}

/// Takes the lines of a call once it has ended, in their order. Calls run on many threads.
pub trait LogSink: Send + Sync {
    /// One line.
    fn log(&self, line: LogLine);
}

/// Lets every line fall.
pub(crate) struct Discard;

impl LogSink for Discard {
    fn log(&self, _: LogLine) {}
}

impl<F: Fn(LogLine) + Send + Sync> LogSink for F {
    fn log(&self, line: LogLine) {
        self(line);
    }
}
