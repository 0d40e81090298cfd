//! What the commands print with: data to stdout, everything else to stderr, colour only where it is wanted.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use difftest_report::terminal::Verbosity;

use crate::args::{Color, Global};
use crate::environment;
use crate::error::CliError;

/// What `--quiet` said, for threads that work without a [`Ui`].
static QUIET: AtomicBool = AtomicBool::new(false);

/// Says what is going on, from any thread.
pub(crate) fn note(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Where output goes and how it looks.
#[derive(Debug)]
pub(crate) struct Ui {
    color: Color,
    verbosity: Verbosity,
}

impl Ui {
    pub(crate) fn new(global: &Global) -> Self {
        let verbosity = match (global.quiet, global.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        QUIET.store(verbosity == Verbosity::Quiet, Ordering::Relaxed);
        Self { color: global.color, verbosity }
    }

    pub(crate) fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Whether stderr takes colour: asked for, or a terminal without `NO_COLOR`.
    pub(crate) fn color_stderr(&self) -> bool {
        self.color_on(io::stderr().is_terminal())
    }

    /// Whether stdout takes colour.
    pub(crate) fn color_stdout(&self) -> bool {
        self.color_on(io::stdout().is_terminal())
    }

    fn color_on(&self, terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !set("NO_COLOR") && (set("FORCE_COLOR") || (terminal && !environment::in_ci() && !dumb())),
        }
    }

    /// Whether a person watches: then progress is drawn.
    pub(crate) fn interactive(&self) -> bool {
        io::stderr().is_terminal() && !environment::in_ci() && !dumb() && self.verbosity != Verbosity::Quiet
    }

    /// Prints data. A closed pipe is the reader's right, not an error; a full disk is one.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::new("write", format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Says what is going on.
    pub(crate) fn note(&mut self, text: &str) {
        note(text);
    }

    /// Something is wrong, and what to do about it.
    pub(crate) fn error(&mut self, message: &str, hint: Option<&str>) {
        let (bold, dim) = if self.color_stderr() {
            (Style::new().bold().fg_color(Some(AnsiColor::Red.into())), Style::new().bold())
        } else {
            (Style::new(), Style::new())
        };
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "{bold}error{bold:#}: {message}");
        if let Some(hint) = hint {
            let _ = writeln!(stderr, "  {dim}next{dim:#}: {hint}");
        }
    }

    /// An error that is already drawn.
    pub(crate) fn error_text(&mut self, text: &str) {
        let _ = write!(io::stderr(), "{text}");
    }
}

/// A terminal that understands no control sequences.
fn dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
