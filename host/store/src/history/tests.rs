#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use difftest_core::digest::Digest;
use difftest_core::event::{self, CaseInfo, Conclusion, Event, ImageRecord, Origin, Outcome, TestInfo, Verdict};
use difftest_core::generate::{GeneratorInfo, Prompt, Settings};
use difftest_core::key::Action;
use difftest_core::metric::{Direction, MetricInfo, MetricKind, MetricSource, Score};
use difftest_core::select::Expression;
use proptest::prelude::*;

use super::*;

/// A run of one suite with one test over `PROMPTS` x two seeds; what is not said is as in every other.
#[derive(Clone)]
struct Run {
    name: &'static str,
    scores: Vec<f64>,
    image: fn(usize) -> String,
    variant: &'static str,
    environment: &'static str,
    model: &'static str,
    label: Option<&'static str>,
    verdict: Verdict,
}

const PROMPTS: [&str; 3] = ["a red circle", "a </script> star", "größe, \"quoted\"\nsecond line"];

impl Run {
    fn new(name: &'static str, scores: impl Into<Vec<f64>>) -> Self {
        Self {
            name,
            scores: scores.into(),
            image: |case| format!("image {case}"),
            variant: "v1",
            environment: "cpu-f32",
            model: "builtin:shapes",
            label: None,
            verdict: Verdict::Pass,
        }
    }

    fn events(&self) -> Vec<Event> {
        let cases = self.scores.len();
        let metric = |name: &str, kind| MetricInfo {
            name: name.to_owned(),
            summary: String::new(),
            kind,
            direction: Direction::HigherIsBetter,
            range: None,
            unit: None,
            config_schema: None,
            variant: self.variant.to_owned(),
            source: MetricSource::Host { models: Vec::new() },
        };
        let case = |index: usize| CaseInfo {
            id: format!("s::t[p{},seed={}]", index / 2, index % 2),
            test: 0,
            prompt: Prompt {
                id: format!("p{}", index / 2),
                text: PROMPTS[index / 2].to_owned(),
                negative: None,
                attributes: Vec::new(),
            },
            // 64 bits, of which the first is set
            seed: u64::MAX - (index % 2) as u64,
            settings: Settings::default(),
            action: Action::Generate,
            because: None,
        };
        let started = serde_json::json!({
            "event": "suite-started", "suite": "s", "digest": Digest::of(b"suite"),
            "generator": GeneratorInfo {
                model: self.model.to_owned(), revision: None, kind: "stable-diffusion".to_owned(),
                files: vec![("unet".to_owned(), Digest::of(self.model.as_bytes()))], loras: Vec::new(),
                environment: vec![("device".to_owned(), self.environment.to_owned())],
            },
            "environment": self.environment,
            "tests": [TestInfo {
                metrics: vec![metric("clip_score", MetricKind::Image), metric("diversity", MetricKind::Set)],
                cases,
                ..test_info()
            }],
            "cases": (0..cases).map(case).collect::<Vec<_>>(),
        });
        let mut events = vec![
            Event::RunStarted {
                version: event::VERSION,
                difftest: "0.1.0".to_owned(),
                run: self.name.to_owned(),
                started: "2026-01-02T03:04:05Z".to_owned(),
                folder: "runs/x".into(),
                suites: 1,
                cases,
                commit: None,
                label: self.label.map(str::to_owned),
            },
            serde_json::from_value(started).unwrap(),
        ];
        let score = |value| Outcome::Ok(Score { value, details: Vec::new(), fuel: None });
        for (case, value) in self.scores.iter().enumerate() {
            let image = ImageRecord {
                path: "x.png".into(),
                digest: Digest::of((self.image)(case).as_bytes()),
                width: 8,
                height: 8,
                attributes: Vec::new(),
                warnings: Vec::new(),
            };
            events.extend([
                Event::CaseStarted { case },
                Event::Generated { case, outcome: Outcome::Ok(image), seconds: 1.0, origin: Origin::Made },
                Event::Scored { case, metric: 0, outcome: score(*value), seconds: 0.0, origin: Origin::Made },
                Event::CaseFinished { case },
            ]);
        }
        events.push(Event::SetScored { test: 0, metric: 1, outcome: score(0.5), seconds: 0.0, origin: Origin::Made });
        events.push(Event::TestFinished { test: 0, verdict: self.verdict, gates: Vec::new(), errors: Vec::new() });
        events.push(Event::RunFinished { conclusion: Conclusion::Passed, seconds: 2.0 });
        events
    }

