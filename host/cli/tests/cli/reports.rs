//! The files that say how a run went, during it and after it, and what GitHub shows.

use image::{ImageBuffer, Rgb};
use serde_json::Value;

use crate::env::{Finished, TestEnv, finished, workspace};

const SUITE: &str = r#"model = { images = "../out" }

[[test]]
name = "light"
metrics = ["image-stats/brightness"]
threshold = { "image-stats/brightness" = { min = 0.7, of = "min" } }

[[test]]
name = "dark"
metrics = ["image-stats/brightness"]
threshold = { "image-stats/brightness" = { min = 0.1 } }
"#;

/// A folder `out/` with two grey pictures and a manifest, and a suite whose first test fails.
fn project() -> TestEnv {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("out")).unwrap();
    for (name, grey) in [("a.png", 128), ("b.png", 255)] {
        ImageBuffer::from_pixel(20, 10, Rgb::<u8>([grey; 3])).save(env.path("out").join(name)).unwrap();
    }
    env.write(
        "out/manifest.jsonl",
        "{\"file\": \"a.png\", \"prompt\": \"grey, 50%\", \"seed\": 1}\n{\"file\": \"b.png\", \"prompt\": \"white\", \"seed\": 2}\n",
    );
    env.write("suites/suite.toml", SUITE);
    env
}

fn run(env: &TestEnv, command: &str, more: &[&str], variables: &[(&str, &str)]) -> Finished {
    let plugins = workspace().join("plugins");
    let mut run = env.command();
    run.args([command, "suite", "--plugins"]).arg(plugins).args(more);
    for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"] {
        run.env_remove(name);
    }
    finished(run.envs(variables.iter().copied()).output().unwrap())
}

fn read(env: &TestEnv, name: &str) -> String {
    std::fs::read_to_string(env.path(name)).unwrap()
}

