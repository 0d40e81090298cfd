//! What is flaky, what led to a run, and two runs beside one another.

use super::*;

#[test]
fn what_changes_without_a_reason_is_flaky() {
    let steady = Run::new("r1", [0.5, 0.5]);
    let (_dir, calm) = history(&[steady.clone(), Run { name: "r2", ..steady.clone() }]);
    assert_eq!(calm.flaky().unwrap(), Flakes::default());
    // Another verdict against another baseline is none either, however often.
    let accepted = [
        Run { verdict: Verdict::Fail, ..steady.clone() },
        Run { name: "r2", baseline: "v2", ..steady.clone() },
        Run { name: "r3", baseline: "v3", verdict: Verdict::Fail, ..steady.clone() },
    ];
    let (_dir, explained) = history(&accepted);
    assert_eq!(explained.flaky().unwrap(), Flakes::default());
    let runs = [
        steady.clone(),
        // another image of the same inputs
        Run { name: "r2", image: |case| format!("image {}", case + 7 * (1 - case.min(1))), ..steady.clone() },
        // the first image again with another score, and another verdict
        Run { name: "r3", scores: vec![0.5, 0.5 + 1e-9], verdict: Verdict::Fail, ..steady.clone() },
        // other models may give other images, other variants other scores
        Run { name: "r4", model: "other", image: |case| format!("other {case}"), ..steady.clone() },
        Run { name: "r5", variant: "v2", scores: vec![0.7, 0.7], verdict: Verdict::Fail, ..steady },
    ];
    let (_dir, history) = history(&runs);
    let flakes = history.flaky().unwrap();
    assert_eq!(flakes.images.iter().map(|flaky| flaky.case.as_str()).collect::<Vec<_>>(), ["s::t[p0,seed=0]"]);
    assert_eq!(flakes.images[0].images.len(), 2);
    assert_eq!(flakes.images[0].images[0].1, ["r1", "r3", "r5"]);
    assert_eq!(flakes.scores.len(), 1);
    assert_eq!((flakes.scores[0].case.as_str(), flakes.scores[0].most), ("s::t[p0,seed=1]", 0.5 + 1e-9));
    assert_eq!(flakes.tests.len(), 1);
    assert_eq!((flakes.tests[0].changes, flakes.tests[0].unexplained), (1, 1));
}

#[test]
fn two_runs_are_paired_by_prompt_and_seed() {
    let a = Run::new("r1", [0.50, 0.52, 0.60, 0.62, 0.70, 0.72]);
    // Prompt 0 loses 0.1, prompt 1 loses 0.2, prompt 2 loses 0.3: seeds go both ways around that.
    let b = Run {
        name: "r2",
        image: |case| format!("b {}", case / 2),
        ..Run::new("r2", [0.39, 0.43, 0.41, 0.41, 0.40, 0.42])
    };
    let (_dir, history) = history(&[a.clone(), b, Run { name: "r3", variant: "v2", label: Some("new"), ..a }]);
    let compared = history.compare("r1", "r2").unwrap();
    let clip = compared.changes.iter().find(|change| change.metric == "clip_score").unwrap();
    assert_eq!((clip.pairs, clip.prompts, clip.shows), (6, 3, Change::NotShown));
    assert!((clip.difference + 0.2).abs() < 1e-12);
    // scipy.stats.t.interval(0.95, 2, -0.2, 0.1 / sqrt(3))
    let (lower, upper) = clip.interval.unwrap();
    assert!(
        (lower + 0.448_413_771_175_032).abs() < 1e-9 && (upper - 0.048_413_771_175_032).abs() < 1e-9,
        "{lower} {upper}"
    );
    let lost: Vec<_> = clip.lost.iter().map(|lost| lost.prompt.as_str()).collect();
    assert_eq!(lost, [PROMPTS[2], PROMPTS[1], PROMPTS[0]]);
    let set = compared.changes.iter().find(|change| change.metric == "diversity").unwrap();
    assert_eq!((set.shows, set.interval), (Change::Same, None));
    assert_eq!((compared.images, compared.changed_images.len()), (6, 6));

    let other = history.compare("r1", &history.resolve_side("new").unwrap()).unwrap();
    assert!(other.changes.is_empty());
    assert!(other.not_compared[0].reason.contains("not comparable"));
    assert_eq!(other.changed_images.len(), 0);
    assert_eq!(history.resolve_side("builtin:shapes").unwrap(), "r3");
    assert!(matches!(history.resolve_side("nothing"), Err(HistoryError::NoRun(_))));
    let backwards = history.compare("r2", "r1").unwrap();
    assert!(backwards.changes.iter().all(|change| change.lost.is_empty()), "nothing lost where all gained");
}

#[test]
fn what_led_to_a_run_is_what_it_can_be_compared_with() {
    let mut runs = some_runs();
    runs.push(Run { model: "other", ..Run::new("r6", [0.1; 4]) });
    // Fewer images: another mean, and the same two cases.
    runs.push(Run::new("r7", [0.9, 0.8]));
    let (_dir, history) = history(&runs);
    let values = |past: &[Past], case: Option<&str>, metric: &str| -> Vec<(String, f64)> {
        let found: Vec<_> = past.iter().filter(|past| past.case.as_deref() == case && past.metric == metric).collect();
        assert!(found.len() < 2, "{found:?}");
        found.iter().flat_map(|past| &past.points).map(|point| (point.run.clone(), point.value)).collect()
    };
    let of = |run: &str, of, last| history.past(run, of, last).unwrap();
    let named = |values: [(&str, f64); 3]| values.map(|(run, value)| (run.to_owned(), value)).to_vec();
    let mean = (0.25 + (0.1 + 0.2) + 0.5 + 0.75) / 4.0;
    assert_eq!(
        values(&of("r5", PastOf::Tests, 9), None, "clip_score"),
        named([("r1", mean), ("r2", 0.5), ("r5", mean)])
    );
    assert_eq!(values(&of("r5", PastOf::Tests, 9), None, "diversity"), named([("r1", 0.5), ("r2", 0.5), ("r5", 0.5)]));
    let cases = of("r7", PastOf::Cases, 9);
    assert_eq!(cases.len(), 2, "{cases:?}");
    let scores = values(&cases, Some("s::t[p0,seed=1]"), "clip_score");
    assert_eq!(scores[..3], named([("r1", 0.1 + 0.2), ("r2", 0.5), ("r5", 0.1 + 0.2)]));
    assert_eq!(scores[3..], [("r7".to_owned(), 0.8)]);
    // What came after a run did not lead to it; a run of something else stands alone.
    assert_eq!(values(&of("r1", PastOf::Tests, 9), None, "clip_score").len(), 1);
    assert_eq!(values(&of("r4", PastOf::Tests, 9), None, "clip_score").len(), 1);
    assert_eq!(values(&of("r7", PastOf::Tests, 9), None, "clip_score"), [("r7".to_owned(), (0.9 + 0.8) / 2.0)]);
    // Of the last runs, r3 is of another variant.
    assert_eq!(values(&of("r5", PastOf::Tests, 2), None, "clip_score"), [("r5".to_owned(), mean)]);
    assert_eq!(of("r", PastOf::Tests, 9), [], "a name, not the beginning of one");
}
