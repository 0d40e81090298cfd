//! What the macros make of functions, seen through the traits that the host's side calls, on the author's own machine.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use difftest_sdk::{MetricPlugin, PromptPlugin};

difftest_sdk::metrics! {
    /// Mean brightness: 0 is black, 1 is white.
    ///
    /// This line is not part of the summary.
    #[metric(range = 0.0..=1.0, unit = "share")]
    fn mean_luma(image: &Image) -> f64 {
        let luma = image.luma8();
        luma.iter().map(|&v| f64::from(v)).sum::<f64>() / (255.0 * luma.len() as f64)
    }

    /// Everything at once, in another order.
    #[metric(name = "all-of-it", direction = lower, range = 0..)]
    fn everything(config: &Window, sample: &Sample, image: &Image) -> Result<Score, Error> {
        if sample.prompt.is_empty() {
            return Err(Error::unsupported_input("the prompt is empty"));
        }
        let steps: f64 = sample.attribute("steps").ok_or("no steps").map_err(Error::other)?.parse()?;
        Ok(Score::new(steps).detail("width", f64::from(image.width())).detail("window", f64::from(config.window)))
    }

    /// Fails with a type of its own.
    fn fails() -> Result<f64, String> {
        Err("as it must".to_owned())
    }

    /// Only where it is wanted.
    #[cfg(any())]
    fn not_there() -> f64 {
        0.0
    }

    struct Window {
        /// Side of the window in pixels.
        #[config(default = 8)]
        #[schemars(range(min = 1, max = 64))]
        window: u8,
        /// What counts as an edge.
        #[config(default)]
        edges: Edges,
        channel: Option<u8>,
    }

    #[derive(Default)]
    #[difftest_sdk::config]
    enum Edges {
        #[default]
        Sobel,
        LaplacianOfGaussian,
    }
}

difftest_sdk::prompts! {
    /// Counts without end.
    fn count(config: Start, seed: u64) -> impl Iterator<Item = Prompt> {
        (config.from..).map(move |n| Prompt::new(format!("number {n}")).attribute("seed", seed.to_string()).attribute("n", n.to_string()))
    }

    /// Plain texts, or none.
    #[prompts(name = "texts")]
    fn some_texts(seed: u64) -> Result<Vec<&'static str>, Error> {
        if seed == 0 { Err(Error::other("not with seed 0")) } else { Ok(vec!["a cat", "a dog"]) }
    }

    struct Start {
        from: u32,
    }
}

fn grey(value: u8) -> Image {
    Image::from_fn(4, 2, |_, _| Rgb::new(value, value, value))
}

fn sample() -> Sample {
    Sample { attributes: vec![("steps".into(), "25".into())], ..Sample::new("a cat") }
}

#[test]
fn describe_says_what_was_written() {
    let metrics = Metrics::describe();
    let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["mean-luma", "all-of-it", "fails"]);
    assert_eq!(metrics[0].summary, "Mean brightness: 0 is black, 1 is white.");
    assert_eq!(metrics[0].range, Some((0.0, 1.0)));
    assert_eq!(metrics[0].unit.as_deref(), Some("share"));
    assert_eq!(metrics[0].direction, Direction::Neither);
    assert_eq!(metrics[0].config_schema, None);
    assert_eq!(metrics[1].range, Some((0.0, f64::INFINITY)));
    assert_eq!(metrics[1].direction, Direction::LowerIsBetter);

    let generators = Prompts::describe();
    assert_eq!(generators.iter().map(|generator| generator.name.as_str()).collect::<Vec<_>>(), ["count", "texts"]);
    assert_eq!(generators[1].config_schema, None);
}

#[test]
fn the_schema_says_everything_of_the_config() {
    let schema: serde_json::Value =
        serde_json::from_str(Metrics::describe()[1].config_schema.as_deref().unwrap()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let window = &schema["properties"]["window"];
    assert_eq!(window["description"], "Side of the window in pixels.");
    assert_eq!((&window["default"], &window["minimum"], &window["maximum"]), (&8.into(), &1.into(), &64.into()));
    assert_eq!(schema["properties"]["edges"]["default"], "sobel");
    assert_eq!(schema["$defs"]["Edges"]["enum"], serde_json::json!(["sobel", "laplacian-of-gaussian"]));
    assert_eq!(schema.get("required"), None);

    let schema: serde_json::Value =
        serde_json::from_str(Prompts::describe()[0].config_schema.as_deref().unwrap()).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["from"]));
}

