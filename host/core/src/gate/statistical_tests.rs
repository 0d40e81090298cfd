//! What scores prove, and what they do not.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::baseline::{Baseline, BaselineCase, BaselineInfo, BaselineScore, Question};
use crate::digest::Digest;
use crate::stats::Random;

const SEEDS: usize = 2;

/// Case ids and prompt ids of so many prompts with two seeds each.
fn names(prompts: usize) -> Vec<(String, String)> {
    let case = |i: usize| (format!("s::t[p{},seed={}]", i / SEEDS, i % SEEDS), format!("p{}", i / SEEDS));
    (0..prompts * SEEDS).map(case).collect()
}

fn scores_of<'a>(gates: &'a [Gate], names: &'a [(String, String)], values: &[f64]) -> TestScores<'a> {
    let metric = MetricScores { values: values.iter().copied().map(Some).collect(), key: "k".to_owned() };
    TestScores {
        gates,
        cases: names.iter().map(|(id, prompt)| CaseOf { id, prompt }).collect(),
        metrics: BTreeMap::from([("m", metric)]),
    }
}

fn baseline(names: &[(String, String)], values: &[f64]) -> Baseline {
    let case = |((id, _), value): (&(String, String), &f64)| {
        let score = BaselineScore { value: *value, metric: "k".to_owned() };
        let scores = BTreeMap::from([("m".to_owned(), score)]);
        let question = Question::recorded(id, 1, None);
        (id.clone(), BaselineCase { path: "x.png".into(), image: Digest::of(b"x"), scores, question })
    };
    let info = BaselineInfo { name: "v1".to_owned(), environment: "cpu".to_owned(), digest: Digest::of(b"v1") };
    let cases = names.iter().zip(values).map(case).collect();
    Baseline { info, cases, sets: BTreeMap::new(), changed: BTreeMap::new() }
}

fn gate(check: Check, min: Option<f64>, max: Option<f64>) -> Gate {
    Gate { metric: "m".to_owned(), of: Statistic::Mean, bound: Bound { min, max }, check, span: 0..0 }
}

fn no_worse(margin: f64) -> Gate {
    gate(Check::NoWorseThanBaseline { margin }, Some(-margin), None)
}

fn improved(margin: f64) -> Gate {
    gate(Check::Improved { margin }, Some(margin), None)
}

/// Judges one gate over `now`, with `before` as the baseline.
fn one(gate: Gate, prompts: usize, now: &[f64], before: Option<&[f64]>) -> (Verdict, GateResult) {
    let (names, gates) = (names(prompts), [gate]);
    let baseline = before.map(|before| baseline(&names, before));
    let against = Against { baseline: baseline.as_ref(), environment: "cpu" };
    let mut judged = judge_suite(&[scores_of(&gates, &names, now)], &against).pop().unwrap();
    assert!(judged.errors.is_empty(), "{:?}", judged.errors);
    (judged.verdict, judged.gates.pop().unwrap())
}

/// Scores of a healthy model: prompts differ by 0.1, seeds by 0.02.
fn healthy(prompts: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut scores = Vec::new();
    for _ in 0..prompts {
        let level = 0.8 + 0.1 * random.normal();
        scores.extend((0..SEEDS).map(|_| level + 0.02 * random.normal()));
    }
    scores
}

fn plus(scores: &[f64], change: f64, noise: f64) -> Vec<f64> {
    let mut random = Random::new(99);
    scores.iter().map(|score| score + change + noise * random.normal()).collect()
}

#[test]
fn the_same_scores_are_no_worse_even_without_a_margin_and_no_better() {
    let scores = healthy(12, 1);
    let (verdict, result) = one(no_worse(0.0), 12, &scores, Some(&scores));
    let evidence = result.evidence.unwrap();
    assert_eq!((verdict, evidence.lower, evidence.upper), (Verdict::Pass, Some(0.0), Some(0.0)));
    assert!(evidence.lost.is_empty());
    assert_eq!(one(improved(0.0), 12, &scores, Some(&scores)).0, Verdict::Inconclusive, "nothing was shown");
    assert_eq!(one(improved(0.01), 12, &scores, Some(&scores)).0, Verdict::Fail, "a gain of 0.01 is ruled out");
}

