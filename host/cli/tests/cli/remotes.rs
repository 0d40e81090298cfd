//! Projects that share evidence through a folder, and through a server that speaks S3.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::env::{Finished, TestEnv, finished};
use server::{Server, Who};

#[path = "../../../s3-loopback/tests/remotes/server.rs"]
#[allow(dead_code)]
mod server;

/// Names the server program; where it is set, the program has to be there.
const VARIABLE: &str = "DIFFTEST_S3_LOOPBACK";

/// A place that projects share.
enum Place {
    Folder(tempfile::TempDir),
    S3(Server),
}

impl Place {
    fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    /// The server, which lies beside the program where all of the workspace is built.
    fn s3() -> Option<Self> {
        let named = std::env::var_os(VARIABLE).map(PathBuf::from);
        let beside = Path::new(env!("CARGO_BIN_EXE_difftest")).with_file_name("difftest-s3-loopback");
        let program = named.unwrap_or(beside.with_extension(std::env::consts::EXE_EXTENSION));
        if !program.is_file() {
            let reason = "skipped: there is no difftest-s3-loopback; `cargo build -p difftest-s3-loopback` makes it\n";
            std::io::stdout().write_all(reason.as_bytes()).unwrap();
            return None;
        }
        Some(Self::S3(Server::start(&program)))
    }

    /// Every kind that there is on this machine.
    fn all() -> Vec<Self> {
        std::iter::once(Self::folder()).chain(Self::s3()).collect()
    }

    fn url(&self) -> String {
        match self {
            Self::Folder(folder) => format!("file://{}", folder.path().display()),
            Self::S3(_) => "s3://bucket/project".into(),
        }
    }

    /// Where an object lies.
    fn object(&self, key: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.path().join(key),
            Self::S3(server) => server.object(&format!("project/{key}")),
        }
    }

    fn run(&self, env: &TestEnv, who: Who, arguments: &[&str]) -> Finished {
        let mut command = env.command();
        command.args(arguments).env("DIFFTEST_REMOTE", self.url()).env("NO_PROXY", "*").env("USER", "ann");
        if let Self::S3(server) = self {
            command.envs(server.environment(who));
        }
        finished(command.output().unwrap())
    }
}

/// A project with a baseline of one environment.
fn with_baseline() -> TestEnv {
    let env = TestEnv::new();
    env.write("baselines/v1/cpu-f32/manifest.json", "{\"format\": 1}");
    env.write("baselines/v1/cpu-f32/audit.jsonl", "{\"decision\":\"accept\",\"case\":\"a\"}\n");
    env.write("baselines/v1/cpu-f32/suite/a red circle-seed42.png", vec![7; 100_000]);
    env
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push((path.clone(), std::fs::read(path).unwrap())) }
        }
    }
    found.sort();
    found
}

fn relative(env: &TestEnv) -> Vec<(PathBuf, Vec<u8>)> {
    let root = env.path("baselines");
    tree(&root).into_iter().map(|(path, bytes)| (path.strip_prefix(&root).unwrap().to_owned(), bytes)).collect()
}

#[test]
fn a_baseline_goes_from_one_project_to_another_and_nothing_is_overwritten() {
    for place in Place::all() {
        let (ann, ben) = (with_baseline(), TestEnv::new());
        let push = place.run(&ann, Who::Writer, &["push", "--baseline", "v1"]).exits(0);
        assert!(
            push.stdout.contains("pushed baseline v1 (cpu-f32): 3 files") && push.stdout.contains("number 1"),
            "{}",
            push.stdout
        );
        let again = place.run(&ann, Who::Writer, &["push", "--baseline", "v1"]).exits(0);
        assert!(again.stdout.contains("already there"), "{}", again.stdout);
        // reading takes no right to write
        let pull = place.run(&ben, Who::Reader, &["pull", "--baseline", "v1"]).exits(0);
        assert!(
            pull.stdout.contains("pulled baseline v1 (cpu-f32)") && pull.stdout.contains("by ann"),
            "{}",
            pull.stdout
        );
        assert_eq!(relative(&ben), relative(&ann));
        place.run(&ben, Who::Reader, &["pull", "--baseline", "v1"]).exits(0);

        // both decide something
        let audit = |env: &TestEnv, case: &str| {
            let path = env.path("baselines/v1/cpu-f32/audit.jsonl");
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            writeln!(file, "{{\"decision\":\"accept\",\"case\":\"{case}\"}}").unwrap();
        };
        audit(&ben, "b");
        audit(&ann, "c");
        place.run(&ben, Who::Writer, &["push", "--baseline", "v1"]).exits(0);
        let before = relative(&ann);
        place.run(&ann, Who::Writer, &["push", "--baseline", "v1"]).exits(2).says(&["has changed since", "pull"]);
        place.run(&ann, Who::Writer, &["pull", "--baseline", "v1"]).exits(2).says(&["decisions"]);
        assert_eq!(relative(&ann), before);
    }
}

