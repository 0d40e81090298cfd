//! `run --shard`, `plan` and `merge`: many machines, one run.

use std::path::{Path, PathBuf};

use crate::env::{Finished, TestEnv, workspace};

/// Two failing tests of which one is split, one passing, one that a set metric looks at, and one whose metric cannot be had.
const SUITE: &str = r#"
model = "builtin:shapes"

[defaults]
seeds = [42, 7, 1]
steps = 3

[[test]]
name = "split"
prompts = ["a red circle on a blue background", "a green star on a white background"]
metrics = ["image-stats/sharpness", "image-stats/brightness"]
threshold = { "image-stats/brightness" = { min = 0.99 }, "image-stats/sharpness" = { min = 0.0 } }

[[test]]
name = "proof"
prompts = ["a red circle", "a blue ring", "a green star", "a black square"]
seeds = [1]
metrics = ["image-stats/brightness"]
threshold = { "image-stats/brightness" = { gate = "floor", min = 0.01 } }

[[test]]
name = "small"
prompts = ["a blue ring"]
steps = 9
metrics = ["image-stats/entropy"]
"#;

/// The reports that two runs of the same work have in common, to the byte.
const REPORTS: [(&str, &str); 4] =
    [("--output", "results.json"), ("--junit", "junit.xml"), ("--markdown", "report.md"), ("--html", "report.html")];

fn reported(env: &TestEnv, arguments: &[&str]) -> Finished {
    let mut all = arguments.to_vec();
    all.push("--stable");
    all.extend(REPORTS.iter().flat_map(|(flag, file)| [*flag, *file]));
    env.run(all)
}

fn reports(env: &TestEnv) -> Vec<(&'static str, Vec<u8>)> {
    REPORTS.iter().map(|(_, file)| (*file, std::fs::read(env.path(file)).unwrap())).collect()
}

fn plugins() -> String {
    workspace().join("plugins").to_str().unwrap().to_owned()
}

/// Runs one shard in a folder of its own. Answers its recording.
fn shard(suite: &str, shard: &str, more: &[&str], code: i32) -> (TestEnv, PathBuf) {
    let env = TestEnv::new();
    let name = format!("{}.difftest", shard.replace('/', "-of-"));
    env.run_suite(suite, &[&["--shard", shard, "--record", &name], more].concat()).exits(code);
    let path = env.path(name);
    (env, path)
}

fn merge(env: &TestEnv, recordings: &[&Path], more: &[&str]) -> Finished {
    let mut arguments: Vec<&str> = vec!["merge"];
    arguments.extend(recordings.iter().map(|path| path.to_str().unwrap()));
    arguments.extend(more);
    env.run(arguments)
}

#[test]
fn shards_of_any_division_merge_to_the_run_of_everything() {
    let whole = TestEnv::new();
    whole.write("suites/suite.toml", SUITE);
    reported(&whole, &["run", "suite", "--plugins", &plugins()]).exits(1);
    for by in ["slice", "hash", "time"] {
        let shards: Vec<_> = (1..=4).map(|index| shard(SUITE, &format!("{index}/4"), &["--shard-by", by], 0)).collect();
        let mut paths: Vec<&str> = shards.iter().map(|(_, path)| path.to_str().unwrap()).collect();
        // In any order, and one of them twice.
        paths.reverse();
        paths.push(paths[1]);
        let merged = TestEnv::new();
        reported(&merged, &[&["merge"], &paths[..]].concat()).exits(1).says(&["1 failed", "suite::split"]);
        for ((name, one), (_, other)) in reports(&whole).into_iter().zip(reports(&merged)) {
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert!(one == other, "{name} by {by}:\n{}\n---\n{}", shown(&one), shown(&other));
        }
        // The images are in the run's folder, as if it had made them.
        let results = std::fs::read_dir(merged.path(".difftest/runs")).unwrap().next().unwrap().unwrap().path();
        let results: serde_json::Value =
            serde_json::from_slice(&std::fs::read(results.join("results.json")).unwrap()).unwrap();
        let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
        assert_eq!(cases.len(), 13);
        for case in cases {
            assert!(Path::new(case.pointer("/image/path").unwrap().as_str().unwrap()).is_file());
        }
        if by == "time" {
            // No shard saw that the split test fails: a run in the folder of the merge has it on its list all the same.
            merged.write("suites/suite.toml", SUITE);
            let after = merged.run(["run", "suite", "--plugins", &plugins(), "--diff"]).exits(1);
            assert!(after.stderr.contains("suite::split"), "{}", after.stderr);
        }
    }
}

