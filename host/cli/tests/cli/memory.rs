//! Memory that is refused in the middle of a run.

#[cfg(target_os = "linux")]
use linux::runs_out;

/// The runtime is refused memory while it makes the largest image of a run: what was finished is kept and found again.
#[test]
fn a_runtime_that_runs_out_of_memory_loses_nothing() {
    #[cfg(target_os = "linux")]
    runs_out();
    #[cfg(not(target_os = "linux"))]
    {
        use std::io::Write as _;
        // past the capture of the test harness: a skipped test is to be seen
        std::io::stdout()
            .write_all(b"skipped: only Linux limits the memory of a process as this test needs it\n")
            .unwrap();
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use serde_json::Value;

    use crate::env::{Finished, TestEnv, finished};

    /// One heap for all threads: glibc would reserve 64 MiB of addresses for each, of which a process uses what it likes, and what it
    /// reserves would say nothing of what it needs.
    const ONE_HEAP: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

    /// Images of 64x64, and nothing that takes a sandbox: what wasmtime reserves would hide everything else.
    const SMALL: &str = "model = \"builtin:shapes\"\n\n[models]\nclip = \"builtin:shapes-clip\"\n\n[defaults]\n\
        steps = 1\nguidance = 1.0\nmetrics = [\"clip_score\"]\n\n\
        [[test]]\nname = \"small\"\nprompts = [\"a red circle\"]\nseeds = [1, 2, 3]\n";
    /// One whose decoding takes some hundreds of megabytes.
    const LARGE: &str = "\n[[test]]\nname = \"large\"\nprompts = [\"a red circle\"]\nseeds = [4]\nsize = 768\n";
    /// One image after another.
    const RUN: [&str; 6] = ["run", "suite", "-j", "1", "--output", "results.json"];
    /// Turns the estimate of what images need off: it is the runtime's own error that is looked at.
    const UNCHECKED: &str = "DIFFTEST_NO_MEMORY_CHECK";

    fn project(suite: &str) -> TestEnv {
        let env = TestEnv::new();
        env.write("suites/suite.toml", suite);
        env
    }

    /// What a process took at most, in KiB.
    struct Most {
        /// Address space: what `ulimit -v` limits.
        reserved: u64,
        /// Memory that was used: an arena reserves more than it needs, where it is given it.
        resident: u64,
    }

    /// What a run of all of `suite` takes, with what it leaves behind.
    fn most(suite: &str) -> (Most, TestEnv) {
        let env = project(suite);
        let mut run = env.command();
        run.args(RUN).env(ONE_HEAP.0, ONE_HEAP.1);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let status = format!("/proc/{}/status", run.id());
        let mut most = Most { reserved: 0, resident: 0 };
        let exit = loop {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            let read = |field: &str, before: u64| {
                let value = status.lines().find_map(|line| line.strip_prefix(field));
                value.map_or(before, |value| value.trim().trim_end_matches(" kB").parse().unwrap())
            };
            most = Most { reserved: read("VmPeak:", most.reserved), resident: read("VmHWM:", most.resident) };
            if let Some(exit) = run.try_wait().unwrap() {
                break exit;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert!(exit.success(), "{exit}");
        (most, env)
    }

    /// A run that is given no more than `limit` KiB of address space.
    fn limited(env: &TestEnv, limit: u64) -> Finished {
        let difftest = env.command();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -v {limit}; exec \"$0\" \"$@\"")]).arg(difftest.get_program());
        shell.args(RUN).current_dir(env.path("")).env(UNCHECKED, "1").env(ONE_HEAP.0, ONE_HEAP.1);
        for (name, value) in difftest.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        finished(shell.output().unwrap())
    }

    /// Of each case, the digest of its image and whether that was made or found; nothing where there is none.
    fn images(env: &TestEnv) -> Vec<Option<(String, String)>> {
        let results = env.results();
        let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or("made").to_owned();
        cases.iter().map(|case| Some((text(case.pointer("/image/digest")?), text(&case["origin"])))).collect()
    }

    /// The verdicts of all tests.
    fn verdicts(env: &TestEnv) -> Vec<String> {
        let results = env.results();
        let tests = results.pointer("/suites/0/tests").unwrap().as_array().unwrap();
        tests.iter().map(|test| test["verdict"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn runs_out() {
        let (small, _) = most(SMALL);
        let whole = format!("{SMALL}{LARGE}");
        let (all, unlimited) = most(&whole);
        let expected: Vec<String> = images(&unlimited).into_iter().map(|image| image.unwrap().0).collect();
        assert_eq!(expected.len(), 4);
        // Room for half of what the large image uses beyond the small ones, which is far more than runs differ by.
        let more = all.resident.saturating_sub(small.resident);
        assert!(more > 100 << 10, "the large image takes {more} KiB more than small ones");

        let env = project(&whole);
        let run = limited(&env, small.reserved + more / 2);
        run.exits(2).says(&["ONNX Runtime failed on", "memory ran out", "768x768 need about", "384x384 about"]);
        assert_eq!(verdicts(&env), ["pass", "error"]);
        let found = images(&env);
        assert_eq!(found[3], None, "the large image was made in half of the memory that it takes");
        let made: Vec<_> = expected[..3].iter().map(|digest| Some((digest.clone(), "made".to_owned()))).collect();
        assert_eq!(found[..3], made, "the small images were finished before");

        // With the memory it needs: the small images are found, and only the large one is made.
        env.run(RUN).exits(0);
        assert_eq!(verdicts(&env), ["pass", "pass"]);
        let origins = ["cached", "cached", "cached", "made"];
        let all: Vec<_> = expected.into_iter().zip(origins.map(str::to_owned)).map(Some).collect();
        assert_eq!(images(&env), all);
    }
}
