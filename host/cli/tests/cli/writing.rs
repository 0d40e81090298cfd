//! Places that cannot be written to, and disks that fill up.

use crate::env::{TestEnv, copy, finished, workspace};

const SUITE: &str = "model = \"builtin:shapes\"\n\n[[test]]\nname = \"a\"\nprompts = [\"a red circle on a blue background\"]\nseeds = [1, 2]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\n";

#[test]
fn no_write_permission() {
    // Not even root may make files in /proc.
    let env = TestEnv::new();
    env.run_suite(SUITE, &["--output", "/proc/results.json"]).exits(2).says(&["/proc"]);
    env.run_suite(SUITE, &["--artifacts", "/proc/run"]).exits(2).says(&["/proc/run", "--artifacts"]);
    assert!(!env.path(".difftest/runs").exists(), "found out before any work was done");
}

#[test]
fn output_is_a_folder() {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("results.json")).unwrap();
    env.run_suite(SUITE, &["--output", "results.json"]).exits(2).says(&["results.json is a folder"]);
}

#[test]
fn a_suite_is_never_written_over() {
    let env = TestEnv::new();
    env.run_suite(SUITE, &["--output", "suites/suite.toml"]).exits(2).says(&["would replace the suite"]);
    assert_eq!(std::fs::read_to_string(env.path("suites/suite.toml")).unwrap(), SUITE);
}

#[test]
fn output_replaces_results_and_nothing_else() {
    let env = TestEnv::new();
    let model = env.path("model");
    copy(&workspace().join("suites/models/shapes"), &model);
    let weights = "model/unet/diffusion_pytorch_model.safetensors";
    let manifest = env.write("out/manifest.jsonl", "{\"file\": \"a.png\", \"prompt\": \"grey\", \"seed\": 1}\n");
    let image = env.write("out/a.png", b"\x89PNG");
    let config = env.write("other.json", "{\"format\": 1}");
    for file in [env.path(weights), manifest, image, config] {
        let before = std::fs::read(&file).unwrap();
        let output = file.to_str().unwrap();
        env.run_suite(SUITE, &["--model", "model", "--output", output]).exits(2).says(&["--output", output]);
        assert!(std::fs::read(&file).unwrap() == before, "{output} was written over");
    }
    let within = "model/unet/results.json";
    env.run_suite(SUITE, &["--model", "model", "--output", within]).exits(2).says(&["lies in the model folder"]);
    assert!(!env.path(within).exists() && !env.path(".difftest/runs").exists(), "found out before any work was done");

    env.write("results.json", "");
    for _ in 0..2 {
        env.run_suite(SUITE, &["--output", "results.json"]).exits(0);
        assert_eq!(env.results()["conclusion"], "passed");
    }
    #[cfg(unix)]
    for device in ["/dev/null", "/dev/stdout"] {
        env.run_suite(SUITE, &["--output", device]).exits(0);
        assert!(std::path::Path::new(device).exists());
    }
}

#[test]
fn results_to_standard_output() {
    let env = TestEnv::new();
    let run = env.run_suite(SUITE, &["--output", "-"]).exits(0);
    let results: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(results["conclusion"], "passed");
    assert!(!env.path("-").exists());
}

#[test]
fn a_folder_of_artifacts_holds_one_run() {
    let env = TestEnv::new();
    env.write("mine/results.json", "mine");
    env.run_suite(SUITE, &["--artifacts", "mine"]).exits(2).says(&["mine", "not of an earlier run"]);
    assert_eq!(std::fs::read_to_string(env.path("mine/results.json")).unwrap(), "mine");
    env.run_suite(SUITE, &["--artifacts", "run"]).exits(0);
    env.run_suite(SUITE, &["--artifacts", "run", "-k", "seed=2"]).exits(0);
    assert_eq!(std::fs::read_dir(env.path("run/images/suite")).unwrap().count(), 1, "the earlier run is gone");
}

/// The limit on file size stands in for the end of the disk: writes beyond it fail in the same calls.
#[cfg(target_os = "linux")]
#[test]
fn disk_full_leaves_nothing_half_written() {
    let env = TestEnv::new();
    env.run_suite(SUITE, &["-q"]).exits(0);
    let before: Vec<_> = files(&env.path("."));
    env.write("suites/suite.toml", SUITE);
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_difftest"), "run", "suite", "--artifacts", "full", "--plugins"])
        .arg(workspace().join("plugins"))
        .current_dir(env.path("."))
        .env("NO_COLOR", "1")
        .env_remove("CI")
        .output();
    finished(output.unwrap()).exits(2).says(&["cannot write"]);
    let after = files(&env.path("."));
    let new: Vec<_> = after.iter().filter(|f| !before.contains(f)).collect();
    for file in new {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.starts_with(".difftest-"), "a temporary file stayed: {}", file.display());
        if name.ends_with(".png") {
            image::open(file).unwrap();
        }
        assert_ne!(name, "results.json", "results of a run that could not be kept");
    }
}

#[cfg(target_os = "linux")]
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
