//! Puts the stages' messages in order, counts what each case still lacks, and judges a test when its last case is done and its
//! images as a set are scored. Tests with a statistical gate are judged together, when nothing of the suite is left to do: how sure
//! one of them has to be depends on how many there are. So are tests with controls, which are measured then.

use difftest_core::event::{ErrorInfo, Event, ImageRecord, Outcome, Verdict};
use difftest_core::gate::{Against, CaseOf, Judged, MetricScores, TestScores, judge_suite};
use difftest_core::generate::GenerateError;
use difftest_core::metric::{MetricError, MetricKind};
use difftest_core::plan::{Case, SuitePlan};

use crate::stages::Message;

/// Kind of the error of a set metric that images are missing for.
pub(crate) const INCOMPLETE_SET: &str = "incomplete-set";

/// Where events go. An error means that the recording cannot be kept and the run has to stop.
pub(crate) type Sink<'a> = dyn FnMut(Event) -> Result<(), ErrorInfo> + 'a;

/// What follows from a message, beyond the events that were sent.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Nothing.
    Nothing,
    /// A test was judged.
    Judged(Verdict),
    /// All images of a test are there, and its set metrics are to look at them: in the order of the cases.
    MeasureSet {
        /// Which test.
        test: usize,
        /// Its images.
        images: Vec<ImageRecord>,
    },
}

/// The state of one suite's run.
pub(crate) struct Collector<'a> {
    plan: &'a SuitePlan,
    against: Against<'a>,
    /// By test and metric: key of the exact metric.
    keys: Vec<Vec<String>>,
    cases: Vec<CaseState>,
    tests: Vec<TestState>,
    fatal: Option<ErrorInfo>,
}

#[derive(Default)]
struct CaseState {
    /// Metrics that have not answered yet.
    waiting: usize,
    generated: bool,
    finished: bool,
    /// Scores that came before the image was stored.
    early: Vec<Event>,
    /// Value by metric; `None` where there is none.
    values: Vec<Option<f64>>,
    /// Kept for set metrics and controls.
    image: Option<ImageRecord>,
}

struct TestState {
    unfinished: usize,
    /// Set metrics that have not answered yet.
    sets_waiting: usize,
    /// Value by metric, of set metrics.
    set_values: Vec<Option<f64>>,
    judged: bool,
    errors: Vec<ErrorInfo>,
    /// Images that are not as their baseline, and that nobody has accepted.
    pending: usize,
}

impl<'a> Collector<'a> {
    /// Nothing has happened yet. `broken[test]` are errors known before any case ran, such as a metric that cannot be loaded;
    /// `ready(test)` and `sets(test)` how many metrics will look at each of its cases, and at all of them together; `keys` by test and
    /// metric the key of the exact metric.
    pub(crate) fn new(
        plan: &'a SuitePlan,
        against: Against<'a>,
        keys: Vec<Vec<String>>,
        broken: Vec<Vec<ErrorInfo>>,
        ready: impl Fn(usize) -> usize,
        sets: impl Fn(usize) -> usize,
    ) -> Self {
        let cases = plan.cases.iter().map(|case| CaseState {
            waiting: ready(case.test),
            values: vec![None; plan.tests[case.test].metrics.len()],
            ..CaseState::default()
        });
        let state = |(test, errors)| TestState {
            unfinished: 0,
            sets_waiting: sets(test),
            set_values: vec![None; plan.tests[test].metrics.len()],
            judged: false,
            errors,
            pending: 0,
        };
        let mut tests: Vec<_> = broken.into_iter().enumerate().map(state).collect();
        for case in &plan.cases {
            tests[case.test].unfinished += 1;
        }
        Self { plan, against, keys, cases: cases.collect(), tests, fatal: None }
    }

