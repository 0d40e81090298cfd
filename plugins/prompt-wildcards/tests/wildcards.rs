//! The generator as the host calls it: JSON config in, pages of prompts out.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use difftest_sdk::{Prompt, PromptPlugin};
use prompt_wildcards::Prompts;
use proptest::prelude::*;
use serde_json::{Value, json};

fn generate(config: &Value, seed: u64, offset: u32, limit: u32) -> Result<Vec<Prompt>, String> {
    Prompts::generate("prompt-wildcards", seed, offset, limit, &config.to_string()).map_err(|error| error.to_string())
}

fn all(mut config: Value) -> Vec<Prompt> {
    config["mode"] = json!("all");
    generate(&config, 0, 0, 100_000).unwrap()
}

fn texts(prompts: &[Prompt]) -> Vec<&str> {
    prompts.iter().map(|prompt| prompt.text.as_str()).collect()
}

#[test]
fn all_is_in_the_order_of_nested_loops() {
    let lists = json!({ "size": ["small", "very {big|tall}"] });
    let prompts = all(json!({ "template": "a {red|__size__} {cat|dog}", "lists": lists }));
    let wanted =
        "a red cat|a red dog|a small cat|a small dog|a very big cat|a very big dog|a very tall cat|a very tall dog";
    assert_eq!(texts(&prompts).join("|"), wanted);
    assert_eq!(
        texts(&all(json!({ "template": "{2-3$$,$$a|b|c}" }))).join(" "),
        "a,b a,c b,a b,c c,a c,b a,b,c a,c,b b,a,c b,c,a c,a,b c,b,a"
    );
    let nested = all(json!({ "template": "{2$${a|b}|x|{c|d}}" }));
    assert_eq!(texts(&nested).join(" "), "a,x a,c a,d b,x b,c b,d x,a x,b x,c x,d c,a c,b c,x d,a d,b d,x");
}

#[test]
fn what_was_taken_is_told() {
    let lists = json!({ "color": ["red", "dark {green|blue}"], "style": ["oil"] });
    let template = "{a {big|small} cat|two dogs}, __color__ on __color__, {2$$ and $$__style__|ink}";
    let prompts = all(json!({ "template": template, "negative": "{blur|__style__}", "lists": lists }));
    assert_eq!(prompts.len(), 3 * 9 * 2 * 2);
    let told: BTreeMap<_, _> =
        prompts[0].attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let wanted = [
        ("color", "red"),
        ("color 2", "red"),
        ("negative:{1}", "blur"),
        ("style", "oil"),
        ("{1}", "a big cat"),
        ("{2}", "big"),
        ("{3}", "oil and ink"),
    ];
    assert_eq!(told, BTreeMap::from(wanted));
    assert_eq!(
        (prompts[0].text.as_str(), prompts[0].negative.as_deref()),
        ("a big cat, red on red, oil and ink", Some("blur"))
    );
    let last = prompts.last().unwrap();
    assert_eq!(last.text, "two dogs, dark blue on dark blue, ink and oil");
    assert!(last.attributes.iter().any(|(name, value)| name == "negative:style" && value == "oil"));
    assert!(!last.attributes.iter().any(|(name, _)| name == "{2}"));
}

#[test]
fn prompts_are_different_and_so_are_their_ids() {
    let prompts = all(json!({ "template": "{|a}{|a}{|a}" }));
    assert_eq!(texts(&prompts), ["a", "aa", "aaa"], "the one without text is no prompt");
    let prompts = all(json!({ "template": "a cat{|,|!|.}", "negative": "{|x}" }));
    assert_eq!(prompts.len(), 8);
    assert_eq!(prompts.iter().map(|prompt| &prompt.id).collect::<BTreeSet<_>>().len(), 8);
    let ids = |template: &str| all(json!({ "template": template })).into_iter().map(|p| p.id).collect::<Vec<_>>();
    assert_eq!(ids("a {red|blue} circle"), ["a-red-circle", "a-blue-circle"]);
    assert_eq!(
        ids("{a {red|green} circle|a {yellow|blue} circle}")[3],
        "a-blue-circle",
        "an id follows from the prompt alone"
    );
}

