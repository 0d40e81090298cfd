#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{FORMAT, Frozen, FrozenCase, FrozenSuite, FrozenTest, Shard, ShardError, Strategy};
use crate::digest::Digest;

#[test]
fn shards_are_counted_from_one() {
    for text in ["1/1", "1/4", "4/4", "10000/10000"] {
        assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
    }
    let error = |text: &str| text.parse::<Shard>().unwrap_err().to_string();
    assert_eq!(error("0/4"), "shards are counted from 1: the first of 4 is 1/4");
    assert_eq!(error("5/4"), "there is no shard 5 of 4: the last is 4/4");
    assert_eq!(error("1/0"), "there cannot be 0 shards: 1/1 is everything");
    assert_eq!(error("1/10001"), "10001 shards are more than the 10000 that a plan can be divided into");
    for text in ["", "1", "/", "1/", "/4", "a/b", "+1/4", "-1/4", "1/4/2", " 1/4", "1 / 4", "99999999999/4", "1.0/4"] {
        assert_eq!(text.parse::<Shard>(), Err(ShardError::Form), "{text}");
    }
}

fn case(id: String, weight: f64) -> FrozenCase {
    FrozenCase { inputs: String::new(), id, weight }
}

fn frozen(strategy: Strategy, suites: &[Vec<(bool, Vec<f64>)>]) -> Frozen {
    let suites = suites.iter().enumerate().map(|(s, tests)| FrozenSuite {
        name: format!("s{s}"),
        digest: Digest::of(b""),
        whole: false,
        tests: tests
            .iter()
            .enumerate()
            .map(|(t, (whole, weights))| FrozenTest {
                visual: false,
                name: format!("t{t}"),
                whole: *whole,
                metrics: Vec::new(),
                gates: Vec::new(),
                cases: weights.iter().enumerate().map(|(c, w)| case(format!("s{s}::t{t}[p{c}]"), *w)).collect(),
            })
            .collect(),
    });
    let mut frozen =
        Frozen { format: FORMAT, difftest: "0".into(), digest: String::new(), strategy, suites: suites.collect() };
    frozen.digest = frozen.computed_digest();
    frozen
}

fn plans() -> impl proptest::strategy::Strategy<Value = Vec<Vec<(bool, Vec<f64>)>>> {
    let test = (any::<bool>(), prop::collection::vec(0.0..100.0_f64, 0..12));
    prop::collection::vec(prop::collection::vec(test, 0..4), 0..4)
}

fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    prop::sample::select(vec![Strategy::Time, Strategy::Slice, Strategy::Hash])
}

/// Cases, and their weight, by shard.
fn loads(frozen: &Frozen, of: u32) -> BTreeMap<u32, (usize, f64)> {
    let mut loads: BTreeMap<u32, (usize, f64)> = (1..=of).map(|shard| (shard, (0, 0.0))).collect();
    for (suite, shards) in frozen.suites.iter().zip(frozen.split(of)) {
        for (case, shard) in suite.cases().zip(shards) {
            let load = loads.get_mut(&shard).unwrap();
            *load = (load.0 + 1, load.1 + case.weight);
        }
    }
    loads
}