#[test]
fn a_shard_says_what_it_leaves_to_the_merge() {
    let env = TestEnv::new();
    let run = env.run_suite(SUITE, &["--shard", "1/3", "--output", "results.json"]).exits(0);
    let run = run.says(&[
        "shard 1/3 by slice",
        "4 of 13 cases",
        "judged by `difftest merge`",
        "recording .difftest/recordings/",
    ]);
    assert!(!run.stderr.contains("everything passed"), "{}", run.stderr);
    let results = env.results();
    let split = results.pointer("/suites/0/tests/0").unwrap();
    assert_eq!((split["verdict"].as_str(), split["split_of"].as_u64()), (Some("not-run"), Some(6)), "{split:#}");
}

#[test]
fn a_failure_of_a_whole_test_is_the_shards_own() {
    let failing = "model = \"builtin:shapes\"\n[[test]]\nname = \"one\"\nprompts = [\"a red circle\"]\nseeds = [1]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\nthreshold = { \"image-stats/brightness\" = { min = 0.99 } }\n[[test]]\nname = \"two\"\nprompts = [\"a red circle\"]\nseeds = [1]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\n";
    let (_one, first) = shard(failing, "1/2", &[], 1);
    let (_two, second) = shard(failing, "2/2", &[], 0);
    merge(&TestEnv::new(), &[&first, &second], &[]).exits(1);
}

#[test]
fn what_is_not_a_shard_is_explained() {
    let env = TestEnv::new();
    for (shard, says) in [("0/4", "counted from 1"), ("5/4", "no shard 5 of 4"), ("1/0", "cannot be 0"), ("one", "I/N")]
    {
        env.run_suite(SUITE, &["--shard", shard]).exits(2).says(&[says]);
    }
    env.run_suite(SUITE, &["--shard-by", "hash"]).exits(2).says(&["--shard"]);
}

#[test]
fn more_shards_than_cases_are_fine() {
    let suite = "model = \"builtin:shapes\"\n[[test]]\nname = \"one\"\nprompts = [\"a red circle\"]\nseeds = [1]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\n";
    let shards: Vec<_> = (1..=3).map(|index| shard(suite, &format!("{index}/3"), &[], 0)).collect();
    let paths: Vec<&Path> = shards.iter().map(|(_, path)| path.as_path()).collect();
    merge(&TestEnv::new(), &paths, &["--expect-shards", "3"]).exits(0).says(&["1 passed"]);
}

