//! The events of all shards, each at its place in the plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use difftest_core::event::{CaseInfo, Conclusion, ErrorInfo, Event, TestInfo, Verdict};
use difftest_core::gate::GateResult;
use difftest_core::shard::{Frozen, FrozenSuite};

use super::heads::{self, Head};
use super::{MergeError, Stream};

/// What all shards told.
pub(super) struct Gathered {
    /// The `RunStarted` of each.
    pub(super) started: Vec<(u32, Event)>,
    /// In the order of the plan.
    pub(super) suites: Vec<Suite>,
    /// Whether one ended with an error.
    pub(super) failed_early: bool,
    /// Wall time of the longest.
    pub(super) seconds: f64,
}

#[derive(Default)]
pub(super) struct Suite {
    pub(super) heads: Vec<Head>,
    pub(super) error: Option<ErrorInfo>,
    pub(super) tests: Vec<Test>,
    pub(super) cases: Vec<Case>,
    pub(super) logs: Vec<Event>,
}

#[derive(Default)]
pub(super) struct Test {
    pub(super) info: Option<TestInfo>,
    /// By metric.
    pub(super) sets: BTreeMap<usize, Event>,
    /// Those of cases have their index in the plan.
    pub(super) errors: Vec<ErrorInfo>,
    /// What the shard that has all of it says.
    pub(super) judged: Option<Judgement>,
    /// The shards that have something of it.
    shards: BTreeSet<u32>,
    /// Those that said how it ended.
    ended: BTreeSet<u32>,
}

/// What a shard says of a test.
pub(super) struct Judgement {
    pub(super) shard: u32,
    pub(super) verdict: Verdict,
    pub(super) gates: Vec<GateResult>,
}

#[derive(Default)]
pub(super) struct Case {
    pub(super) info: Option<CaseInfo>,
    /// The shard that had it.
    pub(super) shard: u32,
    pub(super) started: bool,
    pub(super) generated: Option<Event>,
    pub(super) compared: Option<Event>,
    /// By metric.
    pub(super) scored: BTreeMap<usize, Event>,
    pub(super) logs: Vec<Event>,
    pub(super) finished: bool,
}

/// The suite that a stream is in.
struct Current {
    suite: usize,
    /// Index in the plan, by index in the stream.
    tests: Vec<usize>,
    cases: Vec<usize>,
}

/// Puts every event of `streams` where it belongs, with the indices of the plan.
pub(super) fn gather(plan: &Frozen, of: u32, streams: &[&Stream]) -> Result<Gathered, MergeError> {
    let suites = plan.suites.iter().map(|suite| {
        let cases = suite.cases().map(|_| Case::default()).collect();
        Suite { tests: suite.tests.iter().map(|_| Test::default()).collect(), cases, ..Suite::default() }
    });
    let mut gathered = Gathered { started: Vec::new(), suites: suites.collect(), failed_early: false, seconds: 0.0 };
    let split = plan.split(of);
    let places: Vec<HashMap<&str, usize>> = plan
        .suites
        .iter()
        .map(|suite| suite.cases().enumerate().map(|(index, case)| (case.id.as_str(), index)).collect())
        .collect();
    for stream in streams {
        let shard = stream.part.shard;
        let reader = Reader { plan, of, shard, split: &split, places: &places, current: None };
        reader.read(&stream.events, &mut gathered)?;
    }
    Ok(gathered)
}

struct Reader<'p> {
    plan: &'p Frozen,
    of: u32,
    shard: u32,
    split: &'p [Vec<u32>],
    places: &'p [HashMap<&'p str, usize>],
    current: Option<Current>,
}

