//! Folders of images that another program made.

use image::{ImageBuffer, Rgb};
use serde_json::json;

use crate::env::TestEnv;

const SUITE: &str = "model = { images = \"../out\" }\n\n[[test]]\nname = \"light\"\nmetrics = [\"image-stats/brightness\"]\nthreshold = { \"image-stats/brightness\" = { min = 0.4, of = \"min\" } }\n";

/// A folder `out/` with two grey pictures and a manifest.
fn env_with_images() -> TestEnv {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("out")).unwrap();
    for (name, grey) in [("a.png", 128), ("b.png", 255)] {
        ImageBuffer::from_pixel(20, 10, Rgb::<u8>([grey; 3])).save(env.path("out").join(name)).unwrap();
    }
    env.write(
        "out/manifest.jsonl",
        "{\"file\": \"a.png\", \"prompt\": \"grey\", \"seed\": 1}\n{\"file\": \"b.png\", \"prompt\": \"white\", \"seed\": 2}\n",
    );
    env
}

#[test]
fn are_scored_without_any_diffusion_model_or_runtime() {
    let env = env_with_images();
    env.write("suites/suite.toml", SUITE);
    let plugins = crate::env::workspace().join("plugins");
    let output = env
        .command()
        .args(["run", "suite", "--output", "results.json", "--plugins"])
        .arg(plugins)
        // If anything tried to load ONNX Runtime, it would fail here.
        .env("ORT_DYLIB_PATH", "/nowhere")
        .output();
    crate::env::finished(output.unwrap()).exits(0);
    let results = env.results();
    let cases = results.pointer("/suites/0/cases").unwrap().as_array().unwrap();
    let values: Vec<f64> = cases.iter().map(|c| c.pointer("/scores/0/value").unwrap().as_f64().unwrap()).collect();
    assert_eq!(values, [128.0 / 255.0, 1.0]);
    let path = cases[0].pointer("/image/path").unwrap().as_str().unwrap();
    assert!(path.ends_with("out/a.png"), "results point to the user's own file: {path}");
    assert_eq!(results["exit_code"], json!(0));
}

#[test]
fn a_prompt_and_seed_without_an_image_is_an_error() {
    let env = env_with_images();
    let suite = SUITE.replace("metrics", "prompts = [\"grey\", \"green\"]\nseeds = [1]\nmetrics");
    env.run_suite(&suite, &["--output", "results.json"]).exits(2).says(&["green"]);
}

#[test]
fn a_corrupt_image_does_not_keep_the_other_from_its_score() {
    let env = env_with_images();
    let bytes = std::fs::read(env.path("out/a.png")).unwrap();
    env.write("out/a.png", &bytes[..bytes.len() / 2]);
    env.run_suite(SUITE, &["--output", "results.json"]).exits(2).says(&["a.png"]);
    assert_eq!(env.results().pointer("/suites/0/cases/1/scores/0/value"), Some(&json!(1.0)));
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let env = env_with_images();
    // A PNG that says it is 60,000 x 60,000 and has nothing to show for it.
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = b"IHDR".to_vec();
    header.extend(60_000_u32.to_be_bytes());
    header.extend(60_000_u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    png.extend(13_u32.to_be_bytes());
    png.extend(&header);
    png.extend(crc32(&header).to_be_bytes());
    // The first bytes of the pixels are there, as in a real bomb.
    let data = b"IDAT\x78\x9c";
    png.extend(1000_u32.to_be_bytes());
    png.extend(data);
    env.write("out/a.png", png);
    env.run_suite(SUITE, &[]).exits(2).says(&["a.png", "60000"]);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc, &byte| {
        crc ^= u32::from(byte);
        (0..8).for_each(|_| crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()));
        crc
    })
}

#[test]
fn a_broken_manifest_names_the_line() {
    let env = env_with_images();
    env.write("out/manifest.jsonl", "{\"file\": \"a.png\", \"prompt\": \"grey\", \"seed\": 1}\n{\"file\": \n");
    env.run_suite(SUITE, &[]).exits(2).says(&["manifest.jsonl", "manifest.jsonl:2:"]);
    env.write("out/manifest.jsonl", "{\"file\": \"../../etc/passwd\", \"prompt\": \"grey\", \"seed\": 1}\n");
    env.run_suite(SUITE, &[]).exits(2).says(&["../../etc/passwd"]);
    std::fs::remove_file(env.path("out/manifest.jsonl")).unwrap();
    env.run_suite(SUITE, &[]).exits(2).says(&["manifest.jsonl"]);
}
