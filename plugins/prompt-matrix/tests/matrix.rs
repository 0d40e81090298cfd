//! The generator as the host calls it: JSON config in, pages of prompts out.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use difftest_sdk::{Prompt, PromptPlugin};
use prompt_matrix::Prompts;
use proptest::prelude::*;
use serde_json::{Value, json};

fn generate(config: &Value, seed: u64, offset: u32, limit: u32) -> Result<Vec<Prompt>, String> {
    Prompts::generate("prompt-matrix", seed, offset, limit, &config.to_string()).map_err(|error| error.to_string())
}

fn all(config: &Value) -> Vec<Prompt> {
    generate(config, 0, 0, 10_000).unwrap()
}

fn ids(prompts: &[Prompt]) -> Vec<&str> {
    prompts.iter().map(|prompt| prompt.id.as_str()).collect()
}

#[test]
fn the_product_is_in_the_order_of_nested_loops() {
    let prompts = all(&json!({
        "template": "a {subject} in {style} style", "style": ["oil painting", "Van Gogh"], "subject": ["cat", "dog"],
    }));
    let texts: Vec<&str> = prompts.iter().map(|prompt| prompt.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "a cat in oil painting style",
            "a cat in Van Gogh style",
            "a dog in oil painting style",
            "a dog in Van Gogh style"
        ]
    );
    assert_eq!(prompts[1].id, "subject=cat,style=van-gogh");
    assert_eq!(prompts[1].negative, None);
    assert_eq!(prompts[1].attributes, [("style".into(), "Van Gogh".into()), ("subject".into(), "cat".into())]);
}

#[test]
fn built_in_lists_fill_in_and_can_be_replaced() {
    let template = "a {color} {shape} on a white background";
    let prompts = all(&json!({ "template": template }));
    assert_eq!(prompts.len(), 10 * 8);
    assert_eq!(
        (prompts[0].id.as_str(), prompts[0].text.as_str()),
        ("color=red,shape=circle", "a red circle on a white background")
    );
    assert_eq!(prompts[79].id, "color=cyan,shape=heart");
    let own = all(&json!({ "template": template, "color": ["teal"] }));
    assert_eq!(own.len(), 8);
    assert_eq!(own[0].text, "a teal circle on a white background");
    assert_eq!(all(&json!({ "template": "{color} {color2}" })).len(), 100);
}

#[test]
fn ids_survive_new_values_and_a_new_order() {
    let before = all(&json!({ "template": "{a} {b}", "a": ["x", "y"], "b": [1, 2.5] }));
    let after = all(&json!({ "template": "{a} {b}", "a": ["new", "y", "x"], "b": [2.5, 3, 1] }));
    assert_eq!(ids(&before), ["a=x,b=1", "a=x,b=2.5", "a=y,b=1", "a=y,b=2.5"]);
    for prompt in &before {
        assert!(after.contains(prompt), "{prompt:?}");
    }
}

#[test]
fn several_templates_follow_each_other() {
    let prompts = all(&json!({ "template": ["a photo of a {x}", "A {x}, drawn!", "nothing"], "x": ["cat"] }));
    assert_eq!(ids(&prompts), ["a-photo-of-a-x:x=cat", "a-x-drawn:x=cat", "nothing"]);
    assert_eq!(prompts[1].attributes[0], ("template".into(), "A {x}, drawn!".into()));
    assert_eq!(all(&json!({ "template": "just text" }))[0].id, "just-text");
}

#[test]
fn negative_prompts_share_the_variables() {
    let prompts = all(
        &json!({ "template": "a {color} cat", "negative": "{color} dog, {bad}", "color": ["red"], "bad": ["blur", "noise"] }),
    );
    assert_eq!(ids(&prompts), ["color=red,bad=blur", "color=red,bad=noise"]);
    assert_eq!(prompts[1].negative.as_deref(), Some("red dog, noise"));
}

#[test]
fn a_sample_follows_from_the_seed_and_grows_at_its_end() {
    let config = |sample: u32| json!({ "template": "{color} {shape}", "sample": sample });
    let ten = generate(&config(10), 42, 0, 100).unwrap();
    assert_eq!(ten.len(), 10);
    assert_eq!(ten, generate(&config(10), 42, 0, 100).unwrap());
    assert_ne!(ten, generate(&config(10), 43, 0, 100).unwrap());
    assert_eq!(ten, generate(&config(20), 42, 0, 100).unwrap()[..10]);
    let every = generate(&config(1_000), 42, 0, 1_000).unwrap();
    assert_eq!(every.iter().map(|prompt| &prompt.id).collect::<BTreeSet<_>>().len(), 80);
    assert_eq!(every.len(), 80);
    // golden, from the same shuffle on a whole array in Python: a change here changes the prompts of every suite that samples
    assert_eq!(ids(&ten[..3]), GOLDEN_SAMPLE);
}

const GOLDEN_SAMPLE: [&str; 3] = ["color=black,shape=star", "color=green,shape=diamond", "color=blue,shape=heart"];

