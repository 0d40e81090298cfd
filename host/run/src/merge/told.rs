//! A test as the shards together tell of it.

use difftest_core::event::{CaseInfo, Event, Outcome, TestInfo, Verdict};
use difftest_core::gate::{CaseOf, MetricScores, TestScores};
use difftest_core::metric::{MetricKind, metric_key};
use difftest_core::shard::{FrozenSuite, FrozenTest};
use difftest_core::visual::Standing;

use super::gather::{Case, Suite, Test};
use crate::collect::INCOMPLETE_SET;

/// A test of which a shard has told, with its cases.
pub(super) struct Told<'s> {
    pub(super) frozen: &'s FrozenTest,
    pub(super) info: TestInfo,
    pub(super) test: &'s Test,
    /// With their index in the merged suite.
    pub(super) cases: Vec<(usize, &'s Case, &'s CaseInfo)>,
}

/// The tests of which a shard has told, and for each case of the plan its index among theirs. What only a shard knows that could not
/// start the suite is not there: then the suite has an error that says why.
pub(super) fn told<'s>(frozen: &'s FrozenSuite, suite: &'s Suite) -> (Vec<Told<'s>>, Vec<Option<usize>>) {
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
    pub(super) fn is_statistical(&self) -> bool {
        self.frozen.gates.iter().any(|gate| gate.check.is_statistical())
    }

    /// Whether an image is not as its baseline.
    pub(super) fn is_pending(&self) -> bool {
        self.cases.iter().any(|(_, case, _)| match &case.compared {
            Some(Event::Compared { outcome: Outcome::Ok(comparison), .. }) => comparison.standing != Standing::Same,
            _ => false,
        })
    }

    /// What it comes to: `of_gates` is what its gates say.
    pub(super) fn verdict(&self, of_gates: Verdict, has_errors: bool) -> Verdict {
        if has_errors {
            Verdict::Error
        } else if self.is_cut() {
            Verdict::NotRun
        } else if self.is_pending() && matches!(of_gates, Verdict::Pass | Verdict::Inconclusive) {
            Verdict::Fail
        } else {
            of_gates
        }
    }

    /// A shard that had something of it.
    pub(super) fn shard(&self) -> u32 {
        self.test.judged.as_ref().map(|said| said.shard).or_else(|| Some(self.cases.first()?.1.shard)).unwrap_or(1)
    }

    /// Whether all of its cases are done.
    pub(super) fn has_all_cases(&self) -> bool {
        self.cases.len() == self.frozen.cases.len() && self.cases.iter().all(|(_, case, _)| case.finished)
    }

    /// Whether it is done but for its verdict, as a run sees it: a set metric that could not be loaded is not waited for, one that would have
    /// to look at missing images is.
    pub(super) fn is_complete(&self) -> bool {
        let errors = &self.test.errors;
        let not_loaded = || {
            errors.iter().any(|error| error.case.is_none()) && errors.iter().all(|error| error.kind != INCOMPLETE_SET)
        };
        self.has_all_cases() && (!self.lacks_sets() || not_loaded())
    }

    fn lacks_sets(&self) -> bool {
        let metrics = self.info.metrics.iter().enumerate();
        let mut sets = metrics.filter(|(_, info)| info.kind == MetricKind::Set);
        sets.any(|(index, _)| !self.test.sets.contains_key(&index))
    }

    /// Whether something of it was not done.
    pub(super) fn is_cut(&self) -> bool {
        !self.has_all_cases() || self.lacks_sets()
    }

    pub(super) fn scores(&'s self) -> TestScores<'s> {
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
