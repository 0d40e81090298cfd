//! The metric as the host calls it.
#![allow(clippy::unwrap_used, reason = "tests")]

use color_words::Metrics;
use difftest_sdk::{Error, Image, MetricPlugin, Rgb, Sample, Score};

/// 20x20: a red block of 4x3 pixels, 3 % of the image, on blue.
fn image() -> Image {
    Image::from_fn(20, 20, |x, y| if x < 4 && y < 3 { Rgb::new(220, 30, 30) } else { Rgb::new(40, 80, 220) })
}

fn measure(prompt: &str, config: &str) -> Result<Score, Error> {
    Metrics::measure("adherence", &image(), &Sample::new(prompt), config)
}

#[test]
fn the_details_are_the_shares() {
    let score = measure("a red block on blue", "").unwrap();
    assert_eq!(score.value, 1.0);
    let details: Vec<_> = score.details.iter().map(|detail| (detail.name.as_str(), detail.value)).collect();
    assert_eq!(details, [("red", 0.03), ("blue", 0.97)]);
}

#[test]
fn the_config_moves_the_bar() {
    assert_eq!(measure("red and blue", r#"{"min_area": 0.06}"#).unwrap().value, 0.5);
    assert_eq!(measure("red and blue", r#"{"min_area": 0.06, "combine": "mean"}"#).unwrap().value, 0.75);
    assert_eq!(measure("green and blue", "{}").unwrap().value, 0.0);
    assert_eq!(measure("green and blue", r#"{"combine": "mean"}"#).unwrap().value, 0.5);
}

#[test]
fn a_prompt_without_colours_is_an_error_unless_told_otherwise() {
    let error = measure("a tired cat", "").unwrap_err();
    assert!(matches!(error, Error::UnsupportedInput(_)), "{error}");
    assert!(error.to_string().contains("black, white, gray, red"), "{error}");
    let score = measure("a tired cat", r#"{"when_no_color": "pass"}"#).unwrap();
    assert_eq!((score.value, score.details.len()), (1.0, 0));
}

#[test]
fn bad_configs_are_refused() {
    for config in [
        r#"{"min_area": 0}"#,
        r#"{"min_area": 1.5}"#,
        r#"{"min_area": "much"}"#,
        r#"{"combine": "max"}"#,
        r#"{"minarea": 0.1}"#,
    ] {
        assert!(matches!(measure("red", config), Err(Error::InvalidConfig(_))), "{config}");
    }
}

#[test]
fn it_describes_itself() {
    let info = &Metrics::describe()[0];
    assert_eq!((info.name.as_str(), info.range), ("adherence", Some((0.0, 1.0))));
    let schema: serde_json::Value = serde_json::from_str(info.config_schema.as_deref().unwrap()).unwrap();
    assert_eq!(schema["properties"]["min_area"]["default"], 0.02);
}
