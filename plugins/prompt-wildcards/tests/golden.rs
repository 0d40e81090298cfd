//! Mode `all` against the `dynamicprompts` package: the same set of prompts for every template. `golden/make.py` made them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use difftest_sdk::PromptPlugin;
use prompt_wildcards::Prompts;
use serde_json::{Value, json};

#[test]
fn all_is_the_set_that_the_package_makes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/golden.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 200);
    let mut compared = 0;
    for case in cases {
        let config = json!({ "template": case["template"], "lists": golden["lists"], "mode": "all" }).to_string();
        let ours = Prompts::generate("prompt-wildcards", 0, 0, 100_000, &config)
            .unwrap_or_else(|error| panic!("{}: {error}", case["template"]));
        let texts: BTreeSet<&str> = ours.iter().map(|prompt| prompt.text.as_str()).collect();
        assert_eq!(texts.len(), ours.len(), "{}: no prompt twice", case["template"]);
        let theirs = case["prompts"].as_array().unwrap().iter().map(|prompt| prompt.as_str().unwrap());
        let theirs: BTreeSet<&str> = theirs.filter(|text| !text.trim().is_empty()).collect();
        assert_eq!(texts, theirs, "{}", case["template"]);
        compared += texts.len();
    }
    println!("{} templates, {compared} prompts", cases.len());
}
