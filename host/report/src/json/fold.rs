//! From events to [`Results`].
//!
//! An event that refers to a suite, test or case that was never announced is left out: a recording may be cut short, and reading it
//! must not panic.

use difftest_core::event::{CaseInfo, ErrorInfo, Event, ImageRecord, Origin, Outcome, TestInfo, Verdict};
use difftest_core::gate::{GateResult, OnInconclusive};
use difftest_core::metric::{MetricError, MetricInfo, Score};

use super::types::{
    CaseResult, CaseState, Counts, ErrorRecord, FORMAT, GateRecord, ImageFile, LogLine, Results, ScoreResult,
    SuiteResult, TestResult,
};

impl Default for Results {
    fn default() -> Self {
        Self {
            format: FORMAT,
            difftest: String::new(),
            run: String::new(),
            started: String::new(),
            folder: String::new(),
            commit: None,
            label: None,
            conclusion: None,
            exit_code: None,
            seconds: None,
            error: None,
            remote: None,
            tests: Counts::default(),
            suites: Vec::new(),
        }
    }
}

impl Results {
    /// Takes in the next event of a run.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted { difftest, run, started, folder, commit, label, .. } => {
                self.difftest.clone_from(difftest);
                self.run.clone_from(run);
                self.started.clone_from(started);
                self.folder = folder.to_string_lossy().into_owned();
                self.commit.clone_from(commit);
                self.label.clone_from(label);
            }
            Event::SuiteStarted {
                suite,
                file,
                digest,
                generator,
                models,
                environment,
                baseline,
                inconclusive,
                tests,
                cases,
            } => {
                self.suites.push(SuiteResult {
                    name: suite.clone(),
                    file: file.as_ref().map(|file| file.to_string_lossy().into_owned()),
                    digest: Some(*digest),
                    generator: Some(generator.clone()),
                    models: models.iter().cloned().collect(),
                    environment: environment.clone(),
                    baseline: baseline.clone(),
                    inconclusive: *inconclusive,
                    error: None,
                    tests: tests.iter().map(planned_test).collect(),
                    cases: cases.iter().map(|case| planned_case(case, tests)).collect(),
                    logs: Vec::new(),
                });
            }
            Event::SuiteError { suite, error } => self.suite_error(suite, error),
            Event::CaseStarted { case } => {
                if let Some(case) = self.case_mut(*case) {
                    case.state = CaseState::Unfinished;
                }
            }
            Event::Step { .. } | Event::SuiteFinished { .. } => {}
            Event::Generated { case, outcome, seconds, origin } => {
                if let Some(case) = self.case_mut(*case) {
                    case.origin = Some(*origin);
                    case.seconds = Some(*seconds);
                    match outcome {
                        Outcome::Ok(image) => case.image = Some(image_file(image)),
                        Outcome::Error(error) => {
                            case.error = Some(error.clone());
                            case.state = CaseState::Error;
                        }
                    }
                }
            }
            Event::Compared { case, outcome, .. } => {
                if let Some(case) = self.case_mut(*case) {
                    match outcome {
                        Outcome::Ok(comparison) => case.comparison = Some(comparison.clone()),
                        Outcome::Error(_) => case.state = CaseState::Error,
                    }
                }
            }
            Event::Scored { case, metric, outcome, seconds, origin } => {
                self.score(*case, *metric, |name| score_result(name, outcome, *seconds, *origin));
            }
            Event::SetScored { test, metric, outcome, seconds, origin } => {
                let test = self.suites.last_mut().and_then(|suite| suite.tests.get_mut(*test));
                if let Some(test) = test
                    && let Some(info) = test.metrics.get(*metric)
                {
                    let score = score_result(info.name.clone(), outcome, *seconds, *origin);
                    place(&test.metrics, &mut test.scores, *metric, score);
                }
            }
            Event::CaseFinished { case } => {
                if let Some(case) = self.case_mut(*case)
                    && case.state != CaseState::Error
                {
                    case.state = CaseState::Finished;
                }
            }
            Event::Log { case, plugin, level, message } => {
                let line = LogLine { plugin: plugin.clone(), level: level.clone(), message: message.clone() };
                match case {
                    Some(case) => self.case_mut(*case).into_iter().for_each(|case| case.logs.push(line.clone())),
                    None => self.suites.last_mut().into_iter().for_each(|suite| suite.logs.push(line.clone())),
                }
            }
            Event::TestFinished { test, verdict, gates, errors } => self.judged(*test, *verdict, gates, errors),
            Event::RunFinished { conclusion, seconds } => {
                self.conclusion = Some(*conclusion);
                self.exit_code = Some(conclusion.exit_code());
                self.seconds = Some(*seconds);
            }
        }
    }

    /// The results of a whole run, or of as much of it as there is.
    #[must_use]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut results = Self::default();
        events.into_iter().for_each(|event| results.apply(event));
        results
    }

    /// Notes what ended the run early: it has no event of its own, since a recording may be what failed.
    pub fn fatal(&mut self, error: ErrorInfo) {
        self.error = Some(error);
    }

    /// The case of the last suite.
    #[must_use]
    pub fn case(&self, index: usize) -> Option<&CaseResult> {
        self.suites.last()?.cases.get(index)
    }

    fn case_mut(&mut self, index: usize) -> Option<&mut CaseResult> {
        self.suites.last_mut()?.cases.get_mut(index)
    }

    fn suite_error(&mut self, name: &str, error: &ErrorInfo) {
        match self.suites.last_mut().filter(|suite| suite.name == name && suite.error.is_none()) {
            Some(suite) => suite.error = Some(error.clone()),
            None => self.suites.push(SuiteResult {
                name: name.to_owned(),
                file: None,
                digest: None,
                generator: None,
                models: std::collections::BTreeMap::new(),
                environment: String::new(),
                baseline: None,
                inconclusive: OnInconclusive::default(),
                error: Some(error.clone()),
                tests: Vec::new(),
                cases: Vec::new(),
                logs: Vec::new(),
            }),
        }
    }

    fn score(&mut self, case: usize, metric: usize, score: impl FnOnce(String) -> ScoreResult) {
        let Some(suite) = self.suites.last_mut() else { return };
        let Some(case) = suite.cases.get_mut(case) else { return };
        let Some(test) = suite.tests.iter().find(|test| test.name == case.test) else { return };
        let Some(info) = test.metrics.get(metric) else { return };
        let score = score(info.name.clone());
        if score.error.is_some() {
            case.state = CaseState::Error;
        }
        place(&test.metrics, &mut case.scores, metric, score);
    }

    fn judged(&mut self, test: usize, verdict: Verdict, gates: &[GateResult], errors: &[ErrorInfo]) {
        let errors: Vec<_> = errors
            .iter()
            .map(|error| ErrorRecord {
                kind: error.kind.clone(),
                message: error.message.clone(),
                hint: error.hint.clone(),
                case: error.case.and_then(|case| self.case(case)).map(|case| case.id.clone()),
            })
            .collect();
        let Some(test) = self.suites.last_mut().and_then(|suite| suite.tests.get_mut(test)) else { return };
        test.verdict = verdict;
        test.errors = errors;
        test.gates = gates.iter().map(|gate| GateRecord { result: gate.clone(), margin: gate.margin() }).collect();
        *self.tests.of_mut(verdict) += 1;
    }
}