#[test]
fn a_billion_prompts_cost_nothing_until_they_are_asked_for() {
    let values: Vec<u32> = (0..1_000).collect();
    let mut config = json!({ "template": "{a} {b} {c}", "a": values, "b": values, "c": values });
    assert_eq!(ids(&generate(&config, 0, 999_999_999, 10).unwrap()), ["a=999,b=999,c=999"]);
    assert_eq!(ids(&generate(&config, 0, 123_456_789, 1).unwrap()), ["a=123,b=456,c=789"]);
    assert!(generate(&config, 0, 1_000_000_000, 10).unwrap().is_empty());
    config["sample"] = json!(5);
    let sample = generate(&config, 7, 0, 10).unwrap();
    assert_eq!(sample.iter().map(|prompt| &prompt.id).collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(sample[3..], generate(&config, 7, 3, 10).unwrap());
}

#[test]
fn products_beyond_numbers_are_refused_in_words() {
    let many = |count: usize| {
        let template: String = (0..count).map(|i| format!("{{v{i}}} ")).collect();
        let values: Vec<u32> = (0..1_000).collect();
        let mut config = json!({ "template": template });
        for i in 0..count {
            config[format!("v{i}")] = json!(values);
        }
        config
    };
    // 10^30: walked from its beginning, too large to sample
    let mut config = many(10);
    assert_eq!(generate(&config, 0, 1, 1).unwrap()[0].id, "v0=0,v1=0,v2=0,v3=0,v4=0,v5=0,v6=0,v7=0,v8=0,v9=1");
    config["sample"] = json!(3);
    assert!(generate(&config, 0, 0, 3).unwrap_err().contains("too many to sample"));
    assert!(generate(&many(20), 0, 0, 1).unwrap_err().contains("more than 2^127 combinations"));
}

#[test]
fn bad_configs_say_what_is_wrong() {
    for (config, wanted) in [
        (json!({}), "missing field `template`"),
        (json!({ "template": [] }), "`template` is an empty list"),
        (json!({ "template": "a {colr} cat" }), "the template uses `{colr}`, which has no values; give `colr ="),
        (
            json!({ "template": "a {color} cat", "colour": ["red"] }),
            "no template uses the variable `colour`; they use: color",
        ),
        (json!({ "template": "a cat", "x": [] }), "no template uses the variable `x`; they use: none"),
        (json!({ "template": "{x}", "x": [] }), "the list `x` is empty"),
        (json!({ "template": "{x}", "x": "red" }), "expected a sequence"),
        (json!({ "template": "{x}", "x": ["a", "b", "a"] }), "variable `x`: `a` is listed twice"),
        (
            json!({ "template": "{x}", "x": ["C", "c!"] }),
            "`c!` cannot be told from an earlier value in ids (`C`, id `c`)",
        ),
        (json!({ "template": "{x}", "x": ["a"], "variables": { "x": ["b"] } }), "`x` is given twice"),
        (json!({ "template": "{x}", "x": ["a"], "variables": { "2x": ["b"] } }), "`2x` is no variable name"),
        (json!({ "template": "{template}", "variables": { "template": ["b"] } }), "cannot be called `template`"),
        (json!({ "template": ["a {x}", "A {x}!"], "x": [1] }), "has the id of an earlier one, `a-x`"),
        (json!({ "template": "{x", "x": [1] }), "`{` is not closed"),
        (json!({ "template": "{color}", "sample": 0 }), "`sample = 0` asks for no prompt"),
        (json!({ "template": "{color}", "sample": -1 }), "expected u32"),
        (json!({ "template": "{color}", "negative": "}" }), "`}` closes nothing"),
    ] {
        let message = generate(&config, 0, 0, 1).unwrap_err();
        assert!(
            message.contains(wanted) && message.starts_with("invalid config: "),
            "{config}\nsays: {message}\nwanted: {wanted}"
        );
    }
}

#[test]
fn the_generator_describes_its_config() {
    let infos = Prompts::describe();
    assert_eq!((infos.len(), infos[0].name.as_str()), (1, "prompt-matrix"));
    let schema: Value = serde_json::from_str(infos[0].config_schema.as_deref().unwrap()).unwrap();
    assert_eq!(schema["required"], json!(["template"]));
    assert!(schema["additionalProperties"]["items"].is_object(), "{schema:#}");
}

proptest! {
    /// Pages of any size put together are the whole, and no id occurs twice.
    #[test]
    fn pages_make_the_whole(sizes in prop::collection::vec(1..5_usize, 1..4), page in 1..7_u32, seed: u64, sample in prop::option::of(1..40_u32)) {
        let template: String = (0..sizes.len()).map(|i| format!("{{v{i}}} ")).collect();
        let mut config = json!({ "template": template });
        for (i, size) in sizes.iter().enumerate() {
            config[format!("v{i}")] = json!((0..*size).collect::<Vec<_>>());
        }
        if let Some(sample) = sample {
            config["sample"] = json!(sample);
        }
        let whole = generate(&config, seed, 0, 1_000).unwrap();
        let product: usize = sizes.iter().product();
        prop_assert_eq!(whole.len(), sample.map_or(product, |sample| product.min(sample as usize)));
        prop_assert_eq!(whole.iter().map(|prompt| &prompt.id).collect::<BTreeSet<_>>().len(), whole.len());
        let mut pages = Vec::new();
        loop {
            let next = generate(&config, seed, pages.len() as u32, page).unwrap();
            let last = next.len() < page as usize;
            pages.extend(next);
            if last { break }
        }
        prop_assert_eq!(pages, whole);
    }

    /// No config text makes it panic.
    #[test]
    fn any_template_is_a_prompt_or_an_error(template in "[a{} é-]{0,20}", seed: u64) {
        let _ = generate(&json!({ "template": template, "sample": 3 }), seed, 0, 10);
    }
}
