//! What a suite may say, and what it is told when it says something else.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Suite, SuiteErrors> {
    parse(Path::new("suites/smoke.toml"), text)
}

/// The problems as a program would print them.
fn problems(text: &str) -> String {
    let errors = read(text).unwrap_err();
    let mut report = String::new();
    for error in &errors.errors {
        let span = error.span.clone().unwrap_or(0..0);
        report += &format!("{}\n", error.located(&errors.path, &errors.text));
        report += &format!("    at {:?}: {}\n", &text[span], error.label.as_deref().unwrap_or("-"));
        if let Some(hint) = &error.hint {
            report += &format!("    next: {hint}\n");
        }
    }
    report
}

const TEST: &str = "[[test]]\nname = \"t\"\nprompts = [\"x\"]\nmetrics = [\"clip_score\"]\n";

#[test]
fn reads_everything_a_suite_can_say() {
    let suite = read(
        r#"
        model = "builtin:shapes"
        loras = ["style.safetensors", { path = "loras/b", weight = -0.5 }, { path = "c" }]
        manual = true
        [models]
        clip = "models/clip"
        [defaults]
        seeds = [0, 9223372036854775807]
        metrics = ["clip_score"]
        threshold = { clip_score = 0.2 }
        scheduler = "ddim"
        steps = 25
        guidance = 5
        size = 512
        negative_prompt = "blurry"
        [[test]]
        name = "plain"
        prompts = ["a", "b"]
        [[test]]
        name = "own"
        prompts = { generator = "prompt-matrix/matrix", config = { template = "{a}", list = [1, 2.5, true, "x"] }, seed = 3, limit = 12 }
        seeds = [1_000, 0x10]
        metrics = [{ name = "stats/sharpness", config = { radius = 2 } }, "clip_score"]
        threshold = { "stats/sharpness" = [{ min = 0.1, of = "p10" }, { max = 0.9, of = "max" }] }
        steps = 50
        size = [768, 512]
        negative_prompt = ""
        "#,
    )
    .unwrap();
    assert_eq!((suite.name.as_str(), suite.manual), ("smoke", true));
    let loras: Vec<_> = suite.loras.iter().map(|lora| (lora.path.to_str().unwrap(), lora.weight)).collect();
    assert_eq!(loras, [("style.safetensors", 1.0), ("loras/b", -0.5), ("c", 1.0)]);
    assert_eq!(suite.model, Some(ModelSpec::Diffusion("builtin:shapes".to_owned())));
    assert_eq!(suite.models[0].reference, "models/clip");
    let [plain, own] = &suite.tests[..] else { panic!("two tests") };

    assert_eq!(plain.seeds, [0, i64::MAX as u64]);
    assert_eq!(plain.metrics[0].name, "clip_score");
    assert_eq!(plain.thresholds[0].bound, ThresholdBound::Bare(0.2));
    assert_eq!(
        (plain.settings.steps, plain.settings.guidance, plain.settings.size),
        (Some(25), Some(5.0), Some((512, 512)))
    );
    assert_eq!(plain.settings.negative_prompt.as_deref(), Some("blurry"));

    assert_eq!(own.seeds, [1000, 16]);
    let PromptSource::Generator { name, config, seed, limit, .. } = &own.prompts else { panic!("generated") };
    assert_eq!((name.as_str(), *seed, *limit), ("prompt-matrix/matrix", 3, 12));
    assert_eq!(*config, json!({ "template": "{a}", "list": [1, 2.5, true, "x"] }));
    assert_eq!(own.metrics[0].config, json!({ "radius": 2 }));
    let of: Vec<_> = own.thresholds.iter().map(|t| format!("{} {}", t.metric, t.of)).collect();
    assert_eq!(of, ["stats/sharpness p10", "stats/sharpness max", "clip_score mean"], "own, then inherited");
    assert_eq!((own.settings.steps, own.settings.size), (Some(50), Some((768, 512))));
    assert_eq!(own.settings.scheduler.as_deref(), Some("ddim"));
    assert_eq!(own.settings.negative_prompt.as_deref(), Some(""), "takes back the default");
}

