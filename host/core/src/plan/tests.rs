//! Plans made against a small catalogue.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::metric::{Direction, MetricKind, MetricSource};
use crate::select::Expression;
use crate::suite::{self, SuiteErrors};

/// Knows three metrics, one generator that counts, one that traps, and a manifest of three images.
struct Shelf;

fn info(name: &str, direction: Direction) -> MetricInfo {
    MetricInfo {
        name: name.to_owned(),
        summary: String::new(),
        kind: MetricKind::Image,
        direction,
        range: Some((-1.0, 1.0)),
        unit: None,
        config_schema: None,
        variant: "v1".to_owned(),
        source: MetricSource::Host { models: Vec::new() },
    }
}

fn refused(kind: &str) -> Unknown {
    let message = format!("refused because of {kind}");
    Unknown::Refused(MetricError { kind: kind.to_owned(), message, hint: Some("mend it".to_owned()) })
}

fn prompt(id: &str) -> Prompt {
    Prompt { id: id.to_owned(), text: format!("text of {id}"), negative: None, attributes: Vec::new() }
}

impl Catalog for Shelf {
    fn metric(&self, name: &str, config: &Value) -> Result<MetricInfo, Unknown> {
        match name {
            "clip_score" if !config.is_null() => Err(refused("invalid-config")),
            "clip_score" => Ok(info(name, Direction::HigherIsBetter)),
            "noise/level" => Ok(info(name, Direction::LowerIsBetter)),
            "stats/brightness" => Ok(info(name, Direction::Neither)),
            "pair/ssim" => Ok(MetricInfo { kind: MetricKind::Pair, ..info(name, Direction::HigherIsBetter) }),
            "set/diversity" => Ok(MetricInfo { kind: MetricKind::Set, ..info(name, Direction::HigherIsBetter) }),
            "hostile/panic" | "hostile/panic-too" => Err(refused("panic")),
            _ => {
                let available = ["clip_score", "noise/level", "stats/brightness"].map(String::from).to_vec();
                Err(Unknown::NotFound { available })
            }
        }
    }

    fn prompts(&self, name: &str, config: &Value, seed: u64, limit: u32) -> Result<Vec<Prompt>, Unknown> {
        match name {
            "count" => Ok((0..limit)
                .map(|i| prompt(&format!("{}-{seed}-{i}", config["word"].as_str().unwrap_or("n"))))
                .collect()),
            "none" => Ok(Vec::new()),
            "twice" => Ok(vec![prompt("a"), prompt("a")]),
            "escape" => Ok(vec![prompt("\u{1b}[2J")]),
            "trap" => Err(refused("fuel")),
            _ => Err(Unknown::NotFound { available: vec!["count".to_owned()] }),
        }
    }

    fn manifest(&self, model: &ModelSpec) -> Result<Vec<(Prompt, u64)>, Unknown> {
        match model {
            ModelSpec::Images { folder, .. } if folder == Path::new("broken") => Err(refused("manifest")),
            _ => Ok(vec![(prompt("a"), 1), (prompt("a"), 2), (prompt("b"), 1)]),
        }
    }
}

fn plan_with(text: &str, model: &ModelSpec, seeds: Option<&[u64]>) -> Result<SuitePlan, SuiteErrors> {
    let suite = suite::parse(Path::new("suites/smoke.toml"), text).unwrap();
    expand(&suite, model, seeds, &Shelf)
}

fn shapes() -> ModelSpec {
    ModelSpec::Diffusion("builtin:shapes".to_owned())
}

fn folder(name: &str) -> ModelSpec {
    ModelSpec::Images { folder: name.into(), manifest: None }
}

fn ids(plan: &SuitePlan) -> Vec<&str> {
    plan.cases.iter().map(|case| case.id.as_str()).collect()
}

/// The problems as a program would print them.
fn problems(errors: &SuiteErrors) -> String {
    let lines = errors.errors.iter().map(|error| {
        let hint = error.hint.as_deref().unwrap_or("-");
        format!(
            "{} [{}] next: {hint}\n",
            error.located(&errors.path, &errors.text),
            error.label.as_deref().unwrap_or("-")
        )
    });
    lines.collect()
}

