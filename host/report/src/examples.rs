//! Event streams as a run would tell them, for the tests of every output.

use difftest_core::digest::Digest;
use difftest_core::event::{
    self, CaseInfo, Conclusion, ErrorInfo, Event, ImageRecord, Origin, Outcome, TestInfo, Verdict,
};
use difftest_core::gate::{Bound, Check, Decision, Evidence, Gate, GateResult, OnInconclusive, Rule, Statistic, judge};
use difftest_core::generate::{GenerateError, GeneratorInfo, Prompt, Settings};
use difftest_core::key::{Action, Difference};
use difftest_core::metric::{
    Detail, Direction, MetricError, MetricInfo, MetricKind, MetricSource, PluginId, ReproducibilityClass, Score,
};
use difftest_core::visual::{ComparedImage, Comparison, Standing, Tier, TierResult};

/// Prompts of the two tests' cases; the last one attacks the terminal.
const PROMPTS: [&str; 3] =
    ["a red circle on a blue background", "a green star", "a \u{1b}[31mred\u{1b}[0m\r\ncircle \u{202e}evil"];

fn metric(name: &str, source: MetricSource) -> MetricInfo {
    MetricInfo {
        name: name.to_owned(),
        summary: "how well it fits".to_owned(),
        kind: MetricKind::Image,
        direction: Direction::HigherIsBetter,
        range: Some((0.0, f64::INFINITY)),
        unit: None,
        config_schema: None,
        variant: "variant 1".to_owned(),
        source,
    }
}

fn metrics() -> Vec<MetricInfo> {
    let plugin = PluginId {
        name: "image-stats".to_owned(),
        version: Some("0.1.0".to_owned()),
        digest: Digest::of(b"plugin"),
        class: ReproducibilityClass::Exact,
    };
    vec![
        metric("clip_score", MetricSource::Host { models: vec![("clip".to_owned(), Digest::of(b"clip"))] }),
        metric("image-stats/sharpness", MetricSource::Plugin(plugin)),
    ]
}

/// The beginning of a run of one suite with the tests `base` and `colours`, `per_test` cases each.
pub(crate) fn start(per_test: usize) -> Vec<Event> {
    let tests = ["base", "colours"].map(|name| TestInfo {
        name: name.to_owned(),
        line: Some(if name == "base" { 7 } else { 19 }),
        prompts: None,
        metrics: metrics(),
        reference: None,
        configs: std::collections::BTreeMap::new(),
        generation: std::collections::BTreeMap::new(),
        cases: per_test,
        split_of: None,
    });
    let cases = (0..2 * per_test).map(|index| {
        let (test, place) = (index / per_test, index % per_test);
        let name = &tests[test].name;
        CaseInfo {
            id: format!("smoke::{name}[p{place},seed=42]"),
            test,
            prompt: Prompt {
                id: format!("p{place}"),
                text: PROMPTS[place % PROMPTS.len()].to_owned(),
                negative: None,
                attributes: Vec::new(),
            },
            seed: 42,
            settings: Settings { steps: Some(25), guidance: Some(5.0), ..Settings::default() },
            action: Action::Generate,
            because: None,
            baseline: None,
        }
    });
    let generator = GeneratorInfo {
        model: "builtin:shapes".to_owned(),
        revision: None,
        kind: "stable-diffusion".to_owned(),
        files: vec![("unet/diffusion_pytorch_model.safetensors".to_owned(), Digest::of(b"unet"))],
        loras: Vec::new(),
        environment: vec![
            ("device".to_owned(), "cpu".to_owned()),
            ("noise".to_owned(), "torch-cpu".to_owned()),
            ("onnxruntime".to_owned(), "1.31.1".to_owned()),
        ],
    };
    let started = Event::RunStarted {
        version: event::VERSION,
        difftest: "0.1.0".to_owned(),
        run: "019a7c".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        folder: "runs/019a7c".into(),
        suites: 1,
        cases: 2 * per_test,
        commit: None,
        label: None,
    };
    let digest = Digest::of(b"suite");
    let cases = cases.collect();
    let suite = Event::SuiteStarted {
        suite: "smoke".to_owned(),
        file: Some("suites/smoke.toml".into()),
        digest,
        generator,
        models: Vec::new(),
        environment: "cpu-f32-onnxruntime-1.31.1".to_owned(),
        baseline: None,
        inconclusive: OnInconclusive::Fail,
        tests: tests.to_vec(),
        cases,
    };
    vec![started, suite]
}

