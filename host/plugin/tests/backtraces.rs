//! Where a plugin failed, as its author sees it: names always, lines where the component has line tables.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use common::{component, image, measure, registry_of, workspace};
use difftest_core::metric::MetricError;
use difftest_plugin::Limits;
use serde_json::json;

/// `hostile` as an author would build it who wants lines: `debug = "line-tables-only"`, and no `strip`.
fn with_lines() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).args(["build", "--target", "wasm32-wasip2", "--lib", "-p", "hostile"]);
    command.args(["--profile", "lines", "--config", "profile.lines.inherits='release'"]);
    command.args(["--config", "profile.lines.debug='line-tables-only'"]);
    command.arg("--target-dir").arg(workspace().join("target"));
    // in place of the flags of this workspace, which strip its plugins
    command.env("RUSTFLAGS", "-Ctarget-feature=+simd128").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = command.output().unwrap();
    assert!(output.status.success(), "hostile does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    workspace().join("target/wasm32-wasip2/lines/hostile.wasm")
}

fn failure(file: &Path, attack: &str) -> MetricError {
    failure_within(file, attack, Limits::default())
}

fn failure_within(file: &Path, attack: &str, limits: Limits) -> MetricError {
    let (registry, _) = registry_of(&[file], Limits { fuel: 100_000_000, ..limits });
    let measure = || measure(&registry, "hostile/attack", &json!({ "attack": attack }), &image(8, 8)).unwrap_err();
    let error = measure();
    let started = Instant::now();
    assert_eq!(measure(), error, "the same each time");
    println!("{attack}: {:?}\n{error}\n{:?}", started.elapsed(), error.hint);
    common::assert_harmless(&error.message);
    assert!(error.message.lines().count() < 16, "{error}");
    error
}

fn frames(error: &MetricError) -> Vec<&str> {
    error.message.lines().filter_map(|line| line.strip_prefix("  in ")).collect()
}

#[test]
fn a_panic_shows_its_message_and_the_authors_functions() {
    let error = failure(component("hostile"), "panic");
    assert_eq!(error.kind, "panic");
    assert!(error.message.contains("it panicked at plugins/hostile/src/"), "{error}");
    assert!(error.message.contains("giving up on purpose"), "{error}");
    let frames = frames(&error);
    assert!(frames[0].contains("hostile::"), "{error}");
    assert!(frames.iter().all(|frame| !frame.contains(" at ") && !frame.contains("std::")), "{error}");
}

#[test]
fn line_tables_give_lines() {
    let file = with_lines();
    for attack in ["panic", "deep-recursion", "endless-loop"] {
        let error = failure(&file, attack);
        let frames = frames(&error);
        assert!(frames[0].contains(" at hostile/src/"), "{error}");
        assert!(frames.iter().any(|frame| frame.contains("hostile::")), "{error}");
        let (_, place) = frames[0].rsplit_once("hostile/src/").unwrap();
        let numbers: Vec<u32> =
            place.split(':').skip(1).map(|number| number.split(' ').next().unwrap().parse().unwrap()).collect();
        assert!(frames.iter().all(|frame| !frame.contains("bindings")), "the SDK is not the author's: {error}");
        let source =
            std::fs::read_to_string(workspace().join("plugins/hostile/src").join(place.split(':').next().unwrap()));
        assert!((1..=source.unwrap().lines().count()).contains(&(numbers[0] as usize)), "{error}");
        assert!(!error.message.contains(workspace().to_str().unwrap()), "no paths of the machine: {error}");
        assert!(frames.iter().all(|frame| !frame.contains("library/")), "{error}");
    }
    let over = failure_within(&file, "panic", Limits { debug_bytes: 1_000, ..Limits::default() });
    assert_eq!(frames(&over), frames(&failure(component("hostile"), "panic")), "as if there were none");
}
