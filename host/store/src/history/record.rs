//! A run as the history keeps it: a fold over its events, live or recorded.

use difftest_core::digest::Digest;
use difftest_core::event::{CaseInfo, Event, Origin, Outcome, TestInfo, Verdict};
use difftest_core::gate::GateResult;
use difftest_core::generate::GeneratorInfo;
use difftest_core::metric::{Direction, MetricKind, metric_key};
use serde::Serialize;
use serde_json::{Value, json};

/// A run, reduced to what the history keeps. Begin with the default and [`RunRecord::apply`] every event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunRecord {
    pub(super) name: String,
    pub(super) started: String,
    pub(super) seconds: Option<f64>,
    pub(super) conclusion: Option<String>,
    pub(super) difftest: String,
    pub(super) checkout: Option<String>,
    pub(super) label: Option<String>,
    pub(super) folder: String,
    pub(super) suites: Vec<SuiteRecord>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct SuiteRecord {
    pub(super) name: String,
    pub(super) digest: Option<String>,
    pub(super) environment: String,
    pub(super) model: String,
    pub(super) error: Option<String>,
    /// Digest of the baseline that its gates compare with.
    pub(super) baseline: Option<Digest>,
    pub(super) tests: Vec<TestRecord>,
    pub(super) cases: Vec<CaseRecord>,
}

impl SuiteRecord {
    /// What the test with this number was compared with: the baseline of the gates, and the accepted image of each case.
    pub(super) fn compared_with(&self, test: usize) -> Option<[u8; 32]> {
        let images =
            self.cases.iter().filter(|case| case.test == test).filter_map(|case| Some((&case.id, case.accepted?)));
        let images: Vec<_> = images.map(|(id, image)| json!([id, image.to_string()])).collect();
        let baseline = self.baseline.map(|digest| digest.to_string());
        (baseline.is_some() || !images.is_empty()).then(|| digest_of(&json!([baseline, images])))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct TestRecord {
    pub(super) name: String,
    pub(super) setup: [u8; 32],
    pub(super) metrics: Vec<MetricRecord>,
    pub(super) set_scores: Vec<(usize, f64)>,
    pub(super) verdict: Verdict,
    pub(super) gates: Vec<GateResult>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct MetricRecord {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) direction: i64,
    pub(super) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct CaseRecord {
    pub(super) id: String,
    pub(super) test: usize,
    pub(super) prompt: String,
    pub(super) negative: Option<String>,
    pub(super) seed: u64,
    /// Whether anything became of it.
    pub(super) executed: bool,
    pub(super) image: Option<Digest>,
    /// The image of the baseline that it was compared with.
    pub(super) accepted: Option<Digest>,
    pub(super) cached: bool,
    pub(super) seconds: Option<f64>,
    /// Metric of the test, value, whether it was found.
    pub(super) scores: Vec<(usize, f64, bool)>,
}

impl RunRecord {
    /// The run that `events` tell, or as much of it as they do.
    #[must_use]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut run = Self::default();
        events.into_iter().for_each(|event| run.apply(event));
        run
    }

    /// The run's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes in the next event. What refers to a case or a test that was never announced is left out.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted { difftest, run, started, folder, commit, label, .. } => {
                self.difftest.clone_from(difftest);
                self.name.clone_from(run);
                self.started.clone_from(started);
                self.folder = folder.to_string_lossy().into_owned();
                self.checkout.clone_from(commit);
                self.label.clone_from(label);
            }
            Event::SuiteStarted { suite, digest, generator, environment, baseline, tests, cases, .. } => {
                self.suites.push(SuiteRecord {
                    name: suite.clone(),
                    digest: Some(digest.to_string()),
                    environment: environment.clone(),
                    model: model_name(generator),
                    error: None,
                    baseline: baseline.as_ref().map(|baseline| baseline.digest),
                    tests: tests.iter().map(|test| planned_test(test, generator)).collect(),
                    cases: cases.iter().map(planned_case).collect(),
                });
            }
            Event::SuiteError { suite, error } => self.suite_error(suite, &error.message),
            Event::Generated { case, outcome, seconds, origin } => {
                if let Some(case) = self.case(*case) {
                    case.executed = true;
                    case.cached = *origin == Origin::Cached;
                    case.seconds = Some(*seconds);
                    if let Outcome::Ok(image) = outcome {
                        case.image = Some(image.digest);
                    }
                }
            }
            Event::Compared { case, outcome: Outcome::Ok(comparison), .. } => {
                let accepted = comparison.expected.as_ref().map(|image| image.digest);
                if let Some(case) = self.case(*case) {
                    case.accepted = accepted;
                }
            }
            Event::Scored { case, metric, outcome: Outcome::Ok(score), origin, .. } => {
                let (metric, cached) = (*metric, *origin == Origin::Cached);
                if let Some(case) = self.case(*case).filter(|_| score.value.is_finite()) {
                    case.scores.push((metric, score.value, cached));
                }
            }
            Event::SetScored { test, metric, outcome: Outcome::Ok(score), .. } => {
                let metric = *metric;
                if let Some(test) =
                    self.test(*test).filter(|test| score.value.is_finite() && metric < test.metrics.len())
                {
                    test.set_scores.push((metric, score.value));
                }
            }
            Event::TestFinished { test, verdict, gates, .. } => {
                if let Some(test) = self.test(*test) {
                    test.verdict = *verdict;
                    test.gates.clone_from(gates);
                }
            }
            Event::RunFinished { conclusion, seconds } => {
                self.conclusion = Some(word(conclusion));
                self.seconds = Some(*seconds);
            }
            _ => {}
        }
    }

    fn case(&mut self, index: usize) -> Option<&mut CaseRecord> {
        self.suites.last_mut()?.cases.get_mut(index)
    }

    fn test(&mut self, index: usize) -> Option<&mut TestRecord> {
        self.suites.last_mut()?.tests.get_mut(index)
    }

    fn suite_error(&mut self, name: &str, message: &str) {
        match self.suites.last_mut().filter(|suite| suite.name == name && suite.error.is_none()) {
            Some(suite) => suite.error = Some(message.to_owned()),
            None => self.suites.push(SuiteRecord {
                name: name.to_owned(),
                digest: None,
                environment: String::new(),
                model: String::new(),
                error: Some(message.to_owned()),
                baseline: None,
                tests: Vec::new(),
                cases: Vec::new(),
            }),
        }
    }
}