/// An image, its warnings.
pub(crate) fn image(case: usize, warnings: &[&str]) -> Event {
    let record = ImageRecord {
        path: format!("runs/019a7c/smoke/{case}.png").into(),
        digest: Digest::of(&case.to_le_bytes()),
        width: 64,
        height: 64,
        attributes: vec![("scheduler".to_owned(), "ddim".to_owned())],
        warnings: warnings.iter().map(ToString::to_string).collect(),
    };
    Event::Generated { case, outcome: Outcome::Ok(record), seconds: 1.2, origin: Origin::Made }
}

pub(crate) fn score(case: usize, metric: usize, value: f64) -> Event {
    let details = if metric == 1 { vec![Detail { name: "edges".to_owned(), value: value / 3.0 }] } else { Vec::new() };
    let score = Score { value, details, fuel: (metric == 1).then_some(123_456) };
    Event::Scored { case, metric, outcome: Outcome::Ok(score), seconds: 0.004, origin: Origin::Made }
}

fn trap(case: usize) -> MetricError {
    MetricError {
        kind: "fuel".to_owned(),
        message: format!("plugin image-stats ran out of fuel on smoke::colours[p{case},seed=42]\u{1b}[2J"),
        hint: Some("raise the limit with --fuel".to_owned()),
    }
}

/// A whole case. The second metric answers first.
fn finished(case: usize, clip: f64, sharpness: f64) -> Vec<Event> {
    let step = |step| Event::Step { case, step, of: 2 };
    vec![
        Event::CaseStarted { case },
        step(1),
        step(2),
        image(case, &[]),
        score(case, 1, sharpness),
        score(case, 0, clip),
        Event::CaseFinished { case },
    ]
}

/// `clip_score` has to have this mean.
fn verdict(test: usize, min: f64, scores: &[Option<f64>], errors: Vec<ErrorInfo>) -> Event {
    let bound = Bound { min: Some(min), max: None };
    let gate = Gate { metric: "clip_score".to_owned(), of: Statistic::Mean, bound, check: Check::Bound, span: 0..0 };
    let (verdict, gates) = judge(&[gate], |_| scores.to_vec());
    let verdict = if errors.is_empty() { verdict } else { Verdict::Error };
    Event::TestFinished { test, verdict, gates, errors }
}

fn end(conclusion: Conclusion) -> [Event; 2] {
    [Event::SuiteFinished { suite: "smoke".to_owned() }, Event::RunFinished { conclusion, seconds: 7.25 }]
}

/// Two tests of three cases; both pass.
pub(crate) fn passing() -> Vec<Event> {
    let scores = [0.31, 0.29, 0.33];
    let mut events = start(3);
    for case in 0..6 {
        events.extend(finished(case, scores[case % 3], 0.1 + 0.2));
        if case % 3 == 2 {
            events.push(verdict(case / 3, 0.25, &scores.map(Some), Vec::new()));
        }
    }
    events.extend(end(Conclusion::Passed));
    events
}

/// `colours` falls short.
pub(crate) fn failing() -> Vec<Event> {
    let mut events = start(3);
    for (case, clip) in [0.31, 0.29, 0.33, 0.24, 0.262, 0.221].into_iter().enumerate() {
        events.extend(finished(case, clip, 0.5));
    }
    events.push(verdict(0, 0.25, &[Some(0.31), Some(0.29), Some(0.33)], Vec::new()));
    events.push(verdict(1, 0.25, &[Some(0.24), Some(0.262), Some(0.221)], Vec::new()));
    events.extend(end(Conclusion::Failed));
    events
}

