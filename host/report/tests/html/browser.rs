//! The page in a real Chromium: what a person sees, clicks and types. Each test says that it is skipped where there is none.

use serde_json::{Value, json};

use crate::driver::{Browser, Settings};
use crate::gallery::gallery;

const VISIBLE: &str = "[...document.querySelectorAll('.thumb')].filter((thumb) => thumb.checkVisibility()).length";
const OPEN: &str = "document.querySelector('.case[open] h3')?.textContent";

/// Nothing was refused by the policy, nothing was thrown.
#[track_caller]
fn quiet(browser: &Browser) {
    assert_eq!(browser.messages(), Vec::<String>::new());
}

#[test]
fn is_filtered_by_words_chips_and_keys() {
    let Some(browser) = Browser::start(Settings::default()) else { return };
    let gallery = gallery();
    let page = gallery.page();
    browser.open(&page, "");
    browser.wait(&format!("{VISIBLE} === 18"));
    assert_eq!(browser.value("document.title"), "failed · difftest 20260102-030405-abcdef", "no prompt took over");
    for (words, count) in [
        ("s:fail", 9),
        ("s:changed", 2),
        ("s:new", 1),
        ("is:error", 1),
        ("s:together", 5),
        ("!s:pass", 9),
        ("t:quality", 6),
        ("t:layout s:pass", 9),
        ("star !seed:42", 4),
        ("\"red circle\"", 6),
        ("script", 3),
        ("nothing-has-this", 0),
    ] {
        browser.click("#filter");
        browser.value("document.querySelector('#filter').value = ''");
        browser.write("#filter", words);
        browser.wait(&format!("{VISIBLE} === {count}"));
        assert_eq!(browser.value("document.querySelector('#nothing').checkVisibility()"), json!(count == 0), "{words}");
    }
    // the address says it, so that a link shows the same
    browser.open(&page, "#q=s%3Achanged&order=worst");
    browser.wait(&format!("{VISIBLE} === 2"));
    assert_eq!(browser.value("document.querySelector('#filter').value"), "s:changed");
    browser.press("a");
    browser.wait(&format!("{VISIBLE} === 18"));
    // the worst first
    assert_eq!(browser.value("document.querySelector('#worst .thumb').classList.contains('error')"), json!(true));
    browser.press("n");
    browser.wait(&format!("{VISIBLE} === 1"));
    browser.press("w/");
    browser.wait("document.activeElement.id === 'filter'");
    browser.write("#filter", "\u{e003}\u{e003}");
    browser.click("[data-filter='is:pass']");
    browser.wait(&format!("{VISIBLE} === 9"));
    browser.screenshot("report-filtered");
    quiet(&browser);
}

