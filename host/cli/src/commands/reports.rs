//! Writes the reports that were asked for. One place for every command that has results: `run`, `ci`, `report`, `merge`.

mod unbegun;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use difftest_report::html::HtmlOptions;
use difftest_report::json::Results;
use difftest_report::{github, junit, markdown};
use difftest_store::atomic;

use crate::args::reports::{Github, Reports};
use crate::commands::{Planned, history, html, output};
use crate::error::CliError;
use crate::ui::Ui;

/// The file that GitHub shows as the summary of a step.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

impl Reports {
    /// Finds out whether each file can be written, before there is anything to lose. `plans` are the suites that are not to be
    /// written over.
    pub(crate) fn check(&self, plans: &[Planned]) -> Result<(), CliError> {
        self.checked(plans).map_err(CliError::of_reports)
    }

    fn checked(&self, plans: &[Planned]) -> Result<(), CliError> {
        if let Some(path) = file(self.output.as_deref()) {
            output::check("--output", path, plans, output::holds_results)?;
        }
        if let Some(path) = self.html.html.as_deref() {
            output::check("--html", path, plans, html::is_page)?;
        }
        for (flag, path) in self.others() {
            output::check(flag, path, plans, |_| true)?;
        }
        let stdout = [&self.output, &self.jsonl].into_iter().flatten().filter(|path| path.as_os_str() == "-");
        if stdout.count() > 1 {
            return Err(CliError::new("usage", "--output - and --jsonl - both want standard output")
                .hint("name a file for one of them"));
        }
        let mut named: Vec<&Path> = self.others().map(|(_, path)| path).chain(file(self.output.as_deref())).collect();
        named.extend(self.html.html.as_deref());
        named.sort();
        if let Some(twice) = named.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CliError::new("usage", format!("two reports are to be written to {}", twice[0].display()))
                .hint("name a file for each"));
        }
        Ok(())
    }

    /// Whether a file was asked for, or standard output.
    pub(crate) fn any(&self) -> bool {
        self.output.is_some() || self.jsonl.is_some() || self.html.html.is_some() || self.others().next().is_some()
    }

    fn others(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let files = [("--junit", &self.junit), ("--markdown", &self.markdown), ("--jsonl", &self.jsonl)];
        files.into_iter().filter_map(|(flag, path)| Some((flag, file(path.as_deref())?)))
    }

    /// Writes all of them. `recording` is the run's own file of events. Each is tried; the first error is told to the caller, the
    /// others here.
    pub(crate) fn write(&self, results: &Results, recording: &Path, ui: &mut Ui) -> Result<(), CliError> {
        self.write_with(results, recording, HtmlOptions::default(), ui)
    }

    /// As [`Reports::write`], with what else is known for the HTML page. Its budget is the one that was asked for, its history this
    /// project's: a run is kept there before its reports are written.
    pub(crate) fn write_with(
        &self,
        results: &Results,
        recording: &Path,
        page: HtmlOptions,
        ui: &mut Ui,
    ) -> Result<(), CliError> {
        let (stable, pictured);
        let (results, for_page) = if self.stable {
            (stable, pictured) = (results.stable(), results.timeless());
            (&stable, &pictured)
        } else {
            (results, results)
        };
        let mut outcome = Ok(());
        let mut note = |done: Result<(), CliError>, ui: &mut Ui| match (done, &outcome) {
            (Err(error), Ok(())) => outcome = Err(error),
            (Err(error), Err(_)) => drop(error.report(ui)),
            (Ok(()), _) => {}
        };
        if let Some(path) = &self.output {
            let json = results.to_json();
            note(to(path, json.as_bytes(), ui), ui);
        }
        if let Some(path) = &self.junit {
            // Attachments are looked for from the project's folder.
            let base = std::env::current_dir().ok();
            note(to(path, junit::junit(results, base.as_deref()).as_bytes(), ui), ui);
        }
        if let Some(path) = &self.markdown {
            let text = markdown::markdown(results, Some(&marker(results)), markdown::COMMENT);
            note(to(path, text.as_bytes(), ui), ui);
        }
        if let Some(path) = &self.jsonl {
            let events = std::fs::read(recording).map_err(|error| {
                CliError::new("write", format!("cannot read the recording {}: {error}", recording.display()))
            });
            note(events.and_then(|events| to(path, &events, ui)), ui);
        }
        if let Some(path) = &self.html.html {
            let mut options = HtmlOptions { budget: self.html.html_budget, stable: self.stable, ..page };
            // Where plugins lie and what earlier runs came to is of this machine.
            if self.stable {
                options.rerun.clear();
            } else {
                options.history = history::past(results, ui);
            }
            note(html::write(for_page, &options, path, ui).map(drop), ui);
        }
        note(self.tell_github(results), ui);
        outcome
    }

    /// Annotations on stderr, where the runner reads them too and no data is; the step summary in the file that GitHub names.
    fn tell_github(&self, results: &Results) -> Result<(), CliError> {
        let there = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        if self.github == Github::Never || (self.github == Github::Auto && !there) {
            return Ok(());
        }
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(github::annotations(results).as_bytes());
        let Some(path) = std::env::var_os(STEP_SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from) else {
            return Ok(());
        };
        let fail = |error| CliError::new("write", format!("cannot write {STEP_SUMMARY} {}: {error}", path.display()));
        let mut summary = std::fs::File::options().append(true).create(true).open(&path).map_err(fail)?;
        // Steps share the file, and what is too long is dropped as a whole.
        let there = summary.metadata().map_err(fail)?.len() as usize;
        let room = markdown::SUMMARY.saturating_sub(there);
        summary.write_all(markdown::markdown(results, None, room).as_bytes()).map_err(fail)
    }
}

/// What a path means that is not standard output.
fn file(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| *path != Path::new("-"))
}

fn to(path: &Path, bytes: &[u8], ui: &mut Ui) -> Result<(), CliError> {
    if path == Path::new("-") {
        return ui.data(&String::from_utf8_lossy(bytes));
    }
    Ok(atomic::write(path, bytes)?)
}

/// Names the comment that the next run of the same suites replaces.
fn marker(results: &Results) -> String {
    let names: Vec<&str> = results.suites.iter().map(|suite| suite.name.as_str()).collect();
    names.join("+")
}