#[test]
fn a_run_that_is_over_gives_the_reports_that_it_gave() {
    let env = project();
    let during = ["--output", "a.json", "--junit", "a.xml", "--markdown", "a.md", "--jsonl", "a.jsonl"];
    run(&env, "run", &during, &[]).exits(1);
    let after = ["report", "--output", "b.json", "--junit", "b.xml", "--markdown", "b.md", "--jsonl", "b.jsonl"];
    env.run(after).exits(0);
    for kind in ["json", "xml", "md", "jsonl"] {
        assert_eq!(read(&env, &format!("a.{kind}")), read(&env, &format!("b.{kind}")), "{kind}");
    }
    let xml = read(&env, "a.xml");
    for part in
        ["classname=\"difftest.suite\"", "name=\"light\"", "type=\"gate\"", "suites/suite.toml:4", "[[ATTACHMENT|"]
    {
        assert!(xml.contains(part), "{part} is not in\n{xml}");
    }
    let text = read(&env, "a.md");
    assert!(text.starts_with("<!-- difftest:suite -->\n### difftest failed"), "{text}");
    assert!(text.contains("failed: `suite::light`") && text.contains("`grey, 50%`"), "{text}");
    let events: Vec<Value> = read(&env, "a.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "run-started");
    assert_eq!(events.last().unwrap()["event"], "run-finished");

    // Told again, and with its exit code.
    env.run(["report", "latest", "--exit-code"]).exits(1).says(&["FAIL", "suite::light", "0.502 < 0.700"]);
    env.run(["report", "no-such-run"]).exits(2).says(&["no-such-run"]);
    let events = env.run(["report", "--jsonl", "-"]).exits(0);
    assert_eq!(events.stdout, read(&env, "a.jsonl"));
}

#[test]
fn github_gets_annotations_and_a_summary() {
    let env = project();
    env.write("summary.md", "before\n");
    let summary = env.path("summary.md");
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    let told = run(&env, "ci", &["--no-locked", "--output", "-"], &variables).exits(1);
    let annotation =
        "::error file=suites/suite.toml,line=4,title=suite%3A%3Alight failed::image-stats/brightness min 0.502 < 0.700";
    assert!(told.stderr.contains(annotation), "{}", told.stderr);
    serde_json::from_str::<Value>(&told.stdout).expect("data alone on stdout");
    let text = read(&env, "summary.md");
    assert!(text.starts_with("before\n### difftest failed"), "{text}");
    // Nobody else is spoken to so.
    let quiet = run(&env, "run", &[], &[]).exits(1);
    assert!(!quiet.stderr.contains("::error"), "{}", quiet.stderr);
    // A summary without room stays below the size at which all of it is dropped.
    env.write("summary.md", "x".repeat(899_990));
    run(&env, "run", &[], &variables).exits(1);
    assert!(read(&env, "summary.md").len() <= 900_000);
}

#[test]
fn ci_keeps_to_the_lock_and_does_not_watch() {
    let env = project();
    run(&env, "ci", &[], &[]).exits(2).says(&["difftest.lock"]);
    run(&env, "ci", &["--watch"], &[]).exits(2).says(&["--watch never ends"]);
    run(&env, "ci", &["--no-locked", "--junit", "report.xml"], &[]).exits(1);
    assert!(read(&env, "report.xml").contains("<testsuites name=\"difftest\""));
}

#[test]
fn a_report_takes_nothing_away() {
    let env = project();
    run(&env, "run", &["--junit", "suites/suite.toml"], &[]).exits(2).says(&["--junit", "would replace the suite"]);
    run(&env, "run", &["--junit", "out"], &[]).exits(2).says(&["--junit out is a folder"]);
    run(&env, "run", &["--junit", "a", "--markdown", "a"], &[]).exits(2).says(&["two reports"]);
    run(&env, "run", &["--output", "-", "--jsonl", "-"], &[]).exits(2).says(&["both want standard output"]);
    assert!(!env.path(".difftest/runs").exists(), "found out before any work was done");
    assert_eq!(read(&env, "suites/suite.toml"), SUITE);
}

/// The script of a step of the GitHub action, run as the runner would: with the inputs as variables, in the project's folder.
#[cfg(unix)]
#[test]
fn the_action_runs_and_hands_on_the_exit_code() {
    let action = std::fs::read_to_string(workspace().join(".github/actions/difftest/action.yml")).unwrap();
    let step = action.split("    - name: ").find(|step| step.starts_with("difftest\n")).unwrap();
    let script = step.split_once("      run: |\n").unwrap().1;
    let script: String =
        script.lines().map(|line| format!("{}\n", line.strip_prefix("        ").unwrap_or(line))).collect();
    let env = project();
    env.write("script.sh", script);
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_difftest")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let plugins = workspace().join("plugins");
    let arguments = format!("--no-locked\n--plugins\n{}", plugins.display());
    let mut bash = std::process::Command::new("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "script.sh"]).current_dir(env.path(""));
    for (name, value) in [("COMMAND", "run"), ("SUITES", "suite"), ("SHARD", ""), ("EXPECT", ""), ("RECORDINGS", "")] {
        bash.env(name, value);
    }
    bash.env("ARGS", arguments)
        .env("PATH", path)
        .env("GITHUB_OUTPUT", env.path("output"))
        .env("RUNNER_TEMP", env.path(""));
    bash.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
    finished(bash.output().unwrap()).exits(0);
    let output = read(&env, "output");
    assert!(output.starts_with("exit-code=1\nverdict=failed\nreports="), "{output}");
    for report in ["results.json", "report.xml", "report.md", "report.html", "run.difftest"] {
        assert!(env.path("difftest-reports").join(report).is_file(), "{report}");
    }
}

const ALL: [&str; 10] =
    ["--output", "r.json", "--junit", "r.xml", "--markdown", "r.md", "--html", "r.html", "--jsonl", "r.jsonl"];

/// That every report of `ALL` says `what`, and that nothing in it is green.
fn all_say(env: &TestEnv, what: &str) {
    for name in ["r.json", "r.xml", "r.md", "r.html", "r.jsonl"] {
        assert!(read(env, name).contains(what), "{name} does not say {what:?}:\n{}", read(env, name));
    }
    let xml = read(env, "r.xml");
    assert!(xml.contains("<error ") && xml.contains("errors=\"1\"") && !xml.contains("name=\"dark\""), "{xml}");
    let results: Value = serde_json::from_str(&read(env, "r.json")).unwrap();
    assert_eq!((&results["conclusion"], &results["exit_code"]), (&"error".into(), &2.into()), "{results:#}");
    assert!(read(env, "r.md").contains("ended with errors"), "{}", read(env, "r.md"));
}

#[test]
fn no_report_of_an_earlier_run_survives_a_run_that_does_not_begin() {
    let env = project();
    let green = SUITE.replace("min = 0.7", "min = 0.2");
    env.write("suites/suite.toml", &green);
    run(&env, "run", &ALL, &[]).exits(0);
    assert!(read(&env, "r.xml").contains("errors=\"0\""));

    env.write("suites/suite.toml", green.replace("threshold", "treshold"));
    run(&env, "run", &ALL, &[]).exits(2);
    // The stream of events has no markup, and the others escape the quotes and brackets around it.
    all_say(&env, "suites/suite.toml:6: unknown key");
    assert!(read(&env, "r.xml").contains("classname=\"difftest.suite\""), "{}", read(&env, "r.xml"));
    let told = run(&env, "run", &["--output", "-"], &[("GITHUB_ACTIONS", "true")]).exits(2);
    assert!(told.stderr.contains("::error file=suites/suite.toml,"), "{}", told.stderr);
    let results: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(results.pointer("/suites/0/name").unwrap(), "suite");

    // An error that is of no suite.
    env.write("suites/suite.toml", &green);
    run(&env, "run", &ALL, &[]).exits(0);
    run(&env, "run", &[&ALL[..8], &["-k", "nothing-is-called-so"]].concat(), &[]).exits(2);
    for name in ["r.json", "r.xml", "r.md", "r.html"] {
        assert!(read(&env, name).contains("matches no case"), "{name}:\n{}", read(&env, name));
    }
    // Nor one of a merge or a report that cannot be had.
    for command in [["merge", "nothing.difftest"], ["report", "no-such-run"]] {
        run(&env, "run", &ALL, &[]).exits(0);
        env.run([&command[..], &["--junit", "r.xml"]].concat()).exits(2);
        assert!(read(&env, "r.xml").contains("<error "), "{}", read(&env, "r.xml"));
    }
}

#[test]
fn what_is_no_report_is_left_alone_by_an_error() {
    let env = project();
    env.write("suites/suite.toml", "not a suite");
    env.write("notes.md", "mine");
    run(&env, "run", &["--junit", "suites/suite.toml", "--markdown", "notes.md"], &[]).exits(2);
    assert_eq!(read(&env, "suites/suite.toml"), "not a suite");
    assert_eq!(read(&env, "notes.md"), "mine");
    run(&env, "run", &["--junit", "a", "--markdown", "a"], &[]).exits(2);
}

#[test]
fn a_run_that_was_killed_is_no_green_report() {
    let env = project();
    env.write("suites/suite.toml", SUITE.replace("min = 0.7", "min = 0.2"));
    run(&env, "run", &["--artifacts", "kept"], &[]).exits(0);
    let whole = read(&env, "kept/events.jsonl");
    let lines: Vec<&str> = whole.lines().collect();
    // Killed after its beginning, in the middle, and when all but the end was there.
    for there in [1, 2, lines.len() - 1] {
        env.write("kept/events.jsonl", lines[..there].iter().map(|line| format!("{line}\n")).collect::<String>());
        let files = ["--junit", "k.xml", "--markdown", "k.md", "--html", "k.html"];
        env.run([&["report", "kept"], &files[..]].concat()).exits(0);
        let xml = read(&env, "k.xml");
        assert!(xml.contains("the run did not end") && xml.contains("errors=\"1\""), "{there} events:\n{xml}");
        for name in ["k.md", "k.html"] {
            assert!(read(&env, name).contains("the run did not end"), "{there} events, {name}");
        }
    }
    // Killed before anything: there is nothing to report, and the report of before is not left as if it were.
    env.write("kept/events.jsonl", "");
    env.run(["report", "kept", "--junit", "k.xml"]).exits(2);
    assert!(read(&env, "k.xml").contains("does not begin as a recording"), "{}", read(&env, "k.xml"));
}

/// The page on what results record names everything that they do.
#[test]
fn the_page_on_the_record_names_every_key() {
    let env = TestEnv::new();
    env.write(
        "suite.toml",
        "model = \"builtin:shapes\"\n[models]\nclip = \"builtin:shapes-clip\"\n[defaults]\nsteps = 1\nclip_skip = 1\n\
         negative_prompt = \"blue\"\nmetrics = [\"clip_score\"]\n[[test]]\nname = \"a\"\nprompts = [\"a red circle\"]\nseeds = [1]\n",
    );
    env.run(["run", "suite.toml", "--output", "results.json"]).exits(0);
    let results = env.results();
    let page = std::fs::read_to_string(workspace().join("host/diffusion/RECORD.md")).unwrap();
    for (pointer, least) in [
        ("/suites/0/generator", 4),
        ("/suites/0/generator/environment", 14),
        ("/suites/0/tests/0/generation", 9),
        ("/suites/0/cases/0/image/attributes", 8),
    ] {
        let found = results.pointer(pointer).unwrap().as_object().unwrap();
        assert!(found.len() >= least, "{pointer}: {found:?}");
        for key in found.keys() {
            assert!(page.contains(&format!("`{key}`")), "{pointer}: the page does not name {key}");
        }
    }
}