impl Reader<'_> {
    fn misfit(&self, what: impl Into<String>) -> MergeError {
        MergeError::Misfit { shard: self.shard, what: what.into() }
    }

    fn read(mut self, events: &[Event], gathered: &mut Gathered) -> Result<(), MergeError> {
        let mut ended = None;
        for event in events {
            match event {
                Event::RunStarted { .. } => gathered.started.push((self.shard, event.clone())),
                Event::RunFinished { conclusion, seconds } => {
                    ended = Some(*conclusion);
                    gathered.seconds = gathered.seconds.max(*seconds);
                }
                Event::SuiteStarted { suite, tests, cases, .. } => self.begin(event, suite, tests, cases, gathered)?,
                Event::SuiteError { suite, error } => {
                    let index = self.suite(suite)?;
                    gathered.suites[index].error.get_or_insert_with(|| error.clone());
                }
                Event::SuiteFinished { .. } => self.current = None,
                Event::Step { .. } => {}
                other => self.place(other, gathered)?,
            }
        }
        if matches!(ended, None | Some(Conclusion::Interrupted)) {
            return Err(MergeError::Interrupted { shards: vec![(self.shard, None)], of: self.of });
        }
        gathered.failed_early |= ended == Some(Conclusion::Error);
        if matches!(ended, Some(Conclusion::Passed | Conclusion::Failed)) {
            self.complete(gathered)?;
        }
        Ok(())
    }

    /// A shard that ended in good order told of all of its cases, and how each of its tests ended.
    fn complete(&self, gathered: &Gathered) -> Result<(), MergeError> {
        for ((suite, shards), frozen) in gathered.suites.iter().zip(self.split).zip(&self.plan.suites) {
            let mut cases = suite.cases.iter().zip(shards).zip(frozen.cases());
            if let Some((_, missing)) =
                cases.find(|((case, shard), _)| **shard == self.shard && case.info.is_none() && suite.error.is_none())
            {
                return Err(self.misfit(format!("it says nothing of its case {}", missing.id)));
            }
            let mut tests = suite.tests.iter().zip(&frozen.tests);
            let untold = tests.find(|(test, _)| test.shards.contains(&self.shard) && !test.ended.contains(&self.shard));
            if let Some((_, test)) = untold.filter(|_| suite.error.is_none()) {
                return Err(self.misfit(format!("it does not say how its test `{}::{}` ended", frozen.name, test.name)));
            }
        }
        Ok(())
    }

    fn suite(&self, name: &str) -> Result<usize, MergeError> {
        let index = self.plan.suites.iter().position(|suite| suite.name == name);
        index.ok_or_else(|| self.misfit(format!("it has a suite `{name}` that is not in the plan")))
    }

    fn begin(
        &mut self,
        event: &Event,
        name: &str,
        tests: &[TestInfo],
        cases: &[CaseInfo],
        gathered: &mut Gathered,
    ) -> Result<(), MergeError> {
        let index = self.suite(name)?;
        let frozen: &FrozenSuite = &self.plan.suites[index];
        let suite = &mut gathered.suites[index];
        let mut current = Current { suite: index, tests: Vec::new(), cases: Vec::new() };
        for info in tests {
            let at = frozen.tests.iter().position(|test| test.name == info.name);
            let at = at.ok_or_else(|| self.misfit(format!("it has a test `{name}::{}` of its own", info.name)))?;
            let names = || info.metrics.iter().map(|metric| &metric.name);
            if names().ne(frozen.tests[at].metrics.iter().map(|(name, _)| name)) {
                return Err(self.misfit(format!("its test `{name}::{}` has other metrics", info.name)));
            }
            match &suite.tests[at].info {
                Some(known) => {
                    heads::same_test(name, known, info, suite.heads.first().map_or(0, |h| h.shard), self.shard)?
                }
                None => suite.tests[at].info = Some(info.clone()),
            }
            suite.tests[at].shards.insert(self.shard);
            current.tests.push(at);
        }
        for info in cases {
            let at = self.places[index].get(info.id.as_str()).copied();
            let own = at.filter(|&at| self.split[index][at] == self.shard);
            let at = own.ok_or_else(|| self.misfit(format!("it has the case {}, which is not its own", info.id)))?;
            let case = &mut suite.cases[at];
            if case.info.is_some() {
                return Err(self.misfit(format!("it has the case {} twice", info.id)));
            }
            (case.info, case.shard) = (Some(info.clone()), self.shard);
            current.cases.push(at);
        }
        let head = Head::of(self.shard, event).ok_or_else(|| self.misfit("its suite has no beginning"))?;
        if head.digest != frozen.digest {
            return Err(self.misfit(format!("the text of its suite `{name}` is another")));
        }
        for earlier in &suite.heads {
            heads::same_suite(name, earlier, &head)?;
        }
        suite.heads.push(head);
        self.current = Some(current);
        Ok(())
    }

    /// The test of a case, both by their place in the plan.
    fn test_of(&self, current: &Current, case: usize) -> usize {
        let tests = &self.plan.suites[current.suite].tests;
        let mut end = 0;
        tests
            .iter()
            .take_while(|test| {
                end += test.cases.len();
                end <= case
            })
            .count()
    }

    /// Refuses a score of a metric that the test has not.
    fn has_metric(&self, current: &Current, test: usize, metric: usize) -> Result<(), MergeError> {
        let test = self.plan.suites[current.suite].tests.get(test);
        let there = test.is_some_and(|test| metric < test.metrics.len());
        if there { Ok(()) } else { Err(self.misfit("it has a score of a metric that its test has not")) }
    }

    /// An event of a case or a test of the current suite.
    fn place(&self, event: &Event, gathered: &mut Gathered) -> Result<(), MergeError> {
        let current = self.current.as_ref().ok_or_else(|| self.misfit("it tells of a case outside of a suite"))?;
        let suite = &mut gathered.suites[current.suite];
        let case_at = |case: usize| {
            current.cases.get(case).copied().ok_or_else(|| self.misfit(format!("it tells of a case {case} it has not")))
        };
        let test_at = |test: usize| {
            current.tests.get(test).copied().ok_or_else(|| self.misfit(format!("it tells of a test {test} it has not")))
        };
        let mut event = event.clone();
        let twice = match &mut event {
            Event::CaseStarted { case } => {
                suite.cases[case_at(*case)?].started = true;
                false
            }
            Event::CaseFinished { case } => std::mem::replace(&mut suite.cases[case_at(*case)?].finished, true),
            Event::Generated { case, .. } => {
                *case = case_at(*case)?;
                suite.cases[*case].generated.replace(event.clone()).is_some()
            }
            Event::Compared { case, .. } => {
                *case = case_at(*case)?;
                suite.cases[*case].compared.replace(event.clone()).is_some()
            }
            Event::Scored { case, metric, .. } => {
                *case = case_at(*case)?;
                self.has_metric(current, self.test_of(current, *case), *metric)?;
                suite.cases[*case].scored.insert(*metric, event.clone()).is_some()
            }
            Event::SetScored { test, metric, .. } => {
                *test = test_at(*test)?;
                self.has_metric(current, *test, *metric)?;
                suite.tests[*test].sets.insert(*metric, event.clone()).is_some()
            }
            Event::Log { case: Some(case), .. } => {
                *case = case_at(*case)?;
                suite.cases[*case].logs.push(event.clone());
                false
            }
            Event::Log { case: None, .. } => {
                if !suite.logs.contains(&event) {
                    suite.logs.push(event);
                }
                return Ok(());
            }
            Event::TestFinished { test, verdict, gates, errors } => {
                let test = &mut suite.tests[test_at(*test)?];
                if test.info.as_ref().is_some_and(|info| info.split_of.is_none()) {
                    test.judged =
                        Some(Judgement { shard: self.shard, verdict: *verdict, gates: std::mem::take(gates) });
                }
                let twice = !test.ended.insert(self.shard);
                for error in errors {
                    if let Some(case) = &mut error.case {
                        *case = case_at(*case)?;
                    }
                    // What every shard met (a metric that does not load) is told once, as in one run; what is about a case is told
                    // by its shard alone, once for each metric.
                    if error.case.is_some() || !test.errors.contains(error) {
                        test.errors.push(error.clone());
                    }
                }
                twice
            }
            _ => false,
        };
        if twice { Err(self.misfit("it tells of the same thing twice")) } else { Ok(()) }
    }
}
