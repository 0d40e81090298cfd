//! The merged stream: in the order of the plan, every test judged over all of its scores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use difftest_core::event::{self, CaseInfo, ErrorInfo, Event, Outcome, TestInfo, Verdict};
use difftest_core::gate::{Against, CaseOf, Judged, MetricScores, OnInconclusive, TestScores, judge_suite};
use difftest_core::metric::{MetricKind, metric_key};
use difftest_core::shard::{Frozen, FrozenSuite, FrozenTest};
use difftest_core::visual::Standing;
use difftest_store::run_folder;

use super::gather::{Case, Gathered, Suite, Test};
use super::{Image, MergeError, Merged, heads};
use crate::conduct;

pub(super) fn replay(
    plan: &Frozen,
    gathered: Gathered,
    (run, started): (String, String),
    folder: &Path,
) -> Result<Merged, MergeError> {
    let mut replay = Replay { folder, events: Vec::new(), images: Vec::new(), worst: None };
    let Gathered { started: starts, suites, interrupted, failed_early, seconds } = gathered;
    replay.events.push(beginning(plan, &starts, run, started, folder)?);
    for (frozen, suite) in plan.suites.iter().zip(suites) {
        replay.suite(frozen, suite);
    }
    if failed_early {
        replay.worst = replay.worst.max(Some(Verdict::Error));
    }
    let conclusion = conduct::conclusion(replay.worst, interrupted, plan.suites.is_empty());
    replay.events.push(Event::RunFinished { conclusion, seconds });
    Ok(Merged { events: replay.events, conclusion, images: replay.images })
}

/// As the shards began; commit and label where they agree on one.
fn beginning(
    plan: &Frozen,
    starts: &[(u32, Event)],
    run: String,
    started: String,
    folder: &Path,
) -> Result<Event, MergeError> {
    let mut versions: Vec<(u32, &str)> = Vec::new();
    let (mut commits, mut labels) = (Vec::new(), Vec::new());
    for (shard, event) in starts {
        if let Event::RunStarted { difftest, commit, label, .. } = event {
            versions.push((*shard, difftest));
            commits.push(commit.clone());
            labels.push(label.clone());
        }
    }
    if let Some((first, rest)) = versions.split_first()
        && let Some(other) = rest.iter().find(|(_, version)| *version != first.1)
    {
        let what = format!("they were run by difftest {} and {}", first.1, other.1);
        return Err(MergeError::Mixed { one: first.0, other: other.0, what });
    }
    let agreed = |mut all: Vec<Option<String>>| {
        all.dedup();
        if all.len() == 1 { all.pop().flatten() } else { None }
    };
    Ok(Event::RunStarted {
        version: event::VERSION,
        difftest: versions.first().map_or(env!("CARGO_PKG_VERSION"), |(_, version)| version).to_owned(),
        run,
        started,
        folder: folder.to_owned(),
        suites: plan.suites.len(),
        cases: plan.suites.iter().map(|suite| suite.cases().count()).sum(),
        commit: agreed(commits),
        label: agreed(labels),
    })
}

struct Replay<'f> {
    folder: &'f Path,
    events: Vec<Event>,
    images: Vec<Image>,
    worst: Option<Verdict>,
}

/// A test of which a shard has told, with its cases.
struct Told<'s> {
    frozen: &'s FrozenTest,
    info: TestInfo,
    test: &'s Test,
    /// With their index in the merged suite.
    cases: Vec<(usize, &'s Case, &'s CaseInfo)>,
}

