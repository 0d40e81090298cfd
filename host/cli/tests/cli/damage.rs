//! Baselines and images that are not what they should be are errors, and never a pass.

use std::path::{Path, PathBuf};

use crate::baselines::{VISUAL, env, run, suite};
use crate::env::TestEnv;

fn first(env: &TestEnv) -> PathBuf {
    env.path("baselines/v1/images/suite/look-p0-seed1.png")
}

#[test]
fn a_run_looks_at_the_files_of_its_baseline() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    suite(&env, VISUAL, &[]).exits(0);
    let path = first(&env);
    let good = std::fs::read(&path).unwrap();
    let refused = |what: &str| {
        for more in [&[][..], &["--diff"], &["--update=all"]] {
            suite(&env, VISUAL, more).exits(2).says(&[what, "look-p0-seed1.png", "baseline verify"]);
        }
        run(&env, &["baseline", "verify"]).exits(2);
    };
    std::fs::remove_file(&path).unwrap();
    refused("it is not there");
    std::fs::write(&path, "").unwrap();
    refused("empty");
    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    refused("the baseline's image of");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    refused("the baseline's image of");
    #[cfg(unix)]
    {
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(env.path("out/a.png"), &path).unwrap();
        refused("it is a link");
        std::fs::remove_file(&path).unwrap();
        pipe(&path);
        refused("not a regular file");
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::write(&path, &good).unwrap();
    suite(&env, VISUAL, &["--diff"]).exits(0);
    // a manifest that does not know the file's digest costs decoding it
    let manifest = env.path("baselines/v1/images/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("\"png\"")).collect();
    assert!(without.len() < text.lines().count());
    std::fs::write(&manifest, without.join("\n")).unwrap();
    suite(&env, VISUAL, &[]).exits(0);
    std::fs::copy(env.path("out/b.png"), &path).unwrap();
    suite(&env, VISUAL, &[]).exits(2).says(&["another image than the one that was accepted"]);
}

#[test]
fn a_baseline_without_its_manifest_is_not_begun_anew() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    let (place, manifest) = (env.path("baselines/v1/images"), env.path("baselines/v1/images/manifest.json"));
    let text = std::fs::read(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    for more in [&[][..], &["--update"], &["--update=all"]] {
        suite(&env, VISUAL, more).exits(2).says(&["manifest.json: it is gone"]);
    }
    for command in [&["baseline", "verify"][..], &["baseline", "verify", "v1"], &["baseline", "list"]] {
        run(&env, command).exits(2).says(&["manifest.json: it is gone"]);
    }
    assert!(!manifest.exists());
    std::fs::write(&manifest, &text).unwrap();
    suite(&env, VISUAL, &[]).exits(0);
    // under another name it is nobody's baseline
    std::fs::rename(&place, env.path("baselines/v1/image")).unwrap();
    for more in [&[][..], &["--update"]] {
        suite(&env, VISUAL, more).exits(2).says(&["made in images", "in the folder of image", "rename the folder"]);
    }
    assert!(!manifest.exists());
    run(&env, &["baseline", "verify"]).exits(2).says(&["in the folder of image"]);
}

#[test]
fn a_tolerance_of_everything_is_a_mistake() {
    let env = env();
    for key in [
        "ssim_threshold = 0",
        "ssim_threshold = 0.0",
        "phash_distance = 64",
        "semantic_distance = 2",
        "max_diff_ratio = 1.0",
        "pixel_tolerance = 1",
        "size = 32\nmax_diff_pixels = 1024",
    ] {
        let text = VISUAL.replace("tiers = [\"pixel\", \"ssim\"]\nssim_threshold = 0.95", key);
        let line = text.lines().position(|line| Some(line) == key.lines().last()).unwrap() + 1;
        let place = format!("suite.toml:{line}:");
        suite(&env, &text, &["--update"]).exits(2).says(&["tolerates every image", &place]);
        let defaults = format!("{}\n[defaults]\n{key}\n", VISUAL.split("\n\n").next().unwrap());
        let text =
            format!("{defaults}\n[[test]]\nname = \"look\"\nkind = \"visual_regression\"\nbaseline_dir = \"x\"\n");
        suite(&env, &text, &[]).exits(2).says(&["tolerates every image"]);
    }
    // where only the images say how large they are
    let text = VISUAL.replace("ssim_threshold = 0.95", "max_diff_pixels = 1024");
    suite(&env, &text, &["--update"]).exits(2).says(&["max_diff_pixels = 1024", "1024 pixels are compared"]);
    assert!(!env.path("baselines").exists());
    let text = text.replace("1024", "1023");
    suite(&env, &text, &["--update"]).exits(0);
    suite(&env, &format!("{text}ignore = [[0, 0, 1, 1]]\n"), &[]).exits(2).says(&["1023 pixels are compared"]);
}

#[cfg(unix)]
fn pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused() {
    let env = env();
    suite(&env, VISUAL, &["--update"]).exits(0);
    let refused = |path: &str, words: &[&str], parts: &[&str]| {
        let path = env.path(path);
        let kept = path.with_extension("kept");
        std::fs::rename(&path, &kept).unwrap();
        pipe(&path);
        run(&env, words).exits(2).says(parts);
        std::fs::rename(&kept, &path).unwrap();
    };
    let not_a_file = "not a regular file";
    let run_suite = ["run", "suite"];
    refused("out/a.png", &run_suite, &["out/a.png", not_a_file]);
    refused("out/manifest.jsonl", &run_suite, &["out/manifest.jsonl", not_a_file]);
    refused("baselines/v1/images/manifest.json", &run_suite, &["manifest.json", not_a_file]);
    refused("baselines/v1/images/audit.jsonl", &run_suite, &["audit.jsonl", not_a_file]);
    let import = ["baseline", "import", "out", "--name", "v2", "--environment", "images"];
    refused("out/b.png", &import, &["out/b.png", not_a_file]);
    // and as what pair metrics compare with
    std::fs::create_dir(env.path("was")).unwrap();
    for name in ["a.png", "b.png", "manifest.jsonl"] {
        std::fs::copy(env.path("out").join(name), env.path("was").join(name)).unwrap();
    }
    let text = "model = { images = \"../out\" }\n\n[[test]]\nname = \"pair\"\nmetrics = [\"ssim/ssim\"]\nreference = { images = \"../was\" }\n";
    suite(&env, text, &[]).exits(0);
    let plugins = crate::env::workspace().join("plugins");
    let words = ["run", "suite", "--plugins", plugins.to_str().unwrap()];
    refused("was/a.png", &words, &["was/a.png", not_a_file]);
}