/// In `colours` a plugin traps twice and an image is missing; `base` keeps its result.
pub(crate) fn erring() -> Vec<Event> {
    let mut events = start(3);
    for case in 0..3 {
        events.extend(finished(case, 0.3, 0.5));
    }
    events.push(verdict(0, 0.25, &[Some(0.3); 3], Vec::new()));
    let mut errors = Vec::new();
    for case in 3..5 {
        let error = trap(case - 3);
        events.push(Event::CaseStarted { case });
        events.push(image(case, &["the prompt was cut to 77 tokens"]));
        events.push(score(case, 0, 0.3));
        events.push(Event::Scored {
            case,
            metric: 1,
            outcome: Outcome::Error(error.clone()),
            seconds: 0.5,
            origin: Origin::Made,
        });
        events.push(Event::CaseFinished { case });
        errors.push(ErrorInfo { kind: error.kind, message: error.message, hint: error.hint, case: Some(case) });
    }
    let missing =
        GenerateError { kind: "not-finite".to_owned(), message: "the UNet gave NaN at step 3".to_owned(), hint: None };
    events.push(Event::CaseStarted { case: 5 });
    events.push(Event::Generated {
        case: 5,
        outcome: Outcome::Error(missing.clone()),
        seconds: 0.1,
        origin: Origin::Made,
    });
    events.push(Event::CaseFinished { case: 5 });
    errors.push(ErrorInfo { kind: missing.kind, message: missing.message, hint: None, case: Some(5) });
    let (plugin, level, message) = ("image-stats".to_owned(), "warn".to_owned(), "flat\u{1b}]0;title".to_owned());
    events.push(Event::Log { case: Some(3), plugin, level, message });
    events.push(verdict(1, 0.25, &[Some(0.3), Some(0.3), None], errors));
    events.extend(end(Conclusion::Error));
    events
}

/// The first test is scored by a set metric alone, and falls short; in the second one it has no score.
pub(crate) fn sets() -> Vec<Event> {
    let mut events = start(2);
    if let Some(Event::SuiteStarted { tests, .. }) = events.last_mut() {
        for test in tests {
            test.metrics.truncate(1);
            test.metrics[0].name = "set-stats/diversity".to_owned();
            test.metrics[0].kind = MetricKind::Set;
        }
    }
    for case in 0..4 {
        events.extend([Event::CaseStarted { case }, image(case, &[]), Event::CaseFinished { case }]);
    }
    let bound = Bound { min: Some(0.5), max: None };
    let gate =
        Gate { metric: "set-stats/diversity".to_owned(), of: Statistic::Mean, bound, check: Check::Bound, span: 0..0 };
    let mut ending = |test: usize, value: Option<f64>| {
        let error = MetricError { kind: "model".to_owned(), message: "no model `clip`".to_owned(), hint: None };
        let outcome = match value {
            Some(value) => Outcome::Ok(Score { value, details: Vec::new(), fuel: Some(7) }),
            None => Outcome::Error(error.clone()),
        };
        events.push(Event::SetScored { test, metric: 0, outcome, seconds: 0.5, origin: Origin::Made });
        let (verdict, gates) = judge(std::slice::from_ref(&gate), |_| vec![value]);
        let errors = match value {
            Some(_) => Vec::new(),
            None => vec![ErrorInfo { kind: error.kind, message: error.message, hint: None, case: None }],
        };
        events.push(Event::TestFinished { test, verdict, gates, errors });
    };
    ending(0, Some(0.25));
    ending(1, None);
    events.extend(end(Conclusion::Error));
    events
}

/// Ctrl-C in the second test.
pub(crate) fn interrupted() -> Vec<Event> {
    let mut events = start(3);
    for case in 0..3 {
        events.extend(finished(case, 0.3, 0.5));
    }
    events.push(verdict(0, 0.25, &[Some(0.3); 3], Vec::new()));
    events.extend(finished(3, 0.3, 0.5));
    events.push(Event::CaseStarted { case: 4 });
    events.push(Event::TestFinished { test: 1, verdict: Verdict::NotRun, gates: Vec::new(), errors: Vec::new() });
    events.extend(end(Conclusion::Interrupted));
    events
}