#[test]
fn shards_that_do_not_belong_together_are_named() {
    let (_a, first) = shard(SUITE, "1/3", &[], 0);
    let (_b, second) = shard(SUITE, "2/3", &[], 0);
    let (_c, third) = shard(SUITE, "3/3", &[], 0);
    let env = TestEnv::new();
    let exit = |recordings: &[&Path], more: &[&str]| merge(&env, recordings, more).exits(2);
    exit(&[&first, &third], &[]).says(&["1 shard is missing of 3: 2", "--shard 2/3"]);
    exit(&[&first, &second, &third], &["--expect-shards", "4"]).says(&["3 shards", "4 were expected"]);

    // Run again: other times, and so other results.
    let (_d, again) = shard(SUITE, "2/3", &[], 0);
    exit(&[&first, &second, &third, &again], &[]).says(&["shard 2 is there twice", "2-of-3.difftest"]);

    let (_e, by_hash) = shard(SUITE, "2/3", &["--shard-by", "hash"], 0);
    exit(&[&first, &by_hash, &third], &[]).says(&["different plans"]);
    let (_f, other) = shard(&SUITE.replace("a blue ring", "a pink ring"), "2/3", &[], 0);
    exit(&[&first, &other, &third], &[]).says(&["different plans"]);
    let (_g, of_two) = shard(SUITE, "2/2", &[], 0);
    exit(&[&first, &of_two, &third], &[]).says(&["are shards of different plans", "of 2", "of 3", "shards"]);
    assert!(!env.path(".difftest/runs").exists(), "nothing is left of a merge that was refused");

    // Incomplete ones may be put together, and merged when the rest has come.
    exit(&[&first, &third], &["--record", "part.difftest"]).says(&["recording part.difftest", "missing"]);
    merge(&env, &[&env.path("part.difftest"), &second], &[]).exits(1);
    // A folder is looked through; the same recording in two of its places is one.
    std::fs::create_dir_all(env.path("deep/er")).unwrap();
    for (from, to) in [(&first, "deep/1.difftest"), (&first, "deep/er/1.difftest"), (&second, "deep/2.difftest")] {
        std::fs::copy(from, env.path(to)).unwrap();
    }
    std::fs::copy(&third, env.path("deep/er/3.difftest")).unwrap();
    env.run(["merge", "deep"]).exits(1);

    env.write("notes.difftest", "not a recording");
    exit(&[&env.path("notes.difftest")], &[]).says(&["is no recording"]);
    exit(&[&env.path("nothing.difftest")], &[]).says(&["cannot read"]);
    std::fs::create_dir(env.path("empty")).unwrap();
    exit(&[&env.path("empty")], &[]).says(&["has no recordings"]);
}

#[test]
fn a_plan_divides_by_the_times_of_earlier_runs() {
    let planner = TestEnv::new();
    planner.run_suite(SUITE, &[]).exits(1);
    let plugins = plugins();
    let plan = planner.run(["plan", "suite", "--plugins", &plugins, "-o", "plan.json", "--shards", "2"]).exits(0);
    plan.says(&["by time, 13 with a known time", "shard 1/2", "shard 2/2"]);
    let plan = planner.path("plan.json");
    let plan = plan.to_str().unwrap();

    // These machines know no times, and divide as the plan does.
    let shards: Vec<_> = (1..=2).map(|index| shard(SUITE, &format!("{index}/2"), &["--plan", plan], 0)).collect();
    let paths: Vec<&Path> = shards.iter().map(|(_, path)| path.as_path()).collect();
    merge(&TestEnv::new(), &paths, &[]).exits(1);

    let env = TestEnv::new();
    let changed = SUITE.replace("a blue ring", "a pink ring");
    env.run_suite(&changed, &["--shard", "1/2", "--plan", plan])
        .exits(2)
        .says(&["the text of the suite `suite` is another"]);
    env.run_suite(SUITE, &["--shard", "1/2", "--plan", plan, "--seed", "5"]).exits(2).says(&["is of something else"]);
    let text = std::fs::read_to_string(plan).unwrap();
    env.write("forged.json", text.replace("\"strategy\":\"time\"", "\"strategy\":\"hash\""));
    env.run_suite(SUITE, &["--shard", "1/2", "--plan", "forged.json"]).exits(2).says(&["changed after it was written"]);
    env.write("other.json", "{}");
    env.run_suite(SUITE, &["--shard", "1/2", "--plan", "other.json"]).exits(2).says(&["cannot read the plan"]);
}

#[test]
fn a_recording_that_cannot_be_written_is_known_before_the_run() {
    let env = TestEnv::new();
    env.write("mine.txt", "mine");
    env.run_suite(SUITE, &["--record", "mine.txt"]).exits(2).says(&["would replace a file that is no recording"]);
    assert_eq!(std::fs::read(env.path("mine.txt")).unwrap(), b"mine");
    assert!(!env.path(".difftest/runs").exists());
    env.run_suite(SUITE, &["--record", "suites"]).exits(2).says(&["is not a file"]);
}

