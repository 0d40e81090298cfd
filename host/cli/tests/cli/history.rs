//! The history: kept by runs, read by `difftest history` and `difftest compare`.

use image::{ImageBuffer, Rgb};

use crate::env::{Finished, TestEnv, finished, workspace};

/// Runs over images that are there: no model is loaded. `shift` makes other images of them.
fn run(env: &TestEnv, shift: u8, more: &[&str]) -> Finished {
    let mut manifest = String::new();
    for index in 0..3_u8 {
        let path = env.write(&format!("pictures/{index}.png"), "");
        let pixel = |x: u32, y: u32| Rgb([(x * 3) as u8 + index * 20 + shift, (y * 5) as u8, shift]);
        ImageBuffer::from_fn(16, 16, pixel).save(path).unwrap();
        manifest += &format!("{{\"file\": \"{index}.png\", \"prompt\": \"picture {index}\", \"seed\": 7}}\n");
    }
    env.write("pictures/manifest.jsonl", manifest);
    let suite = "model = { images = \"../pictures\" }\n\n[[test]]\nname = \"bright\"\nmetrics = [\"image-stats/brightness\"]\n\
                 threshold = { \"image-stats/brightness\" = { min = 0.01 } }\n";
    env.run_suite(suite, more)
}

const METRIC: [&str; 3] = ["history", "--metric", "image-stats/brightness"];

/// A command with the locale of a terminal that has Unicode, or has not.
fn in_locale(env: &TestEnv, locale: &str, arguments: &[&str]) -> Finished {
    finished(env.command().args(arguments).env("LC_ALL", locale).output().unwrap())
}

#[test]
fn a_metric_over_runs() {
    let env = TestEnv::new();
    env.run(["history"]).exits(2).says(&["no run is recorded here yet", "difftest run"]);
    assert!(!env.path(".difftest").exists(), "reading makes nothing");
    for shift in [0, 40, 20] {
        run(&env, shift, &["--label", &format!("shift {shift}")]).exits(0);
    }
    let blocks = in_locale(&env, "C.UTF-8", &METRIC).exits(0).stdout;
    assert!(blocks.contains("suite::bright") && blocks.contains("▁█"), "{blocks}");
    let ascii = in_locale(&env, "C", &METRIC).exits(0).stdout;
    assert!(ascii.contains("_#") && ascii.is_ascii(), "{ascii}");
    let trend = env.run(["history", "trend", "image-stats/brightness"]).exits(0).stdout;
    let labels: Vec<_> = trend.lines().filter_map(|line| line.find("shift ").map(|at| &line[at..])).collect();
    assert_eq!(labels, ["shift 0", "shift 40", "shift 20"], "in the order in which they were made:\n{trend}");
    let json = env.run([&METRIC[..], &["--message-format", "json", "--last", "2"]].concat()).exits(0).stdout;
    let series: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(series[0]["points"].as_array().unwrap().len(), 2);
    assert_eq!(series[0]["scores"], 3);

    env.run(["history", "--metric", "image-stats/brightnes"])
        .exits(2)
        .says(&["did you mean `image-stats/brightness`?"]);
    env.run([&METRIC[..], &["--suite", "siute"]].concat()).exits(2).says(&["did you mean `suite`?"]);
    env.run([&METRIC[..], &["-k", "picture and"]].concat()).exits(2).says(&["-k"]);
    env.run(["history", "--suite", "suite"]).exits(2).says(&["`--metric` is missing"]);
}

#[test]
fn runs_are_listed_shown_and_compared() {
    let env = TestEnv::new();
    run(&env, 0, &["--label", "main"]).exits(0);
    run(&env, 30, &["--label", "candidate"]).exits(0);
    let list = env.run(["history", "list"]).exits(0).stdout;
    let order = [list.find("candidate").unwrap(), list.find("main").unwrap()];
    assert!(order[0] < order[1], "the latest first:\n{list}");
    let shown = env.run(["history", "show", "latest~1"]).exits(0).stdout;
    for part in ["label \"main\"", "PASS bright (3 images)", "gate image-stats/brightness mean", "holds"] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    env.run(["history", "show", "nope"]).exits(2).says(&["no run is called `nope`"]);
    let compared = env.run(["compare", "main", "candidate"]).exits(0).stdout;
    for part in ["3 pairs of 3 prompts", "DIFFERENT", "images: 3 of 3 have other pixels", "\"candidate\""] {
        assert!(compared.contains(part), "no {part:?} in\n{compared}");
    }
    let same = env.run(["compare", "latest", "latest"]).exits(0).stdout;
    assert!(same.contains("the same") && same.contains("all 3 that are in both have the same pixels"), "{same}");
    let flaky = env.run(["history", "flaky"]).exits(0).stdout;
    assert!(flaky.starts_with("nothing"), "images of a folder are inputs: {flaky}");
    let csv = env.run(["history", "export", "--format", "csv"]).exits(0).stdout;
    assert_eq!(csv.lines().count(), 7, "{csv}");
    let dry = env.run(["history", "prune", "--keep", "1", "--dry-run"]).exits(0).stdout;
    assert!(dry.contains("1 run: would be forgotten"), "{dry}");
    env.run(["history", "prune", "--keep", "1"]).exits(0);
    assert_eq!(std::fs::read_dir(env.path(".difftest/runs")).unwrap().count(), 1);
    assert!(!env.run(["history", "list"]).exits(0).stdout.contains("main"));
}

