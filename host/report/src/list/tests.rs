//! The plan as it is printed.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use difftest_core::gate::{Check, Gate, OnInconclusive};
use difftest_core::metric::{Direction, MetricKind, MetricSource};
use difftest_core::plan::Case;
use difftest_core::suite::{MetricUse, PromptSource};

use super::*;

fn plan(cases: usize) -> SuitePlan {
    let metric = |name: &str| {
        let used = MetricUse { name: name.to_owned(), span: 0..0, config: Value::Null };
        let info = MetricInfo {
            name: name.to_owned(),
            summary: "s".to_owned(),
            kind: MetricKind::Image,
            direction: Direction::HigherIsBetter,
            range: None,
            unit: None,
            config_schema: None,
            variant: "v".to_owned(),
            source: MetricSource::Host { models: Vec::new() },
        };
        (used, info)
    };
    let gate = |of, min, max| Gate {
        metric: "clip_score".to_owned(),
        of,
        bound: Bound { min, max },
        check: Check::Bound,
        span: 0..0,
    };
    let test = TestPlan {
        prompts: PromptSource::List(Vec::new()),
        name: "base".to_owned(),
        line: 4,
        metrics: vec![metric("clip_score"), metric("image-stats/entropy")],
        reference: None,
        baseline: None,
        under_test: Vec::new(),
        controls: false,
        visual: None,
        gates: vec![gate(Statistic::Mean, Some(0.25), None), gate(Statistic::Percentile(10), Some(0.1), Some(0.9))],
        refused: Vec::new(),
        split_of: None,
    };
    let refused =
        MetricError { kind: "panic".to_owned(), message: "plugin x\u{1b}[2J panicked".to_owned(), hint: None };
    let broken = TestPlan {
        name: "broken".to_owned(),
        line: 9,
        prompts: PromptSource::List(Vec::new()),
        metrics: Vec::new(),
        reference: None,
        baseline: None,
        under_test: Vec::new(),
        controls: false,
        visual: None,
        gates: Vec::new(),
        refused: vec![refused],
        split_of: None,
    };
    let settings = Arc::new(Settings { steps: Some(4), ..Settings::default() });
    let case = |i: usize| {
        let id = format!("p{i}");
        let text = format!("prompt {i} \u{1b}[31m{}", "long ".repeat(20));
        Case {
            id: format!("smoke::base[{id},seed=1]"),
            test: 0,
            prompt: Arc::new(Prompt { id, text, negative: None, attributes: Vec::new() }),
            seed: 1,
            settings: Arc::clone(&settings),
        }
    };
    SuitePlan {
        suite: "smoke".to_owned(),
        file: "suites/smoke.toml".into(),
        model: ModelSpec::Diffusion("builtin:shapes".to_owned()),
        loras: Vec::new(),
        inconclusive: OnInconclusive::Fail,
        tests: vec![test, broken],
        cases: (0..cases).map(case).collect(),
    }
}

#[test]
fn for_people() {
    let mut shown = plan(2);
    let settings = Arc::new(Settings {
        scheduler: Some("euler".to_owned()),
        steps: Some(4),
        size: Some((768, 512)),
        guidance: Some(7.5),
        clip_skip: Some(1),
        negative_prompt: Some("blurry".to_owned()),
        ..Settings::default()
    });
    shown.cases.iter_mut().for_each(|case| case.settings = Arc::clone(&settings));
    let text = human(&[shown], &[], false);
    assert!(!text.contains('\u{1b}'));
    insta::assert_snapshot!(text);
    assert!(human(&[plan(1)], &[], true).contains("\u{1b}[1m"));
}

#[test]
fn for_programs() {
    insta::assert_snapshot!(json(&[plan(1)], &[]));
}

#[test]
fn ten_thousand_cases_are_printed_at_once() {
    let plans = [plan(10_000)];
    let began = Instant::now();
    assert_eq!(human(&plans, &[], true).lines().count(), 10_000 + 6);
    let listing: Value = serde_json::from_str(&json(&plans, &[])).unwrap();
    assert_eq!(listing["suites"][0]["cases"].as_array().map(Vec::len), Some(10_000));
    // Some ten milliseconds; the bound leaves room for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn lora_files_stand_beside_the_model() {
    let lora = |path: &str, weight| LoraUse { path: path.into(), weight, span: 0..0 };
    let mut plan = plan(1);
    plan.loras = vec![lora("style.safetensors", 1.0), lora("b.safetensors", -0.3)];
    let first = human(std::slice::from_ref(&plan), &[], false);
    assert!(first.starts_with("smoke builtin:shapes + style.safetensors + -0.3 b.safetensors, "), "{first}");
    let listed: Value = serde_json::from_str(&json(&[plan], &[])).unwrap();
    let expected = serde_json::json!([
        { "path": "style.safetensors", "weight": 1.0 },
        { "path": "b.safetensors", "weight": -0.3 },
    ]);
    assert_eq!(listed["suites"][0]["loras"], expected);
}