#[test]
fn spans_point_at_what_they_name() {
    let suite = read(&format!("{TEST}threshold = {{ clip_score = 0.25 }}")).unwrap();
    let at = |span: &Span| &suite.text[span.clone()];
    assert_eq!(at(&suite.tests[0].span), "\"t\"");
    assert_eq!(at(&suite.tests[0].metrics[0].span), "\"clip_score\"");
    assert_eq!(at(&suite.tests[0].thresholds[0].span), "clip_score");
    assert_eq!(at(&suite.tests[0].prompts_span), "[\"x\"]");
}

#[test]
fn gates_are_read_with_what_they_need() {
    use crate::gate::{AtLeast, Check, OnInconclusive};
    let suite = read(&format!(
        r#"inconclusive = "pass"
{TEST}threshold = {{ clip_score = [
    {{ gate = "floor", min = 0.25 }},
    {{ gate = "no_worse_than_baseline", margin = 0.01 }},
    {{ gate = "improved" }},
    {{ gate = "rate", min = 0.2, max = 0.9, share = 0.9 }},
    {{ gate = "similar", min = 0.9, at_least = 8 }},
    {{ gate = "similar", max = 0.9, at_least = "90%" }},
] }}"#
    ))
    .unwrap();
    assert_eq!(suite.inconclusive, OnInconclusive::Pass);
    let bound = |min, max| Bound { min, max };
    let expected = [
        ThresholdBound::Gate(Check::Floor, bound(Some(0.25), None)),
        ThresholdBound::Gate(Check::NoWorseThanBaseline { margin: 0.01 }, bound(None, None)),
        ThresholdBound::Gate(Check::Improved { margin: 0.0 }, bound(None, None)),
        ThresholdBound::Gate(Check::Rate { share: 0.9 }, bound(Some(0.2), Some(0.9))),
        ThresholdBound::Gate(Check::Similar { at_least: AtLeast::Images(8) }, bound(Some(0.9), None)),
        ThresholdBound::Gate(Check::Similar { at_least: AtLeast::Share(0.9) }, bound(None, Some(0.9))),
    ];
    let found: Vec<_> = suite.tests[0].thresholds.iter().map(|threshold| threshold.bound).collect();
    assert_eq!(found, expected);
}

#[test]
fn mistakes_in_gates_say_what_to_write() {
    let gate = |table: &str| problems(&format!("{TEST}threshold = {{ clip_score = {{ {table} }} }}"));
    let tables = [
        r#"gate = "flor", min = 0.2"#,
        r#"gate = "floor""#,
        r#"gate = "floor", min = 0.1, max = 0.2"#,
        r#"gate = "floor", min = 0.1, margin = 0.1"#,
        r#"gate = "no_worse_than_baseline""#,
        r#"gate = "no_worse_than_baseline", margn = 0.1"#,
        r#"gate = "improved", margin = -0.1"#,
        r#"gate = "rate", min = 0.2"#,
        r#"gate = "rate", min = 0.2, share = 1.0"#,
        r#"gate = "similar", min = 0.9"#,
        r#"gate = "similar", min = 0.9, at_least = "most""#,
        r#"gate = "similar", at_least = 0"#,
        "gate = 3",
        "min = 0.1, share = 0.9",
    ];
    let all: Vec<String> = tables.iter().map(|table| format!("{table}\n{}", gate(table))).collect();
    insta::assert_snapshot!(all.join("\n"));
    let tested = |keys: &str| parse(Path::new("s.toml"), &format!("{TEST}{keys}\n"));
    let test = tested("under_test = [\"steps\", \"negative_prompt\"]\ncontrols = true").unwrap().tests.remove(0);
    assert_eq!((test.under_test.join(" "), test.controls), ("steps negative_prompt".to_owned(), true));
    assert!(problems(&format!("{TEST}under_test = [\"step\"]\n")).contains("`step` is no setting"));
    assert!(problems(&format!("{TEST}under_test = \"steps\"\n")).contains("a list of settings"));
    assert!(problems(&format!("inconclusive = \"maybe\"\n{TEST}")).contains("must be \"fail\" or \"pass\""));
}