#[test]
fn images_that_are_scored_as_a_set_stay_together() {
    let test = |name: &str, metric: &str, prompt: &str| {
        format!(
            "[[test]]\nname = \"{name}\"\nprompts = [\"a {prompt} circle\", \"a {prompt} star\"]\nmetrics = [\"{metric}\"]\n"
        )
    };
    let suite = format!(
        "model = \"builtin:shapes\"\n[defaults]\nseeds = [1, 2]\nsteps = 2\n{}{}threshold = {{ \"set-stats/diversity\" = 1.9 }}\n{}",
        test("before", "image-stats/brightness", "red"),
        test("set", "set-stats/diversity", "blue"),
        test("after", "image-stats/brightness", "green"),
    );
    let whole = TestEnv::new();
    whole.write("suites/suite.toml", &suite);
    reported(&whole, &["run", "suite", "--plugins", &plugins()]).exits(1);
    for (by, of) in [("slice", 2), ("hash", 3), ("time", 5)] {
        let shards: Vec<_> = (1..=of)
            .map(|index| {
                let env = TestEnv::new();
                let shard = format!("{index}/{of}");
                let run = env.run_suite(&suite, &["--shard", &shard, "--shard-by", by, "--record", "x.difftest"]);
                // The shard that has the set judges it.
                let has = run.stderr.contains("suite::set");
                (run.exits(i32::from(has)), env)
            })
            .collect();
        assert_eq!(shards.iter().filter(|(run, _)| run.code == 1).count(), 1, "one shard of {of} has the set");
        let paths: Vec<PathBuf> = shards.iter().map(|(_, env)| env.path("x.difftest")).collect();
        let merged = TestEnv::new();
        let paths: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        reported(&merged, &[&["merge"], &paths[..]].concat()).exits(1);
        for ((name, one), (_, other)) in reports(&whole).into_iter().zip(reports(&merged)) {
            assert!(one == other, "{name} by {by} differs");
        }
    }
}

/// A visual regression test beside a test that is split, over the same pictures.
const VISUAL: &str = "model = { images = \"../out\" }\n\
    [[test]]\nname = \"look\"\nkind = \"visual_regression\"\nbaseline_dir = \"../baselines/v\"\n\
    tiers = [\"pixel\", \"ssim\"]\nssim_threshold = 0.95\n\
    [[test]]\nname = \"light\"\nmetrics = [\"image-stats/brightness\"]\n\
    threshold = { \"image-stats/brightness\" = { min = 0.0 } }\n";

/// A folder `out/` with four pictures of squares, the first of which is so bright.
fn pictures(env: &TestEnv, level: u8) {
    let mut manifest = String::new();
    for index in 0..4_u8 {
        let level = if index == 0 { level } else { 90 + index };
        let inside = |x: u32, y: u32| (8..24).contains(&x) && (8..24).contains(&y);
        let pixel = |x, y| image::Rgb::<u8>([if inside(x, y) { level } else { 40 }; 3]);
        let path = env.write(&format!("out/{index}.png"), "");
        image::ImageBuffer::from_fn(32, 32, pixel).save(path).unwrap();
        manifest += &format!("{{\"file\": \"{index}.png\", \"prompt\": \"square {index}\", \"seed\": 1}}\n");
    }
    env.write("out/manifest.jsonl", manifest);
}

