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

/// How many points each line of a page has.
fn lines(env: &TestEnv, page: &str) -> Vec<usize> {
    let page = std::fs::read_to_string(env.path(page)).unwrap();
    page.split("<polyline points=\"").skip(1).map(|rest| rest.split('"').next().unwrap().split(' ').count()).collect()
}

#[test]
fn the_page_shows_the_runs_that_led_to_this_one() {
    let env = env();
    for (grey, points) in [(100, vec![]), (128, vec![2; 3]), (140, vec![3; 3])] {
        ImageBuffer::from_pixel(20, 10, Rgb::<u8>([grey; 3])).save(env.path("out/a.png")).unwrap();
        env.run_suite(SUITE, &["--html", "report.html"]).exits(1);
        assert_eq!(lines(&env, "report.html"), points, "of the test and of its two cases");
    }
    let page = std::fs::read_to_string(env.path("report.html")).unwrap();
    for said in ["3 runs, the last 0.775", "3 runs, the last 0.549", "3 runs, the last 1.000"] {
        assert!(page.contains(said), "{said}");
    }
    // Told later it is the same; a run is not led to by what came after it.
    env.run(["report", "--html", "later.html"]).exits(0);
    assert_eq!(lines(&env, "later.html"), [3; 3]);
    env.run(["report", "latest~1", "--html", "before.html"]).exits(0);
    assert_eq!(lines(&env, "before.html"), [2; 3]);
    // What other runs came to is of this machine.
    env.run_suite(SUITE, &["--html", "stable.html", "--stable"]).exits(1);
    assert!(lines(&env, "stable.html").is_empty());
}

#[test]
fn a_page_does_without_a_history_and_makes_none() {
    let env = env();
    env.run_suite(SUITE, &[]).exits(1);
    env.run_suite(SUITE, &[]).exits(1);
    let history = env.path(".difftest/history.db");
    // `user_version` lies at byte 60: this one is of a newer difftest.
    let mut bytes = std::fs::read(&history).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&history, &bytes).unwrap();
    env.run(["report", "--html", "newer.html"]).exits(0).says(&["the page has no history", "newer difftest"]);
    std::fs::remove_file(&history).unwrap();
    env.run(["report", "--html", "none.html"]).exits(0);
    for page in ["newer.html", "none.html"] {
        assert!(lines(&env, page).is_empty(), "{page}");
    }
    assert!(!history.exists());
}

#[test]
fn the_folder_of_a_run_may_be_moved() {
    let env = TestEnv::new();
    let suite = "model = \"builtin:shapes\"\n\n[[test]]\nname = \"one\"\nprompts = [\"a red circle\"]\nsteps = 2\nmetrics = [\"image-stats/brightness\"]\n";
    env.run_suite(suite, &["--artifacts", "made", "--html", "there.html"]).exits(0);
    std::fs::create_dir(env.path("elsewhere")).unwrap();
    std::fs::rename(env.path("made"), env.path("elsewhere/moved")).unwrap();
    env.run(["report", "elsewhere/moved", "--html", "moved.html"]).exits(0);
    let pictures = |page: &str| std::fs::read_to_string(env.path(page)).unwrap().matches("src=\"data:image").count();
    assert!(pictures("moved.html") > 0);
    assert_eq!(pictures("moved.html"), pictures("there.html"));
}

/// A program in a folder of its own that stands in for what opens files on this system.
#[cfg(target_os = "linux")]
#[test]
fn a_page_is_opened_where_there_is_a_screen() {
    use std::os::unix::fs::PermissionsExt as _;

    let env = env();
    env.run_suite(SUITE, &[]).exits(1);
    let report = |variables: &[(&str, &str)], words: &[&str]| {
        let mut command = env.command();
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("BROWSER");
        finished(command.args(["report", "--open"]).args(words).envs(variables.iter().copied()).output().unwrap())
            .exits(0)
    };
    report(&[], &[]).says(&["html", "not opened: there is no display here; the page is", "report.html"]);
    let run = std::fs::read_dir(env.path(".difftest/runs")).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("0.502 &lt; 0.600"));
    report(&[("DISPLAY", ":0"), ("CI", "true")], &[]).says(&["not opened: on CI nobody looks at a browser"]);

    let bin = env.path("bin");
    let screen = [("DISPLAY", ":0"), ("PATH", bin.to_str().unwrap())];
    report(&screen, &[]).says(&["not opened: xdg-open cannot be started"]);
    let program = |script: &str| {
        let path = env.write("bin/xdg-open", script);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("#!/bin/sh\nexit 3\n");
    report(&screen, &[]).says(&["not opened: xdg-open could not open it", "3"]);
    program("#!/bin/sh\nprintf %s \"$1\" > opened.txt\n");
    let told = report(&screen, &["--html", "pages/mine.html"]);
    assert!(!told.stderr.contains("not opened"), "{}", told.stderr);
    assert_eq!(std::fs::read_to_string(env.path("opened.txt")).unwrap(), "pages/mine.html");
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
