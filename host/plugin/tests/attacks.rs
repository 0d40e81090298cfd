//! Every attack of `plugins/hostile` against the real sandbox. After each, a well-behaved call on the same registry still works.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::time::{Duration, Instant};

use common::models::TestModels;
use common::{assert_harmless, component, hostile, image, measure, measure_with, registry_of};
use difftest_core::generate::PromptGenerator;
use difftest_plugin::Limits;
use difftest_plugin::log::Level;
use serde_json::json;

/// Attack, kind of the error, what its message says, what its hint says; limits stand in braces.
const ATTACKS: [(&str, &str, &str, &str); 17] = [
    ("endless-loop", "fuel", "it ran out of fuel after {fuel} units", "--fuel"),
    ("memory-bomb", "memory", "of memory, 256 MiB is the most", "in rows"),
    ("deep-recursion", "stack", "its calls nest deeper than 512 KiB of stack hold", "endless recursion"),
    ("huge-return", "output", "it passed more than {transfer} to the host at once", "shorter strings"),
    ("huge-error", "output", "it passed more than {transfer} to the host at once", "shorter strings"),
    ("handle-flood", "handles", "it kept more than 256 host objects", "drop images"),
    ("host-call-flood", "host-calls", "it made the host work more than {credits} credits worth", "ask the host once"),
    ("resize-bomb", "host-memory", "an image of 4294967295x4294967295; a side is 1 to 16384 pixels", "smaller"),
    ("resize-zero", "host-memory", "an image of 0x0; a side is 1 to 16384 pixels", ""),
    ("panic", "panic", "giving up on purpose\\u{1b}[2J", ""),
    ("exit", "import", "it called `wasi:cli/exit#exit", "take out what needs this"),
    ("nan-score", "not-finite", "its score is NaN, not a number", "return an error"),
    ("infinite-score", "not-finite", "its score is inf, not a number", "return an error"),
    ("out-of-range", "out-of-range", "its score is 1.5, outside the range 0 to 1 that it declares", "clamp"),
    ("nan-detail", "not-finite", "the detail `part` of its score is NaN", "leave out"),
    ("escapes-in-error", "plugin-error", "\\u{1b}[2J\\u{1b}[31mred", ""),
    ("misspelt", "invalid-config", "`attack` is \"misspelt\", not one of \"none\"", "plugin inspect"),
];

/// What one table of attacks goes through.
struct World {
    component: &'static str,
    metric: &'static str,
    /// How its messages write the limits.
    fuel: &'static str,
    credits: &'static str,
    transfer: &'static str,
}

/// Every attack through one metric. After each, an honest call on the same registry measures what it measured before.
fn the_table(world: &World, limits: Limits) {
    let (registry, _) = registry_of(&[component(world.component)], limits);
    let plugin = world.component.replace('_', "-");
    let name = format!("{plugin}/{}", world.metric);
    let (image, models) = (image(64, 64), TestModels::shared());
    let run = |attack: &str| measure_with(&registry, &name, &json!({ "attack": attack }), &image, Some(&models));
    let calm = run("none").unwrap();
    for (attack, kind, says, advises) in ATTACKS {
        let started = Instant::now();
        let error = match registry.metric(&name, &json!({ "attack": attack }), None) {
            Ok(_) => run(attack).expect_err(attack),
            Err(difftest_plugin::RegistryError::Refused(error)) => error,
            Err(error) => panic!("{attack}: {error}"),
        };
        let hint = error.hint.clone().unwrap_or_default();
        println!("{attack:16} {:>6} ms  {error}\n{hint}", started.elapsed().as_millis());
        assert_eq!(error.kind, kind, "{attack}: {error}");
        let place = if kind == "invalid-config" {
            format!("config of `{name}`: ")
        } else {
            format!("plugin `{plugin}` failed in `{}`", world.metric)
        };
        assert!(error.message.starts_with(&place), "{attack}: {error}");
        let has_case = kind != "invalid-config" && !world.metric.starts_with("set-");
        assert_eq!(error.message.contains(" on case `suite::test[a,42]`"), has_case, "{attack}: {error}");
        let says = says.replace("{fuel}", world.fuel).replace("{credits}", world.credits);
        assert!(error.message.contains(&says.replace("{transfer}", world.transfer)), "{attack}: {error}");
        assert!(hint.contains(advises), "{attack}: {hint}");
        assert!(!error.message.contains("attack succeeded"), "{attack}: {error}");
        assert_harmless(&error.message);
        assert_harmless(&hint);
        assert!(!hint.contains('\n'), "a hint is advice, not a backtrace: {hint}");
        let frames: Vec<_> = error.message.lines().filter(|line| line.starts_with("  in ")).collect();
        assert!(attack != "panic" || frames.iter().any(|line| line.contains("::attack")), "{error}");
        assert!(frames.len() <= 8 && !frames.iter().any(|line| line.contains("in core::")), "{error}");
        assert_eq!(run("none").unwrap(), calm, "after {attack}");
    }
}

