//! What a person sees while a run goes on and at its end.
//!
//! ```text
//! event -> Results (the fold that the JSON is, too) -> lines.rs, summary.rs: text -> writer
//!       -> Progress: a bar on a terminal, else a line every 10 s
//! ```
//!
//! A [`Terminal`] keeps no knowledge of its own about cases and scores: it looks at the results so far when an event says that
//! there is something to tell. All lines go to the writer it was given (the caller gives stderr); only the bar draws to stderr itself.
//! Every line is legible without colour, and none depends on how wide the terminal is, except that prompts are cut.
//!
//! | verbosity | cases | tests | logs of plugins |
//! |---|---|---|---|
//! | quiet | - | those that do not pass | - |
//! | normal | with errors; all when they are few | all | warnings |
//! | verbose | all | all | all |
//!
//! To tell something new: add it to [`Results`], write its line in `lines.rs`, call it in [`Terminal::event`], and look at the
//! snapshots.

mod lines;
mod paint;
mod progress;
mod summary;
mod times;
mod visual;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::time::{Duration, Instant};

use difftest_core::event::{Event, Verdict};
use difftest_core::key::Action;

use crate::json::{CaseState, Results};
use crate::text::safe;
use paint::{Paint, Status};
use progress::Progress;
use times::TestTimes;

/// With at most this many cases in the run, each gets its line.
const FEW: usize = 40;

/// Without a bar, silence lasts at most this long (or one denoising step, if that takes longer).
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// Failures, errors and the summary.
    Quiet,
    /// Tests, and cases while they are few.
    #[default]
    Normal,
    /// Everything.
    Verbose,
}

/// How it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalOptions {
    /// ANSI colours.
    pub color: bool,
    /// A progress bar on stderr; without it a line every 10 seconds.
    pub progress: bool,
    /// How much is told.
    pub verbosity: Verbosity,
    /// Columns; prompts are cut to them.
    pub width: usize,
    /// The command that repeats this run, quoted for a shell and without `-k`, such as `difftest run x/smoke.toml --model m`: the
    /// summary offers it for the first test that did not pass. Where it is empty the suite is taken to be found by its name.
    pub rerun: String,
    /// Tests that were proven before and pass again are counted, and not told.
    pub diff: bool,
}

/// Tells a run to a person, event by event.
pub struct Terminal<W> {
    writer: W,
    options: TerminalOptions,
    paint: Paint,
    results: Results,
    progress: Progress,
    times: TestTimes,
    /// Time since the reporter was made.
    clock: Box<dyn Fn() -> Duration>,
    /// When the last line was written.
    last_line: Duration,
    /// Every case gets a line.
    each_case: bool,
}

impl<W: Write> Terminal<W> {
    /// Writes to `writer`; nothing yet.
    #[must_use]
    pub fn new(writer: W, options: TerminalOptions) -> Self {
        let began = Instant::now();
        Self::with_clock(writer, options, Box::new(move || began.elapsed()))
    }

    fn with_clock(writer: W, options: TerminalOptions, clock: Box<dyn Fn() -> Duration>) -> Self {
        Self {
            writer,
            paint: Paint { color: options.color },
            results: Results::default(),
            progress: Progress::new(options.progress && options.verbosity != Verbosity::Quiet),
            times: TestTimes::default(),
            options,
            clock,
            last_line: Duration::ZERO,
            each_case: false,
        }
    }

