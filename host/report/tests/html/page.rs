//! The page as text: what a reader without JavaScript has, and that nothing in it can do harm.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use difftest_core::image::Image;
use difftest_metrics::decode::{Limits, decode};
use difftest_report::html::{GENERATOR, HtmlOptions};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::gallery::{PROMPTS, gallery};

/// What stands between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap_or_else(|| panic!("no {from:?}")) + from.len();
    &text[start..start + text[start..].find(to).unwrap()]
}

/// The page without the data of its pictures.
fn skeleton(html: &str) -> String {
    let mut parts = html.split("base64,");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        text += "base64,...";
        text += &part[part.find('"').unwrap()..];
    }
    text
}

/// Checks that every element that is opened is closed, in order, and gives the names of all attributes that were used.
fn attributes(html: &str) -> Vec<String> {
    const EMPTY: [&str; 9] = ["col", "meta", "link", "img", "rect", "circle", "polyline", "input", "br"];
    let (mut open, mut names, mut rest) = (Vec::new(), Vec::new(), html);
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap();
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {:?}", &rest[..rest.len().min(80)]);
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        for (index, part) in tag.split('"').enumerate() {
            if index % 2 == 0 {
                names.extend(
                    part.split_whitespace()
                        .skip(usize::from(index == 0))
                        .map(|word| word.trim_end_matches('=').to_owned()),
                );
            }
        }
        if matches!(name, "script" | "style") {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap() + name.len() + 3..];
        } else if !EMPTY.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    names.sort();
    names.dedup();
    names
}