#[test]
fn every_attack_ends_in_its_error_and_the_run_goes_on() {
    let (fuel, credits, transfer) = ("8,000,000,000", "4,000,000,000", "8 MiB");
    the_table(&World { component: "hostile", metric: "attack", fuel, credits, transfer }, Limits::default());
}

/// Lower than the defaults where an attack lasts until it meets them.
fn quick() -> Limits {
    let set = Limits { set_image_fuel: 100_000_000, set_image_credits: 10_000_000, ..Limits::default() };
    Limits { fuel: 1_500_000_000, credits: 400_000_000, ..set }
}

#[test]
fn every_attack_by_way_of_a_pair() {
    let (fuel, credits) = ("1,500,000,000", "400,000,000");
    the_table(&World { component: "hostile", metric: "pair-attack", fuel, credits, transfer: "8 MiB" }, quick());
}

/// The budgets are those of a call and of three images.
#[test]
fn every_attack_by_way_of_a_set() {
    let (fuel, credits) = ("1,800,000,000", "430,000,000");
    the_table(&World { component: "hostile", metric: "set-attack", fuel, credits, transfer: "8 MiB" }, quick());
}

#[test]
fn every_attack_beside_models() {
    let (component, transfer) = ("hostile_models", "64 MiB");
    for metric in ["attack", "pair-attack", "set-attack"] {
        let set = metric == "set-attack";
        let (fuel, credits) = if set { ("1,800,000,000", "430,000,000") } else { ("1,500,000,000", "400,000,000") };
        the_table(&World { component, metric, fuel, credits, transfer }, quick());
    }
}

#[test]
fn floods_of_text_are_cut_and_disarmed() {
    let (registry, lines) = hostile(Limits::default());
    for attack in ["log-flood", "stderr-flood"] {
        lines.lock().unwrap().clear();
        measure(&registry, "hostile/attack", &json!({ "attack": attack }), &image(8, 8)).unwrap();
        let lines = lines.lock().unwrap();
        assert!((2..=Limits::default().log_lines + 1).contains(&lines.len()), "{attack}: {} lines", lines.len());
        for line in lines.iter() {
            assert_harmless(&line.message);
            assert!(!line.message.contains('\n') && line.message.len() < 12_000);
            assert_eq!((line.plugin.as_str(), line.sample.as_deref()), ("hostile", Some("suite::test[a,42]")));
        }
        assert!(lines[0].message.starts_with("0\\u{1b}[2J"), "{}", lines[0].message);
        if attack == "log-flood" {
            let last = lines.last().unwrap();
            assert_eq!(
                (last.level, last.message.as_str()),
                (Level::Warn, "9937 more lines were dropped; 64 are kept of one call")
            );
        }
    }
}

#[test]
fn names_of_details_are_disarmed() {
    let (registry, _) = hostile(Limits::default());
    let score = measure(&registry, "hostile/attack", &json!({ "attack": "escapes-in-detail" }), &image(8, 8)).unwrap();
    assert!(score.details[0].name.starts_with("\\u{1b}[2J"));
    assert_harmless(&score.details[0].name);
}

