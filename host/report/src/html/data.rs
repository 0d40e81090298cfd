//! What the script knows: enough to filter, to order and to export; everything else it finds in the page.

use std::collections::BTreeMap;
use std::io::{self, Write};

use difftest_core::digest::Digest;
use difftest_core::event::Verdict;
use serde::Serialize;

use super::markup::Json;
use super::view::View;

/// Version of the data.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Page<'a> {
    format: u32,
    run: &'a str,
    /// Every prompt once, exactly as it was given.
    prompts: &'a [&'a str],
    tests: Vec<Test<'a>>,
    /// In the order of their numbers in the page.
    cases: Vec<Case<'a>>,
    /// Numbers of cases, the worst first.
    worst: &'a [usize],
}

#[derive(Serialize)]
struct Test<'a> {
    suite: &'a str,
    name: &'a str,
    /// Its verdict: of cases that are judged together it is the only one.
    verdict: Option<Verdict>,
}

#[derive(Serialize)]
struct Case<'a> {
    id: &'a str,
    test: usize,
    prompt: usize,
    /// As text: a number of JavaScript cannot hold all of them.
    seed: String,
    status: &'static str,
    /// Of the pixels that were seen: what was accepted is exactly them.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Digest>,
    /// Whether it can be accepted or rejected.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mark: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<&'a str, f64>,
}

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let cases = view.cases.iter().map(|case| Case {
        id: &case.result.id,
        test: case.group,
        prompt: case.prompt,
        seed: case.result.seed.to_string(),
        status: case.status.word(),
        image: case.result.image.as_ref().map(|image| image.digest),
        mark: case.is_markable(),
        scores: case.result.scores.iter().filter_map(|score| Some((score.metric.as_str(), score.value?))).collect(),
    });
    let page = Page {
        format: FORMAT,
        run: if view.options.stable { "" } else { &view.results.run },
        prompts: &view.prompts,
        tests: view
            .groups
            .iter()
            .map(|group| Test {
                suite: &group.suite.name,
                name: group.name,
                verdict: group.test.map(|test| test.verdict),
            })
            .collect(),
        cases: cases.collect(),
        worst: &view.worst_first,
    };
    let json = serde_json::to_string(&page)?;
    writeln!(out, "<script type=\"application/json\" id=\"data\">{}</script>", Json(&json))
}