    /// Takes in one message and sends what follows from it.
    pub(crate) fn take(&mut self, message: Message, sink: &mut Sink<'_>) -> Result<Next, ErrorInfo> {
        match message {
            Message::Dropped | Message::SetDropped | Message::CasesDone => Ok(Next::Nothing),
            Message::Fatal(error) => {
                let error = from_generation(&error, None);
                self.fatal.get_or_insert(error.clone());
                Err(error)
            }
            Message::Event(Event::Generated { case, outcome, seconds, origin }) => {
                let of = self.plan.cases[case].test;
                let failed = match &outcome {
                    Outcome::Error(error) => {
                        self.tests[of].errors.push(from_generation(error, Some(case)));
                        true
                    }
                    Outcome::Ok(image) => {
                        let wanted = self.tests[of].sets_waiting > 0 || self.plan.tests[of].controls;
                        self.cases[case].image = wanted.then(|| image.clone());
                        false
                    }
                };
                sink(Event::Generated { case, outcome, seconds, origin })?;
                self.cases[case].generated = true;
                if failed {
                    self.cases[case].waiting = 0;
                }
                for early in std::mem::take(&mut self.cases[case].early) {
                    self.score(case, early, sink)?;
                }
                self.finish_if_done(case, sink)
            }
            Message::Event(event @ (Event::Scored { case, .. } | Event::Compared { case, .. })) => {
                if !self.cases[case].generated {
                    self.cases[case].early.push(event);
                    return Ok(Next::Nothing);
                }
                self.score(case, event, sink)?;
                self.finish_if_done(case, sink)
            }
            Message::Event(Event::SetScored { test, metric, outcome, seconds, origin }) => {
                let state = &mut self.tests[test];
                state.sets_waiting = state.sets_waiting.saturating_sub(1);
                match &outcome {
                    Outcome::Ok(score) => state.set_values[metric] = Some(score.value),
                    Outcome::Error(error) => state.errors.push(from_metric(error, None)),
                }
                let done = state.sets_waiting == 0;
                sink(Event::SetScored { test, metric, outcome, seconds, origin })?;
                if done { self.done(test, sink) } else { Ok(Next::Nothing) }
            }
            Message::Event(other) => sink(other).map(|()| Next::Nothing),
        }
    }

    /// Judges the tests that have no case to wait for: something they need was refused, and the sooner that is told the better.
    /// Answers whether there was one.
    pub(crate) fn judge_without_cases(&mut self, sink: &mut Sink<'_>) -> Result<bool, ErrorInfo> {
        let empty: Vec<usize> = (0..self.tests.len()).filter(|&test| self.tests[test].unfinished == 0).collect();
        for &test in &empty {
            self.judge(test, sink)?;
        }
        Ok(!empty.is_empty())
    }

    /// Whether a test is done but for its verdict.
    pub(crate) fn is_complete(&self, test: usize) -> bool {
        let state = &self.tests[test];
        !state.judged && state.unfinished == 0 && state.sets_waiting == 0
    }

    /// The image of a case, where its test has set metrics or controls to look at it.
    pub(crate) fn image(&self, case: usize) -> Option<&ImageRecord> {
        self.cases[case].image.as_ref()
    }

    /// What a metric of its test said of a case.
    pub(crate) fn value(&self, case: usize, metric: usize) -> Option<f64> {
        *self.cases[case].values.get(metric)?
    }

    /// Keeps a test that is not judged yet from a verdict.
    pub(crate) fn refuse(&mut self, test: usize, errors: Vec<ErrorInfo>) {
        self.tests[test].errors.extend(errors);
    }

    /// Judges every test that is not yet: those without cases, those that were cut short, and together those with a statistical gate.
    pub(crate) fn end(&mut self, sink: &mut Sink<'_>) -> Result<(), ErrorInfo> {
        let open = |collector: &Self, test: usize| !collector.tests[test].judged;
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        for test in (0..self.tests.len()).filter(|&test| open(self, test)) {
            if self.is_complete(test) && self.is_judged_late(test) { together.push(test) } else { alone.push(test) }
        }
        let mut verdicts = self.verdicts(&together).into_iter();
        for test in 0..self.tests.len() {
            if together.contains(&test) {
                if let Some(judged) = verdicts.next() {
                    self.tell(test, judged, sink)?;
                }
            } else if alone.contains(&test) {
                self.judge(test, sink)?;
            }
        }
        self.fatal.take().map_or(Ok(()), Err)
    }

    /// Whether its verdict waits for all cases of the suite: for the number of statistical gates, or for its controls.
    fn is_judged_late(&self, test: usize) -> bool {
        let plan = &self.plan.tests[test];
        plan.controls || plan.gates.iter().any(|gate| gate.check.is_statistical())
    }

    /// A test that is done: judged now, or with the others at the end.
    fn done(&mut self, test: usize, sink: &mut Sink<'_>) -> Result<Next, ErrorInfo> {
        if self.is_judged_late(test) { Ok(Next::Nothing) } else { self.judge(test, sink).map(Next::Judged) }
    }

    fn score(&mut self, case: usize, event: Event, sink: &mut Sink<'_>) -> Result<(), ErrorInfo> {
        let state = &mut self.cases[case];
        let test = &mut self.tests[self.plan.cases[case].test];
        if let Event::Compared { outcome, .. } = &event {
            state.waiting = state.waiting.saturating_sub(1);
            match outcome {
                Outcome::Ok(comparison) => test.pending += usize::from(comparison.is_open()),
                Outcome::Error(error) => test.errors.push(ErrorInfo { case: Some(case), ..error.clone() }),
            }
        }
        if let Event::Scored { metric, outcome, .. } = &event {
            state.waiting = state.waiting.saturating_sub(1);
            match outcome {
                Outcome::Ok(score) => state.values[*metric] = Some(score.value),
                Outcome::Error(error) => {
                    test.errors.push(from_metric(error, Some(case)));
                }
            }
        }
        sink(event)
    }

