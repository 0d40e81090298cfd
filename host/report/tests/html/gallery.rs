//! A run with everything in it that a page can show: images of two tests, some of them changed, new, missing, or too bad.

use std::path::{Path, PathBuf};

use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_metrics::encode::png;
use difftest_metrics::visual::picture::{diff_image, heat_map};
use difftest_metrics::visual::{Pair, PixelOptions};
use difftest_report::html::{HistoryPoint, HistorySeries, HtmlOptions, HtmlSummary, write};
use difftest_report::json::Results;
use serde_json::{Value, json};

pub const PROMPTS: [&str; 4] = [
    "a red circle on a blue background",
    "a small yellow star on a black background",
    "</script><script>document.title = 'taken over'</script><img src=x onerror=alert(1)>",
    "control \u{1b}[31m\u{0}\u{8} and \u{202e}right to left\u{2028} עיגול אדום",
];

/// A folder with a run.
pub struct Gallery {
    pub folder: tempfile::TempDir,
    pub results: Results,
}

/// What one of its images is of: a disc on a ramp; `variant` moves it.
pub fn picture(side: u32, hue: u32, variant: u32) -> Image {
    let (centre, radius) = (i64::from(side) / 2 + i64::from(variant * side / 16), i64::from(side) / 4);
    let pixel = |index: u32| -> [u8; 3] {
        let (x, y) = (i64::from(index % side), i64::from(index / side));
        let inside = (x - centre).pow(2) + (y - i64::from(side) / 2).pow(2) < radius.pow(2);
        let ramp = (40 + 120 * y / i64::from(side)) as u8;
        if inside {
            [[230, 60, 50], [240, 200, 40], [60, 190, 90], [90, 110, 240]][hue as usize % 4]
        } else {
            [ramp, ramp / 2 + 30, 90]
        }
    };
    Image::new(side, side, (0..side * side).flat_map(pixel).collect::<Vec<u8>>()).unwrap()
}

fn save(folder: &Path, name: &str, image: &Image) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, png(image).unwrap()).unwrap();
    path
}

fn shown(path: &Path, image: &Image) -> Value {
    json!({ "path": path, "digest": image.digest(), "width": image.width(), "height": image.height(), "attributes": { "scheduler": "ddim" } })
}

fn case(test: &str, prompt: usize, seed: u64) -> Value {
    json!({
        "id": format!("gallery::{test}[p{prompt},seed={seed}]"), "test": test, "state": "finished", "seed": seed, "seconds": 1.25,
        "prompt": { "id": format!("p{prompt}"), "text": PROMPTS[prompt] }, "settings": { "steps": 25, "guidance": 5.0 },
        "image": null, "scores": [],
    })
}

fn metric(name: &str) -> Value {
    json!({
        "name": name, "summary": "how well it fits", "kind": "image", "direction": "higher-is-better", "range": [0.0, null], "unit": null,
        "config_schema": null, "variant": "1", "source": { "kind": "host", "models": {} },
    })
}

