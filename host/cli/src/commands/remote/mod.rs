//! `difftest push`, `difftest pull`, and the remote of a run.

mod pull;
mod push;
pub(crate) mod session;

use std::path::Path;
use std::time::{Duration, Instant};

use difftest_core::digest::Digest;
use difftest_metrics::decode::Limits;
use difftest_remote::log::Author;
use difftest_remote::{Environment, Remote};
use difftest_store::baseline::BaselineError;
use difftest_store::cache::CacheError;
use difftest_store::run_folder::DEFAULT_ROOT;

use crate::args::remote::RemoteUrl;
use crate::error::CliError;
use crate::models::size;
use crate::ui::Ui;

pub(crate) use pull::pull;
pub(crate) use push::push;

/// How often a line is written where nobody watches a terminal.
const EVERY: Duration = Duration::from_secs(10);

impl From<difftest_remote::Error> for CliError {
    fn from(error: difftest_remote::Error) -> Self {
        Self::new(error.kind(), error.to_string()).hint_if(error.hint())
    }
}

/// The variables that remotes read. What is not UTF-8 is for others.
pub(crate) fn environment() -> Environment {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// The remote that was named.
pub(crate) fn open(args: &RemoteUrl) -> Result<Remote, CliError> {
    match args.url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => {
            let remote = Remote::open(url, &environment())?;
            // what was read before is kept where a project keeps such things
            let store = Path::new(DEFAULT_ROOT);
            Ok(if store.is_dir() { remote.keeping(&store.join("remotes")) } else { remote })
        }
        None => Err(CliError::new("usage", "no remote is named")
            .hint("name one: `--remote s3://BUCKET/PREFIX`, `--remote FOLDER`, or DIFFTEST_REMOTE in the environment")),
    }
}

/// Who writes, and when, for the record of a remote: on GitHub and GitLab who started the job, elsewhere the user's name.
pub(crate) fn author() -> Author {
    let names = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER", "USER", "USERNAME"];
    let by = names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    Author { by: by.unwrap_or_else(|| "somebody".into()), at: jiff::Timestamp::now().to_string() }
}

/// The digest of an image's size and pixels; none for what is no image.
pub(crate) fn pixels(png: &[u8]) -> Option<Digest> {
    Some(difftest_metrics::decode::decode(png, &Limits::default()).ok()?.digest())
}

/// Tells how far a transfer is: on a terminal a line that changes, elsewhere a line now and then.
pub(crate) struct Watch<'a> {
    ui: &'a mut Ui,
    what: String,
    unit: Unit,
    shown: Option<u64>,
    last: Instant,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Things,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(ui: &'a mut Ui, what: impl Into<String>, unit: Unit) -> Self {
        Self { ui, what: what.into(), unit, shown: None, last: Instant::now() }
    }

    pub(crate) fn tell(&mut self, done: u64, total: u64) {
        let percent = done * 100 / total.max(1);
        let amount = match self.unit {
            Unit::Bytes => format!("{percent} % of {}", size(total)),
            Unit::Things => format!("{done} of {total}"),
        };
        if self.ui.interactive() {
            let step = if self.unit == Unit::Bytes { percent } else { done };
            if self.shown != Some(step) {
                self.shown = Some(step);
                self.ui.error_text(&format!("\r\u{1b}[2K{} {amount}", self.what));
            }
        } else if self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            self.ui.note(&format!("{} {amount}", self.what));
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.shown.is_some() {
            // the line is wiped: what is left is the outcome
            self.ui.error_text("\r\u{1b}[2K");
        }
    }
}

fn baseline_error(error: &BaselineError) -> CliError {
    CliError::new("baseline", error.to_string()).hint_if(error.hint())
}

fn cache_error(error: &CacheError) -> CliError {
    CliError::new("cache", error.to_string()).hint_if(error.hint())
}
