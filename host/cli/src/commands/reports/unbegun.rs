//! Reports of a command that ended by an error before it had any results.
//!
//! A report file outlives the command that wrote it, and whoever reads it (CI, a person) does not know of which run it is. So nothing of
//! an earlier run may stay under the name of a report that was asked for now: first the old files go, so that a kill at any
//! moment leaves none, and an error before the run begins is written as the run's result, in every format.
//!
//! Only files that difftest wrote itself are taken away or written over here: what else lies there is left alone.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use difftest_core::event::{self, Conclusion, ErrorInfo, Event};
use difftest_core::suite::{SuiteError, SuiteErrors, line_column};
use difftest_report::html::HtmlOptions;
use difftest_report::json::Results;

use super::{file, output};
use crate::args::html::HtmlArgs;
use crate::args::reports::Reports;
use crate::commands::html;
use crate::error::{CliError, Exit};
use crate::run_name;
use crate::ui::Ui;

/// Problems of one suite that are written out; a broken file can have hundreds.
const SHOWN: usize = 10;

/// Whether a file is a report that difftest wrote.
type Recognise = fn(&Path) -> bool;

impl Reports {
    /// Does `work`, which writes these reports itself when it has results. Where it ends by an error instead, that error is what the
    /// reports say.
    pub(crate) fn of(
        &self,
        ui: &mut Ui,
        work: impl FnOnce(&mut Ui) -> Result<Exit, CliError>,
    ) -> Result<Exit, CliError> {
        self.clear();
        let outcome = work(ui);
        if let Err(error) = &outcome
            && !error.is_of_reports()
        {
            self.tell(error, ui);
        }
        outcome
    }

    /// Takes away what an earlier command wrote. A file that cannot be removed cannot be replaced either, and the check before the run
    /// says so.
    fn clear(&self) {
        for (path, is_ours) in self.known() {
            let is_file = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
            if is_file && is_ours(path) {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Writes the error as what the run came to.
    fn tell(&self, error: &CliError, ui: &mut Ui) {
        let free = |path: &Path| match std::fs::metadata(path) {
            Ok(metadata) => !metadata.is_dir() && metadata.len() == 0,
            Err(_) => true,
        };
        let keep = |path: &Option<PathBuf>| path.clone().filter(|path| path == Path::new("-") || free(path));
        let writable = Self {
            output: keep(&self.output),
            junit: keep(&self.junit),
            markdown: keep(&self.markdown),
            jsonl: None,
            html: HtmlArgs { html: keep(&self.html.html), ..self.html.clone() },
            ..self.clone()
        };
        let (events, results) = ended_by(error);
        if let Err(trouble) = writable.write_with(&results, Path::new(""), HtmlOptions::default(), ui) {
            trouble.report(ui);
        }
        if let Some(path) = keep(&self.jsonl) {
            let lines = events.iter().filter_map(|event| Some(serde_json::to_string(event).ok()? + "\n"));
            if let Err(trouble) = super::to(&path, lines.collect::<String>().as_bytes(), ui) {
                trouble.report(ui);
            }
        }
    }

    /// Every file that was asked for, and how one is known that difftest wrote.
    fn known(&self) -> Vec<(&Path, Recognise)> {
        let mut known: Vec<(&Path, Recognise)> = Vec::new();
        known.extend(file(self.output.as_deref()).map(|path| (path, output::holds_results as fn(&Path) -> bool)));
        known.extend(self.html.html.as_deref().map(|path| (path, html::is_page as fn(&Path) -> bool)));
        known.extend(file(self.junit.as_deref()).map(|path| (path, is_junit as fn(&Path) -> bool)));
        known.extend(file(self.markdown.as_deref()).map(|path| (path, is_markdown as fn(&Path) -> bool)));
        known.extend(file(self.jsonl.as_deref()).map(|path| (path, is_stream as fn(&Path) -> bool)));
        known
    }
}

fn is_junit(path: &Path) -> bool {
    head(path).contains("<testsuites name=\"difftest\"")
}

fn is_markdown(path: &Path) -> bool {
    head(path).starts_with("<!-- difftest:")
}

fn is_stream(path: &Path) -> bool {
    head(path).starts_with("{\"event\":\"run-started\"")
}

fn head(path: &Path) -> String {
    let mut head = Vec::new();
    // What cannot be read is none of ours.
    let _ = File::open(path).and_then(|file| file.take(1024).read_to_end(&mut head));
    String::from_utf8_lossy(&head).into_owned()
}

/// The run that never began, as events and as results.
fn ended_by(error: &CliError) -> (Vec<Event>, Results) {
    let mut events = vec![Event::RunStarted {
        version: event::VERSION,
        difftest: env!("CARGO_PKG_VERSION").to_owned(),
        run: String::new(),
        started: run_name::now(),
        folder: PathBuf::new(),
        suites: 0,
        cases: 0,
        commit: difftest_store::checkout::commit(Path::new(".")),
        label: None,
    }];
    let broken: &[SuiteErrors] = match error {
        CliError::Suites(broken) => broken,
        CliError::Plain(_) => &[],
    };
    events.extend(broken.iter().map(|suite| Event::SuiteError { suite: name(suite), error: of_suite(suite) }));
    events.push(Event::RunFinished { conclusion: Conclusion::Error, seconds: 0.0 });
    let mut results = Results::of(&events);
    for (result, suite) in results.suites.iter_mut().zip(broken) {
        result.file = Some(suite.path.to_string_lossy().into_owned());
    }
    if let CliError::Plain(info) = error {
        results.fatal(info.clone());
    }
    (events, results)
}

/// A suite is called as its file.
fn name(suite: &SuiteErrors) -> String {
    suite.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The problems of a suite as one error.
fn of_suite(suite: &SuiteErrors) -> ErrorInfo {
    let place = |error: &SuiteError| match &error.span {
        Some(span) => format!("{}:{}", suite.path.display(), line_column(&suite.text, span.start).0),
        None => suite.path.display().to_string(),
    };
    let mut said: Vec<String> =
        suite.errors.iter().take(SHOWN).map(|error| format!("{}: {}", place(error), error.message)).collect();
    if suite.errors.len() > SHOWN {
        said.push(format!("and {} more problems", suite.errors.len() - SHOWN));
    }
    let hint = suite.errors.iter().find_map(|error| error.hint.clone());
    ErrorInfo { kind: "suite".into(), message: said.join("; "), hint, case: None }
}
