//! Runs without engines: the real collector judges what a list of fates says of each case.

use std::path::PathBuf;
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::event::{self, CaseInfo, ErrorInfo, Event, ImageRecord, Origin, Outcome, TestInfo, Verdict};
use difftest_core::gate::{Against, Bound, Check, Gate, OnInconclusive, Statistic};
use difftest_core::generate::{GenerateError, GeneratorInfo, Prompt, Settings};
use difftest_core::metric::{Direction, MetricError, MetricInfo, MetricKind, MetricSource, Score, metric_key};
use difftest_core::plan::{Case, SuitePlan, TestPlan};
use difftest_core::shard::{Frozen, Shard, Strategy as Division};
use difftest_core::suite::{MetricUse, ModelSpec, PromptSource};
use difftest_report::json::Results;
use difftest_store::recording::Part;
use serde_json::Value;

use crate::collect::{Collector, Next};
use crate::conduct;
use crate::merge::Stream;
use crate::stages::Message;

/// What happens to a case, and how many of a run's cases there is time for.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    /// By case, as many as needed: no image, no score of the first metric, no score of the second.
    pub(super) errors: Vec<(bool, bool, bool)>,
    pub(super) scores: Vec<f64>,
    /// By shard: stop after so many cases.
    pub(super) cut: Vec<Option<usize>>,
}

/// A test: prompts, seeds, whether its second metric looks at all images, which gate it has.
pub(super) type Shape = (usize, usize, bool, u8);

fn metric(index: usize, kind: MetricKind) -> (MetricUse, MetricInfo) {
    let name = format!("p/m{index}");
    let info = MetricInfo {
        name: name.clone(),
        summary: String::new(),
        kind,
        direction: Direction::HigherIsBetter,
        range: None,
        unit: None,
        config_schema: None,
        variant: "1".into(),
        source: MetricSource::Host { models: Vec::new() },
    };
    (MetricUse { name, span: 0..0, config: Value::Null }, info)
}

pub(super) fn suite(name: &str, shapes: &[Shape]) -> SuitePlan {
    let mut plan = SuitePlan {
        suite: name.into(),
        file: format!("{name}.toml").into(),
        model: ModelSpec::Diffusion("builtin:shapes".into()),
        loras: Vec::new(),
        inconclusive: OnInconclusive::default(),
        tests: Vec::new(),
        cases: Vec::new(),
    };
    for (index, &(prompts, seeds, set, gate)) in shapes.iter().enumerate() {
        let second = if set { MetricKind::Set } else { MetricKind::Image };
        let check = [Check::Bound, Check::Floor, Check::Rate { share: 0.4 }][usize::from(gate) % 3];
        plan.tests.push(TestPlan {
            name: format!("t{index}"),
            line: 1 + index,
            prompts: PromptSource::List(Vec::new()),
            metrics: vec![metric(0, MetricKind::Image), metric(1, second)],
            reference: None,
            baseline: None,
            under_test: Vec::new(),
            controls: false,
            visual: None,
            gates: vec![Gate {
                metric: "p/m0".into(),
                of: Statistic::Mean,
                bound: Bound { min: Some(0.5), max: None },
                check,
                span: 0..0,
            }],
            refused: Vec::new(),
            split_of: None,
        });
        for prompt in 0..prompts {
            let id = format!("p{prompt}");
            let prompt = Arc::new(Prompt { id: id.clone(), text: id.clone(), negative: None, attributes: Vec::new() });
            plan.cases.extend((0..seeds as u64).map(|seed| Case {
                id: format!("{name}::t{index}[{id},seed={seed}]"),
                test: index,
                prompt: Arc::clone(&prompt),
                seed,
                settings: Arc::new(Settings::default()),
            }));
        }
    }
    plan
}

fn number(id: &str) -> usize {
    usize::from(blake3::hash(id.as_bytes()).as_bytes()[0])
}