#[test]
fn pairing_shows_what_the_means_alone_could_not() {
    let before = healthy(20, 2);
    let now = plus(&before, -0.03, 0.01);
    let (verdict, result) = one(no_worse(0.01), 20, &now, Some(&before));
    assert_eq!(verdict, Verdict::Fail, "{result:?}");
    let evidence = result.evidence.unwrap();
    assert!(evidence.p_adjusted.unwrap() < 0.001 && evidence.upper.unwrap() < -0.01);
    assert!(
        (evidence.estimate + 0.03).abs() < 0.01
            && (result.bound.min, result.value) == (Some(-0.01), Some(evidence.estimate))
    );
    assert_eq!(evidence.lost.len(), 5);
    assert!(evidence.lost.windows(2).all(|pair| pair[0].1 <= pair[1].1), "the worst first: {:?}", evidence.lost);
    // The same loss in a floor on the mean drowns in the differences between prompts.
    let floor = gate(Check::Floor, Some(crate::stats::mean(&before)), None);
    assert_eq!(one(floor, 20, &now, None).0, Verdict::Inconclusive);
    assert_eq!(one(improved(0.0), 20, &plus(&before, 0.03, 0.01), Some(&before)).0, Verdict::Pass);
}

#[test]
fn lower_is_better_is_the_mirror_image() {
    let before = healthy(16, 3);
    for change in [-0.04, -0.012, 0.0, 0.008, 0.04] {
        let now = plus(&before, change, 0.01);
        let minus = |scores: &[f64]| scores.iter().map(|score| -score).collect::<Vec<_>>();
        let mirrored = gate(Check::NoWorseThanBaseline { margin: 0.01 }, None, Some(0.01));
        let (straight, mirror) =
            (one(no_worse(0.01), 16, &now, Some(&before)), one(mirrored, 16, &minus(&now), Some(&minus(&before))));
        assert_eq!(straight.0, mirror.0, "{change}");
        let (straight, mirror) = (straight.1.evidence.unwrap(), mirror.1.evidence.unwrap());
        assert_eq!(straight.p, mirror.p);
        assert!((straight.lower.unwrap() + mirror.upper.unwrap()).abs() < 1e-12);
        let ids = |evidence: &Evidence| evidence.lost.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&straight), ids(&mirror));
    }
}

#[test]
fn few_prompts_say_what_they_cannot_show() {
    let before = healthy(1, 4);
    let (verdict, result) = one(no_worse(0.01), 1, &before, Some(&before));
    let evidence = result.evidence.unwrap();
    assert_eq!((verdict, evidence.lower, evidence.p), (Verdict::Inconclusive, None, None));
    assert!(evidence.notes[0].contains("one prompt says nothing of others"), "{:?}", evidence.notes);

    let before = healthy(4, 5);
    let (verdict, result) = one(no_worse(0.01), 4, &plus(&before, -0.5, 0.001), Some(&before));
    assert_eq!(verdict, Verdict::Inconclusive, "1 / 2^4 is the least p-value");
    assert_eq!(
        result.evidence.unwrap().notes,
        ["4 prompts cannot prove a failure, only a pass: that takes at least 5"]
    );
    let before = healthy(5, 6);
    assert_eq!(one(no_worse(0.01), 5, &plus(&before, -0.5, 0.001), Some(&before)).0, Verdict::Fail);
}

#[test]
fn many_gates_have_to_be_surer() {
    let (names, before) = (names(6), healthy(6, 7));
    // All six prompts lost: 1 / 2^6 = 0.016, which four gates make 0.062.
    let now = plus(&before, -0.1, 0.001);
    let (bad, fine) = ([no_worse(0.01)], [no_worse(0.01)]);
    let baseline = baseline(&names, &before);
    let against = Against { baseline: Some(&baseline), environment: "cpu" };
    let good = scores_of(&fine, &names, &before);
    let suite = |others: usize| {
        let mut tests = vec![scores_of(&bad, &names, &now)];
        tests.extend(std::iter::repeat_n(good.clone(), others));
        judge_suite(&tests, &against)
    };
    assert_eq!(suite(0)[0].verdict, Verdict::Fail);
    let judged = suite(3);
    let evidence = judged[0].gates[0].evidence.as_ref().unwrap();
    assert_eq!(
        (judged[0].verdict, evidence.p, evidence.p_adjusted),
        (Verdict::Inconclusive, Some(1.0 / 64.0), Some(4.0 / 64.0))
    );
    assert!(evidence.upper.unwrap() < -0.01, "the interval is not adjusted");
    assert_eq!(evidence.notes, ["6 prompts cannot prove a failure among 4 gates, only a pass: that takes at least 7"]);
    assert!(judged[1..].iter().all(|test| test.verdict == Verdict::Pass), "a pass is not a claim of failure");
}

