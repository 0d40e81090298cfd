//! The HTML report of a folder of images: written, weighed, and opened in Chromium where there is one.

use std::path::Path;
use std::time::Instant;

use difftest_metrics::decode::{self, Limits};
use difftest_report::html::{HtmlOptions, write};
use difftest_report::json::Results;
use driver::{Browser, Settings};
use serde_json::{Value, json};

use crate::Result;

#[path = "../../report/tests/html/driver.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]
mod driver;

/// Seeds of each prompt.
const SEEDS: usize = 10;
/// Every so many images is too bad, and shown in full.
const BAD: usize = 10;

pub(crate) fn measure(folder: &str, count: &str, out: &str) -> Result<Value> {
    let results = results(Path::new(folder), count.parse()?)?;
    let out = std::path::absolute(out)?;
    let began = Instant::now();
    let mut file = std::io::BufWriter::new(std::fs::File::create(&out)?);
    let summary = write(&results, &HtmlOptions::default(), &mut file)?;
    drop(file);
    let mut measured = json!({
        "seconds": began.elapsed().as_secs_f64(),
        "file_bytes": summary.bytes,
        "cases": summary.cases,
        "pictures": summary.pictures,
        "pictures_left_out": summary.pictures_left_out,
    });
    if let Some(browser) = Browser::start(Settings::default()) {
        // once for what a browser does when it starts
        browser.open(&out, "");
        browser.open(&out, "");
        browser
            .wait("document.documentElement.classList.contains('js') && performance.getEntriesByType('paint').length");
        let timing = |field: &str| {
            let milliseconds = browser.value(&format!("performance.getEntriesByType('navigation')[0].{field}"));
            milliseconds.as_f64().map(|milliseconds| milliseconds / 1000.0)
        };
        let painted =
            browser.value("Math.max(...performance.getEntriesByType('paint').map((paint) => paint.startTime))");
        measured["parsed_seconds"] = json!(timing("domContentLoadedEventEnd"));
        // every picture is there by then
        let loaded = timing("loadEventEnd").unwrap_or(f64::NAN);
        measured["open_seconds"] = json!(loaded.max(painted.as_f64().unwrap_or(f64::NAN) / 1000.0));
    }
    Ok(measured)
}

/// A run whose images are the first files of a folder.
fn results(folder: &Path, count: usize) -> Result<Results> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
    files.sort();
    files.truncate(count);
    let mut cases = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let image = decode::read(path, &Limits::default())?;
        let score = if index % BAD == 0 { 0.1 } else { 0.3 + 0.0001 * index as f64 };
        let (prompt, seed) = (index / SEEDS, index % SEEDS);
        cases.push(json!({
            "id": format!("bench::all[p{prompt},seed={seed}]"), "test": "all", "state": "finished", "seed": seed, "seconds": 1.0,
            "prompt": { "id": format!("p{prompt}"), "text": format!("a picture of thing number {prompt} on a white background") },
            "settings": { "steps": 25 },
            "image": { "path": path, "digest": image.digest(), "width": image.width(), "height": image.height(), "attributes": {} },
            "scores": [{ "metric": "clip_score", "value": score, "seconds": 0.01 }],
        }));
    }
    let metric = json!({
        "name": "clip_score", "summary": "", "kind": "image", "direction": "higher-is-better", "range": null, "unit": null,
        "config_schema": null, "variant": "1", "source": { "kind": "host", "models": {} },
    });
    let gate = json!({
        "metric": "clip_score", "of": "min", "bound": { "min": 0.25 }, "value": 0.1, "scores": cases.len(), "holds": false, "margin": -0.15,
    });
    let test = json!({ "name": "all", "verdict": "fail", "metrics": [metric], "gates": [gate], "errors": [] });
    Ok(serde_json::from_value(json!({
        "format": 2, "difftest": "0.1.0", "run": "bench", "started": "", "folder": folder, "conclusion": "failed", "exit_code": 1,
        "seconds": 1.0, "tests": { "pass": 0, "inconclusive": 0, "fail": 1, "error": 0, "not-run": 0 },
        "suites": [{ "name": "bench", "digest": null, "generator": null, "tests": [test], "cases": cases }],
    }))?)
}
