//! Results without what differs between two runs of the same work.
//!
//! What stays follows from the inputs alone: two runs of the same plan in the same class of environments give the same bytes, be it in
//! one piece or in shards that were merged.

use std::path::Path;

use difftest_core::event::Origin;
use difftest_core::key::Action;
use difftest_core::visual::Comparison;

use super::types::{CaseResult, LogLine, Results, ScoreResult, SuiteResult, TestResult};

/// What of a generator's environment is this machine's own, and neither part of the class of environments nor seen in an image.
const OF_THE_MACHINE: [&str; 6] = ["cpu", "cpu-model", "lanes", "os", "provider-options", "threads"];

impl Results {
    /// [`Results::timeless`], and images are named by their place in the suite instead of by their files.
    #[must_use]
    pub fn stable(&self) -> Self {
        let mut stable = self.timeless();
        stable.folder.clear();
        for suite in &mut stable.suites {
            suite.cases.iter_mut().enumerate().for_each(|(index, case)| paths(index, case));
        }
        stable
    }

    /// A copy without times, names of runs, what was found instead of being computed, and what the machine calls itself. Lists whose
    /// order depends on threads are sorted. The paths of images are left, for outputs that show the images themselves.
    #[must_use]
    pub fn timeless(&self) -> Self {
        let mut timeless = self.clone();
        timeless.run.clear();
        timeless.started.clear();
        timeless.commit = None;
        timeless.label = None;
        timeless.remote = None;
        timeless.seconds = None;
        timeless.suites.iter_mut().for_each(suite);
        timeless
    }
}

fn suite(suite: &mut SuiteResult) {
    if let Some(generator) = &mut suite.generator {
        generator.environment.retain(|(name, _)| !OF_THE_MACHINE.contains(&name.as_str()));
    }
    suite.tests.iter_mut().for_each(test);
    suite.cases.iter_mut().for_each(case);
    logs(&mut suite.logs);
}

fn test(test: &mut TestResult) {
    test.scores.iter_mut().for_each(score);
    test.errors.sort_by(|a, b| {
        let key = |error: &super::ErrorRecord| (error.case.clone(), error.kind.clone(), error.message.clone());
        key(a).cmp(&key(b))
    });
}

fn case(case: &mut CaseResult) {
    case.action = Action::default();
    case.because = None;
    case.origin = case.origin.map(|_| Origin::default());
    case.seconds = None;
    case.scores.iter_mut().for_each(score);
    logs(&mut case.logs);
}

/// A baseline's image lies in the baseline where a run compares with it, and in the run's folder where shards were merged.
fn paths(index: usize, case: &mut CaseResult) {
    let named = |what: &str, path: &Path| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        format!("images/{index:04}{what}.{extension}")
    };
    if let Some(image) = &mut case.image {
        image.path = named("", Path::new(&image.path));
    }
    if let Some(baseline) = &mut case.baseline {
        baseline.path = file_name(&baseline.path);
    }
    if let Some(comparison) = &mut case.comparison {
        let Comparison { expected, diff, heatmap, folder, .. } = comparison;
        let expected = expected.iter_mut().map(|expected| (&mut expected.path, "-expected"));
        let pictures = expected.chain(diff.iter_mut().map(|path| (path, "-diff")));
        for (path, what) in pictures.chain(heatmap.iter_mut().map(|path| (path, "-heatmap"))) {
            *path = named(what, path).into();
        }
        if folder.is_absolute() {
            *folder = file_name(folder);
        }
    }
}

fn score(score: &mut ScoreResult) {
    score.seconds = 0.0;
    score.origin = Origin::default();
}

/// What a plugin logs while it is loaded it logs once for every process.
fn logs(lines: &mut Vec<LogLine>) {
    let key = |line: &LogLine| (line.plugin.clone(), line.level.clone(), line.message.clone());
    lines.sort_by_key(key);
    lines.dedup();
}

fn file_name(path: &Path) -> std::path::PathBuf {
    path.file_name().map(Into::into).unwrap_or_default()
}