#[test]
fn rates_and_counts() {
    let rate = |share: f64| gate(Check::Rate { share }, Some(0.5), None);
    let scores = |inside: usize| (0..60).map(|i| if i < inside { 0.9 } else { 0.1 }).collect::<Vec<_>>();
    let verdict = |inside: usize| one(rate(0.8), 30, &scores(inside), None);
    let (passed, result) = verdict(60);
    assert_eq!((passed, result.value, result.bound.min), (Verdict::Pass, Some(1.0), Some(0.8)));
    assert_eq!(result.evidence.unwrap().each, Some(Bound { min: Some(0.5), max: None }));
    assert_eq!(verdict(50).0, Verdict::Inconclusive);
    assert_eq!(verdict(20).0, Verdict::Fail);

    let similar = |at_least| gate(Check::Similar { at_least }, Some(0.5), None);
    let (verdict, result) = one(similar(AtLeast::Images(50)), 30, &scores(50), None);
    assert_eq!((verdict, result.value, result.holds), (Verdict::Pass, Some(50.0), true));
    let (verdict, result) = one(similar(AtLeast::Share(0.9)), 30, &scores(50), None);
    assert_eq!((verdict, result.margin()), (Verdict::Fail, Some(-4.0)));
    assert_eq!((AtLeast::Share(0.9).of(10), AtLeast::Share(0.9).of(11), AtLeast::Share(1.0).of(7)), (9, 10, 7));
}

#[test]
fn the_power_line_follows_the_spread() {
    let before = healthy(24, 8);
    let evidence = one(no_worse(0.005), 24, &plus(&before, 0.0, 0.04), Some(&before)).1.evidence.unwrap();
    let (detectable, needed) = (evidence.detectable.unwrap(), evidence.prompts_needed.unwrap());
    assert_eq!(evidence.wanted, Some(0.005));
    assert!(detectable > 0.005 && needed > 24, "{evidence:?}");
    // Half of the difference takes four times as many prompts, or a little less.
    let half = one(no_worse(0.0025), 24, &plus(&before, 0.0, 0.04), Some(&before)).1.evidence.unwrap();
    let times = half.prompts_needed.unwrap() as f64 / needed as f64;
    assert!((3.9..4.0).contains(&times), "{times}");
    let floor = one(gate(Check::Floor, Some(0.7), None), 24, &before, None).1.evidence.unwrap();
    assert!(floor.variance.unwrap().prompt > 10.0 * floor.variance.unwrap().seed, "{:?}", floor.variance);
}

#[test]
fn a_baseline_that_cannot_be_compared_with_is_an_error_with_its_name() {
    let (names, before, gates) = (names(6), healthy(6, 9), [no_worse(0.01), improved(0.0)]);
    let whole = baseline(&names, &before);
    let judged = |baseline: Option<&Baseline>, environment: &str| {
        let against = Against { baseline, environment };
        let judged = judge_suite(&[scores_of(&gates, &names, &before)], &against).pop().unwrap();
        assert_eq!((judged.verdict, judged.gates[0].value, judged.gates[0].holds), (Verdict::Error, None, false));
        assert_eq!(judged.errors.len(), 1, "told once: {:?}", judged.errors);
        judged.errors[0].clone()
    };
    assert_eq!(judged(None, "cpu").kind, "no-baseline");
    let elsewhere = judged(Some(&whole), "cuda");
    assert!(elsewhere.kind == "baseline-environment" && elsewhere.message.contains("made in the environment cpu"));
    let mut partial = whole.clone();
    partial.cases.remove(&names[3].0);
    let error = judged(Some(&partial), "cpu");
    assert_eq!(error.message, "baseline `v1` has nothing for 1 of 12 cases, such as s::t[p1,seed=1]");
    let mut unscored = whole.clone();
    unscored.cases.values_mut().for_each(|case| case.scores.clear());
    assert!(judged(Some(&unscored), "cpu").message.contains("no score of `m` for 12 of 12 cases"));
    let mut other = whole.clone();
    other.cases.values_mut().flat_map(|case| case.scores.values_mut()).for_each(|score| score.metric = "l".to_owned());
    assert_eq!(judged(Some(&other), "cpu").kind, "baseline-metric");
}

