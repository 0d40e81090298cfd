//! The remote of a run: what it can use is fetched before, what it made is given back after.

use std::collections::HashSet;

use difftest_core::event::Conclusion;
use difftest_core::key::{Generation, Key, Scoring};
use difftest_remote::Remote;
use difftest_report::json::{RemoteRecord, RemoteState, Results};
use difftest_report::text::count;
use difftest_run::evidence::{Evidence, ScoreEvidence};
use difftest_store::cache::Cache;

use super::push::told;
use super::{Unit, Watch, open, pixels};
use crate::args::remote::{Policy, RunRemote, Upload};
use crate::error::{CliError, Exit};
use crate::ui::Ui;

/// A run's remote.
pub(crate) struct Session {
    /// None where it cannot be used.
    remote: Option<Remote>,
    policy: Policy,
    upload: Upload,
    /// What the results say of it.
    record: RemoteRecord,
    /// What is there already, and need not be pushed.
    images: HashSet<Key<Generation>>,
    scores: HashSet<Key<Scoring>>,
}

/// Everything that is known of the suites of a run.
pub(crate) type Examine<'a> = &'a dyn Fn() -> Vec<Evidence>;

impl Session {
    /// The remote that was named, if one was; asked whether it can be used, before anything is made.
    ///
    /// # Errors
    /// Mistakes always; what is wrong with the remote where it is required.
    pub(crate) fn open(args: &RunRemote, offline: bool, no_cache: bool, ui: &mut Ui) -> Result<Option<Self>, CliError> {
        let Some(url) = args.remote.url.as_deref().filter(|url| !url.is_empty()) else {
            return match args.upload {
                Upload::Never => Ok(None),
                _ => Err(CliError::new("usage", "--upload has nowhere to go: no remote is named")
                    .hint("name one with `--remote URL`")),
            };
        };
        let shown = difftest_remote::Location::parse(url, &super::environment())?.shown().to_owned();
        let record =
            RemoteRecord { url: shown, state: RemoteState::Offline, images: 0, scores: 0, pushed: 0, problem: None };
        let mut session = Self {
            remote: None,
            policy: args.remote_policy,
            upload: args.upload,
            record,
            images: HashSet::new(),
            scores: HashSet::new(),
        };
        if no_cache {
            return Err(CliError::new("usage", "a remote shares what is in the cache, and --no-cache has none")
                .hint("leave out `--no-cache`, or the remote (`--remote`, DIFFTEST_REMOTE)"));
        }
        if offline {
            if args.upload != Upload::Never {
                return Err(
                    CliError::new("usage", "--offline and --upload exclude each other").hint("leave out one of them")
                );
            }
            ui.note(&session.line());
            return Ok(Some(session));
        }
        session.record.state = RemoteState::Used;
        match open(&args.remote).and_then(|remote| Ok(remote.check().map(|()| remote)?)) {
            Ok(remote) => session.remote = Some(remote),
            Err(error) => session.failed(error, ui)?,
        }
        Ok(Some(session))
    }

    /// What went wrong ends the run, or is told and noted.
    fn failed(&mut self, error: CliError, ui: &mut Ui) -> Result<(), CliError> {
        let CliError::Plain(info) = &error else { return Err(error) };
        if self.policy == Policy::Required || info.kind == "usage" {
            return Err(error);
        }
        self.remote = None;
        self.record.state = RemoteState::Degraded;
        self.record.problem = Some(info.message.clone());
        ui.error_text(&format!("warning: {}\n", self.line()));
        Ok(())
    }

    /// Brings what the run can use into the cache: images, then the scores of these images, then scores of sets.
    pub(crate) fn pull(&mut self, cache: &Cache, examine: Examine<'_>, ui: &mut Ui) -> Result<(), CliError> {
        let Some(remote) = self.remote.take() else { return Ok(()) };
        match self.fetch(&remote, cache, examine, ui) {
            Ok(()) => {
                self.remote = Some(remote);
                ui.note(&self.line());
                Ok(())
            }
            Err(error) => self.failed(error, ui),
        }
    }