/// The model cannot be loaded.
pub(crate) fn not_loading() -> Vec<Event> {
    let started = start(3).swap_remove(0);
    let error = ErrorInfo {
        kind: "missing-file".to_owned(),
        message: "models/x has no unet/config.json".to_owned(),
        hint: Some("copy the whole folder again".to_owned()),
        case: None,
    };
    let error = Event::SuiteError { suite: "smoke".to_owned(), error };
    vec![started, error, Event::RunFinished { conclusion: Conclusion::Error, seconds: 0.02 }]
}

/// A visual regression test with one image as before, one changed and one new, and a paired gate that has too few prompts to tell.
pub(crate) fn evidence() -> Vec<Event> {
    let mut events = start(3);
    let compared = |standing, value: f64| Comparison {
        standing,
        folder: "baselines/v1.0".into(),
        note: None,
        tolerated: false,
        said: None,
        asked: (standing == Standing::Changed).then(|| Difference {
            input: "settings/steps".to_owned(),
            was: Some("20".to_owned()),
            is: None,
        }),
        details: Vec::new(),
        baseline: "v1.0".to_owned(),
        expected: (standing != Standing::New).then(|| ComparedImage {
            path: "baselines/v1.0/cpu/smoke/base-p1-seed42.png".into(),
            digest: Digest::of(b"expected"),
            width: 64,
            height: 64,
        }),
        tiers: match standing {
            Standing::New => Vec::new(),
            _ => vec![
                TierResult { tier: Tier::Pixel, value: 1.0 - value, limit: 0.05, holds: value >= 0.95 },
                TierResult { tier: Tier::Ssim, value, limit: 0.95, holds: value >= 0.95 },
            ],
        },
        diff: (standing == Standing::Changed).then(|| "runs/019a7c/diff/1.png".into()),
        heatmap: (standing == Standing::Changed).then(|| "runs/019a7c/heat/1.png".into()),
    };
    let standings = [(Standing::Same, 1.0), (Standing::Changed, 0.8125), (Standing::New, 0.0)];
    for (case, (standing, value)) in standings.into_iter().enumerate() {
        let outcome = Outcome::Ok(compared(standing, value));
        events.extend([Event::CaseStarted { case }, image(case, &[])]);
        events.push(Event::Compared { case, outcome, seconds: 0.002 });
        events.extend([score(case, 0, 0.3), score(case, 1, 0.5), Event::CaseFinished { case }]);
    }
    events.push(Event::TestFinished { test: 0, verdict: Verdict::Fail, gates: Vec::new(), errors: Vec::new() });
    for case in 3..6 {
        events.extend(finished(case, 0.3, 0.5));
    }
    let gates = vec![GateResult {
        metric: "clip_score".to_owned(),
        of: Statistic::Mean,
        bound: Bound { min: None, max: None },
        value: Some(0.3),
        scores: 3,
        holds: false,
        rule: Rule::NoWorseThanBaseline,
        evidence: Some(Evidence {
            decision: Decision::Inconclusive,
            prompts: 3,
            estimate: -0.004,
            lower: Some(-0.0125),
            upper: Some(0.0045),
            limit: -0.01,
            at_least: true,
            each: None,
            p: Some(0.25),
            p_adjusted: Some(0.25),
            baseline: Some(0.304),
            detectable: Some(0.013),
            wanted: Some(0.01),
            prompts_needed: Some(7),
            variance: None,
            lost: vec![("p1".to_owned(), -0.011), ("p0".to_owned(), -0.002)],
            unpaired: Vec::new(),
            notes: vec!["two-sided 5 % is out of reach with fewer than 6 prompts".to_owned()],
        }),
    }];
    events.push(Event::TestFinished { test: 1, verdict: Verdict::Inconclusive, gates, errors: Vec::new() });
    events.extend(end(Conclusion::Failed));
    events
}
