//! What was computed before is found, only while it is true, and nothing that goes wrong with it makes a result wrong.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use difftest_core::digest::Digest;
use difftest_core::metric::Score;
use difftest_store::cache::{Cache, Made, Scored};
use serde_json::{Value, json};

use crate::env::{Finished, TestEnv, component, copy, workspace};

/// Four cases of a model of the project's own, two metrics.
const SUITE: &str = "model = \"../model\"\n\n[[test]]\nname = \"a\"\n\
    prompts = [\"a red circle on a blue background\", \"a green square on a white background\"]\nseeds = [1, 2]\nsteps = 3\n\
    metrics = [\"image-stats/brightness\", \"color-words/adherence\"]\n\
    threshold = { \"image-stats/brightness\" = { min = 0.01 } }\n";

/// A project with a copy of the small model and of two plugins, all of which a test may change.
fn project() -> TestEnv {
    let env = TestEnv::new();
    copy(&workspace().join("suites/models/shapes"), &env.path("model"));
    env.write("plugins/image-stats.wasm", std::fs::read(component("image_stats.wasm")).unwrap());
    env.write("plugins/color-words.wasm", std::fs::read(component("color_words.wasm")).unwrap());
    env.write("suites/suite.toml", SUITE);
    env
}

fn run(env: &TestEnv, more: &[&str]) -> Finished {
    env.run(["run", "suite", "--output", "results.json"].iter().chain(more))
}

