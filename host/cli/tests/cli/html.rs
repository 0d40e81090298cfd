//! `--html`: the page of a run, and what a person decides on it in a real Chromium.

use image::{ImageBuffer, Rgb};

use crate::env::{Finished, TestEnv, finished};
use driver::{Browser, Settings};

#[path = "../../../report/tests/html/driver.rs"]
#[allow(dead_code)]
mod driver;

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

/// `difftest` with these words, outside of any CI: there, nothing is accepted.
fn person(env: &TestEnv, words: &[&str]) -> Finished {
    let mut command = env.command();
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD"]
    {
        command.env_remove(name);
    }
    finished(command.args(words).output().unwrap())
}

#[test]
fn what_is_accepted_on_the_page_makes_the_next_run_green() {
    const VISUAL: &str = "model = { images = \"../out\" }\n\n[[test]]\nname = \"look\"\nkind = \"visual_regression\"\nbaseline_dir = \"../baselines/v1\"\ntiers = [\"pixel\"]\n";
    let Some(browser) = Browser::start(Settings::default()) else { return };
    let env = env();
    env.write("suites/suite.toml", VISUAL);
    let run = || person(&env, &["run", "suite", "--html", "report.html"]);
    let export = || {
        browser.click("#download");
        let approvals = browser.downloaded("approvals.json");
        std::fs::remove_file(browser.folder.path().join("approvals.json")).unwrap();
        env.write("approvals.json", approvals);
    };
    let tray = |text: &str| browser.wait(&format!("document.querySelector('#tray').textContent.includes('{text}')"));
    // nothing is known yet: both images are new, and a person accepts them
    run().exits(1);
    browser.open(&env.path("report.html"), "#q=s%3Anew");
    browser.wait("[...document.querySelectorAll('.thumb')].filter((thumb) => thumb.checkVisibility()).length === 2");
    browser.press("jyjy");
    tray("2 accepted, 0 rejected");
    export();
    person(&env, &["accept", "--from", "approvals.json"]).exits(0);
    run().exits(0);
    // an image changes: it is looked at beside its baseline, and accepted
    ImageBuffer::from_fn(20, 10, |x, _| Rgb::<u8>([if x < 9 { 128 } else { 30 }; 3]))
        .save(env.path("out/a.png"))
        .unwrap();
    run().exits(1);
    browser.open(&env.path("report.html"), "#q=s%3Achanged");
    browser.wait("[...document.querySelectorAll('.thumb')].filter((thumb) => thumb.checkVisibility()).length === 1");
    browser.press("j\u{e007}");
    browser.wait("document.body.dataset.view === 'case'");
    browser.press("2");
    browser.wait("document.querySelector('.case[open] .stage').dataset.mode === 'slider'");
    browser.press("5");
    browser.wait("document.querySelector('.case[open] .stage').dataset.mode === 'heat'");
    browser.screenshot("accepted-in-the-report");
    browser.press("y");
    tray("1 accepted, 0 rejected");
    export();
    person(&env, &["accept", "--from", "approvals.json"]).exits(0);
    run().exits(0);
    assert_eq!(browser.messages(), Vec::<String>::new());
    // the image changes again: what was accepted before is not accepted any more
    ImageBuffer::from_pixel(20, 10, Rgb::<u8>([77; 3])).save(env.path("out/a.png")).unwrap();
    run().exits(1);
    assert_ne!(person(&env, &["accept", "--from", "approvals.json"]).code, 0);
    run().exits(1);
}
