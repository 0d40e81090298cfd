//! Laws of merging, over runs that the real collector judges: whatever was divided, and however it went, the merge is the run of
//! everything.
#![allow(clippy::unwrap_used)]

mod simulate;

use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::event::{self, Conclusion, ErrorInfo, Event, Verdict};
use difftest_core::gate::GateResult;
use difftest_core::plan::SuitePlan;
use difftest_core::shard::{Frozen, Strategy as Division};
use difftest_store::recording::{Manifest, Part};
use proptest::prelude::*;

use self::simulate::{Fate, divided, results, suite};
use super::*;

fn suites() -> impl Strategy<Value = Vec<SuitePlan>> {
    let shape = (1_usize..4, 1_usize..3, any::<bool>(), 0_u8..3);
    let shapes = prop::collection::vec(prop::collection::vec(shape, 1..4), 1..3);
    shapes.prop_map(|shapes| shapes.iter().enumerate().map(|(i, shapes)| suite(&format!("s{i}"), shapes)).collect())
}

fn fates(cut: bool) -> impl Strategy<Value = Fate> {
    let rarely = || prop::bool::weighted(0.1);
    let errors = prop::collection::vec((rarely(), rarely(), rarely()), 1..40);
    let cuts = prop::collection::vec(prop::option::weighted(0.3, 0_usize..6), 7);
    let scores = prop::collection::vec(0.0..1.0_f64, 1..20);
    (errors, scores, cuts).prop_map(move |(errors, scores, cuts)| Fate {
        errors,
        scores,
        cut: if cut { cuts } else { Vec::new() },
    })
}

fn divisions() -> impl Strategy<Value = Division> {
    prop::sample::select(vec![Division::Time, Division::Slice, Division::Hash])
}

