//! A suite, case by case: what is there, and what is to be done.

use difftest_core::digest::Digest;
use difftest_core::event::Verdict;
use difftest_core::generate::Generator;
use difftest_core::key::{Action, Difference, Inputs, Judgement};
use difftest_core::metric::MetricKind;
use difftest_core::plan::SuitePlan;
use difftest_store::cache::{Cache, Look};
use rayon::prelude::*;

use super::keys::{self, ScoreKeys, images_digest};
use super::{CaseEvidence, Evidence, Force, ScoreEvidence, TestEvidence};
use crate::references::Reference;
use crate::stages::{request, sample};

/// What a suite is examined with.
pub(crate) struct Examination<'a> {
    pub(crate) plan: &'a SuitePlan,
    pub(crate) generator: &'a dyn Generator,
    /// For each test, what its pair and set metrics compare with.
    pub(crate) references: &'a [Option<Reference>],
    /// For each test, the keys of each metric's scores.
    pub(crate) keys: &'a [Vec<ScoreKeys>],
    /// For each test, what its verdict depends on of baselines.
    pub(crate) compared: &'a [Inputs],
    pub(crate) force: Force,
}

impl Examination<'_> {
    /// Looks everything up; without a cache nothing is known.
    pub(crate) fn run(&self, cache: Option<&Cache>) -> Evidence {
        let environment = self.generator.info().environment_class();
        let cases_of = |test: usize| {
            let of_test = self.plan.cases.iter().filter(move |case| case.test == test);
            of_test.map(|case| case.id.as_str())
        };
        let shared: Vec<Inputs> = self
            .plan
            .tests
            .iter()
            .enumerate()
            .map(|(index, test)| {
                let reference = self.references[index].as_ref().and_then(|reference| {
                    let compares_sets = test.metrics.iter().any(|(_, info)| info.kind == MetricKind::Set);
                    if compares_sets { reference.digest().ok() } else { None }
                });
                let mut inputs = keys::of_test(test, &self.keys[index], reference.as_ref(), cases_of(index));
                inputs.extend(&self.compared[index]);
                inputs
            })
            .collect();
        // Of images that another program made, the inputs are their files, and those have to be read.
        let inputs: Vec<Option<Inputs>> =
            self.plan.cases.par_iter().map(|case| self.generator.inputs(&request(case)).ok()).collect();
        let look = |look: Option<&Look<'_>>| {
            let mut evidence = Evidence { environment: environment.clone(), ..Evidence::default() };
            for (index, inputs) in inputs.into_iter().enumerate() {
                let case = self.case(index, inputs, &environment, &shared, cache.zip(look));
                evidence.cases.push(case);
            }
            for test in 0..self.plan.tests.len() {
                let sets = self.sets(test, &evidence.cases, look);
                evidence.tests.push(sets);
            }
            for index in 0..evidence.cases.len() {
                self.decide(index, &mut evidence, look);
            }
            evidence
        };
        match cache {
            Some(cache) => cache.look(|questions| look(Some(questions))),
            None => look(None),
        }
    }

    fn case(
        &self,
        index: usize,
        inputs: Option<Inputs>,
        environment: &str,
        shared: &[Inputs],
        cache: Option<(&Cache, &Look<'_>)>,
    ) -> CaseEvidence {
        let case = &self.plan.cases[index];
        let request = request(case);
        let metrics = &self.plan.tests[case.test].metrics;
        let mut found =
            CaseEvidence { scores: vec![ScoreEvidence::default(); metrics.len()], ..CaseEvidence::default() };
        found.last = cache.and_then(|(_, look)| look.judged(&case.id, environment));
        let Some(mut inputs) = inputs else { return found };
        let key = inputs.key();
        found.key = Some(key);
        let reference = self.references[case.test].as_ref().and_then(|reference| reference.digest_of(&request).ok());
        if let Some((cache, look)) = cache
            && let Some(made) = look.generation(&key)
        {
            found.known = Some(made.image);
            let sample = sample(case, &made.attributes);
            for ((score, keys), (_, info)) in found.scores.iter_mut().zip(&self.keys[case.test]).zip(metrics) {
                let reference = reference.as_ref().filter(|_| info.kind == MetricKind::Pair);
                // Without a reference there is nothing to find: the error is told by whoever looks for it.
                if info.kind == MetricKind::Set || (info.kind == MetricKind::Pair && reference.is_none()) {
                    continue;
                }
                let key = keys.of_image(&made.image, &sample, reference).key();
                *score = ScoreEvidence { key: Some(key), scored: look.score(&key) };
            }
            let there = made.bytes == 0 || cache.has_image(&made.image, made.bytes);
            found.made = there.then_some(made);
        }
        if let Some(reference) = reference {
            inputs.set("reference", reference.to_string());
        }
        inputs.extend(&shared[case.test]);
        found.inputs = Some(inputs);
        found
    }

    /// Scores of all images together, where all of them are known.
    fn sets(&self, test: usize, cases: &[CaseEvidence], look: Option<&Look<'_>>) -> TestEvidence {
        let metrics = &self.plan.tests[test].metrics;
        let mut sets = vec![ScoreEvidence::default(); metrics.len()];
        if !metrics.iter().any(|(_, info)| info.kind == MetricKind::Set) {
            return TestEvidence { sets };
        }
        let of_test = self.plan.cases.iter().zip(cases).filter(|(case, _)| case.test == test);
        let images: Option<Vec<&Digest>> = of_test.map(|(_, case)| case.known.as_ref()).collect();
        let reference = match &self.references[test] {
            Some(reference) => reference.digest().ok().map(Some),
            None => Some(None),
        };
        if let (Some(images), Some(reference), Some(look)) = (images, reference, look) {
            let images = images_digest(images);
            for ((set, keys), (_, info)) in sets.iter_mut().zip(&self.keys[test]).zip(metrics) {
                if info.kind == MetricKind::Set {
                    let key = keys.of_set(&images, reference.as_ref());
                    *set = ScoreEvidence { key: Some(key), scored: look.score(&key) };
                }
            }
        }
        TestEvidence { sets }
    }

    /// The action and the reason. What is forced stays known, to be compared with what comes of it.
    fn decide(&self, index: usize, evidence: &mut Evidence, look: Option<&Look<'_>>) {
        let plan = &self.plan.cases[index];
        let metrics = &self.plan.tests[plan.test].metrics;
        let case = &evidence.cases[index];
        let unknown = metrics.iter().enumerate().find(|(metric, (_, info))| {
            let score = match info.kind {
                MetricKind::Set => &evidence.tests[plan.test].sets[*metric],
                MetricKind::Image | MetricKind::Pair => &case.scores[*metric],
            };
            score.scored.is_none()
        });
        let key = || case.inputs.as_ref().map(|inputs| *inputs.key::<Judgement>().as_bytes());
        let same = case.last.as_ref().filter(|last| Some(last.key) == key());
        let proven = same.is_some_and(|last| last.verdict == Verdict::Pass);
        let action = match self.force {
            Force::Generate => Action::Generate,
            _ if case.made.is_none() => Action::Generate,
            Force::Score => Action::Score,
            Force::Nothing if unknown.is_some() => Action::Score,
            Force::Nothing if proven => Action::Reuse,
            Force::Nothing => Action::Judge,
        };
        let gone = |input: String, was: Option<String>| Some(Difference { input, was, is: None });
        let because = match (&case.last, &case.inputs) {
            (None, _) => None,
            (Some(_), None) => gone("image".into(), None),
            (Some(last), Some(inputs)) if same.is_none() => {
                let earlier = look.and_then(|look| look.judged_inputs(&plan.id, &evidence.environment));
                earlier
                    .and_then(|earlier| inputs.first_difference(&earlier))
                    .or_else(|| gone("inputs".into(), Some(format!("those of run {}", last.run))))
            }
            (Some(last), Some(_)) => match action {
                Action::Generate if self.force == Force::Generate => None,
                Action::Generate => gone("image".into(), case.known.map(|image| image.to_string())),
                Action::Score if self.force == Force::Score => None,
                Action::Score => unknown.and_then(|(_, (used, _))| gone(format!("score/{}", used.name), None)),
                Action::Judge => gone("verdict".into(), Some(word(last.verdict).into())),
                Action::Reuse => None,
            },
        };
        let case = &mut evidence.cases[index];
        (case.action, case.because) = (action, because);
    }
}

/// As results write it.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
        Verdict::Error => "error",
        Verdict::NotRun => "not-run",
    }
}