#[test]
fn time_ends_what_fuel_does_not() {
    let limits = Limits { fuel: u64::MAX, wall_clock: Duration::from_millis(300), ..Limits::default() };
    let (registry, _) = hostile(limits);
    let started = Instant::now();
    let error = measure(&registry, "hostile/attack", &json!({ "attack": "endless-loop" }), &image(8, 8)).unwrap_err();
    assert_eq!(error.kind, "timeout");
    assert!(error.message.contains("it took longer than 0.3 s"), "{error}");
    assert!((300..10_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    measure(&registry, "hostile/attack", &json!({ "attack": "none" }), &image(8, 8)).unwrap();
}

/// Each limit is the one that is set: lowered so far that an honest call meets it, it names itself.
#[test]
fn each_limit_can_be_lowered() {
    let cases = [
        (
            Limits { fuel: 1_000, ..Limits::default() },
            "plugin `hostile` cannot be used: asked to describe itself, it ran out of fuel",
        ),
        (Limits { memory_bytes: 64 << 10, ..Limits::default() }, "64 KiB is the most"),
        (Limits { table_elements: 1, ..Limits::default() }, "1 is the most"),
        (Limits { instances: 1, ..Limits::default() }, "too many parts"),
        (Limits { memories: 0, ..Limits::default() }, "too many parts"),
        (Limits { tables: 0, ..Limits::default() }, "too many parts"),
        (Limits { transfer_bytes: 16, ..Limits::default() }, "to the host at once"),
        (Limits { component_bytes: 1_000, ..Limits::default() }, "1000 is the most"),
        (Limits { functions: 3, ..Limits::default() }, "3 is the most"),
        (Limits { function_bytes: 3, ..Limits::default() }, "bytes in one function"),
        (Limits { schema_bytes: 3, ..Limits::default() }, "3 is the most"),
    ];
    for (limits, says) in cases {
        let (registry, _) = hostile(limits.clone());
        let error = common::refusal(&registry, "hostile/attack");
        assert!(error.message.contains(says), "{error}\n{limits:?}");
    }
    let stats = component("image_stats");
    for (limits, kind) in [
        (Limits { credits: 5_000, ..Limits::default() }, "host-calls"),
        (Limits { host_objects: 0, ..Limits::default() }, "handles"),
        (Limits { host_bytes: 100, ..Limits::default() }, "host-memory"),
        (Limits { handles: 0, ..Limits::default() }, "handles"),
    ] {
        let (registry, _) = registry_of(&[stats], limits.clone());
        let error = measure(&registry, "image-stats/sharpness", &json!({}), &image(64, 64)).expect_err(kind);
        assert_eq!(error.kind, kind, "{error}\n{limits:?}");
    }
}

/// Limits that the attacks do not reach because another one stops them first.
#[test]
fn limits_behind_limits() {
    let (registry, _) = hostile(Limits { details: 0, resize_pixels: 10, prompt_chars: 3, ..Limits::default() });
    let failure = |attack: &str| {
        let error =
            measure(&registry, "hostile/attack", &json!({ "attack": attack }), &image(64, 64)).expect_err(attack);
        format!("{}: {}", error.kind, error.message)
    };
    let details = failure("escapes-in-detail");
    assert!(
        details.starts_with("output: ") && details.ends_with("its score has 1 details, 0 is the most"),
        "{details}"
    );
    let pixels = failure("handle-flood");
    assert!(
        pixels.starts_with("host-memory: ") && pixels.contains("takes 64 pixels to make, 10 is the most"),
        "{pixels}"
    );
    let prompts =
        registry.prompt_generator("hostile").unwrap().prompts(&json!({ "attack": "none" }), 7, 3).unwrap_err();
    assert!(prompts.message.contains("prompt 1 has text of 12 characters, 3 is the most"), "{prompts}");
}

#[test]
fn attacks_of_a_prompt_generator() {
    let (registry, _) = hostile(Limits::default());
    let generator = registry.prompt_generator("hostile/prompts").unwrap();
    let ask = |attack: &str, limit: u32| generator.prompts(&json!({ "attack": attack }), 7, limit);
    let calm = ask("none", 10).unwrap();
    assert_eq!(calm.len(), 3);
    for (attack, kind, says) in [
        ("duplicate-ids", "duplicate-id", "two of its prompts have the id `same`"),
        ("huge-text", "output", "it passed more than 8 MiB"),
        ("escapes-in-id", "output", "prompt 1 has \\u{1b} in its id"),
        ("escapes-in-text", "output", "prompt 1 has \\u{1b} in its text"),
        ("endless-loop", "fuel", "it ran out of fuel"),
        ("panic", "panic", "giving up on purpose\\u{1b}[2J"),
        ("misspelt", "invalid-config", "`attack` is \"misspelt\", not one of"),
    ] {
        let error = ask(attack, 10).expect_err(attack);
        assert_eq!(error.kind, kind, "{error}");
        let place = match kind {
            "invalid-config" => "config of `hostile/prompts`: ",
            _ => "plugin `hostile` failed in `prompts`: ",
        };
        assert!(error.message.starts_with(place), "{error}");
        assert!(error.message.contains(says), "{error}");
        assert_harmless(&error.message);
        assert_eq!(ask("none", 10).unwrap(), calm, "after {attack}");
    }
    // pages without end are cut at the limit, over page boundaries
    let pages = ask("endless-pages", 600).unwrap();
    assert_eq!(pages.len(), 600);
    assert_eq!(ask("endless-pages", 599).unwrap(), pages[..599]);
    assert!(ask("none", 0).unwrap().is_empty());
    assert!(ask("endless-pages", 100_001).is_err_and(|error| error.message.contains("100,000 is the most")));
}