#[test]
fn a_history_that_is_lost_or_damaged_is_made_of_the_recordings() {
    let env = TestEnv::new();
    run(&env, 0, &[]).exits(0);
    run(&env, 9, &[]).exits(0);
    let before = env.run(["history", "export"]).exits(0).stdout;
    std::fs::remove_file(env.path(".difftest/history.db")).unwrap();
    assert_eq!(env.run(["history", "export"]).exits(0).stdout, before);
    env.write(".difftest/history.db", "damaged ".repeat(2000));
    let healed =
        env.run(["history", "export"]).exits(0).says(&["was damaged", "history.damaged-1.db", "2 recorded runs"]);
    assert_eq!(healed.stdout, before);
    env.run(["history", "rebuild"]).exits(0).says(&["2 runs read from recordings"]);
    assert_eq!(env.run(["history", "export"]).exits(0).stdout, before);
    // A run finds the damage too, and passes.
    env.write(".difftest/history.db", "damaged ".repeat(2000));
    run(&env, 0, &[]).exits(0).says(&["was damaged", "history.damaged-2.db"]);
    assert_eq!(env.run(["history", "list", "--message-format", "json"]).exits(0).stdout.matches("\"run\"").count(), 3);
}

#[test]
fn a_history_of_a_newer_version_is_left_alone() {
    let env = TestEnv::new();
    run(&env, 0, &[]).exits(0);
    // `user_version` lies at byte 60 of the header of an SQLite file.
    let path = env.path(".difftest/history.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    env.run(["history"]).exits(2).says(&["written by a newer difftest: version 99", "update difftest"]);
    run(&env, 0, &[]).exits(0).says(&["warning: this run is not in the history"]);
    assert!(std::fs::read(&path).unwrap() == bytes, "not a byte of it was changed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_passes_where_the_history_cannot_be_written() {
    let env = TestEnv::new();
    // Not even root may make files in /proc.
    std::os::unix::fs::symlink("/proc/self", env.path(".difftest")).unwrap();
    run(&env, 0, &["--artifacts", "out"]).exits(0).says(&["warning: this run is not in the history"]);
}

#[test]
fn two_runs_at_once_are_both_kept() {
    let env = TestEnv::new();
    run(&env, 0, &[]).exits(0);
    let start = || {
        let plugins = workspace().join("plugins");
        let mut command = env.command();
        command.args(["run", "suite", "-q", "--plugins"]).arg(plugins).spawn().unwrap()
    };
    let children = [start(), start(), start()];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let list = env.run(["history", "list", "--message-format", "json"]).exits(0).stdout;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&list).unwrap().as_array().unwrap().len(), 4);
}

#[test]
fn a_clock_that_was_set_back_does_not_change_the_order() {
    let env = TestEnv::new();
    run(&env, 0, &["--label", "first"]).exits(0);
    // The last run seems to come from the future, as after the clock was set back.
    let runs = env.path(".difftest/runs");
    let name = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let future = format!("20991231-235959-{}", &name[16..]);
    let recording = runs.join(&name).join("events.jsonl");
    let text = std::fs::read_to_string(&recording).unwrap().replace(&name, &future);
    std::fs::write(&recording, text).unwrap();
    std::fs::rename(runs.join(&name), runs.join(&future)).unwrap();
    std::fs::remove_file(env.path(".difftest/history.db")).unwrap();
    run(&env, 0, &["--label", "second"]).exits(0).says(&["the clock stands before the last run", &future]);
    let list = env.run(["history", "list"]).exits(0).stdout;
    assert!(list.find("second").unwrap() < list.find("first").unwrap(), "{list}");
    let latest = env.run(["history", "show", "latest"]).exits(0).stdout;
    assert!(latest.contains("label \"second\""), "{latest}");
}
