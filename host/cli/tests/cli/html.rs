//! `--html`: the page of a run.

use image::{ImageBuffer, Rgb};

use crate::env::TestEnv;

const SUITE: &str = "model = { images = \"../out\" }\n\n[[test]]\nname = \"light\"\nmetrics = [\"image-stats/brightness\"]\nthreshold = { \"image-stats/brightness\" = { min = 0.6, of = \"min\" } }\n";

fn env() -> TestEnv {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("out")).unwrap();
    for (name, grey) in [("a.png", 128), ("b.png", 255)] {
        ImageBuffer::from_pixel(20, 10, Rgb::<u8>([grey; 3])).save(env.path("out").join(name)).unwrap();
    }
    env.write(
        "out/manifest.jsonl",
        "{\"file\": \"a.png\", \"prompt\": \"grey </script>\", \"seed\": 1}\n{\"file\": \"b.png\", \"prompt\": \"white\", \"seed\": 2}\n",
    );
    env
}

#[test]
fn a_run_writes_its_page_with_its_images_and_how_to_repeat_it() {
    let env = env();
    env.run_suite(SUITE, &["--html", "pages/report.html"]).exits(1).says(&["html pages/report.html"]);
    let page = std::fs::read_to_string(env.path("pages/report.html")).unwrap();
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 2);
    assert!(page.contains("grey &lt;/script&gt;") && page.contains("0.502 &lt; 0.600, short by 0.098"));
    let plugins = crate::env::workspace().join("plugins");
    let again = format!("difftest run suite --plugins {} -k", plugins.display());
    assert!(page.contains(&again), "{again}");
    // the next run replaces it
    env.run_suite(SUITE, &["--html", "pages/report.html"]).exits(1);
}

#[test]
fn only_a_page_is_replaced() {
    let env = env();
    env.write("mine.html", "<p>mine");
    env.run_suite(SUITE, &["--html", "mine.html"])
        .exits(2)
        .says(&["--html mine.html would replace a file", "report.html"]);
    assert_eq!(std::fs::read(env.path("mine.html")).unwrap(), b"<p>mine");
}

#[test]
fn a_budget_has_a_unit_and_is_kept() {
    let env = env();
    env.run_suite(SUITE, &["--html", "r.html", "--html-budget", "1kB"]).exits(1).says(&["2 pictures left out"]);
    let page = std::fs::read_to_string(env.path("r.html")).unwrap();
    assert!(page.contains("id=\"left-out\"") && !page.contains("src=\"data:image"));
    env.run_suite(SUITE, &["--html", "r.html", "--html-budget", "much"]).exits(2).says(&["a size such as 32MiB"]);
}
