//! A test that is compared with a baseline by its scores: its gate is over prompts, and the page says nothing of an image that it does not.

use difftest_core::digest::Digest;
use difftest_core::image::Image;
use difftest_metrics::encode::png;
use difftest_report::html::HtmlOptions;
use difftest_report::json::Results;
use serde_json::{Value, json};

use crate::driver::{Browser, Settings};
use crate::gallery::{Gallery, picture};

/// By prompt and seed: the score and the baseline's. The mean of p0 fell most; the image that lost most is of p1.
const SCORES: [[(f64, f64); 2]; 3] =
    [[(0.921, 1.021), (0.800, 0.920)], [(0.456, 0.658), (0.700, 0.690)], [(0.500, 0.500), (0.610, 0.600)]];

fn paired() -> Gallery {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, image: &Image| {
        let path = folder.path().join(name);
        std::fs::write(&path, png(image).unwrap()).unwrap();
        json!({ "path": path, "digest": image.digest(), "width": image.width(), "height": image.height(), "attributes": { "guidance": "5", "steps": "30" } })
    };
    let mut cases: Vec<Value> = Vec::new();
    for (prompt, seeds) in SCORES.iter().enumerate() {
        for (seed, (score, before)) in seeds.iter().enumerate() {
            let name = format!("{prompt}-{seed}");
            let was = save(&format!("{name}-before.png"), &picture(224, prompt as u32, seed as u32));
            // one image is what it was, pixel for pixel
            let moved = u32::from(score != before) * 3;
            let is = save(&format!("{name}.png"), &picture(224, prompt as u32, seed as u32 + moved));
            cases.push(json!({
                "id": format!("paired::quality[p{prompt},seed={seed}]"), "test": "quality", "state": "finished", "seed": seed, "seconds": 1.25,
                "prompt": { "id": format!("p{prompt}"), "text": format!("prompt {prompt}") }, "settings": { "steps": 25, "guidance": 5.0 },
                "action": "judge", "because": { "input": "verdict", "was": "fail", "is": null }, "image": is,
                "baseline": { "path": was["path"], "digest": was["digest"], "scores": { "clip_score": before } },
                "scores": [{ "metric": "clip_score", "value": score, "seconds": 0.01 }],
            }));
        }
    }
    let gate = json!({
        "metric": "clip_score", "of": "mean", "bound": { "min": -0.01, "max": null }, "value": -0.067, "scores": 6, "holds": false, "margin": -0.057,
        "rule": "no-worse-than-baseline",
        "evidence": {
            "decision": "fail", "prompts": 3, "estimate": -0.067, "lower": -0.1, "upper": -0.02, "limit": -0.01, "lost": [["p0", -0.11], ["p1", -0.096]],
        },
    });
    let results = json!({
        "format": 2, "difftest": "0.1.0", "run": "20260102-030405-abcdef", "started": "2026-01-02T03:04:05Z", "folder": folder.path(),
        "conclusion": "failed", "exit_code": 1, "seconds": 7.25,
        "tests": { "pass": 0, "inconclusive": 0, "fail": 1, "error": 0, "not-run": 0 },
        "suites": [{
            "name": "paired", "digest": Digest::of(b"suite"), "environment": "cpu",
            "generator": { "model": "/home/someone/models/tiny-<b>", "kind": "stable-diffusion", "files": {}, "environment": {} },
            "baseline": { "name": "v1.0", "environment": "cpu", "digest": Digest::of(b"baseline") },
            "tests": [{ "name": "quality", "verdict": "fail", "errors": [], "gates": [gate], "metrics": [{
                "name": "clip_score", "summary": "how well it fits", "kind": "image", "direction": "higher-is-better", "range": [0.0, null],
                "unit": null, "config_schema": null, "variant": "1", "source": { "kind": "host", "models": {} },
            }] }],
            "cases": cases,
        }],
    });
    Gallery { folder, results: serde_json::from_value(results).unwrap() }
}

fn html(results: Value, gallery: &mut Gallery, options: &HtmlOptions) -> String {
    gallery.results = serde_json::from_value::<Results>(results).unwrap();
    gallery.html(options).0
}