/// Runs `suites` as the conductor does, but for engines: what comes of each case is written in `fate`.
pub(super) fn run(suites: &[SuitePlan], fate: &Fate, shard: usize) -> Vec<Event> {
    let mut events = vec![Event::RunStarted {
        version: event::VERSION,
        difftest: "1".into(),
        run: format!("20260101-00000{shard}-abcdef"),
        started: format!("2026-01-01T00:00:0{shard}Z"),
        folder: PathBuf::new(),
        suites: suites.len(),
        cases: 0,
        commit: None,
        label: None,
    }];
    let mut left = fate.cut.get(shard).copied().flatten().unwrap_or(usize::MAX);
    let mut interrupted = false;
    for plan in suites {
        run_suite(plan, fate, &mut left, &mut interrupted, &mut events);
    }
    let worst = events.iter().filter_map(|event| match event {
        Event::TestFinished { verdict: Verdict::NotRun, test, .. } if split(&events, *test) => Some(Verdict::Pass),
        Event::TestFinished { verdict, .. } => Some(*verdict),
        _ => None,
    });
    let conclusion = conduct::conclusion(worst.max(), interrupted, suites.is_empty());
    events.push(Event::RunFinished { conclusion, seconds: 1.0 });
    events
}

/// Whether any suite's test of that index is split: good enough for the conclusion of a shard, which the merge does not take over.
fn split(events: &[Event], test: usize) -> bool {
    events.iter().any(|event| match event {
        Event::SuiteStarted { tests, .. } => tests.get(test).is_some_and(|test| test.split_of.is_some()),
        _ => false,
    })
}

fn run_suite(plan: &SuitePlan, fate: &Fate, left: &mut usize, interrupted: &mut bool, events: &mut Vec<Event>) {
    let environment = "cpu";
    events.push(Event::SuiteStarted {
        suite: plan.suite.clone(),
        file: None,
        digest: Digest::of(plan.suite.as_bytes()),
        generator: GeneratorInfo {
            model: "m".into(),
            revision: None,
            kind: "k".into(),
            files: Vec::new(),
            loras: Vec::new(),
            environment: vec![("cpu-model".into(), format!("{left}"))],
        },
        models: Vec::new(),
        environment: environment.into(),
        baseline: None,
        inconclusive: plan.inconclusive,
        tests: plan
            .tests
            .iter()
            .enumerate()
            .map(|(index, test)| TestInfo {
                name: test.name.clone(),
                line: Some(test.line),
                prompts: None,
                metrics: test.metrics.iter().map(|(_, info)| info.clone()).collect(),
                reference: None,
                configs: Default::default(),
                generation: Default::default(),
                cases: plan.cases.iter().filter(|case| case.test == index).count(),
                split_of: test.split_of,
            })
            .collect(),
        cases: plan
            .cases
            .iter()
            .map(|case| CaseInfo {
                id: case.id.clone(),
                test: case.test,
                prompt: (*case.prompt).clone(),
                seed: case.seed,
                settings: Settings::default(),
                action: Default::default(),
                because: None,
                baseline: None,
            })
            .collect(),
    });
    let keys = |test: &TestPlan| test.metrics.iter().map(|(wanted, info)| metric_key(info, &wanted.config)).collect();
    let kinds = |test: usize, set: bool| {
        plan.tests[test].metrics.iter().filter(|(_, info)| (info.kind == MetricKind::Set) == set).count()
    };
    let against = Against { baseline: None, environment };
    let keys = plan.tests.iter().map(keys).collect();
    let broken = vec![Vec::new(); plan.tests.len()];
    let mut collector =
        Collector::new(plan, against, keys, broken, |test| kinds(test, false), |test| kinds(test, true));
    let mut sink = |event: Event| -> Result<(), ErrorInfo> {
        events.push(event);
        Ok(())
    };
    collector.judge_without_cases(&mut sink).unwrap();
    for (index, case) in plan.cases.iter().enumerate() {
        if *left == 0 {
            *interrupted = true;
            break;
        }
        *left -= 1;
        let number = number(&case.id);
        let (no_image, no_first, no_second) = fate.errors[number % fate.errors.len()];
        let score = fate.scores[number % fate.scores.len()];
        let mut messages = vec![Event::CaseStarted { case: index }];
        messages.push(Event::Generated {
            case: index,
            outcome: if no_image { Outcome::Error(no_picture()) } else { Outcome::Ok(picture(&case.id)) },
            seconds: 0.5,
            origin: Origin::Made,
        });
        for (metric, missing) in [(0, no_first), (1, no_second)] {
            let each = plan.tests[case.test].metrics[metric].1.kind == MetricKind::Image;
            if each && !no_image {
                messages.push(Event::Scored {
                    case: index,
                    metric,
                    outcome: if missing { Outcome::Error(no_score()) } else { scored(score) },
                    seconds: 0.25,
                    origin: Origin::Made,
                });
            }
        }
        for message in messages {
            if let Next::MeasureSet { test, images } = collector.take(Message::Event(message), &mut sink).unwrap() {
                let outcome = scored(images.len() as f64);
                let event = Event::SetScored { test, metric: 1, outcome, seconds: 0.1, origin: Origin::Made };
                collector.take(Message::Event(event), &mut sink).unwrap();
            }
        }
    }
    collector.end(&mut sink).unwrap();
    events.push(Event::SuiteFinished { suite: plan.suite.clone() });
}