#[test]
fn gates_take_the_side_that_the_metric_says() {
    let plan = |metric: &str, gate: &str| {
        let text = format!(
            "[[test]]\nname = \"t\"\nprompts = [\"a\", \"b\"]\nseeds = [1]\nmetrics = [\"{metric}\"]\nthreshold = {{ \"{metric}\" = {{ {gate} }} }}"
        );
        plan_with(&text, &shapes(), None)
    };
    let bound = |metric: &str, gate: &str| plan(metric, gate).unwrap().tests[0].gates[0].bound;
    let (no_worse, improved) = ("gate = \"no_worse_than_baseline\", margin = 0.1", "gate = \"improved\", margin = 0.1");
    assert_eq!(bound("clip_score", no_worse).min, Some(-0.1));
    assert_eq!(bound("clip_score", improved).min, Some(0.1));
    assert_eq!(bound("noise/level", no_worse).max, Some(0.1), "lower is better");
    assert_eq!(bound("noise/level", improved).max, Some(-0.1));
    let refused = |metric: &str, gate: &str| plan(metric, gate).unwrap_err().errors[0].message.clone();
    assert!(refused("stats/brightness", no_worse).contains("neither better higher nor lower"));
    assert!(refused("set/diversity", "gate = \"floor\", min = 0.1").contains("nothing can be proven"));
    assert!(refused("clip_score", "gate = \"floor\", min = 7").contains("can never hold"));
    assert!(refused("clip_score", "gate = \"similar\", min = 0.1, at_least = 3").contains("the test has 2 images"));
    assert!(plan("clip_score", "gate = \"similar\", min = 0.1, at_least = \"100%\"").is_ok());
}

#[test]
fn cases_are_prompts_times_seeds_and_thresholds_get_their_side() {
    let plan = plan_with(
        r#"
        [[test]]
        name = "base"
        prompts = ["a", "b"]
        seeds = [1, 2]
        steps = 4
        metrics = ["clip_score", "noise/level", "stats/brightness"]
        threshold = { clip_score = 0.25, "noise/level" = 0.5, "stats/brightness" = { min = 0.1, max = 0.9, of = "p10" } }
        [[test]]
        name = "drawn"
        prompts = { generator = "count", config = { word = "w" }, seed = 9, limit = 2 }
        seeds = [7]
        metrics = ["clip_score"]
        "#,
        &shapes(),
        None,
    )
    .unwrap();
    let expected = [
        "smoke::base[p0,seed=1]",
        "smoke::base[p0,seed=2]",
        "smoke::base[p1,seed=1]",
        "smoke::base[p1,seed=2]",
        "smoke::drawn[w-9-0,seed=7]",
        "smoke::drawn[w-9-1,seed=7]",
    ];
    assert_eq!(ids(&plan), expected);
    assert_eq!(plan.cases[0].settings.steps, Some(4));
    let bounds: Vec<_> =
        plan.tests[0].gates.iter().map(|gate| (gate.metric.as_str(), gate.bound.min, gate.bound.max)).collect();
    let expected = [
        ("clip_score", Some(0.25), None),
        ("noise/level", None, Some(0.5)),
        ("stats/brightness", Some(0.1), Some(0.9)),
    ];
    assert_eq!(bounds, expected);
}

#[test]
fn every_problem_of_the_names_is_told_at_once() {
    let errors = plan_with(
        r#"
[[test]]
name = "a"
prompts = ["x"]
metrics = ["clip_scor", "stats/brightness", { name = "clip_score", config = { model = "x" } }]
threshold = { "stats/brightness" = 0.5 }
[[test]]
name = "b"
prompts = { generator = "cuont" }
metrics = ["clip_score"]
threshold = { clip_score = 25 }
[[test]]
name = "c"
prompts = { generator = "none" }
metrics = ["clip_scor"]
[[test]]
name = "d"
prompts = { generator = "twice" }
metrics = ["clip_score"]
[[test]]
name = "e"
prompts = { generator = "escape" }
metrics = ["clip_score"]
[[test]]
name = "f"
metrics = ["clip_score"]
"#,
        &shapes(),
        None,
    )
    .unwrap_err();
    insta::assert_snapshot!(problems(&errors));
}

#[test]
fn a_refusal_costs_its_test_the_verdict_and_the_others_nothing() {
    let mut plan = plan_with(
        r#"
        [[test]]
        name = "traps"
        prompts = { generator = "trap" }
        metrics = ["clip_score"]
        [[test]]
        name = "hostile"
        prompts = ["x"]
        seeds = [1]
        metrics = ["hostile/panic", "hostile/panic-too", "clip_score"]
        threshold = { "hostile/panic" = 0.5, clip_score = 0.1 }
        "#,
        &shapes(),
        None,
    )
    .unwrap();
    assert_eq!(plan.tests[0].refused[0].kind, "fuel");
    assert_eq!((plan.tests[1].refused.len(), plan.tests[1].metrics.len(), plan.tests[1].gates.len()), (1, 1, 1));
    assert_eq!(ids(&plan), ["smoke::hostile[p0,seed=1]"]);

    let mut by_name = plan.clone();
    by_name.select(&Expression::parse("traps").unwrap());
    assert_eq!((by_name.tests.len(), by_name.cases.len()), (1, 0), "a refused test is not dropped in silence");
    plan.select(&Expression::parse("hostile").unwrap());
    assert_eq!((plan.tests.len(), plan.cases[0].test), (1, 0));
}