#[test]
fn a_folder_of_images_needs_no_prompts() {
    let suite = read("model = { images = \"out\", manifest = \"m.jsonl\" }\n[[test]]\nname = \"t\"\nmetrics = [\"m\"]")
        .unwrap();
    assert!(matches!(suite.tests[0].prompts, PromptSource::Manifest));
    assert_eq!(suite.model, Some(ModelSpec::Images { folder: "out".into(), manifest: Some("m.jsonl".into()) }));
    let text = "model = { images = \"out\" }\n[[test]]\nname = \"t\"\nseeds = [1]\nmetrics = [\"m\"]";
    assert!(problems(text).contains("seeds without prompts have no effect"));
    assert!(problems("model = \"m\"\n[[test]]\nname = \"t\"\nmetrics = [\"m\"]").contains("this test has no prompts"));
}

#[test]
fn the_suites_that_come_with_difftest_are_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let suites = std::fs::read_dir(root.join("suites")).unwrap().map(|entry| entry.unwrap().path());
    let suites: Vec<_> = suites.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    assert!(!suites.is_empty());
    for path in suites.iter().chain([&root.join("host/cli/src/commands/init/first.toml")]) {
        let text = std::fs::read_to_string(path).unwrap();
        if let Err(errors) = parse(path, &text) {
            panic!("{}", errors.errors.iter().map(|error| error.located(path, &text) + "\n").collect::<String>());
        }
    }
}

#[test]
fn models_and_references() {
    let test = "[[test]]\nname = \"t\"\nprompts = [\"x\"]\nmetrics = [\"m\"]\n";
    let text = format!(
        "model = \"m\"\n[models]\nhead = \"a/head.onnx\"\nclip = \"c\"\n[defaults]\nreference = \"was\"\n\
         {test}[[test]]\nname = \"u\"\nprompts = [\"x\"]\nmetrics = [\"m\"]\nreference = {{ images = \"i\", manifest = \"l\" }}"
    );
    let suite = read(&text).unwrap();
    let models: Vec<_> = suite.models.iter().map(|model| (model.name.as_str(), model.is_graph())).collect();
    assert_eq!(models, [("clip", false), ("head", true)]);
    let references: Vec<_> = suite.tests.iter().map(|test| test.reference.clone().unwrap()).collect();
    assert_eq!((references[0].images.as_path(), &references[0].manifest), (Path::new("was"), &None));
    assert_eq!(
        (references[1].images.as_path(), references[1].manifest.as_deref()),
        (Path::new("i"), Some(Path::new("l")))
    );

    let models = |entry: &str| problems(&format!("model = \"m\"\n[models]\n{entry}\n{test}"));
    assert!(models("clip = 3").contains("must be a string"));
    assert!(models("\"../head\" = \"x\"").contains("a model's name is made of"));
    assert!(models("clip = \"x.onnx\"").contains("`clip` is a CLIP model, not a graph"));
    let reference = |value: &str| problems(&format!("model = \"m\"\n{test}reference = {value}"));
    assert!(reference("3").contains("must be a folder, or a table"));
    assert!(reference("{ manifest = \"x\" }").contains("a table with the key `images`"));
    assert!(reference("{ images = \"x\", kind = 1 }").contains("unknown key `kind`"));
}