/// Scores come in any order and stand in the order of the metrics.
fn place(metrics: &[MetricInfo], scores: &mut Vec<ScoreResult>, metric: usize, score: ScoreResult) {
    let rank = |name: &str| metrics.iter().position(|metric| metric.name == name);
    let at = scores.partition_point(|other| rank(&other.metric) < Some(metric));
    scores.insert(at, score);
}

fn score_result(metric: String, outcome: &Outcome<Score, MetricError>, seconds: f64, origin: Origin) -> ScoreResult {
    let (value, error) = match outcome {
        Outcome::Ok(score) => (Some(score), None),
        Outcome::Error(error) => (None, Some(error.clone())),
    };
    ScoreResult {
        metric,
        value: value.map(|score| score.value),
        details: value.map(|score| score.details.clone()).unwrap_or_default(),
        fuel: value.and_then(|score| score.fuel),
        error,
        seconds,
        origin,
    }
}

impl Counts {
    fn of_mut(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::Fail => &mut self.fail,
            Verdict::Error => &mut self.error,
            Verdict::NotRun => &mut self.not_run,
        }
    }
}

/// Not run until it is judged.
fn planned_test(info: &TestInfo) -> TestResult {
    TestResult {
        name: info.name.clone(),
        line: info.line,
        verdict: Verdict::NotRun,
        prompts: info.prompts.clone(),
        metrics: info.metrics.clone(),
        reference: info.reference.clone(),
        scores: Vec::new(),
        configs: info.configs.clone(),
        generation: info.generation.clone(),
        split_of: info.split_of,
        gates: Vec::new(),
        errors: Vec::new(),
    }
}

fn planned_case(info: &CaseInfo, tests: &[TestInfo]) -> CaseResult {
    CaseResult {
        id: info.id.clone(),
        test: tests.get(info.test).map(|test| test.name.clone()).unwrap_or_default(),
        state: CaseState::NotRun,
        prompt: info.prompt.clone(),
        seed: info.seed,
        settings: info.settings.clone(),
        action: info.action,
        because: info.because.clone(),
        origin: None,
        comparison: None,
        baseline: info.baseline.clone(),
        image: None,
        error: None,
        seconds: None,
        scores: Vec::new(),
        logs: Vec::new(),
    }
}

/// A path that is not Unicode is shown as well as it can be: a document has to be written in any case.
fn image_file(image: &ImageRecord) -> ImageFile {
    ImageFile {
        path: image.path.to_string_lossy().into_owned(),
        digest: image.digest,
        width: image.width,
        height: image.height,
        attributes: image.attributes.iter().cloned().collect(),
        warnings: image.warnings.clone(),
    }
}