/// How many cases need each amount of work, as `list` says: generate, score, judge, reuse.
fn planned(env: &TestEnv) -> [usize; 4] {
    let listed = env.run(["list", "suite", "--message-format", "json"]).exits(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let cases = listed.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    ["generate", "score", "judge", "reuse"].map(|action| cases.iter().filter(|case| case["action"] == action).count())
}

/// The inputs that `list` names as the reason, each once.
fn reasons(env: &TestEnv) -> Vec<String> {
    let listed: Value =
        serde_json::from_str(&env.run(["list", "suite", "--message-format", "json"]).exits(0).stdout).unwrap();
    let cases = listed.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let mut all: Vec<String> = cases
        .iter()
        .map(|case| case.pointer("/because/input").map_or(String::new(), |i| i.as_str().unwrap().into()))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// How many images and scores the last run made, and not found.
fn made(env: &TestEnv) -> [usize; 2] {
    let results = env.results();
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let is_made = |value: &&Value| value["origin"] == "made";
    let scores = cases.iter().flat_map(|case| case["scores"].as_array().unwrap());
    [cases.iter().filter(is_made).count(), scores.filter(is_made).count()]
}

fn blobs(env: &TestEnv, sort: &str) -> Vec<PathBuf> {
    let files = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let Ok(shards) = std::fs::read_dir(env.path(".difftest/cache").join(sort)) else { return Vec::new() };
    let mut all: Vec<PathBuf> = shards.flat_map(|shard| files(shard.unwrap().path())).collect();
    all.sort();
    all
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn the_four_amounts_of_work() {
    let env = project();
    assert_eq!(planned(&env), [4, 0, 0, 0]);
    run(&env, &[]).exits(0);
    assert_eq!(made(&env), [4, 8]);

    // Nothing changed: all of it is found, and nothing is told again.
    assert_eq!(planned(&env), [0, 0, 0, 4]);
    let again = run(&env, &["--diff"])
        .exits(0)
        .says(&["4 cases: 0 generate, 0 score, 0 judge, 4 reuse", "4 cases proven before"]);
    assert!(!again.stderr.contains("PASS"), "{}", again.stderr);
    assert_eq!(made(&env), [0, 0]);

    // A threshold: judged again.
    edit(&env.path("suites/suite.toml"), "min = 0.01", "min = 0.02");
    assert_eq!(planned(&env), [0, 0, 4, 0]);
    assert_eq!(reasons(&env), ["gate/0"]);
    run(&env, &["--diff"]).exits(0).says(&["0 generate, 0 score, 4 judge, 0 reuse", "PASS"]);
    assert_eq!(made(&env), [0, 0]);

    // A plugin: its scores, and no other.
    let plugin = env.path("plugins/color-words.wasm");
    let custom_section = [0, 5, 4, b't', b'e', b's', b't'];
    std::fs::write(&plugin, [&std::fs::read(&plugin).unwrap()[..], &custom_section].concat()).unwrap();
    assert_eq!(planned(&env), [0, 4, 0, 0]);
    assert_eq!(reasons(&env), ["metric/color-words/adherence/source"]);
    run(&env, &["--diff"]).exits(0).says(&["0 generate, 4 score, 0 judge, 0 reuse"]);
    assert_eq!(made(&env), [0, 4]);

    // A prompt: the images of it; the verdict is over all.
    edit(&env.path("suites/suite.toml"), "a green square", "a green ring");
    assert_eq!(planned(&env), [2, 0, 0, 2]);
    run(&env, &["--diff"]).exits(0).says(&["2 generate, 0 score, 0 judge, 2 reuse"]);
    assert_eq!(made(&env), [2, 4]);

    // The VAE: every image, from the latents that are there.
    let latents = blobs(&env, "latents");
    assert_eq!(latents.len(), 6);
    let config = env.path("model/vae/config.json");
    let mut vae: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    vae["scaling_factor"] = json!(vae["scaling_factor"].as_f64().unwrap() * 0.8);
    std::fs::write(&config, vae.to_string()).unwrap();
    assert_eq!(planned(&env), [4, 0, 0, 0]);
    assert_eq!(reasons(&env), ["model/vae/config.json"]);
    let before = env.results();
    run(&env, &["--diff"]).says(&["4 generate, 0 score, 0 judge, 0 reuse"]);
    assert_eq!(made(&env), [4, 8]);
    assert_eq!(blobs(&env, "latents"), latents, "nothing was denoised again");
    let digest = |results: &Value| results.pointer("/suites/0/cases/0/image/digest").unwrap().clone();
    let decoded = digest(&env.results());
    assert_ne!(decoded, digest(&before), "another decoder makes other pixels");
    // The same as without anything that was kept.
    run(&env, &["--no-cache"]);
    assert_eq!(digest(&env.results()), decoded);
}

#[test]
fn what_failed_stays_until_it_passes() {
    let env = project();
    run(&env, &[]).exits(0);
    edit(&env.path("suites/suite.toml"), "min = 0.01", "min = 0.99");
    for _ in 0..3 {
        run(&env, &["--diff"]).exits(1).says(&["FAIL", "4 judge"]);
        assert_eq!(made(&env), [0, 0]);
    }
    assert_eq!(reasons(&env), ["verdict"]);
    edit(&env.path("suites/suite.toml"), "min = 0.99", "min = 0.01");
    run(&env, &["--diff"]).exits(0).says(&["PASS"]);
    run(&env, &["--diff"]).exits(0).says(&["4 reuse"]);
}

#[test]
fn what_could_not_be_computed_is_tried_again() {
    let env = project();
    env.write("plugins/hostile.wasm", std::fs::read(component("hostile.wasm")).unwrap());
    let attack = "metrics = [{ name = \"hostile/attack\", config = { attack = \"panic\" } }, ";
    edit(&env.path("suites/suite.toml"), "metrics = [", attack);
    run(&env, &[]).exits(2);
    assert_eq!(planned(&env), [0, 4, 0, 0]);
    assert_eq!(reasons(&env), ["score/hostile/attack"]);
    run(&env, &["--diff"]).exits(2).says(&["4 score"]);
    assert_eq!(made(&env), [0, 4], "errors are never kept, scores are");
}

#[test]
fn images_that_are_gone_cut_short_or_changed_are_made_again() {
    let env = project();
    run(&env, &[]).exits(0);
    let first = env.results();
    let images = blobs(&env, "images");
    assert_eq!(images.len(), 4);
    let writable = |path: &Path| {
        // A run's folder has the same file under another name.
        let bytes = std::fs::read(path).unwrap();
        std::fs::remove_file(path).unwrap();
        bytes
    };
    writable(&images[0]);
    let cut = writable(&images[1]);
    std::fs::write(&images[1], &cut[..cut.len() / 2]).unwrap();
    assert_eq!(planned(&env), [2, 0, 0, 2]);
    assert_eq!(reasons(&env), ["", "image"]);
    run(&env, &["--diff"]).exits(0);
    assert_eq!(made(&env), [2, 0], "the same pixels have the same scores");

    // A changed one has its length and its times: it is found out when it is read.
    let mut changed = writable(&images[2]);
    let middle = changed.len() / 2;
    changed[middle] ^= 0x55;
    std::fs::write(&images[2], &changed).unwrap();
    let verify = env.run(["cache", "verify"]).exits(2);
    assert!(verify.stdout.contains(images[2].file_name().unwrap().to_str().unwrap()), "{}", verify.stdout);
    run(&env, &["--force=score"]).exits(0);
    assert_eq!(made(&env), [1, 8]);
    env.run(["cache", "verify"]).exits(0);
    let digests = |results: &Value| -> Vec<Value> {
        results
            .pointer("/suites/0/cases")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["image"]["digest"].clone())
            .collect()
    };
    assert_eq!(digests(&env.results()), digests(&first));
}

#[test]
fn a_forced_run_tells_where_the_same_inputs_gave_something_else() {
    let env = project();
    run(&env, &[]).exits(0);
    let quiet = run(&env, &["--force"]).exits(0);
    assert_eq!(made(&env), [4, 8]);
    assert!(!quiet.stderr.contains("gave another"), "{}", quiet.stderr);
    // What another day could have made of the same inputs.
    let cache = Cache::open(&env.path(".difftest")).unwrap();
    let (images, scores) = cache.look(|look| {
        let images = look.all_generations().into_iter().map(|key| (key, look.generation(&key).unwrap()));
        let scores = look.all_scores().into_iter().map(|key| (key, look.score(&key).unwrap()));
        (images.collect::<Vec<_>>(), scores.collect::<Vec<_>>())
    });
    for (key, made) in images {
        cache.keep_generation(&key, &Made { image: Digest::of(b"another"), ..made });
    }
    for (key, Scored { score, seconds, run }) in scores {
        cache.keep_score(&key, &Scored { score: Score { value: 0.125, ..score }, seconds, run });
    }
    drop(cache);
    let told = run(&env, &["--force"]).exits(0).says(&["the same inputs gave another image", "suite::a[p0,seed=1]"]);
    assert_eq!(told.stderr.matches("gave another image:").count(), 4, "{}", told.stderr);
    run(&env, &["--diff"]).exits(0);
}

/// One grey image with a manifest.
fn grey(env: &TestEnv, folder: &str, level: u8) {
    let path = env.write(&format!("{folder}/0.png"), "");
    image::ImageBuffer::from_fn(32, 32, |x, y| image::Rgb([level ^ (x * y) as u8, level, level])).save(path).unwrap();
    env.write(&format!("{folder}/manifest.jsonl"), "{\"file\": \"0.png\", \"prompt\": \"grey\"}\n");
}

#[test]
fn every_declared_file_counts_and_its_time_does_not() {
    let env = TestEnv::new();
    grey(&env, "new", 90);
    grey(&env, "was", 90);
    env.write("plugins/ssim.wasm", std::fs::read(component("ssim.wasm")).unwrap());
    env.write("plugins/image-stats.wasm", std::fs::read(component("image_stats.wasm")).unwrap());
    env.write(
        "suites/suite.toml",
        "model = { images = \"../new\" }\n[[test]]\nname = \"a\"\nreference = \"../was\"\n\
         metrics = [\"ssim/ssim\", \"image-stats/brightness\"]\nthreshold = { \"ssim/ssim\" = 0.5 }\n",
    );
    run(&env, &[]).exits(0);
    run(&env, &["--diff"]).exits(0);
    assert_eq!(made(&env), [0, 0]);

    // Other bytes of the same length with the time of the old ones.
    for (folder, expected, why) in [("was", [0, 1, 0, 0], "reference"), ("new", [1, 0, 0, 0], "image/digest")] {
        let path = env.path(format!("{folder}/0.png"));
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        grey(&env, folder, 91);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(planned(&env), expected, "{folder}");
        assert_eq!(reasons(&env), [why]);
        run(&env, &["--diff"]).exits(0);
        assert_eq!(planned(&env), [0, 0, 0, 1]);
    }
    // Another time of the same bytes.
    let file = std::fs::File::options().write(true).open(env.path("new/0.png")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(planned(&env), [0, 0, 0, 1]);

    // Gone and not readable are changes too, and errors.
    std::fs::remove_file(env.path("new/0.png")).unwrap();
    assert_eq!(planned(&env), [1, 0, 0, 0]);
    run(&env, &["--diff"]).exits(2).says(&["0.png"]);
    grey(&env, "new", 91);
    std::fs::write(env.path("was/0.png"), "no picture").unwrap();
    run(&env, &["--diff"]).exits(2);
    std::fs::write(env.path("was/manifest.jsonl"), "{").unwrap();
    run(&env, &["--diff"]).exits(2);
}

#[test]
fn a_narrower_run_leaves_the_rest_known() {
    let env = project();
    run(&env, &[]).exits(0);
    run(&env, &["-k", "p0", "--diff"]).exits(0);
    assert_eq!(made(&env), [0, 0]);
    run(&env, &["--diff"]).exits(0);
    assert_eq!(made(&env), [0, 0]);
}

#[test]
fn a_cache_that_cannot_be_used_costs_time_only() {
    let env = project();
    // In the way.
    env.write(".difftest/cache", "a file");
    let told = run(&env, &[]).exits(0).says(&["nothing more is kept for later runs"]);
    assert_eq!(told.stderr.matches("nothing more is kept").count(), 1, "{}", told.stderr);
    std::fs::remove_file(env.path(".difftest/cache")).unwrap();
    run(&env, &[]).exits(0);
    assert_eq!(made(&env), [4, 8]);

    // Broken: set aside, never deleted.
    let index = env.path(".difftest/cache/index.db");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(env.path(format!(".difftest/cache/index.db{end}")));
    }
    std::fs::write(&index, "no database, and long enough to be looked at as if it were one, or so it seems").unwrap();
    assert_eq!(planned(&env), [4, 0, 0, 0]);
    run(&env, &[]).exits(0).says(&["is broken", "index.broken-1.db"]);
    assert!(env.path(".difftest/cache/index.broken-1.db").exists());
    run(&env, &[]).exits(0);
    assert_eq!(made(&env), [0, 0]);

    // Of a later difftest: refused, and left as it is.
    let connection = rusqlite::Connection::open(&index).unwrap();
    connection.execute_batch("PRAGMA user_version = 7").unwrap();
    drop(connection);
    run(&env, &[]).exits(2).says(&["has format 7", "--no-cache"]);
    env.run(["list", "suite"]).exits(2).says(&["has format 7"]);
    run(&env, &["--no-cache"]).exits(0);
    let connection = rusqlite::Connection::open(&index).unwrap();
    connection.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(connection);

    // A clock that went back since: times decide nothing.
    let connection = rusqlite::Connection::open(&index).unwrap();
    for table in ["generation", "score", "judged"] {
        connection.execute(&format!("UPDATE {table} SET used = 99999999999"), []).unwrap();
    }
    drop(connection);
    run(&env, &["--diff"]).exits(0);
    assert_eq!(made(&env), [0, 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_time_only() {
    let env = TestEnv::new();
    env.write(
        "suites/suite.toml",
        "model = \"builtin:shapes\"\n[[test]]\nname = \"a\"\nprompts = [\"a red circle\"]\nseeds = [1, 2]\nsteps = 3\n\
         metrics = [\"clip_score\"]\n",
    );
    // The limit on file size stands in for the disk's end: the index grows beyond it, images and results do not.
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 96; trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_difftest")])
        .args(["run", "suite", "--output", "results.json"])
        .current_dir(env.path(""))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let limited = crate::env::finished(limited).exits(0);
    assert_eq!(limited.stderr.matches("nothing more is kept for later runs").count(), 1, "{}", limited.stderr);
    let limited = env.results();
    run(&env, &["--no-cache"]).exits(0);
    for at in ["/suites/0/cases/0/image/digest", "/suites/0/cases/0/scores/0/value", "/suites/0/cases/1/scores/0/value"]
    {
        assert_eq!(env.results().pointer(at), limited.pointer(at), "{at}");
    }
}

#[test]
fn two_runs_at_once_share_what_they_make() {
    let env = project();
    let start = |output: &str| {
        let mut command = env.command();
        command.args(["run", "suite", "--output", output]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let both = [start("one.json"), start("two.json")];
    for child in both {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(!text.contains("warning"), "{text}");
    }
    run(&env, &["--diff"]).exits(0);
    assert_eq!(made(&env), [0, 0]);
    assert_eq!(blobs(&env, "images").len(), 4);
}

#[test]
fn explain_tells_the_whole_story() {
    let env = project();
    run(&env, &[]).exits(0);
    edit(&env.path("suites/suite.toml"), "steps = 3", "steps = 4");
    let story = env.run(["explain", "p1,seed=2"]).exits(0).stdout;
    for part in [
        "suite::a[p1,seed=2]",
        "generate: settings/steps was 3 and is 4",
        "was 3",
        "last judged  pass",
        "image-stats/brightness = not known",
        "gates",
    ] {
        assert!(story.contains(part), "no {part:?} in\n{story}");
    }
    let story = env.run(["explain", "suite::a[p1,seed=2]", "--message-format", "json"]).exits(0).stdout;
    let story: Value = serde_json::from_str(&story).unwrap();
    assert_eq!(story["because"], json!({ "input": "settings/steps", "was": "3", "is": "4" }));
    assert_eq!(story["earlier"]["settings/steps"], "3");
    env.run(["explain", "p1"]).exits(2).says(&["is in the ids of 2 cases"]);
    env.run(["explain", "nothing"]).exits(2).says(&["no case has the id"]);
}

#[test]
fn the_cache_is_looked_at_and_limited() {
    let env = project();
    assert!(env.run(["cache", "info"]).exits(0).stdout.contains("nothing yet"));
    run(&env, &[]).exits(0);
    run(&env, &[]).exits(0);
    let info: Value =
        serde_json::from_str(&env.run(["cache", "info", "--message-format", "json"]).exits(0).stdout).unwrap();
    assert_eq!(info["images"][0], 4);
    assert_eq!(info["scores"], 8);
    env.run(["cache", "gc"]).exits(2);
    env.run(["cache", "gc", "--max-size", "1 apple"]).exits(2).says(&["expected a size"]);
    let pretended = env.run(["cache", "gc", "--max-size", "0", "--keep-runs", "1", "--dry-run"]).exits(0).stdout;
    // an image and its latents for each case, and the embeddings of two prompts and of no negative prompt
    assert!(pretended.contains("would be deleted: 11 files") && pretended.contains("1 run"), "{pretended}");
    assert_eq!(blobs(&env, "images").len(), 4);
    env.run(["cache", "gc", "--max-size", "0", "--keep-runs", "1"]).exits(0);
    assert_eq!(blobs(&env, "images").len(), 0);
    assert_eq!(std::fs::read_dir(env.path(".difftest/runs")).unwrap().count(), 1);
    run(&env, &["--diff"]).exits(0);
    assert_eq!(made(&env), [4, 0], "images are made again, and their scores are known");
}