#[test]
fn a_struct_of_defaults_is_its_own_default() {
    let window = Window::default();
    assert_eq!((window.window, window.channel), (8, None));
    assert!(matches!(window.edges, Edges::Sobel));
}

#[test]
fn a_metric_gets_what_it_asks_for() {
    assert_eq!(mean_luma(&grey(255)), 1.0);
    assert_eq!(Metrics::measure("mean-luma", &grey(51), &sample(), "").unwrap(), Score::new(0.2));
    let config = r#"{"window": 9, "edges": "laplacian-of-gaussian"}"#;
    let score = Metrics::measure("all-of-it", &grey(0), &sample(), config).unwrap();
    assert_eq!(score, Score::new(25.0).detail("width", 4.0).detail("window", 9.0));
    assert_eq!(Metrics::measure("all-of-it", &grey(0), &sample(), "").unwrap().details[1].value, 8.0);
}

#[test]
fn errors_keep_their_kind_and_their_text() {
    let measure = |metric, sample: &Sample, config| Metrics::measure(metric, &grey(0), sample, config).unwrap_err();
    assert_eq!(measure("fails", &sample(), ""), Error::other("as it must"));
    assert_eq!(measure("all-of-it", &Sample::new(""), ""), Error::unsupported_input("the prompt is empty"));
    assert_eq!(measure("all-of-it", &Sample::new("a cat"), ""), Error::other("no steps"));
    let bad_steps = Sample { attributes: vec![("steps".into(), "many".into())], ..Sample::new("a cat") };
    assert_eq!(measure("all-of-it", &bad_steps, ""), Error::other("invalid float literal"));
    let unknown = measure("not-there", &sample(), "").to_string();
    assert_eq!(unknown, "there is no metric `not-there` in this plugin; it has mean-luma, all-of-it, fails");
}

#[test]
fn a_config_that_does_not_fit_is_refused() {
    for (metric, config, wanted) in [
        ("mean-luma", r#"{"window": 8}"#, "takes no config"),
        ("mean-luma", "8", "takes no config"),
        ("all-of-it", r#"{"windw": 8}"#, "unknown field `windw`"),
        ("all-of-it", r#"{"window": "8"}"#, "invalid type: string \"8\", expected u8"),
        ("all-of-it", r#"{"edges": "canny"}"#, "unknown variant `canny`"),
        ("all-of-it", "{", "EOF"),
    ] {
        let error = Metrics::measure(metric, &grey(0), &sample(), config).unwrap_err();
        assert!(matches!(&error, Error::InvalidConfig(message) if message.contains(wanted)), "{config}: {error}");
    }
    for config in ["", "{}", "null", " {} "] {
        Metrics::measure("mean-luma", &grey(0), &sample(), config).unwrap();
    }
}

#[test]
fn pages_are_cut_out_of_one_order() {
    let page = |offset, limit| {
        let prompts = Prompts::generate("count", 7, offset, limit, r#"{"from": 10}"#).unwrap();
        prompts.into_iter().map(|prompt| prompt.text).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 3), ["number 10", "number 11", "number 12"]);
    assert_eq!(page(2, 2), ["number 12", "number 13"]);
    assert!(page(5, 0).is_empty());
    let whole = page(0, 20);
    let pieces: Vec<_> = (0..20).step_by(6).flat_map(|offset| page(offset, 6.min(20 - offset))).collect();
    assert_eq!(pieces, whole);
    assert_eq!(Prompts::generate("texts", 1, 0, u32::MAX, "").unwrap().len(), 2);
    assert!(Prompts::generate("texts", 1, u32::MAX, 1, "").unwrap().is_empty());
}

#[test]
fn prompts_leave_finished() {
    let prompts = Prompts::generate("count", 7, 0, 1, r#"{"from": 1}"#).unwrap();
    assert_eq!(prompts[0].id, "number-1");
    assert_eq!(prompts[0].attributes, [("n".to_owned(), "1".to_owned()), ("seed".to_owned(), "7".to_owned())]);
    let texts = Prompts::generate("texts", 1, 0, 9, "").unwrap();
    assert_eq!(texts.iter().map(|prompt| prompt.id.as_str()).collect::<Vec<_>>(), ["a-cat", "a-dog"]);
    assert_eq!(Prompts::generate("texts", 0, 0, 9, "").unwrap_err(), Error::other("not with seed 0"));
    let unknown = Prompts::generate("cont", 0, 0, 9, "").unwrap_err().to_string();
    assert_eq!(unknown, "there is no prompt generator `cont` in this plugin; it has count, texts");
}