/// The word that recordings and results use for `value`.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The model as a person tells it from others: with the LoRA files that were added to it.
fn model_name(generator: &GeneratorInfo) -> String {
    let loras = generator.loras.iter().map(|lora| format!(" + {}", lora.file.rsplit('/').next().unwrap_or(&lora.file)));
    std::iter::once(generator.model.clone()).chain(loras).collect()
}

fn planned_test(test: &TestInfo, generator: &GeneratorInfo) -> TestRecord {
    let null = Value::Null;
    // Scores against other references are other scores.
    let reference = test.reference.as_ref().map(|info| digest_of(&json!([info.files, info.environment])));
    let metrics = test.metrics.iter().map(|info| {
        let key = metric_key(info, test.configs.get(&info.name).unwrap_or(&null));
        let against = reference.filter(|_| info.kind != MetricKind::Image);
        let against = against.map(|digest| digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        MetricRecord {
            name: info.name.clone(),
            key: against.map_or_else(|| key.clone(), |against| format!("{key}@{against}")),
            direction: match info.direction {
                Direction::HigherIsBetter => 1,
                Direction::LowerIsBetter => -1,
                Direction::Neither => 0,
            },
            kind: match info.kind {
                MetricKind::Image => "image",
                MetricKind::Pair => "pair",
                MetricKind::Set => "set",
            },
        }
    });
    // Images do not depend on the number of threads.
    let environment: Vec<_> = generator.environment.iter().filter(|(name, _)| name != "threads").collect();
    TestRecord {
        name: test.name.clone(),
        setup: digest_of(&json!([
            generator.kind,
            generator.revision,
            generator.files,
            generator.loras,
            environment,
            test.generation
        ])),
        metrics: metrics.collect(),
        set_scores: Vec::new(),
        verdict: Verdict::NotRun,
        gates: Vec::new(),
    }
}

fn digest_of(value: &Value) -> [u8; 32] {
    *blake3::hash(value.to_string().as_bytes()).as_bytes()
}

fn planned_case(case: &CaseInfo) -> CaseRecord {
    CaseRecord {
        id: case.id.clone(),
        test: case.test,
        prompt: case.prompt.text.clone(),
        negative: case.prompt.negative.clone(),
        seed: case.seed,
        executed: false,
        image: None,
        accepted: None,
        cached: false,
        seconds: None,
        scores: Vec::new(),
    }
}