    fn record(&self) -> RunRecord {
        RunRecord::of(&self.events())
    }

    /// Writes the recording, but for its last `cut` bytes.
    fn write(&self, root: &Path, cut: usize) {
        let folder = root.join("runs").join(self.name);
        fs::create_dir_all(&folder).unwrap();
        let lines: String = self.events().iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
        fs::write(folder.join("events.jsonl"), &lines[..lines.len() - cut]).unwrap();
    }
}

fn test_info() -> TestInfo {
    serde_json::from_value(serde_json::json!({ "name": "t", "metrics": [], "cases": 0 })).unwrap()
}

fn history(runs: &[Run]) -> (tempfile::TempDir, History) {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(dir.path()).unwrap();
    for run in runs {
        assert!(history.record(&run.record()).unwrap());
    }
    (dir, history)
}

/// Everything a reader can see.
fn seen(history: &History) -> String {
    let mut out = Vec::new();
    history.export(Format::JsonLines, &mut out).unwrap();
    history.export(Format::Csv, &mut out).unwrap();
    let details: Vec<_> = history.names().unwrap().iter().map(|name| history.run(name).unwrap()).collect();
    String::from_utf8(out).unwrap() + &serde_json::to_string(&details).unwrap()
}

fn series(history: &History, change: impl FnOnce(&mut Filter)) -> Vec<Series> {
    let mut filter = Filter { metric: "clip_score".to_owned(), ..Filter::default() };
    change(&mut filter);
    history.series(&filter).unwrap()
}

fn means(series: &Series) -> Vec<f64> {
    series.points.iter().map(|point| point.mean).collect()
}

fn some_runs() -> Vec<Run> {
    let mut runs: Vec<_> =
        ["r1", "r2", "r3", "r4", "r5"].map(|name| Run::new(name, [0.25, 0.1 + 0.2, 0.5, 0.75])).into();
    runs[1].scores = vec![0.5; 4];
    runs[2].variant = "v2";
    runs[3].environment = "cuda-f16";
    runs[3].image = |case| format!("cuda {case}");
    runs[4].label = Some("candidate");
    runs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Recording is a union: any order, any number of times, the same history.
    #[test]
    fn any_order_gives_the_same_history(order in prop::collection::vec(0..5_usize, 0..12)) {
        let runs = some_runs();
        let (_dir, expected) = history(&runs);
        let (_other, mut mixed) = history(&[]);
        for index in order.into_iter().chain(0..5) {
            mixed.record(&runs[index].record()).unwrap();
        }
        prop_assert_eq!(seen(&mixed), seen(&expected));
        let broken: i64 = mixed.connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(broken, 0);
    }
}

#[test]
fn numbers_and_texts_come_back_as_they_were() {
    let (_dir, history) = history(&[Run::new("r1", [0.1 + 0.2, f64::MIN_POSITIVE, -0.0, 1e300, 5e-324, 1.0 / 3.0])]);
    let mut out = Vec::new();
    history.export(Format::JsonLines, &mut out).unwrap();
    let rows: Vec<serde_json::Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 7, "six scores and one over the set");
    let bits = |case: &str| rows.iter().find(|row| row["case"] == case).unwrap()["value"].as_f64().unwrap().to_bits();
    assert_eq!(bits("s::t[p0,seed=0]"), (0.1_f64 + 0.2).to_bits());
    assert_eq!(bits("s::t[p1,seed=0]"), 0.0_f64.to_bits(), "SQLite keeps no sign of zero");
    assert_eq!(bits("s::t[p2,seed=0]"), 5e-324_f64.to_bits());
    assert!(rows.iter().any(|row| row["seed"] == u64::MAX && row["prompt"] == PROMPTS[2]));
    let mut csv = Vec::new();
    history.export(Format::Csv, &mut csv).unwrap();
    assert!(String::from_utf8(csv).unwrap().contains("\"größe, \"\"quoted\"\"\nsecond line\""));
}