impl Replay<'_> {
    fn suite(&mut self, frozen: &FrozenSuite, suite: Suite) {
        let (Some(head), Some(generator)) = (suite.heads.first(), heads::generator(&suite.heads)) else {
            // No shard could start it; one that had nothing of it says nothing.
            let error = suite.error.unwrap_or_else(|| not_told(&frozen.name));
            self.worst = Some(Verdict::Error);
            self.events.push(Event::SuiteError { suite: frozen.name.clone(), error });
            return;
        };
        let (told, indices) = told(frozen, &suite);
        let policy = head.inconclusive;
        self.events.push(Event::SuiteStarted {
            suite: frozen.name.clone(),
            file: head.file.clone(),
            digest: frozen.digest,
            generator,
            models: suite.heads.iter().find(|head| !head.models.is_empty()).unwrap_or(head).models.clone(),
            environment: head.environment.clone(),
            baseline: head.baseline.clone(),
            inconclusive: policy,
            tests: told.iter().map(|test| test.info.clone()).collect(),
            cases: told
                .iter()
                .enumerate()
                .flat_map(|(index, test)| {
                    test.cases.iter().map(move |(.., info)| CaseInfo { test: index, ..(*info).clone() })
                })
                .collect(),
        });
        for test in &told {
            for (index, case, info) in &test.cases {
                self.case(&frozen.name, *index, case, info);
            }
        }
        self.events.extend(suite.logs.iter().cloned());
        for (index, test) in told.iter().enumerate() {
            for event in test.test.sets.values() {
                let mut event = event.clone();
                if let Event::SetScored { test, .. } = &mut event {
                    *test = index;
                }
                self.events.push(event);
            }
        }
        self.judge(&told, &indices, &head.environment, policy);
        self.events.push(Event::SuiteFinished { suite: frozen.name.clone() });
        if let Some(error) = suite.error {
            self.worst = Some(Verdict::Error);
            self.events.push(Event::SuiteError { suite: frozen.name.clone(), error });
        }
    }

    fn case(&mut self, suite: &str, index: usize, case: &Case, info: &CaseInfo) {
        if case.started {
            self.events.push(Event::CaseStarted { case: index });
        }
        let name = info.id.split_once("::").map_or(info.id.as_str(), |(_, name)| name);
        let place = |what: &str| run_folder::image_path(self.folder, suite, index, &format!("{name}{what}"));
        let mut images = Vec::new();
        let mut move_to = |path: &mut PathBuf, what: &str| {
            let to = place(what).with_extension(path.extension().unwrap_or_default());
            let object = std::mem::replace(path, to.clone());
            images.push(Image { shard: case.shard, object, to });
        };
        let mut rest: Vec<Event> = case.logs.clone();
        rest.extend(case.generated.iter().chain(&case.compared).chain(case.scored.values()).cloned());
        for event in &mut rest {
            match event {
                Event::Generated { case, outcome, .. } => {
                    *case = index;
                    if let Outcome::Ok(image) = outcome {
                        move_to(&mut image.path, "");
                    }
                }
                Event::Compared { case, outcome, .. } => {
                    *case = index;
                    if let Outcome::Ok(comparison) = outcome {
                        let expected = comparison.expected.iter_mut().map(|expected| (&mut expected.path, "-expected"));
                        let diff = comparison.diff.iter_mut().map(|path| (path, "-diff"));
                        let heatmap = comparison.heatmap.iter_mut().map(|path| (path, "-heatmap"));
                        expected.chain(diff).chain(heatmap).for_each(|(path, what)| move_to(path, what));
                    }
                }
                Event::Scored { case, .. } | Event::Log { case: Some(case), .. } => *case = index,
                _ => {}
            }
        }
        self.events.append(&mut rest);
        self.images.append(&mut images);
        if case.finished {
            self.events.push(Event::CaseFinished { case: index });
        }
    }

    /// A test that one shard had whole was judged there. The others as a run does: those with a statistical gate together, the rest each by
    /// itself; what was cut short is not judged.
    fn judge(&mut self, told: &[Told<'_>], indices: &[Option<usize>], environment: &str, policy: OnInconclusive) {
        let against = Against { baseline: None, environment };
        let together: Vec<usize> = (0..told.len())
            .filter(|&test| told[test].test.judged.is_none() && told[test].is_statistical() && !told[test].is_cut())
            .collect();
        let scores: Vec<TestScores<'_>> = together.iter().map(|&test| told[test].scores()).collect();
        let mut judged: BTreeMap<usize, Judged> = together.into_iter().zip(judge_suite(&scores, &against)).collect();
        for (index, test) in told.iter().enumerate() {
            let own = test.test.judged.clone();
            let is_own = own.is_some();
            let own = own.map(|(verdict, gates)| Judged { verdict, gates, errors: Vec::new() });
            let judged =
                own.or_else(|| judged.remove(&index)).or_else(|| judge_suite(&[test.scores()], &against).pop());
            let Some(Judged { verdict, gates, errors: of_gates }) = judged else { continue };
            let mut errors = test.test.errors.clone();
            for error in &mut errors {
                error.case = error.case.and_then(|case| indices.get(case).copied().flatten());
            }
            // A shard that had the whole test has told these already.
            errors.extend(of_gates.into_iter().filter(|error| !test.test.errors.contains(error)));
            let verdict = if !errors.is_empty() {
                Verdict::Error
            } else if !is_own && test.is_cut() {
                Verdict::NotRun
            } else if !is_own && test.is_pending() && matches!(verdict, Verdict::Pass | Verdict::Inconclusive) {
                Verdict::Fail
            } else {
                verdict
            };
            self.worst = self.worst.max(Some(policy.counted(verdict)));
            self.events.push(Event::TestFinished { test: index, verdict, gates, errors });
        }
    }
}

