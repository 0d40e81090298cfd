//! The document against its schema, its numbers, and streams that were cut or make no sense.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use difftest_core::event::{Event, Origin, Outcome, Verdict};
use difftest_core::metric::Score;
use serde_json::Value;

use super::*;
use crate::examples;

fn fold(events: &[Event]) -> Results {
    let mut results = Results::default();
    events.iter().for_each(|event| results.apply(event));
    results
}

fn document(events: &[Event]) -> Value {
    serde_json::from_str(&fold(events).to_json()).unwrap()
}

#[test]
fn the_published_schema_is_the_one_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/results.schema.json");
    let expected = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("DIFFTEST_UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert!(
        committed == expected,
        "run the tests with DIFFTEST_UPDATE_SCHEMA=1, look at the change, and raise FORMAT if need be"
    );
}

#[test]
fn every_document_fits_the_schema_at_every_moment() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for events in [
        examples::passing(),
        examples::failing(),
        examples::erring(),
        examples::sets(),
        examples::interrupted(),
        examples::not_loading(),
    ] {
        for end in 0..=events.len() {
            let document = document(&events[..end]);
            let problems: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(problems.is_empty(), "after {end} events: {problems:?}");
        }
    }
    let mut broken = document(&examples::passing());
    broken["suites"][0]["tests"][0]["verdict"] = "green".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn says_everything_a_result_came_from() {
    insta::assert_snapshot!(fold(&examples::erring()).to_json());
}

#[test]
fn scores_stand_in_the_order_of_the_metrics_and_read_back_exactly() {
    let values = [0.1 + 0.2, f64::MIN_POSITIVE, 1.0 / 3.0, -0.0, 123_456_789.123_456_79, f64::MAX, 5e-324];
    for value in values {
        let mut events = examples::start(1);
        events.push(Event::CaseStarted { case: 0 });
        events.push(examples::score(0, 1, value));
        events.push(examples::score(0, 0, 0.5));
        let text = fold(&events).to_json();
        // The number as it stands in the text, read by the standard library.
        let written = text.split("\"metric\": \"image-stats/sharpness\"").nth(1).unwrap();
        let written = written.split("\"value\": ").nth(1).unwrap().split([',', '\n']).next().unwrap();
        assert_eq!(written.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{written}");
        let case = &fold(&events).suites[0].cases[0];
        assert_eq!(
            case.scores.iter().map(|s| s.metric.as_str()).collect::<Vec<_>>(),
            ["clip_score", "image-stats/sharpness"]
        );
    }
}

#[test]
fn a_missing_score_is_null_and_never_zero() {
    let document = document(&examples::erring());
    let case = &document["suites"][0]["cases"][3];
    assert_eq!((&case["state"], &case["scores"][1]["value"]), (&Value::from("error"), &Value::Null));
    assert_eq!(case["scores"][1]["error"]["kind"], "fuel");
    assert_eq!(document["suites"][0]["tests"][1]["errors"][0]["case"], "smoke::colours[p0,seed=42]");
}

#[test]
fn what_never_ran_is_not_a_pass() {
    let results = fold(&examples::interrupted());
    assert_eq!((results.tests.pass, results.tests.not_run, results.exit_code), (1, 1, Some(130)));
    let states: Vec<_> = results.suites[0].cases_of(&results.suites[0].tests[1]).map(|case| case.state).collect();
    assert_eq!(states, [CaseState::Finished, CaseState::Unfinished, CaseState::NotRun]);
    let cut = fold(&examples::passing()[..4]);
    assert_eq!((cut.conclusion, cut.exit_code, cut.suites[0].tests[0].verdict), (None, None, Verdict::NotRun));
}

#[test]
fn margins_say_by_how_much() {
    let results = fold(&examples::failing());
    let gate = &results.suites[0].tests[1].gates[0];
    assert!((gate.margin.unwrap() + 0.009).abs() < 1e-12, "{gate:?}");
}

#[test]
fn a_document_reads_back() {
    let results = fold(&examples::erring());
    let read: Results = serde_json::from_str(&results.to_json()).unwrap();
    assert_eq!(read, results);
}

#[test]
fn events_about_nothing_known_change_nothing() {
    let outcome = Outcome::Ok(Score { value: 1.0, details: Vec::new(), fuel: None });
    let scored =
        |case, metric| Event::Scored { case, metric, outcome: outcome.clone(), seconds: 0.0, origin: Origin::Made };
    let judged = Event::TestFinished { test: 99, verdict: Verdict::Pass, gates: Vec::new(), errors: Vec::new() };
    let stray = [Event::CaseStarted { case: 99 }, examples::image(99, &[]), scored(99, 0), scored(0, 99), judged];
    let mut events = examples::start(1);
    let before = fold(&events);
    events.extend(stray.clone());
    assert_eq!(fold(&events), before);
    assert_eq!(fold(&stray), Results::default());
}

#[test]
fn stable_results_do_not_tell_when_or_where_they_came_about() {
    let mut again = examples::erring();
    for event in &mut again {
        match event {
            Event::RunStarted { run, started, folder, .. } => {
                (*run, *started, *folder) = ("other".into(), "2030-01-01T00:00:00Z".into(), "/elsewhere".into());
            }
            Event::SuiteStarted { generator, cases, .. } => {
                generator.environment.push(("threads".into(), "64".into()));
                cases[0].action = difftest_core::key::Action::Reuse;
            }
            Event::Generated { seconds, origin, outcome, .. } => {
                (*seconds, *origin) = (99.0, Origin::Cached);
                if let Outcome::Ok(image) = outcome {
                    image.path = "/elsewhere/image.png".into();
                }
            }
            Event::Scored { seconds, origin, .. } => (*seconds, *origin) = (99.0, Origin::Cached),
            Event::TestFinished { errors, .. } => errors.reverse(),
            Event::RunFinished { seconds, .. } => *seconds = 99.0,
            _ => {}
        }
    }
    let (one, other) = (fold(&examples::erring()), fold(&again));
    assert_ne!(one.to_json(), other.to_json());
    assert_eq!(one.stable().to_json(), other.stable().to_json());
    assert_ne!(one.stable().to_json(), fold(&examples::interrupted()).stable().to_json());
    let read: Results = serde_json::from_str(&one.stable().to_json()).unwrap();
    assert_eq!(read, one.stable());
}
