//! Against SciPy and statsmodels: `golden/make.py` made `golden/golden.json`.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::*;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/golden.json")).unwrap()
}

fn rows<'v>(golden: &'v Value, name: &str) -> &'v [Value] {
    golden[name].as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} is not {expected}");
}

#[test]
fn intervals_equal_scipy() {
    let golden = golden();
    for row in rows(&golden, "student") {
        let values = numbers(&row["values"]);
        for (level, name) in [(LEVEL, "one_sided_95"), (0.975, "two_sided_95")] {
            let (lower, upper) = student(&values, level).unwrap();
            near(lower, numbers(&row[name])[0], 1e-9);
            near(upper, numbers(&row[name])[1], 1e-9);
        }
    }
    for row in rows(&golden, "wilson") {
        let (k, n) = (row["k"].as_f64().unwrap(), row["n"].as_f64().unwrap());
        let (lower, upper) = wilson(k / n, n, LEVEL);
        near(lower, numbers(&row["one_sided_95"])[0], 1e-9);
        near(upper, numbers(&row["one_sided_95"])[1], 1e-9);
    }
}

#[test]
fn a_wilson_interval_ends_where_its_test_says_five_percent() {
    let (lower, upper) = wilson(0.9, 50.0, LEVEL);
    near(wilson_p(0.9, 50.0, upper), 0.05, 1e-9);
    near(wilson_p(0.9, 50.0, lower), 0.95, 1e-9);
}

#[test]
fn permutations_equal_scipy() {
    let golden = golden();
    for row in rows(&golden, "sign_flip") {
        near(sign_flip(&numbers(&row["values"])), row["p"].as_f64().unwrap(), 1e-12);
    }
    // Both are drawn: 50,000 here, 400,000 there.
    let many = &golden["sign_flip_many"];
    let (found, expected) = (sign_flip(&numbers(&many["values"])), many["p"].as_f64().unwrap());
    let deviation = (expected * (1.0 - expected) / 50_000.0).sqrt();
    assert!((found - expected).abs() < 4.0 * deviation, "{found} is not {expected}");
    assert_eq!(found, sign_flip(&numbers(&many["values"])), "the same scores, the same p-value");
}

#[test]
fn the_least_p_value_needs_prompts() {
    assert_eq!(sign_flip(&[-1.0; 4]), 1.0 / 16.0);
    assert_eq!(sign_flip(&[-1.0; 5]), 1.0 / 32.0);
    assert_eq!((fewest_for(0.05), fewest_for(0.025)), (5, 6), "two-sided 5 % is 2.5 % at each side");
    assert_eq!(sign_flip(&[0.0; 5]), 1.0);
    assert_eq!(sign_flip(&[]), 1.0);
}

#[test]
fn holm_equals_statsmodels() {
    for row in rows(&golden(), "holm") {
        for (found, expected) in holm(&numbers(&row["p"])).into_iter().zip(numbers(&row["adjusted"])) {
            near(found, expected, 1e-12);
        }
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn power_equals_the_noncentral_distribution_or_asks_for_one_prompt_more() {
    let golden = golden();
    for row in rows(&golden, "needed") {
        let exact = row["n"].as_f64().unwrap().ceil() as u64;
        let found = prompts_needed(1.0, row["effect"].as_f64().unwrap()).unwrap();
        assert!((exact..=exact + 1).contains(&found), "{found} instead of {exact}");
    }
    for row in rows(&golden, "detectable") {
        let (n, exact) = (row["n"].as_u64().unwrap(), row["effect"].as_f64().unwrap());
        let found = detectable(1.0, n as usize).unwrap();
        assert!((found / exact - 1.0).abs() < 0.02, "{n}: {found} instead of {exact}");
    }
    assert_eq!(prompts_needed(1.0, 0.0), None);
    assert_eq!(prompts_needed(0.0, 0.1), Some(2));
    assert_eq!(detectable(1.0, 1), None);
}

#[test]
fn components_split_the_variance() {
    // Two prompts at 0 and 10, seeds at -1 and 1 around them: within 2, between (2 * 50 - 2) / 2.
    let grouped = ByPrompt::of([("a", -1.0), ("b", 9.0), ("a", 1.0), ("b", 11.0)]);
    assert_eq!(grouped.means(), [0.0, 10.0]);
    assert_eq!(grouped.components(), Some(Components { prompt: 49.0, seed: 2.0 }));
    assert_eq!(ByPrompt::of([("a", 1.0), ("b", 2.0)]).components(), None, "one seed says nothing of seeds");
    assert_eq!(ByPrompt::of([("a", 1.0), ("a", 2.0)]).components(), None, "one prompt says nothing of prompts");
    // alike inside of a prompt: as good as one image each; not alike at all: each counts
    let alike = ByPrompt::of([("a", 1.0), ("a", 1.0), ("b", 0.0), ("b", 0.0), ("c", 1.0), ("c", 1.0)]);
    assert_eq!(alike.effective_images(), 3.0);
    assert_eq!(ByPrompt::of([("a", 1.0), ("a", 1.0), ("b", 1.0), ("b", 1.0)]).effective_images(), 2.0);
    let unlike = ByPrompt::of([("a", 1.0), ("a", 0.0), ("b", 0.0), ("b", 1.0)]);
    assert_eq!(unlike.effective_images(), 4.0);
}