/// The tests of which a shard has told, and for each case of the plan its index among theirs. What only a shard knows that could not
/// start the suite is not there: then the suite has an error that says why.
fn told<'s>(frozen: &'s FrozenSuite, suite: &'s Suite) -> (Vec<Told<'s>>, Vec<Option<usize>>) {
    let mut all = Vec::new();
    let mut indices = vec![None; suite.cases.len()];
    let (mut next, mut first) = (0, 0);
    for (frozen, test) in frozen.tests.iter().zip(&suite.tests) {
        let range = first..first + frozen.cases.len();
        first = range.end;
        let Some(info) = &test.info else { continue };
        let mut cases = Vec::new();
        for at in range {
            if let Some(info) = &suite.cases[at].info {
                indices[at] = Some(next);
                cases.push((next, &suite.cases[at], info));
                next += 1;
            }
        }
        let planned = frozen.cases.len();
        let split_of = (cases.len() < planned).then_some(planned);
        let info = TestInfo { cases: cases.len(), split_of, ..info.clone() };
        all.push(Told { frozen, info, test, cases });
    }
    (all, indices)
}

impl<'s> Told<'s> {
    fn is_statistical(&self) -> bool {
        self.frozen.gates.iter().any(|gate| gate.check.is_statistical())
    }

    /// Whether an image is not as its baseline.
    fn is_pending(&self) -> bool {
        self.cases.iter().any(|(_, case, _)| match &case.compared {
            Some(Event::Compared { outcome: Outcome::Ok(comparison), .. }) => comparison.standing != Standing::Same,
            _ => false,
        })
    }

    /// Whether something of it was not done.
    fn is_cut(&self) -> bool {
        let metrics = self.info.metrics.iter().enumerate();
        let mut sets = metrics.filter(|(_, info)| info.kind == MetricKind::Set);
        self.cases.len() < self.frozen.cases.len()
            || self.cases.iter().any(|(_, case, _)| !case.finished)
            || sets.any(|(index, _)| !self.test.sets.contains_key(&index))
    }

    fn scores(&'s self) -> TestScores<'s> {
        let finished: Vec<_> = self.cases.iter().filter(|(_, case, _)| case.finished).collect();
        let value = |event: Option<&Event>| match event {
            Some(
                Event::Scored { outcome: Outcome::Ok(score), .. }
                | Event::SetScored { outcome: Outcome::Ok(score), .. },
            ) => Some(score.value),
            _ => None,
        };
        let named = self.frozen.metrics.iter().zip(&self.info.metrics).enumerate();
        let metrics = named.filter_map(|(index, ((name, config), info))| {
            self.frozen.gates.iter().find(|gate| gate.metric == *name)?;
            let values = match info.kind {
                MetricKind::Set => vec![value(self.test.sets.get(&index))],
                MetricKind::Image | MetricKind::Pair => {
                    finished.iter().map(|(_, case, _)| value(case.scored.get(&index))).collect()
                }
            };
            Some((name.as_str(), MetricScores { values, key: metric_key(info, config) }))
        });
        TestScores {
            gates: &self.frozen.gates,
            metrics: metrics.collect(),
            cases: finished.iter().map(|(.., info)| CaseOf { id: &info.id, prompt: &info.prompt.id }).collect(),
        }
    }
}

fn not_told(suite: &str) -> ErrorInfo {
    ErrorInfo {
        kind: "not-run".into(),
        message: format!("no shard came to the suite `{suite}`"),
        hint: Some("a shard ended before it; run that shard again".into()),
        case: None,
    }
}
