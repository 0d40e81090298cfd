//! What `plugin check`, `test` and `bench` say of real plugins, good and bad.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{component, registry_of};
use difftest_plugin::conformance::{CaseFile, Check, Conformance, Outcome, bench, check, update};
use difftest_plugin::{Limits, Registry, RegistryError};

fn run(name: &str, cases: &mut [CaseFile]) -> Vec<Check> {
    let limits = Limits::default().with_fuel(500_000_000);
    let (registry, _) = registry_of(&[component(&name.replace('-', "_"))], limits);
    let mut checks = Vec::new();
    Conformance { registry: &registry, plugin: name, models: None, cases }
        .run(&mut |check| checks.push(check))
        .unwrap();
    checks
}

fn cases(text: &str) -> Vec<CaseFile> {
    vec![
        CaseFile::parse(&common::workspace().join("plugins/image-stats/tests/golden/cases.toml"), text.to_owned())
            .unwrap(),
    ]
}

fn failed(checks: &[Check]) -> Vec<(&str, &str)> {
    let reason = |check: &'_ Check| match &check.outcome {
        Outcome::Failed { reason, .. } => Some((check.what.clone(), reason.clone())),
        _ => None,
    };
    checks.iter().filter_map(reason).map(|(what, reason)| (&*what.leak(), &*reason.leak())).collect()
}

fn skipped(checks: &[Check]) -> Vec<&str> {
    let skipped = checks.iter().filter_map(|check| match &check.outcome {
        Outcome::Skipped { reason } => Some(reason.as_str()),
        _ => None,
    });
    skipped.collect()
}

#[test]
fn an_honest_plugin_passes_everything() {
    let checks = run("image-stats", &mut []);
    assert_eq!((failed(&checks), skipped(&checks)), (vec![], vec![]));
    let whats: Vec<_> =
        checks.iter().filter(|check| check.of == "sharpness").map(|check| check.what.as_str()).collect();
    for what in ["in 3 stores", "on 4 threads", "measures 1x1", "measures 2048x2048", "an unknown key"] {
        assert!(whats.iter().any(|seen| seen.contains(what)), "no {what} in {whats:#?}");
    }
}

#[test]
fn what_breaks_off_fails_with_its_reason() {
    let attacks = ["panic", "nan-score", "endless-loop", "memory-bomb", "out-of-range"];
    let text: String = attacks
        .iter()
        .map(|attack| {
            format!("[[case]]\nmetric = \"attack\"\nimage = \"coffee-2x2.png\"\nconfig = {{ attack = \"{attack}\" }}\n")
        })
        .collect();
    let checks = run("hostile", &mut cases(&text));
    let failed = failed(&checks);
    for (attack, says) in attacks.iter().zip(["panicked", "NaN", "fuel", "memory", "range"]) {
        let of_case =
            failed.iter().any(|(what, reason)| what.contains(&format!("\"{attack}\"")) && reason.contains(says));
        assert!(of_case, "{attack}: {failed:#?}");
    }
    // the first config that is not refused is used for everything else: a panic, on every image
    assert!(
        failed
            .iter()
            .any(|(what, reason)| *what == "measures 1x1" && (reason.contains("panicked") || *reason == "the same")),
        "{failed:#?}"
    );
}

#[test]
fn what_needs_a_config_is_skipped_aloud_until_a_case_has_one() {
    let checks = run("prompt-matrix", &mut []);
    assert_eq!(failed(&checks), []);
    assert!(skipped(&checks).iter().any(|reason| reason.contains("needs a config: add a case")), "{checks:#?}");

    let text = "[[case]]\ngenerator = \"prompt-matrix\"\nconfig = { template = \"a {color} {shape}\" }\nlimit = 2\n";
    let mut files = cases(text);
    let checks = run("prompt-matrix", &mut files);
    assert_eq!(skipped(&checks), Vec::<&str>::new());
    let missing: Vec<_> = failed(&checks).iter().map(|(_, reason)| reason.contains("no `prompts` yet")).collect();
    assert_eq!(missing, [true], "{checks:#?}");
    for what in ["in pages of", "when asked for", "in 3 stores", "on 4 threads", "wrong type of `template`"] {
        assert!(checks.iter().any(|check| check.what.contains(what)), "no {what} in {checks:#?}");
    }

    let (text, changed) = update(&files[0]).unwrap();
    assert_eq!(changed, 1);
    assert_eq!(failed(&run("prompt-matrix", &mut cases(&text))), [], "{text}");
}