#[test]
fn images_are_compared_in_five_ways() {
    let Some(browser) = Browser::start(Settings::default()) else { return };
    let gallery = gallery();
    browser.open(&gallery.page(), "#q=s%3Achanged&order=worst");
    browser.wait(&format!("{VISIBLE} === 2"));
    browser.press("j\u{e007}");
    browser.wait("document.body.dataset.view === 'case'");
    let stage = "document.querySelector('.case[open] .stage')";
    let shown = |name: &str| {
        format!(
            "getComputedStyle(document.querySelector('.case[open] .{name} img')).visibility === 'visible' && document.querySelector('.case[open] .{name} img').checkVisibility()"
        )
    };
    browser.wait(&format!(
        "{stage}.dataset.mode === 'side' && {} && {} && {}",
        shown("expected"),
        shown("actual"),
        shown("difference")
    ));
    browser.screenshot("report-side-by-side");
    let tops =
        "[...document.querySelectorAll('.case[open] .stage figure:not(.heatmap)')].map((figure) => figure.offsetTop)";
    assert_eq!(
        browser.value(&format!("new Set({tops}).size")),
        1,
        "three in a row: the legend is no wider than its picture"
    );
    let width = browser.value("document.querySelector('.case[open] .actual img').width").as_f64().unwrap();
    // slider: by the mouse, and by keys
    browser.press("2");
    browser.wait(&format!("{stage}.dataset.mode === 'slider' && document.querySelector('#split').checkVisibility()"));
    let split = || {
        browser.value("parseFloat(getComputedStyle(document.querySelector('.case[open] .actual img')).clipPath.match(/([\\d.]+)%?\\)$/)[1])").as_f64().unwrap()
    };
    assert!((split() - 50.0).abs() < 1.0, "{}", split());
    browser.drag(".case[open] .actual img", (0.5, 0.5), (0.25, 0.5));
    browser.wait("document.querySelector('#split').value < 27");
    assert!((split() - 25.0).abs() < 2.0, "{}", split());
    browser.screenshot("report-slider");
    browser.write("#split", "\u{e014}\u{e014}");
    browser.wait("document.querySelector('#split').value > 25");
    assert!(browser.value(OPEN).as_str().unwrap().contains("seed=4"), "arrows move the slider, not the case");
    browser.press("3");
    browser.wait(&format!("{stage}.dataset.mode === 'blend'"));
    let opacity = browser.value("getComputedStyle(document.querySelector('.case[open] .actual img')).opacity");
    assert!(opacity.as_str().unwrap().parse::<f64>().unwrap() < 0.5, "{opacity}");
    browser.press("4");
    browser.wait(&format!("{stage}.dataset.mode === 'toggle' && {} && !({})", shown("actual"), shown("expected")));
    browser.hold(' ', true);
    browser.wait(&format!("{} && !({})", shown("expected"), shown("actual")));
    browser.hold(' ', false);
    browser.wait(&shown("actual"));
    browser.press("5");
    browser.wait(&format!("{stage}.dataset.mode === 'heat' && {}", shown("heatmap")));
    browser.screenshot("report-heat-map");
    // one pixel of the image is one of the screen
    browser.press("1z");
    browser.wait(
        "document.querySelector('.case[open] .actual img').getBoundingClientRect().width === 224 / devicePixelRatio",
    );
    browser.press("z");
    browser.wait(&format!("document.querySelector('.case[open] .actual img').width === {width}"));
    // back to the images by the browser's own way
    browser.press("\u{e00c}");
    browser.wait("!document.body.dataset.view");
    quiet(&browser);
}

#[test]
fn keys_go_from_case_to_case_and_the_address_follows() {
    let Some(browser) = Browser::start(Settings::default()) else { return };
    let gallery = gallery();
    let page = gallery.page();
    let ids: Vec<&str> = gallery.results.suites[0].cases.iter().map(|case| case.id.as_str()).collect();
    browser.open(&page, "");
    browser.wait(&format!("{VISIBLE} === 18"));
    browser.click("#t0");
    let opened = |id: &str| browser.wait(&format!("{OPEN} === {}", json!(id)));
    opened(ids[0]);
    browser.press("jj");
    opened(ids[2]);
    browser.press("k");
    opened(ids[1]);
    browser.press("\u{e014}\u{e014}\u{e012}");
    opened(ids[2]);
    let address = browser.value("location.hash");
    browser.open(&page, address.as_str().unwrap());
    opened(ids[2]);
    // an image without a baseline has one way to be looked at
    browser.press("2");
    assert_eq!(browser.value("document.querySelector('.case[open] .stage').dataset.mode"), "side");
    browser.press("\u{e00c}?");
    browser.wait("document.querySelector('#help').open");
    browser.screenshot("report-help");
    browser.press("\u{e00c}");
    browser.wait("!document.querySelector('#help').open");
    // a link of the page without the script still leads to the case
    browser.open(&page, "#c3");
    opened(ids[3]);
    // every button has a name, every image an alternative text
    let nameless = "[...document.querySelectorAll('button, img')].filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.alt || e.ariaLabel)).length";
    assert_eq!(browser.value(nameless), 0);
    quiet(&browser);
}