#[test]
fn misspelt_and_misplaced_keys() {
    insta::assert_snapshot!(problems(
        "modle = \"m\"\nsteps = 3\nprompts = []\n[defaults]\nstepz = 1\nname = \"x\"\n[models]\nclop = \"x\"\n[[test]]\nname = \"t\"\nprompt = [\"x\"]\nprompts = { generater = \"g\", generator = \"g\" }\nmetrics = [{ name = \"m\", confg = {} }]\nthreshold = { m = { mim = 1, min = 1 } }\n"
    ));
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(problems(
        "model = 3\nmodels = 1\nmanual = \"yes\"\ndefaults = []\n[[test]]\nname = 1\nprompts = \"x\"\nseeds = 42\nmetrics = \"m\"\nthreshold = 0.5\nscheduler = 1\nsteps = \"many\"\nguidance = \"high\"\nsize = \"512x512\"\nnegative_prompt = []\n[[test]]\nname = \"u\"\nprompts = [1]\nmetrics = [2]\nseeds = [1.5]\nsize = [1, 2, 3]\n"
    ));
}

#[test]
fn wrong_values() {
    insta::assert_snapshot!(problems(
        "[defaults]\nthreshold = { x = { min = 1, max = 0 } }\n[[test]]\nname = \"t\"\nprompts = [\"\", \"a\", \" \\t\", \"a\"]\nseeds = [-1, 1, 1, 9223372036854775808, 99999999999999999999999999999999999999999]\nmetrics = [\"m\", \"m\", \"\"]\nthreshold = { m = nan, mm = 0.5 }\nsteps = 0\nguidance = inf\nsize = 0\nscheduler = \"\"\n[[test]]\nname = \"t\"\nprompts = []\nseeds = []\nmetrics = []\nsteps = 1001\nguidance = -1\nsize = [64, 10000]\n[[test]]\nname = \"a/b\"\nprompts = { generator = \"g\", seed = -1, limit = 0, config = { when = 2020-01-01, x = inf } }\nmetrics = [\"m\"]\nthreshold = { m = { of = \"avrage\", min = 1 }, m2 = {}, m3 = [] }\n"
    ));
}

#[test]
fn files_without_tests() {
    insta::assert_snapshot!(
        ["", "model = \"m\"", "test = []", "[test]\nname = \"t\"", "[[tests]]\nname = \"t\"", "[[test]]"]
            .map(|text| format!("{text:?}\n{}", problems(text)))
            .join("\n")
    );
}

#[test]
fn not_toml() {
    insta::assert_snapshot!(
        ["a = ", "[[test]\n", "a = 1\na = 2", "x = \"never closed\n", "name = \"t\" prompts = []"]
            .map(|text| format!("{text:?}\n{}", problems(text)))
            .join("\n")
    );
}

#[test]
fn a_default_threshold_that_judges_nothing_is_an_error() {
    let text = format!("[defaults]\nthreshold = {{ clip_scor = 0.2 }}\n{TEST}");
    assert!(problems(&text).contains("no test measures `clip_scor`"), "{}", problems(&text));
}

#[test]
fn numbers_of_toml_all_count_as_numbers() {
    for (written, value) in [("5", 5.0), ("5.5", 5.5), ("1e-3", 0.001), ("+1_0.5", 10.5), ("-0.0", 0.0)] {
        let suite = read(&format!("{TEST}guidance = {written}")).unwrap();
        assert_eq!(suite.tests[0].settings.guidance, Some(value), "{written}");
    }
}

/// TOML-like text around the keys that suites use.
fn scrap() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "name",
        "prompts",
        "seeds",
        "metrics",
        "threshold",
        "steps",
        "size",
        "model",
        "test",
        "x",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "-1",
        "1.5",
        "nan",
        "\"t\"",
        "\"\"",
        "[]",
        "[1]",
        "[\"a\"]",
        "{}",
        "{ min = 1 }",
        "{ m = 0.5 }",
        "true",
        "2020-01-01",
        "[[[1]]]",
        "\"ü\"",
        "0x",
        "{ generator = \"g\" }",
    ]);
    let line = prop_oneof![
        6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        2 => Just("[[test]]\n".to_owned()),
        1 => Just("[defaults]\n".to_owned()),
        1 => "[ -~\u{e9}]{0,12}\n",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_suite_or_has_problems_inside_of_it(text in scrap()) {
        match read(&text) {
            Ok(suite) => prop_assert!(!suite.tests.is_empty() && suite.tests.iter().all(|test| !test.seeds.is_empty())),
            Err(errors) => {
                prop_assert!(!errors.errors.is_empty());
                for error in &errors.errors {
                    prop_assert!(error.span.as_ref().is_none_or(|span| text.get(span.clone()).is_some()), "{error:?}");
                    prop_assert!(!error.located(&errors.path, &errors.text).is_empty());
                }
            }
        }
    }
}