#[test]
fn a_manifest_gives_prompts_and_seeds() {
    let text = "[[test]]\nname = \"t\"\nmetrics = [\"clip_score\"]";
    let plan = plan_with(text, &folder("out"), None).unwrap();
    assert_eq!(ids(&plan), ["smoke::t[a,seed=1]", "smoke::t[a,seed=2]", "smoke::t[b,seed=1]"]);
    let plan = plan_with(text, &folder("out"), Some(&[2])).unwrap();
    assert_eq!(ids(&plan), ["smoke::t[a,seed=2]"]);
    let errors = plan_with(text, &folder("out"), Some(&[99])).unwrap_err();
    assert_eq!(errors.errors[0].message, "test `t` has no cases");
    let errors = plan_with(text, &folder("broken"), None).unwrap_err();
    assert_eq!((errors.errors.len(), errors.errors[0].hint.as_deref()), (1, Some("mend it")));
    assert_eq!(errors.errors[0].label.as_deref(), Some("needs the manifest"), "another model: no line of the suite");
    let text = format!("model = {{ images = \"broken\" }}\n{text}");
    let errors = plan_with(&text, &folder("broken"), None).unwrap_err();
    assert_eq!(errors.errors[0].span.clone().map(|span| &text[span]), Some("{ images = \"broken\" }"));
}

#[test]
fn other_seeds_replace_those_of_the_suite() {
    let text = "[[test]]\nname = \"t\"\nprompts = [\"x\"]\nmetrics = [\"clip_score\"]";
    assert_eq!(plan_with(text, &shapes(), None).unwrap().cases.len(), suite::DEFAULT_SEEDS.len());
    let plan = plan_with(text, &shapes(), Some(&[5, 5, 6])).unwrap();
    assert_eq!(ids(&plan), ["smoke::t[p0,seed=5]", "smoke::t[p0,seed=6]"]);
}

#[test]
fn selecting_renumbers() {
    let text = r#"
        [defaults]
        metrics = ["clip_score"]
        seeds = [1, 2]
        [[test]]
        name = "a"
        prompts = ["x"]
        [[test]]
        name = "b"
        prompts = ["x", "y"]
        [[test]]
        name = "c"
        prompts = ["x"]
    "#;
    let mut plan = plan_with(text, &shapes(), None).unwrap();
    plan.select(&Expression::parse("(::b and p1) or ::c and not seed=1").unwrap());
    assert_eq!(ids(&plan), ["smoke::b[p1,seed=1]", "smoke::b[p1,seed=2]", "smoke::c[p0,seed=2]"]);
    assert_eq!(plan.cases.iter().map(|case| case.test).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(plan.tests.iter().map(|test| test.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    plan.select(&Expression::parse("nothing").unwrap());
    assert!(plan.tests.is_empty() && plan.cases.is_empty());
}

#[test]
fn numbers_of_cases_are_capped_and_never_overflow() {
    let text = |limit: u32, seeds: usize| {
        let seeds: Vec<usize> = (0..seeds).collect();
        format!(
            "[[test]]\nname = \"t\"\nprompts = {{ generator = \"count\", limit = {limit} }}\nseeds = {seeds:?}\nmetrics = [\"clip_score\"]"
        )
    };
    let errors = plan_with(&text(1001, 1000), &shapes(), None).unwrap_err();
    assert_eq!(errors.errors[0].message, "the suite has more than 1000000 cases");

    let text = text(1000, 10);
    let began = Instant::now();
    assert_eq!(plan_with(&text, &shapes(), None).unwrap().cases.len(), 10_000);
    // A few milliseconds; the bound leaves room for a busy machine without optimisation.
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[test]
fn pairs_need_a_reference_and_sets_have_one_score() {
    let test = "[[test]]\nname = \"t\"\nprompts = [\"x\"]\n";
    let planned = |rest: &str| plan_with(&format!("{test}{rest}"), &shapes(), None);
    let errors = planned("metrics = [\"pair/ssim\"]").unwrap_err();
    assert!(problems(&errors).contains("compares each image with a reference, and the test names none"));
    let plan = planned("metrics = [\"pair/ssim\", \"set/diversity\"]\nreference = \"was\"").unwrap();
    assert_eq!(plan.tests[0].reference.as_ref().unwrap().images, Path::new("was"));
    let of = |of: &str| {
        planned(&format!(
            "metrics = [\"set/diversity\"]\nthreshold = {{ \"set/diversity\" = {{ min = 0.1, of = \"{of}\" }} }}"
        ))
    };
    assert!(of("mean").is_ok());
    assert!(problems(&of("p10").unwrap_err()).contains("there is nothing to take a p10 of"));
}