#[test]
fn a_case_that_asks_something_else_is_not_paired_and_is_named() {
    let (names, before, gates) = (names(10), healthy(10, 9), [no_worse(0.0)]);
    // The scores of the first prompts are far better, for the prompts are others.
    let judged = |changed: usize, now: &[f64]| {
        let mut baseline = baseline(&names, &before);
        baseline.ask(names.iter().enumerate().map(|(case, (id, _))| {
            let text = if case < changed * SEEDS { "another prompt" } else { id };
            (id.as_str(), Question::recorded(text, 1, None), &[][..])
        }));
        let against = Against { baseline: Some(&baseline), environment: "cpu" };
        judge_suite(&[scores_of(&gates, &names, now)], &against).pop().unwrap()
    };
    let mut now = before.clone();
    now[..2 * SEEDS].iter_mut().for_each(|score| *score -= 0.5);
    assert_eq!(judged(0, &now).verdict, Verdict::Inconclusive, "paired with what they are not the pair of");
    let found = judged(2, &now);
    let evidence = found.gates[0].evidence.as_ref().unwrap();
    assert_eq!((found.verdict, evidence.prompts, found.gates[0].scores), (Verdict::Pass, 8, 16));
    assert_eq!((evidence.upper, evidence.lost.len()), (Some(0.0), 0));
    let of = |case: &Unpaired| (case.case.clone(), case.changed.clone());
    assert_eq!(of(&evidence.unpaired[3]), ("s::t[p1,seed=1]".to_owned(), "prompt".to_owned()));
    assert_eq!(
        evidence.notes[0],
        "prompt changed since the baseline was saved, so not paired: s::t[p0,seed=0], s::t[p0,seed=1], s::t[p1,seed=0] and 1 more"
    );

    assert_eq!(judged(5, &before).verdict, Verdict::Pass, "half of the prompts are enough");
    let few = judged(6, &before);
    let evidence = few.gates[0].evidence.as_ref().unwrap();
    assert_eq!(
        (few.verdict, few.gates[0].holds, evidence.decision),
        (Verdict::Inconclusive, false, Decision::Inconclusive)
    );
    assert!(evidence.notes.last().unwrap().contains("4 of 10 prompts are paired"), "{:?}", evidence.notes);
    // A loss that is proven stays proven.
    assert_eq!(judged(5, &plus(&before, -0.5, 0.001)).verdict, Verdict::Fail);
    let none = judged(10, &before);
    assert_eq!((none.verdict, none.errors[0].kind.as_str()), (Verdict::Error, "baseline-question"));
    assert!(none.errors[0].message.contains("prompt changed"), "{:?}", none.errors);
}

#[test]
fn a_missing_score_is_an_error_of_any_gate() {
    for check in [Check::Floor, Check::Rate { share: 0.5 }, Check::Similar { at_least: AtLeast::Images(1) }] {
        let (verdict, results) = judge(&[gate(check, Some(0.1), None)], |_| vec![Some(0.5), None, Some(0.5)]);
        assert_eq!((verdict, results[0].value, results[0].holds), (Verdict::Error, None, false), "{check:?}");
        assert_eq!(judge(&[gate(check, Some(0.1), None)], |_| Vec::new()).0, Verdict::Error, "{check:?}");
    }
}

proptest! {
    /// A larger margin never turns a pass into anything else, a smaller one never a failure.
    #[test]
    fn margins_are_monotone(
        change in -0.05..0.05_f64, noise in 0.0..0.05_f64, prompts in 1..20_usize, small in 0.0..0.05_f64, more in 0.0..0.05_f64,
    ) {
        let before = healthy(prompts, 10);
        let now = plus(&before, change, noise);
        let decide = |margin: f64| one(no_worse(margin), prompts, &now, Some(&before)).1.decision();
        let (tight, wide) = (decide(small), decide(small + more));
        prop_assert!(!(tight == Some(Decision::Pass) && wide != Some(Decision::Pass)));
        prop_assert!(!(wide == Some(Decision::Fail) && tight != Some(Decision::Fail)));
    }

    /// The order of the cases does not matter.
    #[test]
    fn order_does_not_matter(prompts in 2..12_usize, seed in 0..50_u64) {
        let (names, before) = (names(prompts), healthy(prompts, seed));
        let now = plus(&before, 0.01, 0.05);
        let baseline = baseline(&names, &before);
        let against = Against { baseline: Some(&baseline), environment: "cpu" };
        let gates = [no_worse(0.02)];
        let straight = judge_suite(&[scores_of(&gates, &names, &now)], &against);
        let (names_back, now_back): (Vec<_>, Vec<_>) = names.iter().cloned().zip(now).rev().unzip();
        let back = judge_suite(&[scores_of(&gates, &names_back, &now_back)], &against);
        prop_assert_eq!(straight[0].verdict, back[0].verdict);
        prop_assert_eq!(straight[0].gates[0].evidence.as_ref().unwrap().p, back[0].gates[0].evidence.as_ref().unwrap().p);
    }
}