    fn finish_if_done(&mut self, case: usize, sink: &mut Sink<'_>) -> Result<Next, ErrorInfo> {
        let state = &mut self.cases[case];
        if state.finished || !state.generated || state.waiting > 0 {
            return Ok(Next::Nothing);
        }
        state.finished = true;
        sink(Event::CaseFinished { case })?;
        let test = self.plan.cases[case].test;
        self.tests[test].unfinished -= 1;
        if self.tests[test].unfinished > 0 {
            return Ok(Next::Nothing);
        }
        if self.tests[test].sets_waiting == 0 {
            return self.done(test, sink);
        }
        let of_test = self.plan.cases.iter().zip(&self.cases).filter(|(case, _)| case.test == test);
        let images: Vec<Option<ImageRecord>> = of_test.map(|(_, state)| state.image.clone()).collect();
        let wanted = images.len();
        let images: Vec<ImageRecord> = images.into_iter().flatten().collect();
        if images.len() == wanted {
            return Ok(Next::MeasureSet { test, images });
        }
        // A set with holes is another set: its score would be of something that the suite does not describe.
        self.tests[test].errors.push(ErrorInfo {
            kind: INCOMPLETE_SET.into(),
            message: format!(
                "{} of {wanted} images are missing, so they have no score as a set",
                wanted - images.len()
            ),
            hint: None,
            case: None,
        });
        self.done(test, sink)
    }

    fn judge(&mut self, test: usize, sink: &mut Sink<'_>) -> Result<Verdict, ErrorInfo> {
        let mut judged = self.verdicts(&[test]);
        match judged.pop() {
            Some(judged) => self.tell(test, judged, sink),
            None => Ok(Verdict::NotRun),
        }
    }

    /// What `tests` come to, judged together.
    fn verdicts(&self, tests: &[usize]) -> Vec<Judged> {
        let scores: Vec<_> = tests.iter().map(|&test| self.scores(test)).collect();
        judge_suite(&scores, &self.against)
    }

    /// What a test is judged by: its finished cases.
    fn scores(&self, test: usize) -> TestScores<'a> {
        let plan = &self.plan.tests[test];
        let finished: Vec<(&'a Case, &CaseState)> = self
            .plan
            .cases
            .iter()
            .zip(&self.cases)
            .filter(|(case, state)| case.test == test && state.finished)
            .collect();
        let metrics = plan.metrics.iter().enumerate().filter_map(|(index, (wanted, planned))| {
            plan.gates.iter().find(|gate| gate.metric == wanted.name)?;
            let values = match planned.kind {
                MetricKind::Set => vec![self.tests[test].set_values[index]],
                MetricKind::Image | MetricKind::Pair => finished.iter().map(|(_, state)| state.values[index]).collect(),
            };
            let key = self.keys[test][index].clone();
            Some((wanted.name.as_str(), MetricScores { values, key }))
        });
        TestScores {
            gates: &plan.gates,
            metrics: metrics.collect(),
            cases: finished.iter().map(|(case, _)| CaseOf { id: &case.id, prompt: &case.prompt.id }).collect(),
        }
    }

    fn tell(&mut self, test: usize, judged: Judged, sink: &mut Sink<'_>) -> Result<Verdict, ErrorInfo> {
        let state = &mut self.tests[test];
        state.judged = true;
        let mut errors = std::mem::take(&mut state.errors);
        // What other shards have of a test is not known here, and the merge judges it. Its errors are told at once.
        let split = self.plan.tests[test].split_of.is_some();
        let Judged { verdict, gates, errors: of_gates } =
            if split { Judged { verdict: Verdict::NotRun, gates: Vec::new(), errors: Vec::new() } } else { judged };
        // Why there is no baseline is told better by who looked for it.
        let told =
            errors.iter().any(|error| matches!(&*error.kind, "no-baseline" | "baseline-environment" | "baseline"));
        errors.extend(of_gates.into_iter().filter(|error| !told || error.kind != "no-baseline"));
        let verdict = if !errors.is_empty() {
            Verdict::Error
        } else if state.unfinished > 0 || state.sets_waiting > 0 {
            Verdict::NotRun
        } else if state.pending > 0 && matches!(verdict, Verdict::Pass | Verdict::Inconclusive) {
            Verdict::Fail
        } else {
            verdict
        };
        sink(Event::TestFinished { test, verdict, gates, errors })?;
        Ok(verdict)
    }
}

pub(crate) fn from_generation(error: &GenerateError, case: Option<usize>) -> ErrorInfo {
    ErrorInfo { kind: error.kind.clone(), message: error.message.clone(), hint: error.hint.clone(), case }
}

pub(crate) fn from_metric(error: &MetricError, case: Option<usize>) -> ErrorInfo {
    ErrorInfo { kind: error.kind.clone(), message: error.message.clone(), hint: error.hint.clone(), case }
}