    /// Takes in the next event of a run and tells what is worth telling.
    pub fn event(&mut self, event: &Event) {
        self.results.apply(event);
        let now = (self.clock)();
        self.progress.event(event, now);
        self.times.event(event, now);
        let loud = self.options.verbosity != Verbosity::Quiet;
        match event {
            Event::RunStarted { cases, suites, .. } => {
                self.each_case = self.options.verbosity == Verbosity::Verbose || (loud && *cases <= FEW);
                if loud {
                    self.say(&lines::header(&self.results, *suites, *cases, self.paint));
                }
            }
            Event::SuiteStarted { .. } if loud => {
                let text = self.results.suites.last().map(|suite| lines::suite(suite, self.paint));
                self.say(&text.unwrap_or_default());
                let planned =
                    self.results.suites.last().and_then(|suite| lines::planned(suite, self.options.diff, self.paint));
                planned.into_iter().for_each(|text| self.say(&text));
            }
            Event::SuiteError { suite, error } => {
                let text = self.paint.line(Status::Error, &format!("suite {}", safe(suite)))
                    + &lines::error(&error.message, error.hint.as_deref(), self.paint);
                self.say(&text);
            }
            Event::CaseFinished { case } if !self.is_hushed(*case) => self.case(*case),
            Event::Log { case, plugin, level, message } => self.log(*case, plugin, level, message),
            Event::TestFinished { test, verdict, .. } if loud || *verdict != Verdict::Pass => {
                let proven = *verdict == Verdict::Pass && self.is_proven(*test);
                if !proven {
                    self.test(*test, now);
                }
            }
            Event::RunFinished { .. } => {
                self.progress.end();
                let text = summary::summary(&self.results, &self.options, self.paint);
                self.say(&text);
            }
            _ => {}
        }
        if loud
            && !self.options.progress
            && now.saturating_sub(self.last_line) >= HEARTBEAT
            && self.progress.is_running()
        {
            let text = self.paint.line(Status::Generated, &self.progress.heartbeat(now));
            self.say(&text);
        }
    }

    /// The last line: what the process ends with. A fold cannot know it, because writing the results may fail after the run.
    pub fn exit_line(&mut self, exit_code: u8) {
        let text = summary::exit_line(&self.results, exit_code, self.paint);
        self.say(&text);
    }

    /// Whether a case belongs to what `--diff` leaves alone.
    fn is_hushed(&self, case: usize) -> bool {
        self.options.diff && self.results.case(case).is_some_and(|case| case.action == Action::Reuse)
    }

    /// Whether all cases of a test do.
    fn is_proven(&self, test: usize) -> bool {
        let Some(suite) = self.results.suites.last().filter(|_| self.options.diff) else { return false };
        let Some(test) = suite.tests.get(test) else { return false };
        let mut cases = suite.cases_of(test).peekable();
        cases.peek().is_some() && cases.all(|case| case.action == Action::Reuse)
    }

    fn case(&mut self, index: usize) {
        let Some((suite, case)) = self.results.suites.last().zip(self.results.case(index)) else { return };
        let failed = case.state == CaseState::Error && self.options.verbosity != Verbosity::Quiet;
        if self.each_case || failed {
            let text = lines::case(suite, case, self.paint);
            self.say(&text);
        }
    }

    fn test(&mut self, index: usize, now: Duration) {
        let Some(suite) = self.results.suites.last() else { return };
        let text = lines::test(suite, index, self.times.seconds(index, now), self.options.width, self.paint);
        self.say(&text);
    }

    fn log(&mut self, case: Option<usize>, plugin: &str, level: &str, message: &str) {
        let told = match self.options.verbosity {
            Verbosity::Quiet => false,
            Verbosity::Normal => level == "warn",
            Verbosity::Verbose => true,
        };
        if told {
            let of = case.and_then(|case| self.results.case(case)).map(|case| format!(" {}", safe(&case.id)));
            let text = format!("{}{}: {}", safe(plugin), of.unwrap_or_default(), safe(message));
            let status = if level == "warn" { Status::Warning } else { Status::Log };
            let text = self.paint.line(status, &text);
            self.say(&text);
        }
    }

    /// Writes whole lines. A closed pipe or a full disk behind stderr is no reason to stop a run.
    fn say(&mut self, text: &str) {
        self.last_line = (self.clock)();
        let writer = &mut self.writer;
        self.progress.around(|| {
            let _ = writer.write_all(text.as_bytes());
            let _ = writer.flush();
        });
    }
}