#[test]
fn lines_never_mix_variants_environments_models_or_images() {
    let mut runs = some_runs();
    runs.push(Run { model: "other", ..Run::new("r6", [0.1; 4]) });
    runs.push(Run::new("r7", [0.9; 2]));
    let (_dir, history) = history(&runs);
    let all = series(&history, |_| {});
    let names = |series: &Series| series.points.iter().map(|point| point.run.clone()).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = all.iter().map(names).collect();
    lines.sort();
    assert_eq!(lines, ["r1 r2 r5", "r3", "r4", "r6", "r7"]);
    let main = all.iter().find(|series| series.points.len() == 3).unwrap();
    assert_eq!(means(main), [(0.25 + (0.1 + 0.2) + 0.5 + 0.75) / 4.0, 0.5, (0.25 + (0.1 + 0.2) + 0.5 + 0.75) / 4.0]);
    assert_eq!((main.scores, main.better), (4, "higher"));
    assert_eq!(main.points[2].label.as_deref(), Some("candidate"));
    assert_eq!(series(&history, |filter| filter.environment = Some("cuda".into())).len(), 1);
    assert_eq!(series(&history, |filter| filter.model = Some("oth".into())).len(), 1);
    assert_eq!(series(&history, |filter| filter.suite = Some("none".into())).len(), 0);
    let last = series(&history, |filter| filter.last = Some(2));
    assert!(last.iter().any(|series| names(series) == "r2 r5"));
    // Over some of the cases, from the scores themselves.
    let some = series(&history, |filter| filter.cases = Some(Expression::parse("p1").unwrap()));
    let line = some.iter().find(|series| names(series) == "r1 r2 r5").unwrap();
    assert_eq!(means(line), [0.625, 0.5, 0.625]);
    let set = Filter { metric: "diversity".to_owned(), ..Filter::default() };
    assert_eq!(history.series(&set).unwrap().iter().map(|series| series.points.len()).sum::<usize>(), 7);
    let unknown = history.series(&Filter { metric: "clip_scor".to_owned(), ..Filter::default() }).unwrap_err();
    assert!(unknown.hint().unwrap().contains("did you mean `clip_score`"));
}

#[test]
fn runs_that_were_killed_are_taken_from_their_recordings() {
    let (dir, mut history) = history(&[Run::new("r1", [0.5; 4])]);
    Run::new("r2", [0.5; 4]).write(dir.path(), 0);
    Run::new("r3", [0.5; 4]).write(dir.path(), 150);
    Run::new("r4", [0.5; 4]).write(dir.path(), 0);
    fs::write(dir.path().join("runs/r4/events.jsonl"), "{\"event\": not\n").unwrap();
    let going_on = crate::run_folder::RunFolder::create(&dir.path().join("runs/r5")).unwrap();
    let caught = history.catch_up().unwrap();
    assert_eq!((caught.added, caught.unreadable.len()), (2, 1), "{caught:?}");
    assert_eq!(history.names().unwrap(), ["r1", "r2", "r3"]);
    let killed = history.run("r3").unwrap();
    assert_eq!((killed.run.conclusion, killed.run.seconds), (None, None));
    assert_eq!(killed.suites[0].tests[0].cases.len(), 4);
    assert_eq!(history.catch_up().unwrap().added, 0);
    drop(going_on);
}

#[test]
fn a_damaged_file_is_set_aside_and_made_again() {
    for damage in ["not a database at all, and long enough to be looked at as one", "", "page"] {
        let dir = tempfile::tempdir().unwrap();
        let runs = some_runs();
        let mut whole = History::open(dir.path()).unwrap();
        for run in &runs {
            run.write(dir.path(), 0);
            whole.record(&run.record()).unwrap();
        }
        let before = seen(&whole);
        drop(whole);
        let path = dir.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        match damage {
            // the first half of every page but the first
            "page" => bytes.chunks_mut(4096).skip(1).for_each(|page| page[..2048].fill(0xa5)),
            "" => bytes[..100].fill(0),
            text => bytes = text.into(),
        }
        fs::write(&path, &bytes).unwrap();
        // Some damage shows when the file is opened, some when it is asked.
        let healed = match History::open(dir.path()) {
            Ok(history) if !history.notes().is_empty() => history,
            Ok(history) => {
                let error = history.run("r1").unwrap_err();
                assert!(error.is_damage(), "{damage}: {error}");
                drop(history);
                History::heal(dir.path(), &error).unwrap()
            }
            Err(error) => panic!("{damage}: {error}"),
        };
        assert!(healed.notes()[0].contains("history.damaged-1.db"), "{:?}", healed.notes());
        assert!(healed.notes()[0].contains("5 recorded runs"), "{:?}", healed.notes());
        assert_eq!(seen(&healed), before, "{damage}");
        assert_eq!(fs::read(dir.path().join("history.damaged-1.db")).unwrap(), bytes, "nothing is thrown away");
    }
}