#[test]
fn models_that_are_not_there_are_asked_for() {
    let checks = run("set-stats", &mut []);
    assert_eq!(failed(&checks), []);
    assert!(skipped(&checks).iter().any(|reason| reason.contains("--model NAME=PATH")), "{checks:#?}");
}

#[test]
fn scores_are_held_to_the_last_bit_and_to_their_fuel() {
    let case = |more: &str| format!("[[case]]\nmetric = \"brightness\"\nimage = \"coffee-3x17.png\"\n{more}\n");
    let mut files = cases(&case(""));
    run("image-stats", &mut files);
    let (text, changed) = update(&files[0]).unwrap();
    assert_eq!(changed, 1);
    assert_eq!(failed(&run("image-stats", &mut cases(&text))), []);

    let reasons = |text: &str| -> Vec<String> {
        failed(&run("image-stats", &mut cases(text))).iter().map(|(_, reason)| (*reason).to_owned()).collect()
    };
    let dear = format!("{text}fuel_at_most = 10\n");
    assert!(matches!(&reasons(&dear)[..], [one] if one.contains("10 is the most")), "{:?}", reasons(&dear));
    assert!(matches!(&reasons(&case("score = 0.5"))[..], [one] if one.starts_with("0.5 was expected")));
    assert!(
        matches!(&reasons(&case("image = \"none.png\"").replace("image = \"coffee-3x17.png\"\n", ""))[..], [one] if one.contains("none.png"))
    );
    assert!(
        matches!(&reasons(&case("reference = \"coffee-2x2.png\""))[..], [one] if one.contains("looks at one image"))
    );
}

fn steps(path: &Path, limits: &Limits) -> Vec<(String, &'static str)> {
    let (registry, _) = registry_of(&[path], limits.clone());
    let word = |outcome: &Outcome| match outcome {
        Outcome::Passed { .. } => "passed",
        Outcome::Failed { .. } => "failed",
        Outcome::Skipped { .. } => "skipped",
    };
    let (checks, _) = check(path, &registry, limits);
    checks.into_iter().map(|check| (check.what, word(&check.outcome))).collect()
}

#[test]
fn a_check_stops_at_the_first_step_that_fails() {
    let limits = Limits::default();
    let all = steps(component("image_stats"), &limits);
    assert!(all.iter().all(|(_, word)| *word == "passed"), "{all:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let whole = std::fs::read(component("image_stats")).unwrap();
    let small = Limits { component_bytes: 1_000, ..limits.clone() };
    for (path, limits, step) in [
        (component("image_stats").to_owned(), &small, "size"),
        (file("text.wasm", b"not wasm at all"), &limits, "parses"),
        (file("cut.wasm", &whole[..whole.len() / 2]), &limits, "parses"),
        (file("nothing.wasm", b"\0asm\x0d\0\x01\0"), &limits, "exports"),
        (component("forbidden_sockets").to_owned(), &limits, "imports"),
    ] {
        let steps = steps(&path, limits);
        let failed: Vec<_> =
            steps.iter().filter(|(_, word)| *word == "failed").map(|(what, _)| what.as_str()).collect();
        assert_eq!(failed, [step], "{}: {steps:?}", path.display());
        let after = steps.iter().skip_while(|(what, _)| what != step).skip(1);
        assert!(after.into_iter().all(|(_, word)| *word == "skipped"), "{steps:?}");
        assert_eq!(steps.len(), all.len());
    }
}

#[test]
fn costs_are_equal_each_time() {
    let costs = || {
        let folder = tempfile::tempdir().unwrap();
        let path = component("image_stats").to_owned();
        let open = || -> Result<Registry, RegistryError> {
            Ok(registry_of(&[&path], Limits::default()).0.with_cache(Some(folder.path().to_owned())))
        };
        let bench = bench(&path, &open, None, &mut []).unwrap();
        assert!(bench.startup.cached_seconds < bench.startup.compiled_seconds);
        assert!(bench.skipped.is_empty() && bench.costs.iter().all(|cost| cost.seconds > 0.0));
        bench.costs.into_iter().map(|cost| (cost.name, cost.of, cost.fuel, cost.fuel_per_megapixel)).collect::<Vec<_>>()
    };
    let first = costs();
    assert!(first.len() >= 10, "{first:?}");
    assert_eq!(first, costs());
}
