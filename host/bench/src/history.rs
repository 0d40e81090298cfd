//! A history of as many runs as it takes, written the way `difftest run` writes one: events, folded, recorded.

use std::path::Path;
use std::time::Instant;

use difftest_core::digest::Digest;
use difftest_core::event::{Conclusion, Event, ImageRecord, Origin, Outcome, VERSION, Verdict};
use difftest_core::metric::Score;
use difftest_store::history::{History, RunRecord};
use serde_json::{Value, json};

use crate::Result;

/// Tests of the suite; the cases are spread over them.
const TESTS: usize = 20;

/// Records `runs` runs of `cases` cases with one score each in `FOLDER/.difftest/history.db`; nothing where they are there.
pub(crate) fn build(folder: &str, runs: &str, cases: &str) -> Result<Value> {
    let (runs, cases): (usize, usize) = (runs.parse()?, cases.parse()?);
    let mut history = History::open(&Path::new(folder).join(".difftest"))?;
    let before = history.names()?.len();
    let start = Instant::now();
    for run in before..runs {
        history.record(&record(run, cases)?)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(history.path())?.len();
    Ok(
        json!({ "scores": runs * cases, "recorded": runs.saturating_sub(before), "seconds": seconds, "file_bytes": bytes }),
    )
}

fn record(run: usize, cases: usize) -> Result<RunRecord> {
    let name = format!("20260101-{run:06}-abcdef");
    let started = json!({
        "event": "run-started", "version": VERSION, "difftest": "0.1.0", "run": name, "started": "2026-01-01T00:00:00Z",
        "folder": format!(".difftest/runs/{name}"), "suites": 1, "cases": cases,
    });
    let metric = json!({
        "name": "clip_score", "summary": "", "kind": "image", "direction": "higher-is-better", "range": [-1.0, 1.0], "unit": null,
        "config_schema": null, "variant": "v1", "source": { "kind": "host", "models": {} },
    });
    let tests: Vec<_> = (0..TESTS)
        .map(|test| json!({ "name": format!("test {test:02}"), "metrics": [metric], "cases": cases / TESTS }))
        .collect();
    let planned = (0..cases).map(|case| {
        json!({
            "id": format!("large::test {:02}[p{case},seed={}]", case % TESTS, case % 4), "test": case % TESTS,
            "prompt": { "id": format!("p{case}"), "text": format!("prompt number {} of a large suite", case / 4) },
            "seed": case % 4, "settings": {},
        })
    });
    let suite = json!({
        "event": "suite-started", "suite": "large", "digest": Digest::of(b"large"), "environment": "cpu-f32-onnxruntime-1.31.1",
        "generator": { "model": "builtin:shapes", "kind": "stable-diffusion", "files": {}, "environment": {} },
        "tests": tests, "cases": planned.collect::<Vec<_>>(),
    });
    let mut record = RunRecord::default();
    record.apply(&serde_json::from_value(started)?);
    record.apply(&serde_json::from_value(suite)?);
    for case in 0..cases {
        // Every tenth run has other images, as after a change of the model.
        let image = ImageRecord {
            path: "image.png".into(),
            digest: Digest::of(&[case, run / 10].map(usize::to_le_bytes).concat()),
            width: 512,
            height: 512,
            attributes: Vec::new(),
            warnings: Vec::new(),
        };
        let value = 0.3 + (((case * 7919 + run / 10 * 104_729) % 1000) as f64) / 10_000.0;
        let score = Score { value, details: Vec::new(), fuel: None };
        record.apply(&Event::Generated { case, outcome: Outcome::Ok(image), seconds: 1.0, origin: Origin::Made });
        record.apply(&Event::Scored {
            case,
            metric: 0,
            outcome: Outcome::Ok(score),
            seconds: 0.1,
            origin: Origin::Made,
        });
    }
    for test in 0..TESTS {
        record.apply(&Event::TestFinished { test, verdict: Verdict::Pass, gates: Vec::new(), errors: Vec::new() });
    }
    record.apply(&Event::RunFinished { conclusion: Conclusion::Passed, seconds: 60.0 });
    Ok(record)
}