#[test]
fn images_beside_their_baseline_merge_to_the_run_of_everything() {
    let env = TestEnv::new();
    pictures(&env, 128);
    env.run_suite(VISUAL, &["--update"]).exits(0);
    let plugins = plugins();
    // As they were accepted, and changed.
    for (level, code) in [(128, 0), (250, 1)] {
        pictures(&env, level);
        reported(&env, &["run", "suite", "--plugins", &plugins]).exits(code);
        let whole = reports(&env);
        for (shard, path) in [("1/2", "1.difftest"), ("2/2", "2.difftest")] {
            env.run(["run", "suite", "--plugins", &plugins, "--shard", shard, "--record", path]);
        }
        reported(&env, &["merge", "1.difftest", "2.difftest"]).exits(code);
        for ((name, one), (_, other)) in whole.into_iter().zip(reports(&env)) {
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert!(one == other, "{name} at {level}:\n{}\n---\n{}", shown(&one), shown(&other));
        }
    }
}

#[test]
fn a_merged_run_is_the_latest_where_its_shards_ran_too() {
    let env = TestEnv::new();
    for shard in ["1/2", "2/2"] {
        // One of them has the failing test as a whole.
        env.run_suite(SUITE, &["--shard", shard, "--record", &format!("{}.difftest", &shard[..1])]);
    }
    let latest = |env: &TestEnv| -> serde_json::Value {
        serde_json::from_str(&env.run(["report", "latest", "--output", "-"]).exits(0).stdout).unwrap()
    };
    let last_shard = latest(&env);
    env.run(["merge", "1.difftest", "2.difftest"]).exits(1);
    let merged = latest(&env);
    let cases = |results: &serde_json::Value| results.pointer("/suites/0/cases").unwrap().as_array().unwrap().len();
    assert!(cases(&last_shard) < 13, "{last_shard:#}");
    assert_eq!(cases(&merged), 13, "{merged:#}");
    assert!(merged["started"].as_str() <= last_shard["started"].as_str(), "it began when its first shard did");
    // Again: another name, and the same in all that it reports.
    reported(&env, &["merge", "1.difftest", "2.difftest"]).exits(1);
    let once = reports(&env);
    reported(&env, &["merge", "2.difftest", "1.difftest"]).exits(1);
    assert_eq!(once, reports(&env));
}

#[cfg(unix)]
#[test]
fn a_shard_that_was_interrupted_is_as_good_as_missing() {
    use std::io::{BufRead as _, BufReader};
    let env = TestEnv::new();
    let seeds: Vec<String> = (0..60).map(|seed| seed.to_string()).collect();
    env.write("suites/suite.toml", SUITE.replace("seeds = [42, 7, 1]", &format!("seeds = [{}]", seeds.join(", "))));
    let command = |shard: &str| {
        let mut command = env.command();
        let record = format!("{}.difftest", &shard[..1]);
        command.args(["run", "suite", "-v", "--shard", shard, "--record", &record, "--plugins", &plugins()]);
        command
    };
    let mut child = command("1/2").stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.by_ref().filter(|line| line.contains(",seed=")).take(3).count(), 3);
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let _rest = lines.count();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(command("2/2").output().unwrap().status.success());
    env.run(["merge", "1.difftest", "2.difftest", "--junit", "m.xml"])
        .exits(2)
        .says(&["shard 1 (1.difftest) was interrupted: run it again", "--shard 1/2"]);
    let xml = std::fs::read_to_string(env.path("m.xml")).unwrap();
    assert!(xml.contains("was interrupted") && xml.contains("errors=\"1\""), "{xml}");
}

#[cfg(unix)]
#[test]
fn a_shard_that_is_killed_leaves_no_recording() {
    use std::io::{BufRead as _, BufReader};
    let env = TestEnv::new();
    let seeds: Vec<String> = (0..200).map(|seed| seed.to_string()).collect();
    env.write("suites/suite.toml", SUITE.replace("seeds = [42, 7, 1]", &format!("seeds = [{}]", seeds.join(", "))));
    let mut child = env
        .command()
        .args(["run", "suite", "-v", "--shard", "1/2", "--record", "out/shard.difftest", "--plugins", &plugins()])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    assert_eq!(stderr.lines().map_while(Result::ok).filter(|line| line.contains(",seed=")).take(3).count(), 3);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
    let left: Vec<_> = std::fs::read_dir(env.path("out")).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