/// `layout`: a visual regression of 4 prompts x 3 seeds, of which two changed and one is new. `quality`: a mean that falls short, with
/// one error and one image that is gone.
pub fn gallery() -> Gallery {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut cases = Vec::new();
    for prompt in 0..PROMPTS.len() {
        for seed in [42, 43, 44] {
            let mut case = case("layout", prompt, seed);
            let name = format!("layout-{prompt}-{seed}");
            let (changed, new) = (prompt == 1 && seed != 42, prompt == 0 && seed == 44);
            let expected = picture(224, prompt as u32, (seed - 42) as u32);
            let actual = if changed { picture(224, prompt as u32, (seed - 40) as u32) } else { expected.clone() };
            case["image"] = shown(&save(at, &format!("{name}.png"), &actual), &actual);
            let standing = if changed {
                "changed"
            } else if new {
                "new"
            } else {
                "same"
            };
            case["comparison"] = json!({ "standing": standing, "baseline": "v1" });
            if !new {
                let path = save(at, &format!("{name}-expected.png"), &expected);
                case["comparison"]["expected"] =
                    json!({ "path": path, "digest": expected.digest(), "width": 224, "height": 224 });
                let value = if changed { 0.071 } else { 0.0 };
                case["comparison"]["tiers"] = json!([
                    { "tier": "pixel", "value": value, "limit": 0.01, "holds": !changed },
                    { "tier": "ssim", "value": 1.0 - value, "limit": 0.9, "holds": true },
                ]);
            }
            if changed {
                let pair = Pair::new(&actual, &expected, &[]).unwrap();
                let diff = save(at, &format!("{name}-diff.png"), &diff_image(&pair, &PixelOptions::default()));
                let heat = save(at, &format!("{name}-heat.png"), &heat_map(&pair));
                case["comparison"]["diff"] = json!(diff);
                case["comparison"]["heatmap"] = json!(heat);
                case["comparison"]["details"] =
                    json!([{ "name": "differing", "value": 3561.0 }, { "name": "share", "value": 0.071 }]);
            }
            cases.push(case);
        }
    }
    let scores = [0.31, 0.29, 0.22, 0.26, 0.18, 0.21];
    for (index, score) in scores.into_iter().enumerate() {
        let mut case = case("quality", index / 3, 42 + index as u64 % 3);
        let image = picture(64, index as u32, index as u32 % 3);
        let path = save(at, &format!("quality-{index}.png"), &image);
        case["image"] = shown(&path, &image);
        case["scores"] = json!([{ "metric": "clip_score", "value": score, "seconds": 0.01 }]);
        match index {
            // the file is not there any more
            3 => std::fs::remove_file(path).unwrap(),
            5 => {
                case["state"] = json!("error");
                case["scores"][0]["value"] = Value::Null;
                case["scores"][0]["error"] =
                    json!({ "kind": "fuel", "message": "plugin ran out of fuel", "hint": "raise --fuel" });
            }
            _ => {}
        }
        cases.push(case);
    }
    let gate = json!({
        "metric": "clip_score", "of": "mean", "bound": { "min": 0.25 }, "value": 0.245, "scores": 6, "holds": false, "margin": -0.005,
        "rule": "no-worse-than-baseline",
        "evidence": {
            "decision": "fail", "at_least": true, "wanted": 0.005, "prompts": 2, "estimate": -0.03, "lower": -0.05, "upper": -0.01, "limit": -0.005, "p": 0.01, "p_adjusted": 0.02,
            "baseline": 0.275, "detectable": 0.02, "prompts_needed": 31, "lost": [["p1", -0.05]],
        },
    });
    let results = json!({
        "format": 2, "difftest": "0.1.0", "run": "20260102-030405-abcdef", "started": "2026-01-02T03:04:05Z", "folder": at,
        "conclusion": "failed", "exit_code": 1, "seconds": 7.25,
        "tests": { "pass": 0, "inconclusive": 0, "fail": 2, "error": 0, "not-run": 0 },
        "suites": [{
            "name": "gallery", "digest": Digest::of(b"suite"), "environment": "cpu-f32-onnxruntime-1.31.1",
            "generator": { "model": "builtin:shapes", "kind": "stable-diffusion", "files": {}, "environment": { "device": "cpu" } },
            "tests": [
                { "name": "layout", "verdict": "fail", "metrics": [], "gates": [], "errors": [] },
                { "name": "quality", "verdict": "fail", "metrics": [metric("clip_score")], "gates": [gate], "errors": [] },
            ],
            "cases": cases,
        }],
    });
    Gallery { folder, results: serde_json::from_value(results).unwrap() }
}

impl Gallery {
    pub fn options(&self) -> HtmlOptions {
        let point = |index: i32| HistoryPoint {
            run: format!("run-{index}"),
            started: format!("2026-01-{:02}T00:00:00Z", index + 1),
            value: 0.3 - 0.004 * f64::from(index % 5) - 0.003 * f64::from(index),
        };
        let series = HistorySeries {
            suite: "gallery".to_owned(),
            test: "quality".to_owned(),
            case: None,
            metric: "clip_score".to_owned(),
            points: (0..12).map(point).collect(),
        };
        HtmlOptions { history: vec![series], ..HtmlOptions::default() }
    }

    pub fn html(&self, options: &HtmlOptions) -> (String, HtmlSummary) {
        let mut bytes = Vec::new();
        let summary = write(&self.results, options, &mut bytes).unwrap();
        (String::from_utf8(bytes).unwrap(), summary)
    }

    /// The page as a file.
    pub fn page(&self) -> PathBuf {
        let path = self.folder.path().join("report.html");
        std::fs::write(&path, self.html(&self.options()).0).unwrap();
        path
    }
}