#[test]
fn escapes_comments_and_white_space() {
    let one = |template: &str| texts(&all(json!({ "template": template }))).join("~");
    assert_eq!(
        one(r"\{a\|b\} \$\{x\} \%\{ \_\_x\_\_ \# \\ {\!a|\@b|1\::c}"),
        r"{a|b} ${x} %{ __x__ # \ !a~{a|b} ${x} %{ __x__ # \ @b~{a|b} ${x} %{ __x__ # \ 1::c"
    );
    assert_eq!(one(r"\(a\) 100% $5 _x_ {$5|b}\"), r"\(a\) 100% $5 _x_ $5\~\(a\) 100% $5 _x_ b\");
    assert_eq!(one("a # {not read\n{b|c}#"), "a\nb~a\nc");
    let lines = "a cat,\n   {  big\n    |small\n  } ,\n {|x}\n";
    let squeezed = all(json!({ "template": lines, "ignore_whitespace": true }));
    assert_eq!(texts(&squeezed), ["a cat, big ,", "a cat, big , x", "a cat, small ,", "a cat, small , x"]);
}

#[test]
fn chance_follows_from_the_seed_and_grows_at_its_end() {
    let lists = json!({ "color": ["red", "green", "blue", "white"], "animal": ["cat", "dog", "{small|old} horse"] });
    let config =
        json!({ "template": "{1-2$$ and $$__color__} __animal__ {in|on} {a|the} {1-3$$, $$u|v|w|x}", "lists": lists });
    let ten = generate(&config, 42, 0, 10).unwrap();
    assert_eq!(ten.len(), 10);
    assert_eq!(ten, generate(&config, 42, 0, 500).unwrap()[..10]);
    assert_ne!(ten, generate(&config, 43, 0, 10).unwrap());
    // a change here changes the prompts of every suite that draws
    assert_eq!(texts(&ten[..3]), GOLDEN);
}

const GOLDEN: [&str; 3] =
    ["red and green cat in a u, w", "blue and green cat in the w", "red and green old horse on the v, u"];

#[test]
fn weights_are_observed() {
    let config = |template: &str| json!({ "template": template, "lists": { "w": ["8::often", "0::never", "seldom"] } });
    let first = |template: &str| {
        let mut counts = BTreeMap::new();
        for seed in 0..3_000 {
            *counts.entry(generate(&config(template), seed, 0, 1).unwrap()[0].text.clone()).or_insert(0_u32) += 1;
        }
        counts
    };
    // four standard deviations of a binomial with n = 3000
    let near = |count: u32, share: f64| {
        (f64::from(count) - 3_000.0 * share).abs() < 4.0 * (3_000.0 * share * (1.0 - share)).sqrt()
    };
    let counts = first("{2::a|1.5::b|.5::c}");
    assert!(near(counts["a"], 0.5) && near(counts["b"], 0.375) && near(counts["c"], 0.125), "{counts:?}");
    let counts = first("__w__");
    assert!(near(counts["often"], 8.0 / 9.0) && counts.len() == 2, "{counts:?}");
    // without putting back: a first with 2/4, then b with 1/2 of what is left
    let counts = first("{2$$2::a|b|c}");
    assert!(
        counts.len() == 6
            && near(counts["a,b"], 0.25)
            && near(counts["b,a"], 0.25 * 2.0 / 3.0)
            && near(counts["b,c"], 0.25 / 3.0),
        "{counts:?}"
    );
    assert_eq!(first("{2$$__w__}").len(), 2, "what weighs nothing is never taken");
    assert_eq!(texts(&all(config("__w__"))), ["often", "never", "seldom"], "and is one of all");
}

#[test]
fn all_of_chance_is_all() {
    let config = json!({ "template": "{1-2$$ $$a|b|{c|d}} {e|f}" });
    let drawn = generate(&config, 1, 0, 10_000).unwrap();
    let every = all(config);
    assert_eq!(texts(&drawn).into_iter().collect::<BTreeSet<_>>(), texts(&every).into_iter().collect());
    assert_eq!(drawn.len(), every.len());
}

#[test]
fn what_cannot_be_is_an_error_at_its_place() {
    let deep = format!("{}x{}", "{".repeat(65), "}".repeat(65));
    let many = "{0|1|2|3|4|5|6|7|8|9}".repeat(7);
    let long = "x".repeat(10_001);
    let lists = |lists: Value| json!({ "template": "__a__", "lists": lists });
    let template = |template: &str| json!({ "template": template });
    for (config, wanted) in [
        (template("a {b|c"), "template, character 3: `{` is not closed"),
        (template("é {a|{b}"), "template, character 3: `{` is not closed"),
        (template("a\nbc }"), "template, line 2, character 4: `}` closes nothing"),
        (template("{a|b}}"), "character 6: `}` closes nothing"),
        (template("a __color b"), "character 3: `__` is not closed"),
        (
            template("a __color__"),
            "character 3: there is no list `color`; give `lists = { color = [\"...\"] }` in the config (lists there are: none)",
        ),
        (template("__col*__"), "`__col*__` has `*` in it"),
        (template("__~color__"), "has `~` in it"),
        (template("{a$$b|c}"), "character 3: `$$` follows the number of choices"),
        (template("{1$$x|{a}$$c}"), "character 10: `$$` follows the number"),
        (template("{@a|b}"), "character 2: `!`, `~` and `@`"),
        (template("a ${x=1}"), "character 3: `${` begins a variable"),
        (template("%{x$$y}"), "character 1: `%{` begins a wrapper"),
        (template("{0::a|0::b}"), "character 1: every option of this choice has the weight 0"),
        (template("{1.2.3::a|b}"), "character 2: `1.2.3` is no weight"),
        (template("{99999999999::a|b}"), "`99999999999` is no weight"),
        (template("{1--2$$a|b}"), "`-2` is no number of choices"),
        (template("{99999999999999999999999$$a|b}"), "is no number of choices"),
        (template(&deep), "character 65: choices and lists are nested deeper than 64"),
        (template(&long), "template: it stands for prompts of up to 10001 characters; 10000 is the most"),
        (
            json!({ "template": many, "mode": "all" }),
            "stands for 10000000 combinations, and 1000000 is the most with `mode = \"all\"`",
        ),
        (json!({ "template": "x", "negative": "{" }), "negative, character 1: `{` is not closed"),
        (lists(json!({ "a": ["x", "y {"] })), "list `a`, entry 2, character 3: `{` is not closed"),
        (lists(json!({ "a": [] })), "template, character 1: the list `a` is empty"),
        (lists(json!({ "a": ["0::x"] })), "every entry of the list `a` has the weight 0"),
        (lists(json!({ "a": ["x", ""] })), "list `a`, entry 2: it is empty; for a choice of nothing write `{}`"),
        (lists(json!({ "a": ["# x"] })), "list `a`, entry 1: it is empty"),
        (
            lists(json!({ "a": ["x __a__"] })),
            "list `a`, entry 1, character 3: the lists use each other in a circle: `a` -> `a`",
        ),
        (
            lists(json!({ "a": ["__b__"], "b": ["__c__"], "c": ["x", "{y|__b__}"] })),
            "list `c`, entry 2, character 4: the lists use each other in a circle: `b` -> `c` -> `b`",
        ),
        (lists(json!({ "a": ["x"], "unused": ["{"] })), "list `unused`, entry 1, character 1: `{` is not closed"),
        (lists(json!({ "a b": ["x"] })), "lists: `a b` is no name of a list"),
        (
            lists(json!({ "b": ["x"], "c": ["y"] })),
            "there is no list `a`; give `lists = { a = [\"...\"] }` in the config (lists there are: b, c)",
        ),
        (json!({ "template": "x", "list": {} }), "unknown field `list`"),
        (json!({ "template": "x", "mode": "some" }), "unknown variant `some`, expected `random` or `all`"),
        (json!({}), "missing field `template`"),
    ] {
        let message = generate(&config, 0, 0, 1).unwrap_err();
        assert!(
            message.contains(wanted) && message.starts_with("invalid config: "),
            "{config}\nsays: {message}\nwanted: {wanted}"
        );
    }
}

#[test]
fn lists_that_multiply_are_refused_before_they_do() {
    // ten times ten times ...: as text, and with nothing to show for it
    for (leaf, wanted) in [("x", "characters; 10000 is the most"), ("{}", "steps for one prompt; 100000 is the most")] {
        let mut lists = json!({ "l0": [leaf] });
        for level in 1..=12 {
            lists[format!("l{level}")] = json!([format!("__l{}__", level - 1).repeat(10)]);
        }
        let message = generate(&json!({ "template": "__l12__", "lists": lists }), 0, 0, 1).unwrap_err();
        assert!(message.contains(wanted), "{message}");
    }
    // a chain of lists nests as braces do
    let mut lists = json!({ "l0": ["x"] });
    for level in 1..=70 {
        lists[format!("l{level}")] = json!([format!("__l{}__", level - 1)]);
    }
    let message = generate(&json!({ "template": "__l70__", "lists": lists }), 0, 0, 1).unwrap_err();
    assert!(message.contains("nested deeper than 64"), "{message}");
    // many combinations are no matter to chance
    let many = json!({ "template": "{0|1|2|3|4|5|6|7|8|9}".repeat(60) });
    assert_eq!(generate(&many, 5, 0, 3).unwrap().len(), 3);
    let wide: Vec<String> = (0..2_000).map(|n| format!("entry {n}")).collect();
    let wide = json!({ "template": "{1-$$__w__}", "lists": { "w": wide } });
    assert!(generate(&wide, 5, 0, 3).unwrap_err().contains("characters; 10000 is the most"));
}

#[test]
fn the_generator_describes_its_config() {
    let infos = Prompts::describe();
    assert_eq!((infos.len(), infos[0].name.as_str()), (1, "prompt-wildcards"));
    let schema: Value = serde_json::from_str(infos[0].config_schema.as_deref().unwrap()).unwrap();
    assert_eq!(schema["required"], json!(["template"]));
    assert_eq!(schema["properties"]["mode"]["default"], "random");
}

/// Templates from pieces of the grammar, most of them valid.
fn template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "[a-c é,]{0,3}".prop_map(String::from),
        1 => Just("__color__".to_owned()),
        1 => Just("__mix__".to_owned()),
        1 => Just(r"\{".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let head = prop::sample::select(vec!["", "1$$", "2$$", "1-2$$ and $$", "0-1$$", "2-$$, $$"]);
        let weight = prop::sample::select(vec!["", "", "2::", "0.5::"]);
        prop_oneof![
            (head, prop::collection::vec((weight, inner.clone()), 1..4)).prop_map(|(head, options)| {
                let options: Vec<String> =
                    options.into_iter().map(|(weight, text)| format!("{weight}{text}")).collect();
                format!("{{{head}{}}}", options.join("|"))
            }),
            prop::collection::vec(inner, 1..3).prop_map(|texts| texts.concat()),
        ]
    })
}

