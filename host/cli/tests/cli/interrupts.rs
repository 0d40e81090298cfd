//! Ctrl-C and kill: what was finished is kept.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::env::{TestEnv, workspace};

/// Enough work that it is surely going on when the signal comes.
const SUITE: &str = "model = \"builtin:shapes\"\n\n[[test]]\nname = \"a\"\nprompts = [\"a red circle on a blue background\"]\nseeds = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40]\nsteps = 50\nmetrics = [\"image-stats/brightness\"]\n";

/// Starts a run and sends `signal` when two images are finished; answers its exit code.
#[cfg(unix)]
fn signal_in_the_middle(env: &TestEnv, signal: &str) -> Option<i32> {
    env.write("suites/suite.toml", SUITE);
    let mut child = env
        .command()
        .args(["run", "suite", "-v", "--artifacts", "run", "--output", "results.json", "--plugins"])
        .arg(workspace().join("plugins"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut finished = 0;
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut sent = false;
    for line in stderr.lines() {
        let line = line.unwrap();
        finished += usize::from(line.contains("[p0,seed="));
        if finished == 2 && !sent {
            sent = true;
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        }
    }
    assert!(sent, "the run ended before two images were finished");
    child.wait().unwrap().code()
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_and_reports_finished_cases() {
    let env = TestEnv::new();
    assert_eq!(signal_in_the_middle(&env, "-INT"), Some(130));
    let results = env.results();
    assert_eq!(results["conclusion"], "interrupted");
    assert_eq!(results["exit_code"], 130);
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let scored: Vec<_> = cases.iter().filter(|c| c.pointer("/scores/0/value").is_some_and(Value::is_number)).collect();
    assert!(scored.len() >= 2 && scored.len() < 40, "{} of 40 cases have a score", scored.len());
    for case in scored {
        image::open(case.pointer("/image/path").unwrap().as_str().unwrap()).unwrap();
    }
    assert_eq!(results.pointer("/suites/0/tests/0/verdict").unwrap(), "not-run");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_plugin_that_does_not() {
    let env = TestEnv::new();
    let mut manifest = String::new();
    for seed in 0..3 {
        image::ImageBuffer::from_pixel(20, 10, image::Rgb::<u8>([seed; 3]))
            .save(env.write("out/x", "").with_file_name(format!("{seed}.png")))
            .unwrap();
        manifest += &format!("{{\"file\": \"{seed}.png\", \"prompt\": \"grey\", \"seed\": {seed}}}\n");
    }
    env.write("out/manifest.jsonl", manifest);
    for metric in ["set-attack", "attack"] {
        env.write(
            "suites/suite.toml",
            format!(
                "model = {{ images = \"../out\" }}\n[[test]]\nname = \"a\"\n\
                 metrics = [{{ name = \"hostile/{metric}\", config = {{ attack = \"endless-loop\" }} }}]\n"
            ),
        );
        let mut child = env
            .command()
            .args(["run", "suite", "-v", "--fuel", "900000000000000", "--output", "results.json", "--plugins"])
            .arg(crate::env::component("hostile.wasm"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let began = std::time::Instant::now();
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("1 test") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
        assert!(began.elapsed().as_secs() < 30, "the backstop of a minute was not waited for");
        assert!(said.contains("stopping: what is finished is kept"), "{said}");
        assert_eq!(env.results().pointer("/suites/0/tests/0/verdict").unwrap(), "not-run");
    }
}

#[cfg(unix)]
#[test]
fn kill_leaves_whole_files() {
    let env = TestEnv::new();
    assert_eq!(signal_in_the_middle(&env, "-KILL"), None);
    let recording = std::fs::read_to_string(env.path("run/events.jsonl")).unwrap();
    let whole = recording.rsplit_once('\n').unwrap().0;
    let events: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let images: Vec<_> = events
        .iter()
        .filter(|e| e["event"] == "generated")
        .map(|e| e.pointer("/outcome/ok/path").unwrap().as_str().unwrap())
        .collect();
    assert!(images.len() >= 2);
    for path in images {
        image::open(path).unwrap();
    }
    assert!(!env.path("results.json").exists(), "no results of a run that did not end");
}

/// Twenty prompts of ten seeds each, quick to make and slow enough to be met in the middle.
#[cfg(unix)]
fn two_hundred_cases() -> String {
    let prompts: Vec<String> = ["red", "green", "blue", "yellow", "white"]
        .iter()
        .flat_map(|colour| ["circle", "square", "triangle", "cross"].map(|shape| format!("\"a {colour} {shape}\"")))
        .collect();
    format!(
        "model = \"builtin:shapes\"\n[[test]]\nname = \"a\"\nprompts = [{}]\nseeds = [1,2,3,4,5,6,7,8,9,10]\nsteps = 4\n\
         metrics = [\"image-stats/brightness\"]\n",
        prompts.join(", ")
    )
}

/// Digests of all images of a run, by case.
#[cfg(unix)]
fn images(env: &TestEnv, artifacts: &str) -> std::collections::BTreeMap<String, String> {
    let run = env
        .command()
        .args(["run", "suite", "--output", "results.json", "--artifacts", artifacts, "--plugins"])
        .arg(workspace().join("plugins"))
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let results = env.results();
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let text = |case: &Value, at: &str| case.pointer(at).unwrap().as_str().unwrap().to_owned();
    cases
        .iter()
        .map(|case| {
            let decoded = image::open(text(case, "/image/path")).unwrap().into_rgb8();
            assert_eq!(decoded.dimensions(), (64, 64));
            (text(case, "/id"), text(case, "/image/digest"))
        })
        .collect()
}

#[cfg(unix)]
#[test]
fn a_run_started_again_after_a_kill_makes_the_images_of_one_that_was_not() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", two_hundred_cases());
    let whole = images(&env, "whole");
    // As if it had been made on another machine.
    std::fs::remove_dir_all(env.path(".difftest")).unwrap();
    assert_eq!(whole.len(), 200);

    // Any moment will do; which one it was is said, should it ever matter.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let wanted = 1 + (now.subsec_nanos() as usize / 1000) % 150;
    let mut child = env
        .command()
        .args(["run", "suite", "-v", "--artifacts", "killed", "--plugins"])
        .arg(workspace().join("plugins"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let seen = stderr.lines().map_while(Result::ok).filter(|line| line.contains(",seed=")).take(wanted).count();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "killed after {wanted} cases");
    assert_eq!(seen, wanted, "the run ended by itself");

    assert_eq!(images(&env, "killed"), whole, "killed after {wanted} cases");
    // What was finished before the kill was found, and not done again.
    let results = env.results();
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let found = |case: &&Value| case["origin"] == "cached" && case.pointer("/scores/0/origin").unwrap() == "cached";
    assert!(cases.iter().filter(found).count() >= wanted, "killed after {wanted} cases, and fewer were found");
    assert!(env.run(["cache", "verify"]).exits(0).stdout.contains("0 bad"));
}

#[cfg(unix)]
#[test]
fn the_second_ctrl_c_ends_whatever_hangs() {
    let env = TestEnv::new();
    let picture = env.write("out/a.png", "");
    image::ImageBuffer::from_pixel(8, 8, image::Rgb::<u8>([9; 3])).save(picture).unwrap();
    let row = |seed: u32| format!("{{\"file\": \"a.png\", \"prompt\": \"grey\", \"seed\": {seed}}}\n");
    env.write("out/manifest.jsonl", (0..3000).map(row).collect::<String>());
    env.write(
        "suites/suite.toml",
        "model = { images = \"../out\" }\n[[test]]\nname = \"a\"\nmetrics = [\"image-stats/brightness\"]\n",
    );
    // A line for each image, which nobody reads: the pipe is full, and whoever writes to it waits.
    let mut child = env
        .command()
        .args(["run", "suite", "-v", "--plugins"])
        .arg(workspace().join("plugins"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(child.try_wait().unwrap().is_none(), "it hangs");
    for signal in ["-INT", "-TERM"] {
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let began = std::time::Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            None if began.elapsed().as_secs() < 10 => std::thread::sleep(std::time::Duration::from_millis(50)),
            ended => break ended,
        }
    };
    let _ = child.kill();
    assert_eq!(ended.map(|status| status.code()), Some(Some(130)), "the second signal is not heard");
}