proptest! {
    #[test]
    fn every_case_is_in_exactly_one_shard_and_sets_stay_whole(
        suites in plans(), strategy in strategies(), of in 1_u32..20,
    ) {
        let frozen = frozen(strategy, &suites);
        let split = frozen.split(of);
        prop_assert_eq!(split.len(), frozen.suites.len());
        for (suite, shards) in frozen.suites.iter().zip(&split) {
            prop_assert_eq!(suite.cases().count(), shards.len());
            prop_assert!(shards.iter().all(|&shard| (1..=of).contains(&shard)));
            let mut shards = shards.iter();
            for test in &suite.tests {
                let of_test: Vec<_> = shards.by_ref().take(test.cases.len()).collect();
                prop_assert!(!test.whole || of_test.windows(2).all(|pair| pair[0] == pair[1]));
            }
        }
        prop_assert_eq!(split, frozen.split(of), "the same plan gives the same division");
    }

    #[test]
    fn slices_are_even_and_in_order(weights in prop::collection::vec(0.0..9.0_f64, 0..60), of in 1_u32..20) {
        let frozen = frozen(Strategy::Slice, &[vec![(false, weights)]]);
        prop_assert!(frozen.split(of)[0].is_sorted());
        let counts: Vec<_> = loads(&frozen, of).into_values().map(|(count, _)| count).collect();
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    }

    #[test]
    fn times_are_balanced(weights in prop::collection::vec(0.0..100.0_f64, 1..60), of in 1_u32..20) {
        let (sum, longest) = (weights.iter().sum::<f64>(), weights.iter().copied().fold(0.0, f64::max));
        let frozen = frozen(Strategy::Time, &[vec![(false, weights)]]);
        let most = loads(&frozen, of).into_values().map(|(_, load)| load).fold(0.0, f64::max);
        // What list scheduling guarantees, whatever the weights.
        prop_assert!(most <= sum / f64::from(of) + longest + 1e-9, "{most} of {sum} in {of}");
    }

    #[test]
    fn one_shard_more_moves_cases_only_to_it(suites in plans(), of in 1_u32..20) {
        let frozen = frozen(Strategy::Hash, &suites);
        for (before, after) in frozen.split(of).concat().into_iter().zip(frozen.split(of + 1).concat()) {
            prop_assert!(after == before || after == of + 1);
        }
    }

    #[test]
    fn what_is_read_back_is_the_same_plan(suites in plans(), strategy in strategies()) {
        let frozen = frozen(strategy, &suites);
        let read: Frozen = serde_json::from_str(&serde_json::to_string(&frozen).unwrap()).unwrap();
        prop_assert_eq!(&read, &frozen);
        prop_assert_eq!(read.computed_digest(), frozen.digest);
    }
}

#[test]
fn hashes_spread_evenly() {
    let frozen = frozen(Strategy::Hash, &[vec![(false, vec![1.0; 4000])]]);
    for (count, _) in loads(&frozen, 8).into_values() {
        assert!((400..600).contains(&count), "{count} of 4000 in one of 8");
    }
}

#[test]
fn whatever_a_shard_must_agree_on_is_in_the_digest() {
    let plan = || frozen(Strategy::Time, &[vec![(false, vec![1.0, 2.0]), (true, vec![3.0])]]);
    let changes: [fn(&mut Frozen); 8] = [
        |plan| plan.strategy = Strategy::Slice,
        |plan| plan.suites[0].name.push('x'),
        |plan| plan.suites[0].digest = Digest::of(b"x"),
        |plan| plan.suites[0].tests[0].name.push('x'),
        |plan| plan.suites[0].tests[0].whole = true,
        |plan| plan.suites[0].tests[0].cases[1].inputs.push('x'),
        |plan| plan.suites[0].tests[0].cases[1].weight = 2.5,
        |plan| drop(plan.suites[0].tests[1].cases.pop()),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut changed = plan();
        change(&mut changed);
        assert_ne!(changed.computed_digest(), plan().digest, "change {index}");
    }
}

#[test]
fn an_earlier_plan_holds_as_long_as_the_suites_are_the_same() {
    let earlier = frozen(Strategy::Time, &[vec![(false, vec![5.0, 1.0]), (false, vec![1.0])]]);
    let now = || frozen(Strategy::Slice, &[vec![(false, vec![1.0, 1.0]), (false, vec![1.0])]]);
    assert_eq!(earlier.agreed(&now()).unwrap(), earlier);

    let differs = |change: fn(&mut Frozen)| {
        let mut changed = now();
        change(&mut changed);
        earlier.agreed(&changed).unwrap_err().to_string()
    };
    assert_eq!(differs(|now| now.suites.clear()), "the suite `s0` is in the plan and not here");
    assert_eq!(differs(|now| now.suites[0].digest = Digest::of(b"x")), "the text of the suite `s0` is another");
    assert_eq!(
        differs(|now| drop(now.suites[0].tests[1].cases.pop())),
        "the test `s0::t1` has 0 cases, and 1 in the plan"
    );
    assert!(differs(|now| now.suites[0].tests[0].cases[1].inputs.push('x')).contains("s0::t0[p1]"));
}