fn scored<E>(value: f64) -> Outcome<Score, E> {
    Outcome::Ok(Score { value, details: Vec::new(), fuel: None })
}

fn no_picture() -> GenerateError {
    GenerateError { kind: "not-finite".into(), message: "NaN".into(), hint: None }
}

fn no_score() -> MetricError {
    MetricError { kind: "trap".into(), message: "it trapped".into(), hint: None }
}

fn picture(id: &str) -> ImageRecord {
    ImageRecord {
        path: format!("objects/{}.png", blake3::hash(id.as_bytes()).to_hex()).into(),
        digest: Digest::of(id.as_bytes()),
        width: 1,
        height: 1,
        attributes: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The run of everything, and of each of `of` shards.
pub(super) fn divided(suites: &[SuitePlan], fate: &Fate, by: Division, of: u32) -> (Vec<Event>, Frozen, Vec<Stream>) {
    let digests = suites.iter().map(|plan| (plan, Digest::of(plan.suite.as_bytes()))).collect::<Vec<_>>();
    let frozen = Frozen::of(&digests, "1", by, &|_| None);
    let whole = run(suites, &Fate { cut: Vec::new(), ..fate.clone() }, 0);
    let split = frozen.split(of);
    let streams = (1..=of).map(|index| {
        let shard = Shard::new(index, of).unwrap();
        let mut mine = suites.to_vec();
        for (plan, shards) in mine.iter_mut().zip(&split) {
            plan.keep_shard(shards, index, shard.is_first());
        }
        mine.retain(|plan| !plan.tests.is_empty());
        let events = run(&mine, fate, index as usize);
        Stream { part: part(index, &events), events }
    });
    let streams = streams.collect();
    (whole, frozen, streams)
}

fn part(shard: u32, events: &[Event]) -> Part {
    let Event::RunStarted { run, started, .. } = &events[0] else { panic!("no beginning") };
    let bytes = serde_json::to_vec(events).unwrap();
    Part {
        shard,
        events: blake3::hash(&bytes).to_hex().to_string(),
        run: run.clone(),
        started: started.clone(),
        images: 0,
        conclusion: String::new(),
        commit: None,
    }
}

pub(super) fn results(events: &[Event]) -> Results {
    let mut results = Results::default();
    events.iter().for_each(|event| results.apply(event));
    results
}