#[test]
fn is_well_formed_and_has_no_attribute_that_could_act() {
    let names = attributes(&skeleton(&gallery().html(&gallery().options()).0));
    let acting = |name: &&String| {
        name.starts_with("on") || ["style", "srcset", "srcdoc", "action", "formaction"].contains(&name.as_str())
    };
    assert_eq!(names.iter().filter(acting).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn loads_nothing_and_names_its_style_and_script_by_digest() {
    let (html, _) = gallery().html(&HtmlOptions::default());
    let policy = between(&html, "Content-Security-Policy\" content=\"", "\"");
    let digest = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    let style = digest(between(&html, "<style>", "</style>"));
    let script = digest(between(&html, "<script>", "</script>"));
    for part in
        ["default-src 'none'", "img-src data: blob:", &format!("style-src {style}"), &format!("script-src {script}")]
    {
        assert!(policy.contains(part), "{part} is not in {policy}");
    }
    let skeleton = skeleton(&html);
    let loading = ["http://", "https://", "@import", "url(", "<iframe", "<link rel=\"stylesheet"];
    let found: Vec<_> = loading.iter().filter(|what| skeleton.contains(**what)).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(html[..1024].contains(GENERATOR));
}

#[test]
fn is_complete_without_javascript() {
    let gallery = gallery();
    let (html, summary) = gallery.html(&gallery.options());
    assert_eq!((summary.cases, summary.bytes), (18, html.len() as u64));
    for (index, case) in gallery.results.suites[0].cases.iter().enumerate() {
        assert!(
            html.contains(&format!("href=\"#c{index}\"")) && html.contains(&format!("id=\"c{index}\"")),
            "{}",
            case.id
        );
        assert_eq!(html.matches(&format!("<h3>{}</h3>", case.id)).count(), 1);
    }
    // a row for each prompt, a column for each seed
    let sheets = html.split("<div class=\"sheet").skip(1).map(|sheet| sheet.split("</table>").next().unwrap());
    let sizes: Vec<_> = sheets.map(|s| (s.matches("<tr").count(), s.matches("<th scope=\"col\">").count())).collect();
    assert_eq!(sizes, [(3, 4), (5, 4)], "the test with an error first");
    // thumbnails say what they are of
    assert!(html.contains("<img alt=\"a red circle on a blue background\""));
    for part in [
        "difftest run gallery -k &#39;&quot;gallery::quality[p0,seed=42]&quot;&#39;",
        "no worse than the baseline: change -0.030 [-0.050 to -0.010], at least -0.005 needed: a loss is shown",
        "31 are needed for the margin 0.005",
        "lost most: p1 (-0.050)",
        "12 runs, the last",
        "the file is not there any more",
        "plugin ran out of fuel",
        "class=\"expected\"",
        "class=\"heatmap\"",
        "<figcaption>difference · 3561 pixels (7.1 %) differ<small class=\"legend\">",
        "<p class=\"against\">model <b>builtin:shapes</b> · baseline <b>v1</b></p>",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn the_worst_come_first() {
    let gallery = gallery();
    let (html, _) = gallery.html(&HtmlOptions::default());
    let summaries: Vec<&str> = html.split("<details class=\"case\"").skip(1).collect();
    let statuses: Vec<&str> = summaries.iter().map(|case| between(case, "<span class=\"badge ", "\"")).collect();
    let mut sorted = statuses.clone();
    let order = ["error", "together", "changed", "new", "pass"];
    sorted.sort_by_key(|status| order.iter().position(|known| known == status));
    assert_eq!(statuses, sorted);
    assert_eq!(
        statuses.iter().filter(|status| **status == "together").count(),
        5,
        "a gate over prompts fails no image"
    );
    // within a status, those of the prompt that lost
    assert!(
        summaries[1].contains("gallery::quality[p1,seed=4") && summaries[1].contains("prompt lost 0.050"),
        "{}",
        &summaries[1][..200]
    );
}

#[test]
fn what_others_wrote_is_text_and_data() {
    let mut gallery = gallery();
    let long = format!("</script>{}", "very long ".repeat(10_000));
    gallery.results.suites[0].cases[0].prompt.text.clone_from(&long);
    gallery.results.suites[0].name = "</title><b>".to_owned();
    let (html, _) = gallery.html(&HtmlOptions::default());
    assert!(html.len() < 2 << 20, "a long prompt stands in a page a few times, not once a case: {}", html.len());
    attributes(&skeleton(&html));
    assert_eq!(html.matches("<script").count(), 2, "the data and the program");
    assert!(!html.contains("<b>:") && !html.contains("onerror=alert(1)>"));
    let hidden =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}');
    assert_eq!(html.find(hidden), None);
    // as data, each prompt is what it was
    let data: Value = serde_json::from_str(between(&html, "id=\"data\">", "</script>")).unwrap();
    assert_eq!(data["prompts"], json!([long, PROMPTS[0], PROMPTS[1], PROMPTS[2], PROMPTS[3]]));
    let cases = &gallery.results.suites[0].cases;
    for (case, seen) in cases.iter().zip(data["cases"].as_array().unwrap()) {
        assert_eq!((&seen["id"], &seen["seed"]), (&json!(case.id), &json!(case.seed.to_string())));
        assert_eq!(data["prompts"][seen["prompt"].as_u64().unwrap() as usize], json!(case.prompt.text));
        assert_eq!(seen["image"], json!(case.image.as_ref().unwrap().digest));
    }
}

#[test]
fn small_images_are_exact_and_other_pixels_than_those_of_the_run_are_not_shown() {
    let gallery = gallery();
    let case = &gallery.results.suites[0].cases[12];
    let image = case.image.as_ref().unwrap();
    let pictures = |html: &str| -> Vec<Image> {
        let datas =
            html.split("src=\"data:image/png;base64,").skip(1).map(|part| part.split('"').next().unwrap().to_owned());
        datas.map(|data| decode(&STANDARD.decode(data).unwrap(), &Limits::default()).unwrap()).collect()
    };
    let (html, before) = gallery.html(&HtmlOptions::default());
    assert!(pictures(&html).iter().any(|picture| picture.digest() == image.digest));
    // another program writes other pixels under the same name
    std::fs::copy(&gallery.results.suites[0].cases[13].image.as_ref().unwrap().path, &image.path).unwrap();
    let (html, after) = gallery.html(&HtmlOptions::default());
    assert!(!pictures(&html).iter().any(|picture| picture.digest() == image.digest));
    assert!(html.contains("it has other pixels than in this run"));
    assert_eq!(after.unreadable, before.unreadable + 1);
}

#[test]
fn a_run_that_was_moved_still_has_its_images() {
    let mut gallery = gallery();
    let (_, there) = gallery.html(&HtmlOptions::default());
    let moved = gallery.folder.path().to_owned();
    let before = "/nowhere/any/more";
    let text = serde_json::to_string(&gallery.results).unwrap().replace(moved.to_str().unwrap(), before);
    gallery.results = serde_json::from_str(&text).unwrap();
    let (_, lost) = gallery.html(&HtmlOptions::default());
    assert_eq!(lost.pictures, 0);
    let (_, found) = gallery.html(&HtmlOptions { folder: Some(moved), ..HtmlOptions::default() });
    assert_eq!(found.pictures, there.pictures);
}

#[test]
fn a_stable_page_is_the_same_for_another_run_of_the_same_work() {
    let (mut one, mut other) = (gallery(), gallery());
    for gallery in [&mut one, &mut other] {
        gallery.results.folder = gallery.folder.path().display().to_string();
    }
    other.results.run = "another".to_owned();
    other.results.started = "2027-01-01T00:00:00Z".to_owned();
    other.results.seconds = Some(99.0);
    let options = HtmlOptions { stable: true, ..HtmlOptions::default() };
    let (one, other) = (one.html(&options).0, other.html(&options).0);
    assert!(
        one == other,
        "{:?}",
        one.lines().zip(other.lines()).find(|(a, b)| a != b).map(|(a, b)| (a.len(), b.len()))
    );
}

#[test]
fn nothing_to_show_is_a_page_too() {
    let mut gallery = gallery();
    gallery.results.suites.clear();
    gallery.results.conclusion = None;
    let (html, summary) = gallery.html(&HtmlOptions::default());
    assert_eq!((summary.cases, summary.pictures), (0, 0));
    attributes(&html);
    assert!(html.contains("unfinished"));
}