/// Environments are never mixed: each is a lane of its own, and pushing one leaves the others alone.
#[test]
fn environments_of_a_baseline_are_kept_apart() {
    for place in Place::all() {
        let (ann, ben) = (with_baseline(), TestEnv::new());
        ben.write("baselines/v1/cuda-f16/manifest.json", "{\"format\": 1}");
        ben.write("baselines/v1/cuda-f16/suite/a red circle-seed42.png", "of another device");
        place.run(&ann, Who::Writer, &["push", "--baseline", "v1"]).exits(0);
        place.run(&ben, Who::Writer, &["push", "--baseline", "v1"]).exits(0);
        let both = TestEnv::new();
        let pulled = place.run(&both, Who::Reader, &["pull", "--baseline", "v1"]).exits(0);
        assert!(pulled.stdout.contains("(cpu-f32)") && pulled.stdout.contains("(cuda-f16)"), "{}", pulled.stdout);
        let mut expected = [relative(&ann), relative(&ben)].concat();
        expected.sort();
        let mut found = relative(&both);
        found.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_not_there_and_what_cannot_be_reached_is_an_error() {
    for place in Place::all() {
        let env = TestEnv::new();
        place
            .run(&env, Who::Reader, &["pull", "--baseline", "v9"])
            .exits(2)
            .says(&["no baseline `v9`", "push it first"]);
        assert!(!env.path("baselines").exists());
    }
    let env = TestEnv::new();
    env.run(["pull", "--cache"]).exits(2).says(&["no remote is named", "DIFFTEST_REMOTE"]);
    env.run(["pull", "--cache", "--remote", "not-mounted"]).exits(2).says(&["does not exist", "not-mounted"]);
    let mut nobody = env.command();
    nobody.args(["pull", "--cache", "--remote", "s3://bucket"]).envs(server::environment("127.0.0.1:1", Who::Reader));
    finished(nobody.env("NO_PROXY", "*").output().unwrap()).exits(2).says(&["s3://bucket cannot be reached"]);
}

#[test]
fn mistakes_in_urls_and_options_are_usage_errors() {
    let env = with_baseline();
    for (url, says) in [
        ("gcs://bucket/x", "did you mean `gs`"),
        ("http://host/x", "no kind of remote"),
        ("s3://bucket?regoin=x", "did you mean `region`"),
        ("s3://bucket?secret_access_key=abcdefghijkl", "is a credential"),
        ("", "no remote is named"),
    ] {
        let run = env.run(["push", "--baseline", "v1", "--remote", url]).exits(2).says(&[says]);
        assert!(!run.stderr.contains("abcdefghijkl"), "{}", run.stderr);
    }
    let mut slip = env.command();
    slip.args(["push", "--baseline", "v1", "--remote", "s3://bucket"]).env("AWS_ENDPOINT_ULR", "http://127.0.0.1:1");
    finished(slip.output().unwrap()).exits(2).says(&["AWS_ENDPOINT_ULR", "AWS_ENDPOINT_URL"]);
    env.run(["push", "--remote", "."]).exits(2).says(&["--baseline NAME"]);
}

#[test]
fn a_push_that_is_refused_fails_and_no_secret_is_printed() {
    let Some(place) = Place::s3() else { return };
    let env = with_baseline();
    place
        .run(&env, Who::Reader, &["push", "--baseline", "v1"])
        .exits(2)
        .says(&["refuses to write", "the policy of this bucket"]);
    let run = place.run(&env, Who::Impostor, &["push", "--baseline", "v1"]).exits(2).says(&["SignatureDoesNotMatch"]);
    assert!(!run.stderr.contains("not the writer's secret"), "{}", run.stderr);
    assert!(!place.object("ref").exists());
}

#[test]
fn a_damaged_object_is_named_and_what_is_here_stays() {
    for place in Place::all() {
        let (ann, ben) = (with_baseline(), TestEnv::new());
        place.run(&ann, Who::Writer, &["push", "--baseline", "v1"]).exits(0);
        for object in tree(&place.object("cas")) {
            let mut bad = object.1.clone();
            bad[0] ^= 1;
            std::fs::write(&object.0, bad).unwrap();
            place
                .run(&ben, Who::Reader, &["pull", "--baseline", "v1"])
                .exits(2)
                .says(&["is damaged", object.0.file_name().unwrap().to_str().unwrap()]);
            assert!(relative(&ben).is_empty(), "nothing half is left");
            std::fs::write(&object.0, &object.1).unwrap();
        }
        place.run(&ben, Who::Reader, &["pull", "--baseline", "v1"]).exits(0);
    }
}

/// Two images with a score each.
const SUITE: &str = "model = \"builtin:shapes\"\n\n[[test]]\nname = \"one\"\nprompts = [\"a red circle on a blue background\"]\nseeds = [1, 2]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\n";

/// `difftest run` of it, and what the results say.
fn run(place: &Place, env: &TestEnv, who: Who, more: &[&str]) -> (Finished, serde_json::Value) {
    env.write("suites/suite.toml", SUITE);
    let _ = std::fs::remove_file(env.path("results.json"));
    let plugins = crate::env::workspace().join("plugins");
    let arguments = ["run", "suite", "--output", "results.json", "--plugins", plugins.to_str().unwrap()];
    let finished = place.run(env, who, &[&arguments[..], more].concat());
    let results = std::fs::read(env.path("results.json")).ok();
    (finished, results.map_or(serde_json::Value::Null, |results| serde_json::from_slice(&results).unwrap()))
}

/// What every case has: the image's digest, its origin, the score.
fn cases(results: &serde_json::Value) -> Vec<(String, String, f64)> {
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("made").to_owned();
    cases
        .iter()
        .map(|case| {
            let score = case.pointer("/scores/0/value").unwrap().as_f64().unwrap();
            (text(case.pointer("/image/digest").unwrap()), text(&case["origin"]), score)
        })
        .collect()
}

#[test]
fn what_one_machine_made_another_finds() {
    for place in Place::all() {
        let (ci, developer) = (TestEnv::new(), TestEnv::new());
        let (finished, made) = run(&place, &ci, Who::Writer, &["--upload", "on-success"]);
        finished.exits(0).says(&["0 images and 0 scores found there", "remote: pushed"]);
        assert_eq!(made["remote"]["pushed"], 4, "{made}");
        assert_eq!(made["remote"]["state"], "used");

        let (finished, found) = run(&place, &developer, Who::Reader, &[]);
        finished.exits(0).says(&["2 images and 2 scores found there"]);
        let (made, found) = (cases(&made), cases(&found));
        assert!(made.iter().all(|case| case.1 == "made") && found.iter().all(|case| case.1 == "cached"), "{found:?}");
        let same = |case: &(String, String, f64)| (case.0.clone(), case.2.to_bits());
        assert_eq!(made.iter().map(same).collect::<Vec<_>>(), found.iter().map(same).collect::<Vec<_>>());

        // by hand, into a third project
        let third = TestEnv::new();
        let pulled = place.run(&third, Who::Reader, &["pull", "--cache"]).exits(0);
        assert!(pulled.stdout.contains("pulled 2 images and 2 scores"), "{}", pulled.stdout);
        let pushed = place.run(&ci, Who::Writer, &["push", "--cache"]).exits(0);
        assert!(pushed.stdout.contains("4 there already"), "{}", pushed.stdout);
        let (finished, results) = run(&place, &third, Who::Reader, &["--offline"]);
        finished.exits(0).says(&["not asked (--offline)"]);
        assert_eq!(results["remote"]["state"], "offline");
        assert!(cases(&results).iter().all(|case| case.1 == "cached"));
    }
}

#[test]
fn a_remote_that_fails_ends_the_run_before_anything_is_made_or_is_told() {
    let Some(mut place) = Place::s3() else { return };
    let ci = TestEnv::new();
    run(&place, &ci, Who::Writer, &["--upload", "always"]).0.exits(0);
    let check = |place: &Place, says: &str| {
        let env = TestEnv::new();
        let (finished, results) = run(place, &env, Who::Reader, &[]);
        finished.exits(2).says(&[says]);
        assert_eq!(results["conclusion"], "error", "the report says why there is none: {results}");
        assert!(
            results["suites"] == serde_json::json!([]) && !env.path(".difftest/runs").exists(),
            "something was made"
        );
        let (finished, results) = run(place, &env, Who::Reader, &["--remote-policy", "optional", "--quiet"]);
        let finished = finished.exits(0);
        assert_eq!(finished.stderr.matches("remote: degraded").count(), 2, "{}", finished.stderr);
        assert_eq!(results["remote"]["state"], "degraded");
        assert!(results["remote"]["problem"].as_str().unwrap().contains(says), "{results}");
        // what was asked for and cannot be is an error under either policy; in a folder where nothing is known, so that it is asked for
        let env = TestEnv::new();
        let (finished, results) = run(place, &env, Who::Reader, &["--remote-policy", "optional", "--upload", "always"]);
        finished.exits(2).says(&["nothing could be uploaded"]);
        assert_eq!((&results["conclusion"], &results["exit_code"]), (&"passed".into(), &2.into()));
    };
    let blob = tree(&place.object("cas")).remove(0);
    let mut bad = blob.1.clone();
    bad[50] ^= 1;
    std::fs::write(&blob.0, bad).unwrap();
    check(&place, "is damaged");
    std::fs::write(&blob.0, &blob.1).unwrap();
    if let Place::S3(server) = &mut place {
        server.kill();
    }
    check(&place, "cannot be reached");
}

/// What the results say stands in every report, and in those that are made later.
#[test]
fn a_remote_that_a_run_went_on_without_is_in_its_reports() {
    let env = TestEnv::new();
    env.write("suites/suite.toml", SUITE);
    let plugins = crate::env::workspace().join("plugins");
    let told = |arguments: &[&str], files: [&str; 3]| {
        let mut command = env.command();
        command.args(arguments).args(["--junit", files[0], "--markdown", files[1], "--html", files[2]]);
        command.env("NO_PROXY", "*").envs(server::environment("127.0.0.1:1", Who::Reader));
        finished(command.output().unwrap()).exits(0).says(&["s3://bucket cannot be reached"]);
        for file in files {
            let text = std::fs::read_to_string(env.path(file)).unwrap();
            assert!(
                text.contains("no remote, or not to its end: the remote s3://bucket cannot be reached"),
                "{file}: {text}"
            );
        }
    };
    let remote = ["--remote", "s3://bucket", "--remote-policy", "optional"];
    let run = ["run", "suite", "--plugins", plugins.to_str().unwrap()];
    told(&[&run[..], &remote].concat(), ["a.xml", "a.md", "a.html"]);
    told(&["report"], ["b.xml", "b.md", "b.html"]);
    for [a, b] in
        [["a.xml", "b.xml"], ["a.md", "b.md"]].map(|pair| pair.map(|file| std::fs::read(env.path(file)).unwrap()))
    {
        assert!(a == b, "the same, told later");
    }
}

#[test]
fn an_upload_that_is_refused_fails_a_run_that_passed() {
    let Some(place) = Place::s3() else { return };
    let env = TestEnv::new();
    let (finished, results) = run(&place, &env, Who::Reader, &["--upload", "always"]);
    finished.exits(2).says(&["1 passed", "refuses to write"]);
    assert_eq!((&results["conclusion"], &results["exit_code"]), (&"passed".into(), &2.into()));
    env.run(["report", "--exit-code"]).exits(2).says(&["refuses to write"]);
    // what was made is here, and goes there with the right that it takes
    place.run(&env, Who::Writer, &["push", "--cache"]).exits(0);
    place.run(&env, Who::Writer, &["run", "--no-cache"]).exits(2).says(&["--no-cache"]);
}

/// Tests that pass, one that fails and is split over shards, and one that cannot be computed.
const SHARDED: &str = "model = \"builtin:shapes\"\n\n[defaults]\nsteps = 2\n\n[[test]]\nname = \"bright\"\nprompts = [\"a red circle\", \"a green star\"]\nseeds = [1, 2, 3]\nmetrics = [\"image-stats/brightness\"]\nthreshold = { \"image-stats/brightness\" = { min = 0.99 } }\n\n[[test]]\nname = \"any\"\nprompts = [\"a blue ring\"]\nseeds = [1, 2]\nmetrics = [\"image-stats/entropy\"]\n";

/// Four machines run a shard each and push it, a fifth merges: the same bytes and the same exit code as in one piece.
#[test]
fn four_shards_through_a_remote_are_the_run_of_everything() {
    let plugins = crate::env::workspace().join("plugins");
    let plugins = plugins.to_str().unwrap();
    let reports = [
        "--stable",
        "--output",
        "results.json",
        "--junit",
        "junit.xml",
        "--markdown",
        "report.md",
        "--html",
        "report.html",
    ];
    let whole = TestEnv::new();
    whole.write("suites/suite.toml", SHARDED);
    whole.run([&["run", "suite", "--plugins", plugins][..], &reports].concat()).exits(1);
    for place in Place::all() {
        for index in [3, 1, 4, 2] {
            let machine = TestEnv::new();
            machine.write("suites/suite.toml", SHARDED);
            let (shard, file) = (format!("{index}/4"), "a.difftest");
            machine.run(["run", "suite", "--plugins", plugins, "--shard", &shard, "--record", file]).exits(0);
            let push = ["push", "--recording", file, "--as", "4711"];
            let pushed = place.run(&machine, Who::Writer, &push).exits(0);
            assert!(pushed.stdout.contains(&format!("pushed shard-0{index}-of-04 of 4711")), "{}", pushed.stdout);
            let again = place.run(&machine, Who::Writer, &push).exits(0);
            assert!(again.stdout.contains("already there"), "{}", again.stdout);
            let url = format!("{}/run/4711", place.url());
            if index == 4 {
                // a shard is missing: named, and no verdict
                let early = TestEnv::new();
                place.run(&early, Who::Reader, &["merge", &url]).exits(2).says(&["2"]);
            }
        }
        let merging = TestEnv::new();
        let url = format!("{}/run/4711", place.url());
        place.run(&merging, Who::Reader, &[&["merge", &url][..], &reports].concat()).exits(1);
        for file in ["results.json", "junit.xml", "report.md", "report.html"] {
            let [merged, one] = [&merging, &whole].map(|env| std::fs::read(env.path(file)).unwrap());
            assert!(merged == one, "{file} differs");
        }
    }
}

/// Two groups with shards of the same number: each is its own file, and what belongs to another plan is not mixed in unseen.
#[test]
fn recordings_of_two_groups_do_not_take_each_others_place() {
    let plugins = crate::env::workspace().join("plugins");
    let plugins = plugins.to_str().unwrap();
    for place in Place::all() {
        for (group, suite) in [("one", SHARDED.to_owned()), ("two", SHARDED.replace("green star", "pink star"))] {
            let machine = TestEnv::new();
            machine.write("suites/suite.toml", suite);
            machine
                .run(["run", "suite", "--plugins", plugins, "--shard", "1/2", "--record", "same-name.difftest"])
                .exits(0);
            place.run(&machine, Who::Writer, &["push", "--recording", "same-name.difftest", "--as", group]).exits(0);
        }
        let env = TestEnv::new();
        for group in ["one", "two"] {
            place.run(&env, Who::Reader, &["pull", "--recordings", group]).exits(0);
        }
        let files = tree(&env.path("recordings"));
        assert_eq!(files.len(), 2);
        assert!(files[0].1 != files[1].1, "one took the place of the other");
        place.run(&env, Who::Reader, &["merge", &place.url()]).exits(2).says(&["plan"]);
        place.run(&env, Who::Writer, &["push", "--recording", "suites"]).exits(2);
    }
}
