//! The merged stream: in the order of the plan, every test judged over all of its scores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use difftest_core::digest::Digest;
use difftest_core::event::{self, CaseInfo, ErrorInfo, Event, Outcome, Verdict};
use difftest_core::gate::{Against, Judged, OnInconclusive, TestScores, judge_suite};
use difftest_core::shard::{Frozen, FrozenSuite};
use difftest_store::run_folder;

use super::gather::{Case, Gathered, Suite};
use super::told::{self, Told};
use super::{Image, MergeError, Merged, heads, verify};
use crate::conduct;

pub(super) fn replay(
    plan: &Frozen,
    gathered: Gathered,
    (run, started): (String, String),
    folder: &Path,
) -> Result<Merged, MergeError> {
    let mut replay = Replay { folder, events: Vec::new(), images: Vec::new(), worst: None };
    let Gathered { started: starts, suites, failed_early, seconds } = gathered;
    replay.events.push(beginning(plan, &starts, run, started, folder)?);
    for (frozen, suite) in plan.suites.iter().zip(suites) {
        replay.suite(frozen, suite)?;
    }
    if failed_early {
        replay.worst = replay.worst.max(Some(Verdict::Error));
    }
    let conclusion = conduct::conclusion(replay.worst, false, plan.suites.is_empty());
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

impl Replay<'_> {
    fn suite(&mut self, frozen: &FrozenSuite, suite: Suite) -> Result<(), MergeError> {
        let (Some(head), Some(generator)) = (suite.heads.first(), heads::generator(&suite.heads)) else {
            // No shard could start it; one that had nothing of it says nothing.
            let error = suite.error.unwrap_or_else(|| not_told(&frozen.name));
            self.worst = Some(Verdict::Error);
            self.events.push(Event::SuiteError { suite: frozen.name.clone(), error });
            return Ok(());
        };
        let (told, indices) = told::told(frozen, &suite);
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
        self.judge(frozen, &told, &indices, &head.environment, policy)?;
        self.events.push(Event::SuiteFinished { suite: frozen.name.clone() });
        if let Some(error) = suite.error {
            self.worst = Some(Verdict::Error);
            self.events.push(Event::SuiteError { suite: frozen.name.clone(), error });
        }
        Ok(())
    }

    fn case(&mut self, suite: &str, index: usize, case: &Case, info: &CaseInfo) {
        if case.started {
            self.events.push(Event::CaseStarted { case: index });
        }
        let name = info.id.split_once("::").map_or(info.id.as_str(), |(_, name)| name);
        let place = |what: &str| run_folder::image_path(self.folder, suite, index, &format!("{name}{what}"));
        let mut images = Vec::new();
        let mut move_to = |path: &mut PathBuf, what: &str, digest: Option<Digest>| {
            let to = place(what).with_extension(path.extension().unwrap_or_default());
            let object = std::mem::replace(path, to.clone());
            images.push(Image { shard: case.shard, object, to, digest, case: info.id.clone() });
        };
        let mut rest: Vec<Event> = case.logs.clone();
        rest.extend(case.generated.iter().chain(&case.compared).chain(case.scored.values()).cloned());
        for event in &mut rest {
            match event {
                Event::Generated { case, outcome, .. } => {
                    *case = index;
                    if let Outcome::Ok(image) = outcome {
                        move_to(&mut image.path, "", Some(image.digest));
                    }
                }
                Event::Compared { case, outcome, .. } => {
                    *case = index;
                    if let Outcome::Ok(comparison) = outcome {
                        if let Some(expected) = &mut comparison.expected {
                            move_to(&mut expected.path, "-expected", Some(expected.digest));
                        }
                        let diff = comparison.diff.iter_mut().map(|path| (path, "-diff"));
                        let heatmap = comparison.heatmap.iter_mut().map(|path| (path, "-heatmap"));
                        diff.chain(heatmap).for_each(|(path, what)| move_to(path, what, None));
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

    /// Judges all tests as a run does: those with a statistical gate together, the rest each by itself. What was cut short is not judged, and
    /// what a shard says that had a whole test has to be the same.
    fn judge(
        &mut self,
        suite: &FrozenSuite,
        told: &[Told<'_>],
        indices: &[Option<usize>],
        environment: &str,
        policy: OnInconclusive,
    ) -> Result<(), MergeError> {
        let against = Against { baseline: None, environment };
        let together: Vec<usize> =
            (0..told.len()).filter(|&test| told[test].is_statistical() && told[test].is_complete()).collect();
        let scores: Vec<TestScores<'_>> = together.iter().map(|&test| told[test].scores()).collect();
        let mut judged: BTreeMap<usize, Judged> = together.into_iter().zip(judge_suite(&scores, &against)).collect();
        // Holm's correction is over the gates on a baseline too, and those only a shard could judge.
        let correction = !suite.tests.iter().flat_map(|test| &test.gates).any(|gate| gate.check.needs_baseline());
        for (index, test) in told.iter().enumerate() {
            let own = judged.remove(&index).or_else(|| judge_suite(&[test.scores()], &against).pop());
            let Some(own) = own else { continue };
            verify::complete(&suite.name, test)?;
            let Judged { verdict, gates, errors: of_gates } = match &test.test.judged {
                Some(said) => verify::agreed(&suite.name, test, said, own, correction)?,
                None => own,
            };
            let mut errors = test.test.errors.clone();
            for error in &mut errors {
                error.case = error.case.and_then(|case| indices.get(case).copied().flatten());
            }
            errors.extend(of_gates.into_iter().filter(|error| !test.test.errors.contains(error)));
            let verdict = test.verdict(verdict, !errors.is_empty());
            if let Some(said) = &test.test.judged {
                verify::verdict(&suite.name, test, said, verdict)?;
            }
            self.worst = self.worst.max(Some(policy.counted(verdict)));
            self.events.push(Event::TestFinished { test: index, verdict, gates, errors });
        }
        Ok(())
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