fn config(template: &str, mode: &str) -> Value {
    json!({ "template": template, "mode": mode, "lists": { "color": ["red", "2::blue"], "mix": ["{x|y}", "__color__!"] } })
}

fn pages(config: &Value, seed: u64, page: u32) -> Vec<Prompt> {
    let mut pages = Vec::new();
    loop {
        let next = generate(config, seed, pages.len() as u32, page).unwrap();
        let last = next.len() < page as usize;
        pages.extend(next);
        if last || pages.len() > 200 {
            return pages;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Pages of any size put together are the whole, no prompt and no id comes twice, and chance finds nothing that is not one of all.
    #[test]
    fn pages_make_the_whole(template in template(), page in 3..60_u32, seed: u64) {
        let every = generate(&config(&template, "all"), seed, 0, 2_000);
        prop_assume!(every.is_ok());
        let every = every.unwrap();
        prop_assume!(every.len() < 2_000);
        let known: BTreeSet<&str> = texts(&every).into_iter().collect();
        prop_assert_eq!(known.len(), every.len());
        prop_assert_eq!(every.iter().map(|prompt| &prompt.id).collect::<BTreeSet<_>>().len(), every.len());
        let paged = pages(&config(&template, "all"), seed, page);
        prop_assert_eq!(&paged[..], &every[..paged.len()]);

        let random = config(&template, "random");
        let drawn = generate(&random, seed, 0, 100).unwrap();
        prop_assert!(drawn.iter().all(|prompt| known.contains(prompt.text.as_str())));
        prop_assert_eq!(texts(&drawn).into_iter().collect::<BTreeSet<_>>().len(), drawn.len());
        let half = generate(&random, seed, 0, 50).unwrap();
        let rest = generate(&random, seed, half.len() as u32, 50).unwrap();
        prop_assert_eq!([half, rest].concat(), drawn);
    }

    /// No text makes it panic.
    #[test]
    fn any_template_is_a_prompt_or_an_error(template in r"[a{}|$_:#\\ 0-9é!%-]{0,24}", entry in r"[a{}|$_:\\2]{0,8}", seed: u64) {
        for mode in ["all", "random"] {
            let config = json!({ "template": template, "negative": entry, "mode": mode, "lists": { "a": [entry, "x"] } });
            let _ = generate(&config, seed, 0, 10);
        }
    }
}