#[test]
fn marks_are_kept_undone_and_exported() {
    let Some(browser) = Browser::start(Settings::default()) else { return };
    let gallery = gallery();
    let page = gallery.page();
    browser.open(&page, "#q=s%3Achanged");
    browser.wait(&format!("{VISIBLE} === 2"));
    assert_eq!(browser.value("document.querySelector('#tray').checkVisibility()"), json!(false));
    browser.click(".thumb:not([hidden])");
    browser.wait("document.body.dataset.view === 'case'");
    // a mark goes on to the next image without one
    browser.press("y");
    browser.wait(&format!("{OPEN} === 'gallery::layout[p1,seed=44]'"));
    browser.press("x");
    browser.wait("document.querySelector('#tray').textContent.includes('1 accepted, 1 rejected')");
    browser.press("u");
    browser.wait("document.querySelector('#tray').textContent.includes('1 accepted, 0 rejected')");
    assert_eq!(browser.value(OPEN), "gallery::layout[p1,seed=44]", "what was undone is open");
    browser.click("[data-act=reject]");
    browser.press("\u{e00c}");
    // a new image, without opening it; one that passed cannot be marked
    browser.press("njypjx");
    browser.wait("document.querySelector('#tray').textContent.includes('2 accepted, 1 rejected')");
    // they are there when the page is opened again
    browser.open(&page, "#q=s%3Aaccepted");
    browser.wait(&format!("{VISIBLE} === 2"));
    browser.screenshot("report-marks");
    browser.click("#download");
    let exported: Value = serde_json::from_slice(&browser.downloaded("approvals.json")).unwrap();
    let approval = |index: usize, decision: &str| {
        let case = &gallery.results.suites[0].cases[index];
        json!({ "id": case.id, "image": case.image.as_ref().unwrap().digest, "decision": decision })
    };
    let approvals = [approval(2, "accept"), approval(4, "accept"), approval(5, "reject")];
    assert_eq!(exported, json!({ "format": 1, "report": "20260102-030405-abcdef", "approvals": approvals }));
    let commands = browser.value("document.querySelector('#tray code').textContent");
    assert_eq!(
        commands,
        "difftest accept 'gallery::layout[p0,seed=44]' 'gallery::layout[p1,seed=43]'\ndifftest reject 'gallery::layout[p1,seed=44]'"
    );
    quiet(&browser);
}

#[test]
fn is_light_and_dark() {
    let Some(light) = Browser::start(Settings::default()) else { return };
    let gallery = gallery();
    let page = gallery.page();
    let back = "getComputedStyle(document.body).backgroundColor";
    light.open(&page, "");
    light.wait("document.documentElement.classList.contains('js')");
    light.screenshot("report-light");
    let (bright, dark) = (light.value(back), Browser::start(Settings { dark: true, ..Settings::default() }).unwrap());
    dark.open(&page, "");
    dark.wait("document.documentElement.classList.contains('js')");
    dark.screenshot("report-dark");
    assert_ne!(dark.value(back), bright);
    // and by the button, which is remembered
    dark.click("#theme");
    dark.wait(&format!("{back} === {bright}"));
    dark.open(&page, "");
    dark.wait(&format!("{back} === {bright}"));
    quiet(&light);
    quiet(&dark);
}

#[test]
fn can_be_read_without_javascript() {
    let Some(browser) = Browser::start(Settings { without_javascript: true, ..Settings::default() }) else { return };
    let gallery = gallery();
    browser.open(&gallery.page(), "");
    browser.wait("document.readyState === 'complete'");
    assert_eq!(browser.value("document.documentElement.className"), "", "the script did not run");
    assert_eq!(browser.value(VISIBLE), 18);
    browser.screenshot("report-without-javascript");
    // a thumbnail leads to its case, which unfolds
    browser.click("#t4");
    browser.wait("document.querySelector('#c4 .expected img').checkVisibility({ contentVisibilityAuto: true }) && document.querySelector('#c4').getBoundingClientRect().height > 0");
    browser.wait("[...document.querySelectorAll('img')].every((image) => image.complete && image.naturalWidth > 0)");
    quiet(&browser);
}