fn merged(frozen: &Frozen, of: u32, streams: &[Stream]) -> Merged {
    merge(frozen, of, streams, "merged", Path::new("/runs/x")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn merged_shards_are_the_run_of_everything(
        suites in suites(), fate in fates(false), by in divisions(), of in 1_u32..7,
    ) {
        let (whole, frozen, streams) = divided(&suites, &fate, by, of);
        let merged = merged(&frozen, of, &streams);
        let (one, other) = (results(&whole).stable(), results(&merged.events).stable());
        prop_assert_eq!(one.to_json(), other.to_json());
        prop_assert_eq!(Some(merged.conclusion), one.conclusion);
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        suites in suites(), fate in fates(false), by in divisions(), of in 1_u32..7, turn in 0_usize..7,
    ) {
        let (_, frozen, streams) = divided(&suites, &fate, by, of);
        let expected = merged(&frozen, of, &streams);
        let mut others = streams.clone();
        others.reverse();
        others.rotate_left(turn % streams.len());
        others.push(streams[turn % streams.len()].clone());
        prop_assert_eq!(&merged(&frozen, of, &others), &expected);
        prop_assert_eq!(started(&others), started(&streams));
    }

    #[test]
    fn a_shard_that_was_cut_short_is_named(suites in suites(), fate in fates(true), by in divisions(), of in 1_u32..7) {
        let (_, frozen, streams) = divided(&suites, &fate, by, of);
        let cut = |stream: &&Stream| stream.events.iter().any(
            |event| matches!(event, Event::RunFinished { conclusion: Conclusion::Interrupted, .. }));
        let expected = streams.iter().find(cut).map(|stream| vec![(stream.part.shard, None)]);
        match merge(&frozen, of, &streams, "merged", Path::new("x")) {
            Err(MergeError::Interrupted { shards, .. }) => prop_assert_eq!(Some(shards), expected),
            merged => prop_assert_eq!(merged.map(|_| None), Ok(expected)),
        }
    }

    /// Whatever one score of a shard is changed to, the merge does not take over what was said of it before.
    #[test]
    fn a_changed_score_is_never_covered_by_an_old_verdict(
        suites in suites(), fate in fates(false), by in divisions(), of in 1_u32..7,
        at in any::<prop::sample::Index>(), to in 0.0..1.0_f64,
    ) {
        let (_, frozen, mut streams) = divided(&suites, &fate, by, of);
        let scores = streams.iter_mut().flat_map(|stream| &mut stream.events).filter_map(|event| match event {
            Event::Scored { metric: 0, outcome: event::Outcome::Ok(score), .. } => Some(score),
            _ => None,
        });
        let mut scores: Vec<_> = scores.collect();
        prop_assume!(!scores.is_empty());
        let at = at.index(scores.len());
        scores[at].value = to;
        if let Ok(merged) = merge(&frozen, of, &streams, "merged", Path::new("x")) {
            let results = results(&merged.events);
            for suite in &results.suites {
                for test in suite.tests.iter().filter(|test| test.verdict == Verdict::Pass) {
                    let scores = suite.cases_of(test).flat_map(|case| &case.scores);
                    let values: Vec<f64> = scores.filter(|s| s.metric == "p/m0").filter_map(|s| s.value).collect();
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    let plain = test.gates.iter().filter(|gate| gate.result.evidence.is_none());
                    for gate in plain {
                        prop_assert!(gate.result.holds && mean > 0.5 - 1e-9);
                    }
                }
            }
        }
    }
}

fn simple() -> (Frozen, Vec<Stream>) {
    let fate = Fate { errors: vec![(false, false, false)], scores: vec![0.7], cut: Vec::new() };
    let (_, frozen, streams) = divided(&[suite("s", &[(4, 2, false, 0)])], &fate, Division::Slice, 2);
    (frozen, streams)
}

#[test]
fn shards_of_other_makers_are_refused() {
    let (frozen, streams) = simple();
    let refused = |change: fn(&mut Event)| {
        let mut changed = streams.clone();
        changed[1].events.iter_mut().for_each(change);
        merge(&frozen, 2, &changed, "merged", Path::new("x")).unwrap_err().to_string()
    };
    let model = refused(|event| {
        if let Event::SuiteStarted { generator, .. } = event {
            generator.files.push(("unet/weights".into(), Digest::of(b"x")));
        }
    });
    assert_eq!(
        model,
        "shards 1 and 2 do not go together: suite `s` has images of different models: unet/weights differs"
    );
    let environment = refused(|event| {
        if let Event::SuiteStarted { environment, .. } = event {
            *environment = "cuda".into();
        }
    });
    assert!(environment.contains("in the environments cpu and cuda"), "{environment}");
    let plugin = refused(|event| {
        if let Event::SuiteStarted { tests, .. } = event {
            tests[0].metrics[0].variant = "2".into();
        }
    });
    assert!(plugin.contains("`p/m0` of test `s::t0` is another plugin"), "{plugin}");
    let version = refused(|event| {
        if let Event::RunStarted { difftest, .. } = event {
            *difftest = "2".into();
        }
    });
    assert!(version.contains("difftest 1 and 2"), "{version}");
}

#[test]
fn streams_that_do_not_fit_their_plan_are_refused() {
    let (frozen, streams) = simple();
    let refused = |change: fn(&mut Vec<Event>)| {
        let mut changed = streams.clone();
        change(&mut changed[1].events);
        merge(&frozen, 2, &changed, "merged", Path::new("x")).unwrap_err().to_string()
    };
    let first = streams[0].events.clone();
    let mut swapped = streams.clone();
    swapped[1].events = first;
    let error = merge(&frozen, 2, &swapped, "merged", Path::new("x")).unwrap_err().to_string();
    assert!(error.contains("which is not its own"), "{error}");
    assert!(refused(|events| events.push(Event::CaseFinished { case: 0 })).contains("outside of a suite"));
    let beyond = refused(|events| events.insert(2, Event::CaseFinished { case: 99 }));
    assert!(beyond.contains("a case 99 it has not"), "{beyond}");
    let twice = refused(|events| {
        let at = events.iter().position(|event| matches!(event, Event::Scored { .. })).unwrap();
        events.insert(at, events[at].clone());
    });
    assert!(twice.contains("the same thing twice"), "{twice}");
    let silent = refused(|events| events.retain(|event| !matches!(event, Event::SuiteStarted { .. })));
    assert!(silent.contains("outside of a suite"), "{silent}");
    let empty = refused(|events| events.retain(|e| matches!(e, Event::RunStarted { .. } | Event::RunFinished { .. })));
    assert!(empty.contains("says nothing of its case s::t0[p2,seed=0]"), "{empty}");
}

#[test]
fn what_a_shard_says_of_its_tests_follows_from_its_scores() {
    let fate = Fate { errors: vec![(false, false, false)], scores: vec![0.7], cut: Vec::new() };
    let plan = suite("s", &[(2, 1, true, 0), (2, 1, false, 0)]);
    let (_, frozen, streams) = divided(&[plan], &fate, Division::Slice, 2);
    assert_eq!(merged(&frozen, 2, &streams).conclusion, Conclusion::Passed);
    let refused = |change: &dyn Fn(&mut Vec<Event>)| {
        let mut changed = streams.clone();
        change(&mut changed[0].events);
        merge(&frozen, 2, &changed, "merged", Path::new("x")).unwrap_err().to_string()
    };
    let set = refused(&|events| events.retain(|event| !matches!(event, Event::SetScored { .. })));
    assert_eq!(set, "shard 1 does not fit its plan: its test `s::t0` has no score of `p/m1`");
    let score = refused(&|events| {
        let mut scores = events.iter_mut().filter_map(|event| match event {
            Event::Scored { outcome: event::Outcome::Ok(score), .. } => Some(score),
            _ => None,
        });
        scores.next().unwrap().value = -5.0;
    });
    assert!(score.contains("shard 1") && score.contains("the gate of `p/m0` of its test `s::t0`"), "{score}");
    let of_test = |events: &mut Vec<Event>, change: &dyn Fn(&mut Verdict, &mut Vec<GateResult>)| {
        for event in events {
            if let Event::TestFinished { test: 0, verdict, gates, .. } = event {
                change(verdict, gates);
            }
        }
    };
    let gate = refused(&|events| of_test(events, &|_, gates| gates[0].holds = false));
    assert!(gate.contains("0.7 does not hold; from its scores follows: 0.7 holds"), "{gate}");
    let no_gate = refused(&|events| of_test(events, &|_, gates| gates.clear()));
    assert!(no_gate.contains("it judged 0 of the 1 gates of its test `s::t0`"), "{no_gate}");
    let verdict = refused(&|events| of_test(events, &|verdict, _| *verdict = Verdict::Fail));
    assert!(verdict.contains("`s::t0` came to `fail`; from its images and scores follows `pass`"), "{verdict}");
    let image = refused(&|events| events.retain(|event| !matches!(event, Event::Generated { case: 1, .. })));
    assert!(image.contains("its case s::t0[p1,seed=0] has no image"), "{image}");
    let scoreless = refused(&|events| events.retain(|event| !matches!(event, Event::Scored { case: 1, .. })));
    assert!(scoreless.contains("its case s::t0[p1,seed=0] has no score of `p/m0`"), "{scoreless}");
    let silent = refused(&|events| events.retain(|event| !matches!(event, Event::TestFinished { .. })));
    assert!(silent.contains("it does not say how its test `s::t0` ended"), "{silent}");
    let foreign = refused(&|events| {
        for event in events {
            if let Event::Scored { metric, .. } = event {
                *metric = 7;
            }
        }
    });
    assert!(foreign.contains("a metric that its test has not"), "{foreign}");
}

#[test]
fn an_error_that_is_not_told_of_its_test_is_found() {
    let fate = Fate { errors: vec![(true, false, false)], scores: vec![0.7], cut: Vec::new() };
    let (_, frozen, mut streams) = divided(&[suite("s", &[(2, 1, false, 0)])], &fate, Division::Slice, 1);
    assert_eq!(merged(&frozen, 1, &streams).conclusion, Conclusion::Error);
    for event in &mut streams[0].events {
        if let Event::TestFinished { verdict, errors, .. } = event {
            (*verdict, *errors) = (Verdict::Pass, Vec::new());
        }
    }
    let error = merge(&frozen, 1, &streams, "merged", Path::new("x")).unwrap_err().to_string();
    assert!(error.contains("the image of its case s::t0[p0,seed=0] is an error, which is not told"), "{error}");
}

#[test]
fn a_suite_that_one_shard_could_not_start_is_an_error_and_the_rest_is_kept() {
    let (frozen, mut streams) = simple();
    let error = ErrorInfo { kind: "model".into(), message: "no such model".into(), hint: None, case: None };
    streams[1].events = vec![
        streams[1].events[0].clone(),
        Event::SuiteError { suite: "s".into(), error },
        Event::RunFinished { conclusion: Conclusion::Error, seconds: 0.1 },
    ];
    let merged = merge(&frozen, 2, &streams, "merged", Path::new("x")).unwrap();
    assert_eq!(merged.conclusion, Conclusion::Error);
    let results = results(&merged.events);
    assert_eq!(results.suites[0].error.as_ref().unwrap().message, "no such model");
    assert_eq!(results.suites[0].cases.len(), 4);
    assert_eq!(results.suites[0].tests[0].verdict, Verdict::NotRun);
}

fn claim(path: &str, plan: &str, of: u32, parts: &[(u32, &str)]) -> Claim {
    let part = |&(shard, events): &(u32, &str)| Part {
        shard,
        events: events.into(),
        run: String::new(),
        started: String::new(),
        images: 0,
        conclusion: if events.starts_with("cut") { "interrupted" } else { "passed" }.into(),
        commit: None,
    };
    let parts = parts.iter().map(part).collect();
    Claim { path: path.into(), manifest: Manifest { format: 1, difftest: "1".into(), plan: plan.into(), of, parts } }
}

#[test]
fn claims_are_complete_or_named() {
    let says = |claims: &[Claim], expected| {
        let forwards = check(claims, expected);
        let mut reversed = claims.to_vec();
        reversed.reverse();
        let backwards = check(&reversed, expected);
        assert_eq!(forwards.is_ok(), backwards.is_ok());
        assert_eq!(forwards.as_ref().err(), backwards.as_ref().err(), "the order of recordings does not matter");
        forwards.map(|parts| parts.len()).map_err(|error| error.to_string())
    };
    let (a, b, ab) =
        (claim("a", "p", 2, &[(1, "x")]), claim("b", "p", 2, &[(2, "y")]), claim("c", "p", 2, &[(1, "x"), (2, "y")]));
    assert_eq!(says(&[a.clone(), b.clone()], Some(2)), Ok(2));
    assert_eq!(says(std::slice::from_ref(&ab), None), Ok(2));
    assert_eq!(says(&[ab, a.clone(), b.clone()], None), Ok(2), "the same again changes nothing");
    assert_eq!(says(&[], None).unwrap_err(), "there is no recording to merge");
    assert_eq!(says(std::slice::from_ref(&a), None).unwrap_err(), "1 shard is missing of 2: 2");
    let few = claim("a", "p", 9, &[(1, "x"), (5, "y")]);
    assert_eq!(says(&[few], None).unwrap_err(), "7 shards are missing of 9: 2-4, 6-9");
    assert!(says(&[a.clone(), b.clone()], Some(3)).unwrap_err().contains("2 shards, and 3 were expected"));
    let other = claim("z", "p", 2, &[(1, "other")]);
    assert!(says(&[a.clone(), b.clone(), other], None).unwrap_err().contains("shard 1 is there twice"));
    let foreign = claim("z", "q", 2, &[(2, "y")]);
    assert!(says(&[a.clone(), foreign], None).unwrap_err().contains("a and z are shards of different plans"));
    let of_three = claim("z", "p", 3, &[(2, "y")]);
    assert!(says(&[a.clone(), of_three], None).unwrap_err().contains("of 2 and of 3 shards"));
    let cut = claim("d", "p", 2, &[(2, "cut")]);
    let said = says(&[a.clone(), cut.clone()], None).unwrap_err();
    assert_eq!(said, "shard 2 (d) was interrupted: run it again");
    assert_eq!(says(&[a.clone(), cut.clone(), b.clone()], None), Ok(2), "it was run again");
    assert_eq!(says(&[a, claim("0", "p", 2, &[(2, "cut too")]), cut, b], None), Ok(2));
}
