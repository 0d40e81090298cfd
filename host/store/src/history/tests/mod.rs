#![allow(clippy::unwrap_used)]

mod lines;
mod questions;
mod recordings;
mod sharing;

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
    /// What its gates compare with.
    baseline: &'static str,
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
            baseline: "v1",
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
            baseline: None,
        };
        let started = serde_json::json!({
            "event": "suite-started", "suite": "s", "digest": Digest::of(b"suite"),
            "generator": GeneratorInfo {
                model: self.model.to_owned(), revision: None, kind: "stable-diffusion".to_owned(),
                files: vec![("unet".to_owned(), Digest::of(self.model.as_bytes()))], loras: Vec::new(),
                environment: vec![("device".to_owned(), self.environment.to_owned())],
            },
            "environment": self.environment,
            "baseline": { "name": "main", "environment": self.environment, "digest": Digest::of(self.baseline.as_bytes()) },
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