#[test]
fn rebuilding_changes_nothing_and_keeps_what_has_no_recording() {
    let (dir, mut history) = history(&some_runs());
    let before = seen(&history);
    for run in &some_runs()[1..] {
        run.write(dir.path(), 0);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    Run::new("r0", [0.5; 4]).write(elsewhere.path(), 0);
    let rebuilt = history.rebuild(&[]).unwrap();
    assert_eq!((rebuilt.read, rebuilt.kept, rebuilt.unreadable.len()), (4, 1, 0));
    assert_eq!(seen(&history), before);
    let rebuilt = history.rebuild(&[elsewhere.path().join("runs/r0"), elsewhere.path().join("gone")]).unwrap();
    assert_eq!((rebuilt.read, rebuilt.kept, rebuilt.unreadable.len()), (5, 1, 1));
    assert_eq!(history.names().unwrap().len(), 6);
}

#[test]
fn two_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<&'static str> = (0..40).map(|n| &*Box::leak(format!("r{n:02}").into_boxed_str())).collect();
    std::thread::scope(|scope| {
        let root = dir.path();
        for half in names.chunks(10) {
            // Opened by all at once: the first to come makes the tables.
            scope.spawn(move || {
                for name in half {
                    History::open(root).unwrap().record(&Run::new(name, [0.5; 6]).record()).unwrap();
                }
            });
        }
    });
    let history = History::open(dir.path()).unwrap();
    assert_eq!(history.names().unwrap(), names);
    assert_eq!(series(&history, |_| {})[0].points.len(), 40);
}

#[test]
fn what_changes_without_a_reason_is_flaky() {
    let steady = Run::new("r1", [0.5, 0.5]);
    let (_dir, calm) = history(&[steady.clone(), Run { name: "r2", ..steady.clone() }]);
    assert_eq!(calm.flaky().unwrap(), Flakes::default());
    let runs = [
        steady.clone(),
        // another image of the same inputs
        Run { name: "r2", image: |case| format!("image {}", case + 7 * (1 - case.min(1))), ..steady.clone() },
        // the first image again with another score, and another verdict
        Run { name: "r3", scores: vec![0.5, 0.5 + 1e-9], verdict: Verdict::Fail, ..steady.clone() },
        // other models may give other images, other variants other scores
        Run { name: "r4", model: "other", image: |case| format!("other {case}"), ..steady.clone() },
        Run { name: "r5", variant: "v2", scores: vec![0.7, 0.7], verdict: Verdict::Fail, ..steady },
    ];
    let (_dir, history) = history(&runs);
    let flakes = history.flaky().unwrap();
    assert_eq!(flakes.images.iter().map(|flaky| flaky.case.as_str()).collect::<Vec<_>>(), ["s::t[p0,seed=0]"]);
    assert_eq!(flakes.images[0].images.len(), 2);
    assert_eq!(flakes.images[0].images[0].1, ["r1", "r3", "r5"]);
    assert_eq!(flakes.scores.len(), 1);
    assert_eq!((flakes.scores[0].case.as_str(), flakes.scores[0].most), ("s::t[p0,seed=1]", 0.5 + 1e-9));
    assert_eq!(flakes.tests.len(), 1);
    assert_eq!((flakes.tests[0].changes, flakes.tests[0].unexplained), (1, 1));
}

#[test]
fn two_runs_are_paired_by_prompt_and_seed() {
    let a = Run::new("r1", [0.50, 0.52, 0.60, 0.62, 0.70, 0.72]);
    // Prompt 0 loses 0.1, prompt 1 loses 0.2, prompt 2 loses 0.3: seeds go both ways around that.
    let b = Run {
        name: "r2",
        image: |case| format!("b {}", case / 2),
        ..Run::new("r2", [0.39, 0.43, 0.41, 0.41, 0.40, 0.42])
    };
    let (_dir, history) = history(&[a.clone(), b, Run { name: "r3", variant: "v2", label: Some("new"), ..a }]);
    let compared = history.compare("r1", "r2").unwrap();
    let clip = compared.changes.iter().find(|change| change.metric == "clip_score").unwrap();
    assert_eq!((clip.pairs, clip.prompts, clip.shows), (6, 3, Change::NotShown));
    assert!((clip.difference + 0.2).abs() < 1e-12);
    // scipy.stats.t.interval(0.95, 2, -0.2, 0.1 / sqrt(3))
    let (lower, upper) = clip.interval.unwrap();
    assert!(
        (lower + 0.448_413_771_175_032).abs() < 1e-9 && (upper - 0.048_413_771_175_032).abs() < 1e-9,
        "{lower} {upper}"
    );
    let lost: Vec<_> = clip.lost.iter().map(|lost| lost.prompt.as_str()).collect();
    assert_eq!(lost, [PROMPTS[2], PROMPTS[1], PROMPTS[0]]);
    let set = compared.changes.iter().find(|change| change.metric == "diversity").unwrap();
    assert_eq!((set.shows, set.interval), (Change::Same, None));
    assert_eq!((compared.images, compared.changed_images.len()), (6, 6));

    let other = history.compare("r1", &history.resolve_side("new").unwrap()).unwrap();
    assert!(other.changes.is_empty());
    assert!(other.not_compared[0].reason.contains("not comparable"));
    assert_eq!(other.changed_images.len(), 0);
    assert_eq!(history.resolve_side("builtin:shapes").unwrap(), "r3");
    assert!(matches!(history.resolve_side("nothing"), Err(HistoryError::NoRun(_))));
    let backwards = history.compare("r2", "r1").unwrap();
    assert!(backwards.changes.iter().all(|change| change.lost.is_empty()), "nothing lost where all gained");
}

