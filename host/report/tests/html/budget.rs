//! The size of the page.

use difftest_core::image::Image;
use difftest_metrics::encode::png;
use difftest_report::html::HtmlOptions;
use difftest_report::json::Results;
use serde_json::json;

use crate::gallery::{Gallery, gallery};

/// A run of `count` cases, every eighth too bad; noise does not compress.
fn crowd(count: u64) -> Gallery {
    let mut crowd = gallery();
    let template = serde_json::to_value(&crowd.results).unwrap();
    let mut suite = template["suites"][0].clone();
    let mut gate = suite["tests"][1]["gates"][0].clone();
    gate["evidence"] = json!(null);
    gate["rule"] = json!("bound");
    suite["tests"][1]["gates"][0] = gate;
    let cases = (0..count).map(|index| {
        let mut state = index + 1;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        let image = Image::new(48, 48, (0..48 * 48 * 3).map(|_| noise()).collect::<Vec<u8>>()).unwrap();
        let path = crowd.folder.path().join(format!("crowd-{index}.png"));
        std::fs::write(&path, png(&image).unwrap()).unwrap();
        let mut case = template["suites"][0]["cases"][12].clone();
        case["id"] = json!(format!("gallery::quality[p{},seed={}]", index / 10, index % 10));
        case["prompt"]["id"] = json!(format!("p{}", index / 10));
        case["prompt"]["text"] = json!(format!("prompt {}", index / 10));
        case["seed"] = json!(index % 10);
        case["image"] = json!({ "path": path, "digest": image.digest(), "width": 48, "height": 48, "attributes": {} });
        case["scores"][0]["value"] = json!(if index % 8 == 0 { 0.1 } else { 0.3 });
        case
    });
    suite["cases"] = cases.collect();
    let mut results = template.clone();
    results["suites"] = json!([suite]);
    crowd.results = serde_json::from_value::<Results>(results).unwrap();
    crowd
}

#[test]
fn a_thousand_cases_keep_a_small_budget_and_the_page_says_what_is_missing() {
    let crowd = crowd(1000);
    let (html, whole) = crowd.html(&HtmlOptions::default());
    assert_eq!((whole.thumbnails_left_out, whole.pictures_left_out, whole.pictures), (0, 0, 1000));
    assert!(!html.contains("id=\"left-out\""));
    let budget = whole.bytes / 2;
    let (html, half) = crowd.html(&HtmlOptions { budget, ..HtmlOptions::default() });
    assert!(half.bytes <= budget, "{} of {budget}", half.bytes);
    assert!(half.bytes > budget * 3 / 5, "most of the budget is used: {} of {budget}", half.bytes);
    assert_eq!(half.pictures + half.thumbnails_left_out, 1000);
    assert!(html.contains(&format!("{} thumbnails were left out", half.thumbnails_left_out)));
    // those that need attention come first
    let thumb = |index: usize| {
        html.split(&format!("id=\"t{index}\"")).nth(1).unwrap().split("</a>").next().unwrap().contains("<img")
    };
    assert!((0..1000).step_by(8).all(thumb));
}

#[test]
fn text_is_never_left_out() {
    let gallery = gallery();
    let (html, summary) = gallery.html(&HtmlOptions { budget: 0, ..HtmlOptions::default() });
    assert_eq!((summary.pictures, summary.cases), (0, 18));
    assert!(html.contains("at least -0.005 needed") && !html.contains("src=\"data:"));
    assert!(html.contains("left out"));
}

#[test]
fn what_needs_attention_keeps_its_pictures_longest() {
    let gallery = gallery();
    let (_, all) = gallery.html(&HtmlOptions::default());
    let (_, none) = gallery.html(&HtmlOptions { budget: 0, ..HtmlOptions::default() });
    let mut seen = 0;
    // growing budgets show ever more
    for part in 1..=14 {
        let budget = none.bytes + (all.bytes - none.bytes) * part / 8;
        let (html, summary) = gallery.html(&HtmlOptions { budget, ..HtmlOptions::default() });
        assert!(summary.bytes <= budget, "{} of {budget}", summary.bytes);
        assert!(summary.pictures >= seen);
        seen = summary.pictures;
        let heat = html
            .split("class=\"heatmap\"")
            .skip(1)
            .filter(|part| part.split("</figure>").next().unwrap().contains("<img"))
            .count();
        let large_pass = html.split("<details class=\"case\"").skip(1).filter(|case| {
            let stage = case.split("class=\"about\"").next().unwrap();
            case.contains("badge pass") && stage.contains("<img")
        });
        assert!(heat == 2 || large_pass.count() == 0, "passed cases gave way first");
    }
    assert_eq!(seen, all.pictures);
}
