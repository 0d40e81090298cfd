//! What JUnit, Markdown and annotations say of the same runs.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use difftest_core::event::{Event, Verdict};
use quick_junit::Report;

use crate::examples;
use crate::findings;
use crate::github::annotations;
use crate::json::{RemoteRecord, RemoteState, Results};
use crate::junit::junit;
use crate::markdown::{COMMENT, markdown};

fn fold(events: &[Event]) -> Results {
    let mut results = Results::default();
    events.iter().for_each(|event| results.apply(event));
    results
}

fn all() -> [(&'static str, Results); 7] {
    [
        ("passing", fold(&examples::passing())),
        ("failing", fold(&examples::failing())),
        ("erring", fold(&examples::erring())),
        ("sets", fold(&examples::sets())),
        ("interrupted", fold(&examples::interrupted())),
        ("not_loading", fold(&examples::not_loading())),
        ("evidence", fold(&examples::evidence())),
    ]
}

#[test]
fn each_format_says_what_happened() {
    for (name, results) in all() {
        insta::assert_snapshot!(format!("junit_{name}"), junit(&results, Some(Path::new("runs"))));
        insta::assert_snapshot!(format!("markdown_{name}"), markdown(&results, Some("smoke:main"), COMMENT));
        insta::assert_snapshot!(format!("github_{name}"), annotations(&results));
    }
}

#[test]
fn junit_counts_what_the_results_count() {
    for (name, results) in all() {
        let report = Report::deserialize_from_str(&junit(&results, None)).unwrap();
        let suite_errors = results.suites.iter().filter(|suite| suite.error.is_some()).count();
        let images: Vec<_> =
            results.suites.iter().flat_map(|suite| &suite.cases).filter_map(|case| case.comparison.as_ref()).collect();
        let changed = images.iter().filter(|c| c.standing != difftest_core::visual::Standing::Same).count();
        let run_error = usize::from(findings::run(&results).is_some());
        assert_eq!(report.errors, results.tests.error + suite_errors + run_error, "{name}");
        assert_eq!(report.failures, results.tests.fail + results.tests.inconclusive + changed, "{name}");
        let mut names = std::collections::HashSet::new();
        for case in report.test_suites.iter().flat_map(|suite| &suite.test_cases) {
            assert!(names.insert((case.classname.clone(), case.name.clone())), "{name}: {:?} twice", case.name);
        }
    }
}

#[test]
fn a_run_without_an_end_is_an_error_everywhere() {
    let whole = examples::passing();
    assert_eq!(findings::run(&fold(&whole)), None);
    for there in 0..whole.len() {
        let results = fold(&whole[..there]);
        let report = Report::deserialize_from_str(&junit(&results, None)).unwrap();
        assert_eq!(report.errors, 1, "{there} events");
        assert!(annotations(&results).starts_with("::error title=difftest::the run did not end"), "{there} events");
        assert!(markdown(&results, None, COMMENT).contains("the run did not end"), "{there} events");
    }
    assert!(junit(&fold(&examples::interrupted()), None).contains("the run did not end: it was interrupted"));
}

#[test]
fn markdown_keeps_to_any_limit_and_ends_with_a_whole_block() {
    let mut results = fold(&examples::failing());
    let suite = &mut results.suites[0];
    let test = suite.tests[1].clone();
    for i in 0..2000 {
        suite.tests.push(crate::json::TestResult { name: format!("more-{i}"), ..test.clone() });
    }
    let whole = markdown(&results, None, usize::MAX);
    assert!(whole.len() > 2 * COMMENT);
    for limit in [COMMENT, 5_000, 1_000, 100, 1] {
        let cut = markdown(&results, None, limit);
        assert!(cut.len() <= limit, "{limit}");
        if limit >= 5_000 {
            assert!(cut.contains("left out here"), "{limit}");
            assert!(cut.ends_with("</sub>\n"));
        }
    }
}

#[test]
fn what_prompts_and_plugins_say_stays_text() {
    let mut results = fold(&examples::erring());
    let suite = &mut results.suites[0];
    let nasty =
        "`]]></failure>` | <script>alert(1)</script> @everyone [x](http://x) %0A::error::x\r\n::error::y \u{0}\u{202e}";
    suite.name = nasty.to_owned();
    suite.tests[0].verdict = Verdict::Error;
    suite.tests[0].errors = suite.tests[1].errors.clone();
    suite.tests[0].errors[0].message = nasty.to_owned();
    suite.tests[0].errors[0].hint = Some(nasty.to_owned());
    suite.cases[0].prompt.text = nasty.repeat(1000);
    let xml = junit(&results, None);
    Report::deserialize_from_str(&xml).unwrap();
    assert!(!xml.contains("<script>") && !xml.contains('\u{0}'));
    let commands = annotations(&results);
    assert!(commands.lines().all(|line| line.starts_with("::error file=suites/smoke.toml,")), "{commands}");
    assert!(!commands.contains("\n::error::y"));
    let text = markdown(&results, None, COMMENT);
    // Outside of code spans nothing of it is left.
    let mut outside = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find('`') {
        outside += &rest[..start];
        let fence: String = rest[start..].chars().take_while(|c| *c == '`').collect();
        let inner = &rest[start + fence.len()..];
        let mut from = 0;
        let end = loop {
            let at = from + inner[from..].find(&fence).unwrap();
            let run = inner[at..].chars().take_while(|c| *c == '`').count();
            if run == fence.len() {
                break at;
            }
            from = at + run;
        };
        rest = &inner[end + fence.len()..];
    }
    outside += rest;
    assert!(!outside.contains("script") || outside.contains("&lt;script"), "{outside}");
    assert!(!outside.contains('@'), "{outside}");
}

#[test]
fn a_remote_that_failed_is_told_in_each_format_and_is_no_part_of_what_runs_share() {
    let mut results = fold(&examples::passing());
    let all = |results: &Results| [junit(results, None), markdown(results, None, COMMENT), annotations(results)];
    let before = all(&results.timeless());
    let problem = Some("s3://evidence cannot be reached: ]]> timed out".to_owned());
    let (url, state) = ("s3://evidence".to_owned(), RemoteState::Degraded);
    results.remote = Some(RemoteRecord { url, state, images: 0, scores: 0, pushed: 0, problem });
    assert_eq!(all(&results.timeless()), before);
    for text in all(&results) {
        assert!(text.contains("the run had no remote, or not to its end: s3://evidence cannot be reached"), "{text}");
    }
    Report::deserialize_from_str(&junit(&results, None)).unwrap();
    assert!(annotations(&results).starts_with("::warning title=difftest::"));
    results.remote.as_mut().unwrap().state = RemoteState::Used;
    assert!(!all(&results).iter().any(|text| text.contains("no remote")));
}
