//! The shares against the same method in NumPy, scikit-image and SciPy, and whether the score tells a right prompt from
//! a wrong one. `golden/make.py` computes the expected values.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::{Path, PathBuf};

use color_words::score::{Combine, score};
use color_words::share::shares;
use color_words::terms::{TERMS, Term, named_in};
use serde_json::Value;

/// The default of the config.
const MIN_AREA: f64 = 0.02;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn json(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

fn shares_of(file: &str, terms: &[&Term]) -> Vec<f64> {
    let image = image::open(root().join(file)).unwrap().into_rgb8();
    shares(image.as_raw(), image.width() as usize, terms)
}

#[test]
fn shares_equal_the_python_method() {
    let golden = json("plugins/color-words/tests/golden/golden.json");
    let pictures = golden["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 22);
    let terms: Vec<&Term> = TERMS.iter().collect();
    for picture in pictures {
        let file = picture["file"].as_str().unwrap();
        for (term, share) in TERMS.iter().zip(shares_of(file, &terms)) {
            let wanted = picture["shares"][term.name].as_f64().unwrap();
            assert!((share - wanted).abs() < 1e-9, "{} in {file}: {share} is not {wanted}", term.name);
        }
    }
}

/// Every generated picture against its own prompt, and against its prompt with one colour word exchanged for a colour
/// that it does not name: 12 pictures, 256 wrong prompts.
#[test]
fn tells_right_prompts_from_wrong_ones() {
    let index = json("host/diffusion/tests/golden/shapes/index.json");
    let judge = |file: &str, prompt: &str| score(&shares_of(file, &named_in(prompt)), MIN_AREA, Combine::Min).unwrap();
    let (mut worst_right, mut best_wrong, mut wrong_prompts) = (1.0_f64, 0.0_f64, 0);
    for case in index["cases"].as_array().unwrap() {
        let file = format!("host/diffusion/tests/golden/shapes/{}.png", case["file"].as_str().unwrap());
        let prompt = case["prompt"].as_str().unwrap();
        let right = judge(&file, prompt);
        assert!(right >= 0.99, "{file} scores {right} for its own prompt");
        worst_right = worst_right.min(right);

        let named = named_in(prompt);
        for replaced in &named {
            for other in TERMS.iter().filter(|term| !named.contains(term)) {
                // these two pictures have a blue patch with a gray rim that nobody asked for
                if file.contains("p2-s42") && ["blue", "gray"].contains(&other.name) {
                    continue;
                }
                let wrong = judge(&file, &prompt.replace(replaced.name, other.name));
                assert!(wrong <= 0.1, "{file} scores {wrong} with {} for {}", other.name, replaced.name);
                best_wrong = best_wrong.max(wrong);
                wrong_prompts += 1;
            }
        }
    }
    assert_eq!(wrong_prompts, 256);
    println!("own prompts score at least {worst_right:.3}, {wrong_prompts} wrong ones at most {best_wrong:.3}");
}

/// The patch that the test above leaves out is really there, and is found.
#[test]
fn an_unasked_colour_is_seen() {
    let blue = shares_of("host/diffusion/tests/golden/shapes/ddim-p2-s42.png", &named_in("blue"));
    let none = shares_of("host/diffusion/tests/golden/shapes/ddim-p2-s123.png", &named_in("blue"));
    assert!(blue[0] > 0.03 && none[0] < 0.002, "{blue:?} {none:?}");
}

#[test]
fn photographs_have_the_colours_one_sees() {
    // a tabby cat, a cup of coffee on a table, a rocket before a blue sky
    for (file, prompt) in [
        ("chelsea-113x75", "a brown cat"),
        ("coffee-121x83", "a red cup on a brown table"),
        ("horse-drawing-63x51", "a black horse on a white background"),
        ("astronaut-97x101", "a woman in an orange suit before a black background"),
    ] {
        let found = shares_of(&format!("plugins/image-stats/tests/golden/{file}.png"), &named_in(prompt));
        assert_eq!(score(&found, MIN_AREA, Combine::Min), Some(1.0), "{file}: {prompt}: {found:?}");
    }
    for (file, prompt) in [("chelsea-113x75", "a green cat"), ("horse-drawing-63x51", "a red horse")] {
        let found = shares_of(&format!("plugins/image-stats/tests/golden/{file}.png"), &named_in(prompt));
        assert!(score(&found, MIN_AREA, Combine::Min).unwrap() < 0.1, "{file}: {prompt}: {found:?}");
    }
}