    fn fetch(&mut self, remote: &Remote, cache: &Cache, examine: Examine<'_>, ui: &mut Ui) -> Result<(), CliError> {
        let (mut asked_images, mut asked_scores) = (HashSet::new(), HashSet::new());
        loop {
            let evidence = examine();
            let cases = evidence.iter().flat_map(|suite| &suite.cases);
            let images: Vec<_> = cases.filter(|case| case.made.is_none()).filter_map(|case| case.key).collect();
            let images: Vec<_> = images.into_iter().filter(|key| asked_images.insert(*key)).collect();
            let unknown = scores(&evidence).filter(|score| score.scored.is_none()).filter_map(|score| score.key);
            let unknown: Vec<_> = unknown.filter(|key| asked_scores.insert(*key)).collect();
            if images.is_empty() && unknown.is_empty() {
                return Ok(());
            }
            let mut watch = Watch::new(ui, format!("asking {} for images", self.record.url), Unit::Things);
            let came = remote.pull_images(cache, &images, &pixels, &mut |done, total| watch.tell(done, total));
            self.images.extend(came?);
            drop(watch);
            let mut watch = Watch::new(ui, format!("asking {} for scores", self.record.url), Unit::Things);
            let came = remote.pull_scores(cache, &unknown, &mut |done, total| watch.tell(done, total));
            self.scores.extend(came?);
            drop(watch);
            (self.record.images, self.record.scores) = (self.images.len(), self.scores.len());
        }
    }

    /// Gives what was made to the remote, where that was asked for, and notes in the results how it served. What cannot be given is an
    /// error under either policy.
    pub(crate) fn finish(
        &mut self,
        cache: Option<&Cache>,
        examine: Examine<'_>,
        conclusion: Conclusion,
        results: &mut Results,
        ui: &mut Ui,
    ) -> Option<CliError> {
        let trouble = cache.and_then(|cache| self.push(cache, examine, conclusion, ui).err());
        results.remote = Some(self.record.clone());
        if let Some(CliError::Plain(info)) = &trouble {
            if results.error.is_none() {
                results.fatal(info.clone());
            }
            if conclusion != Conclusion::Interrupted {
                results.exit_code = Some(Exit::Error as u8);
            }
        }
        trouble
    }

    fn push(
        &mut self,
        cache: &Cache,
        examine: Examine<'_>,
        conclusion: Conclusion,
        ui: &mut Ui,
    ) -> Result<(), CliError> {
        match (self.upload, conclusion) {
            (Upload::Never, _) => return Ok(()),
            (Upload::OnSuccess, ended) if ended != Conclusion::Passed => {
                ui.note("remote: nothing is uploaded: the run did not pass, and --upload is on-success");
                return Ok(());
            }
            _ => {}
        }
        let Some(remote) = &self.remote else {
            let why = self.record.problem.clone().unwrap_or_default();
            return Err(CliError::new("remote", format!("nothing could be uploaded: {why}"))
                .hint("run again when the remote can be reached, or `difftest push --cache`"));
        };
        let evidence = examine();
        let cases = evidence.iter().flat_map(|suite| &suite.cases);
        let made = cases.filter(|case| case.made.is_some()).filter_map(|case| case.key);
        let images: HashSet<_> = made.filter(|key| !self.images.contains(key)).collect();
        let known = scores(&evidence).filter(|score| score.scored.is_some()).filter_map(|score| score.key);
        let scores: HashSet<_> = known.filter(|key| !self.scores.contains(key)).collect();
        let (images, scores): (Vec<_>, Vec<_>) = (images.into_iter().collect(), scores.into_iter().collect());
        let mut watch = Watch::new(ui, format!("pushing to {}", self.record.url), Unit::Things);
        let pushed = remote.push_evidence(cache, &images, &scores, &pixels, &mut |done, total| watch.tell(done, total));
        drop(watch);
        match pushed {
            Ok(pushed) => {
                self.record.pushed = pushed.made;
                ui.note(&format!("remote: {}", told(&pushed)));
                Ok(())
            }
            Err(error) => {
                self.record.state = RemoteState::Degraded;
                self.record.problem = Some(error.to_string());
                Err(error.into())
            }
        }
    }

    /// One line, in every run.
    fn line(&self) -> String {
        let RemoteRecord { url, state, images, scores, problem, .. } = &self.record;
        match state {
            RemoteState::Used => {
                format!("remote: {url}: {} and {} found there", count(*images, "image"), count(*scores, "score"))
            }
            RemoteState::Degraded => format!("remote: degraded: {}", problem.as_deref().unwrap_or("it failed")),
            RemoteState::Offline => format!("remote: {url}: not asked (--offline)"),
        }
    }

    /// The line again at the end, where something is wrong; also where little is said.
    pub(crate) fn summary(&self, ui: &mut Ui) {
        if self.record.state == RemoteState::Degraded {
            ui.error_text(&format!("     warning: {}\n", self.line()));
        }
    }
}

/// Every score of every suite, of sets too.
fn scores(evidence: &[Evidence]) -> impl Iterator<Item = &ScoreEvidence> {
    evidence.iter().flat_map(|suite| {
        let each = suite.cases.iter().flat_map(|case| &case.scores);
        each.chain(suite.tests.iter().flat_map(|test| &test.sets))
    })
}