#[test]
fn loras_that_cannot_be_meant() {
    let wrong = "model = \"m\"\nloras = [\"a\", \"a\", 3, {}, { weight = 1 }, { path = \"b\", weight = inf }, { path = \"\" }, { paht = \"c\" }]\n";
    let heavy = format!("model = \"m\"\nloras = [{{ path = \"b\", weight = -1e308 }}]\n{TEST}");
    assert!(problems(&heavy).contains("`weight` is out of range"), "{}", problems(&heavy));
    let images = "model = { images = \"out\" }\nloras = [\"a\"]\n";
    let empty = "model = \"m\"\nloras = []\n";
    insta::assert_snapshot!([wrong, images, empty].map(|text| problems(&format!("{text}{TEST}"))).join("\n"));
}

#[test]
fn visual_regression_tests_say_what_they_tolerate() {
    use crate::visual::{Differing, Region, Tier};
    let head = "model = \"m\"\nbaseline = \"v1\"\n[defaults]\nssim_threshold = 0.9\n";
    let test = "[[test]]\nname = \"t\"\nkind = \"visual_regression\"\nprompts = [\"x\"]\n";
    let suite = read(&format!("{head}{test}")).unwrap();
    let visual = suite.tests[0].visual.clone().unwrap();
    assert_eq!((visual.tolerances.tiers, visual.tolerances.ssim, visual.folder), (vec![Tier::Ssim], 0.9, None));
    assert_eq!(suite.tests[0].baseline.as_deref(), Some("v1"));
    assert!(suite.tests[0].metrics.is_empty());

    let keys = "baseline_dir = \"../b/v2\"\nmax_diff_ratio = 0.01\nphash_distance = 3\nignore = [[0, 1, 2, 3]]\nbaseline = \"own\"\n";
    let suite = read(&format!("{head}{test}{keys}")).unwrap();
    let visual = suite.tests[0].visual.clone().unwrap();
    let tolerances = visual.tolerances;
    assert_eq!(tolerances.tiers, [Tier::Pixel, Tier::Ssim, Tier::Phash], "those that a tolerance is given for");
    assert_eq!((tolerances.differing, tolerances.phash), (Differing::Share(0.01), 3));
    assert_eq!(tolerances.ignore, [Region { x: 0, y: 1, width: 2, height: 3 }]);
    assert_eq!(visual.folder.as_deref(), Some(Path::new("../b/v2")));
    assert_eq!(suite.tests[0].baseline.as_deref(), Some("own"));
    assert_eq!(tolerances.limit(Tier::Pixel, 500), 0.01);

    for all in ["ssim_threshold = 0", "phash_distance = 64", "max_diff_ratio = 1", "size = 8\nmax_diff_pixels = 64"] {
        let said = problems(&format!("{head}{test}{all}\n"));
        assert!(said.contains("tolerates every image"), "{all}: {said}");
    }
    read(&format!("{head}{test}size = 8\nmax_diff_pixels = 63\n")).unwrap();
    assert!(problems(&format!("{head}{TEST}")).contains("no test compares images"), "defaults of nobody");
    assert!(problems(&format!("{TEST}baseline = \"../x\"")).contains("no name of a baseline"));
    let none = problems(&format!("model = \"m\"\n{test}tiers = [\"bit\", \"bit\"]\n"));
    assert!(none.contains("names no baseline") && none.contains("occurs twice"), "{none}");
}