#[test]
fn pruning_forgets_the_oldest_and_says_so_first() {
    let (dir, mut history) = history(&some_runs());
    some_runs().iter().for_each(|run| run.write(dir.path(), 0));
    let keep = dir.path().join("runs/r2/keep");
    fs::write(&keep, "x").unwrap();
    let dry = history.prune(2, false, true).unwrap();
    assert_eq!(dry.runs, ["r1", "r2", "r3"]);
    assert!(dry.bytes > 1000 && keep.exists() && history.names().unwrap().len() == 5);
    let only_folders = history.prune(4, true, false).unwrap();
    assert_eq!((only_folders.runs, history.names().unwrap().len()), (vec!["r1".to_owned()], 5));
    assert!(!dir.path().join("runs/r1").exists());
    history.prune(2, false, false).unwrap();
    assert_eq!(history.names().unwrap(), ["r4", "r5"]);
    assert_eq!(history.catch_up().unwrap().added, 0, "and it stays so");
    let (_other, expected) = self::history(&some_runs()[3..]);
    assert_eq!(seen(&history), seen(&expected));
    let count = |table: &str| -> i64 {
        history.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let left: BTreeMap<_, _> = ["metric", "sample", "run", "environment"].map(|table| (table, count(table))).into();
    assert_eq!(left, BTreeMap::from([("metric", 2), ("sample", 4), ("run", 2), ("environment", 2)]));
    history.prune(0, false, false).unwrap();
    assert!(history.names().unwrap().is_empty());
}

#[test]
fn where_nothing_can_be_written_it_is_still_read() {
    let (dir, history) = history(&some_runs());
    let before = seen(&history);
    drop(history);
    // Root may write anywhere; a file opened as immutable stands for what a reader without the right finds.
    let path = dir.path().join(FILE);
    let (connection, _) = schema::open(&path).unwrap();
    drop(connection);
    let history = History {
        connection: schema::open_to_read(&path).unwrap(),
        root: dir.path().into(),
        notes: vec![],
        read_only: true,
    };
    assert_eq!(seen(&history), before);
    let mut history = history;
    assert!(matches!(history.record(&Run::new("r9", [0.5]).record()), Err(HistoryError::ReadOnly(_))));
    assert!(matches!(History::open(Path::new("/proc/nowhere")), Err(HistoryError::Files(_))));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_history_as_it_was() {
    let (dir, history) = history(&[Run::new("r1", [0.5; 6])]);
    let before = seen(&history);
    drop(history);
    // A limit on file size stands in for the disk's end: 40 blocks of 1024 bytes.
    let script = "ulimit -f 40; trap '' XFSZ; exec \"$0\" --exact history::tests::record_a_large_run --nocapture";
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("DIFFTEST_TEST_ROOT", dir.path())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("cannot use the history"), "{output:?}");
    let mut history = History::open(dir.path()).unwrap();
    assert_eq!(seen(&history), before);
    assert!(history.record(&Run::new("r2", [0.5; 6]).record()).unwrap(), "with room again");
}

/// The other half of the test above: runs in a process that may only write small files.
#[test]
fn record_a_large_run() {
    if let Some(root) = std::env::var_os("DIFFTEST_TEST_ROOT") {
        // More than the limit, whatever SQLite's pages need.
        let label = Some(&*"x".repeat(100_000).leak());
        let run = Run { label, ..Run::new("r2", [0.5; 6]) };
        let recorded = History::open(Path::new(&root)).and_then(|mut history| history.record(&run.record()));
        #[allow(clippy::print_stdout)]
        {
            println!("{}", recorded.unwrap_err());
        }
    }
}