/// The cases as they are listed, the worst first: id and what is said.
fn listed(html: &str) -> Vec<(String, String)> {
    let summaries = html.split("<details class=\"case\"").skip(1).map(|case| case.split("</summary>").next().unwrap());
    let parts = summaries.map(|summary| {
        let (badge, id) = summary.rsplit_once("</span> ").unwrap();
        (id.to_owned(), badge.rsplit_once('>').unwrap().1.to_owned())
    });
    parts.collect()
}

#[test]
fn no_image_passes_or_fails_a_gate_over_prompts_and_those_that_lost_most_come_first() {
    let mut gallery = paired();
    let (html, summary) = gallery.html(&HtmlOptions::default());
    let expected = [
        ("paired::quality[p1,seed=0]", "Σ lost 0.202"),
        ("paired::quality[p0,seed=1]", "Σ lost 0.120"),
        ("paired::quality[p0,seed=0]", "Σ lost 0.100"),
        ("paired::quality[p2,seed=0]", "Σ as before"),
        ("paired::quality[p1,seed=1]", "Σ gained 0.010"),
        ("paired::quality[p2,seed=1]", "Σ gained 0.010"),
    ];
    assert_eq!(listed(&html), expected.map(|(id, said)| (id.to_owned(), said.to_owned())));
    assert!(!html.contains("class=\"thumb fail\"") && !html.contains("class=\"thumb pass\""));
    // prompts with the worst images first, and the place that they have in the suite
    let rows: Vec<&str> = html.split("<tr data-row=\"").skip(1).map(|row| &row[..1]).collect();
    assert_eq!(rows, ["1", "0", "2"]);
    for part in [
        "no image passes or fails such a gate by itself",
        "-0.202: lost 0.202",
        "-0.096: lost 0.096",
        "<p class=\"against\">model <b>tiny-&lt;b&gt;</b> · baseline <b>v1.0</b></p>",
        "its test did not pass when it was last judged (fail)",
        "<dt>steps of the suite</dt><dd>25</dd>",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert_eq!(html.matches("<dt>guidance</dt>").count(), 6, "once for each case");
    // beside each image that differs its baseline's and a heat map of both: five, and six thumbnails
    assert_eq!(html.matches("<figure class=\"expected\"><img").count(), 5);
    assert_eq!(html.matches("<figure class=\"heatmap\"><img").count(), 5);
    assert_eq!((summary.pictures, summary.unreadable), (6 + 5 * 3 + 1, 0));
    assert!(html.contains("the same pixels as in baseline v1.0"));
    // no bar judges a score by a limit of differences
    assert!(!html.contains("class=\"bar in\"") && !html.contains("class=\"bar out\""));
    // what a stable page leaves out
    let stable = gallery.html(&HtmlOptions { stable: true, ..HtmlOptions::default() }).0;
    assert!(!stable.contains(gallery.folder.path().to_str().unwrap()));
    // a baseline that was advanced since is not shown as if it were the one of the run
    let mut results = serde_json::to_value(&gallery.results).unwrap();
    results["suites"][0]["cases"][0]["baseline"]["path"] = results["suites"][0]["cases"][1]["baseline"]["path"].clone();
    let changed = self::html(results, &mut gallery, &HtmlOptions::default());
    assert_eq!(changed.matches("<figure class=\"expected\"><img").count(), 4);
    assert!(changed.contains("it has other pixels than in this run"));
}

#[test]
fn floors_rates_and_numbers_of_images_are_said_of_none_and_bare_thresholds_of_each() {
    let mut gallery = paired();
    let template = serde_json::to_value(&gallery.results).unwrap();
    let mut said = |gate: Value, verdict: &str| {
        let mut results = template.clone();
        let test = &mut results["suites"][0]["tests"][0];
        test["verdict"] = json!(verdict);
        for (name, value) in gate.as_object().unwrap() {
            test["gates"][0][name] = value.clone();
        }
        listed(&html(results, &mut gallery, &HtmlOptions::default()))
    };
    let evidence = json!({ "decision": "pass", "prompts": 3, "estimate": 0.8, "lower": 0.6, "upper": 0.9, "limit": 0.5, "each": { "min": 0.6, "max": null } });
    let bound = json!({ "min": 0.6, "max": null });
    for rule in ["floor", "rate", "similar"] {
        let found =
            said(json!({ "rule": rule, "bound": bound, "evidence": evidence, "holds": true, "value": 0.8 }), "pass");
        let words: Vec<&str> = found.iter().map(|(_, said)| said.as_str()).collect();
        assert_eq!(words[..3], ["Σ outside by 0.144", "Σ outside by 0.100", "Σ inside"], "{rule}");
        assert_eq!(found[0].0, "paired::quality[p1,seed=0]");
    }
    let bare =
        json!({ "rule": "bound", "of": "min", "bound": bound, "evidence": null, "holds": false, "value": 0.456 });
    let words: Vec<String> = said(bare, "fail").into_iter().map(|(_, said)| said).collect();
    assert_eq!(words, ["✕ fail", "✕ fail", "✓ pass", "✓ pass", "✓ pass", "✓ pass"]);
    // what asks something else now is compared with nothing
    let mut results = template.clone();
    results["suites"][0]["cases"][5]["baseline"] = Value::Null;
    results["suites"][0]["tests"][0]["gates"][0]["evidence"]["unpaired"] =
        json!([{ "case": "paired::quality[p2,seed=1]", "changed": "steps" }]);
    let found = listed(&html(results, &mut gallery, &HtmlOptions::default()));
    let told = ("paired::quality[p2,seed=1]".to_owned(), "Σ not compared: the steps changed".to_owned());
    assert!(found.contains(&told), "{found:?}");
    // a recording without the baseline's scores still knows the prompts that lost most
    let mut results = template.clone();
    for case in results["suites"][0]["cases"].as_array_mut().unwrap() {
        case["baseline"] = Value::Null;
    }
    let words: Vec<String> =
        listed(&html(results, &mut gallery, &HtmlOptions::default())).into_iter().map(|l| l.1).collect();
    let wanted = ["Σ prompt lost 0.110", "Σ prompt lost 0.110", "Σ prompt lost 0.096", "Σ prompt lost 0.096"];
    assert_eq!(words[..4], wanted);
    assert_eq!(words[4..], ["Σ judged together"; 2]);
}

#[test]
fn an_image_is_compared_with_that_of_its_baseline() {
    let Some(browser) = Browser::start(Settings::default()) else { return };
    let gallery = paired();
    browser.open(&gallery.page(), "");
    let first = "document.querySelector('#sheets .thumb').dataset.case";
    browser.wait(&format!("{first} === '2'"));
    browser.screenshot("report-paired");
    // the order of the suite is a key away
    browser.press("o");
    browser.wait(&format!("{first} === '0' && location.hash.includes('order=suite')"));
    browser.press("o");
    browser.wait(&format!("{first} === '2'"));
    // all that fails its test, although no image fails
    browser.press("f");
    browser.wait("document.querySelector('#found').textContent === '6 cases'");
    browser.press("j\u{e007}");
    browser.wait("document.querySelector('.case[open] h3')?.textContent === 'paired::quality[p1,seed=0]'");
    let stage = "document.querySelector('.case[open] .stage')";
    for (key, mode) in [("2", "slider"), ("3", "blend"), ("4", "toggle"), ("5", "heat"), ("1", "side")] {
        browser.press(key);
        browser.wait(&format!("{stage}.dataset.mode === '{mode}'"));
    }
    browser
        .wait("[...document.querySelectorAll('.case[open] .stage img')].every((image) => image.naturalWidth === 224)");
    browser.screenshot("report-paired-case");
    assert_eq!(browser.messages(), Vec::<String>::new());
}

#[test]
fn nothing_is_wider_than_a_narrow_window() {
    let Some(browser) = Browser::start(Settings::default()) else { return };
    browser.resize(500, 900);
    for (name, gallery) in [("paired", paired()), ("gallery", crate::gallery::gallery())] {
        for hash in ["", "#order=worst", "#c1", "#c4"] {
            browser.open(&gallery.page(), hash);
            browser.wait("document.documentElement.classList.contains('js')");
            browser.screenshot(&format!("report-narrow-{name}{}", hash.replace(['#', '='], "-")));
            let wide = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(wide, 0, "{name} {hash}");
            let cases = browser
                .value("document.querySelector('#cases').scrollWidth - document.querySelector('#cases').clientWidth");
            assert_eq!(cases, 0, "{name} {hash}");
        }
    }
}
