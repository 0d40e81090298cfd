//! What of a run is undecided: derived from its results, its baselines and their audits each time, so it cannot get stale.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;

use difftest_core::digest::Digest;
use difftest_core::nearest::did_you_mean;
use difftest_core::visual::{Comparison, Standing};
use difftest_report::findings;
use difftest_report::json::{CaseResult, ImageFile, Results, SuiteResult};
use difftest_report::text::{count, safe, score, short};
use difftest_store::baseline::{Accepted, Entry, Folder};
use serde_json::json;

use crate::args::Format;
use crate::error::CliError;

/// How many ids an error names.
const NAMED: usize = 10;

/// An image that a visual regression test found new or changed.
#[derive(Clone, Debug)]
pub(crate) struct Pending<'r> {
    pub(crate) suite: &'r SuiteResult,
    pub(crate) case: &'r CaseResult,
    pub(crate) comparison: &'r Comparison,
    pub(crate) image: &'r ImageFile,
    pub(crate) folder: Folder,
    pub(crate) state: State,
}

/// What became of it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody decided.
    Pending,
    /// It is the baseline's image.
    Accepted,
    /// A person said that it is not what it should be.
    Rejected,
    /// The baseline has another image than the one it was compared with.
    Overtaken,
}

impl Pending<'_> {
    pub(crate) fn is_new(&self) -> bool {
        self.comparison.standing == Standing::New
    }

    /// The baseline's image at the time of the run.
    pub(crate) fn expected(&self) -> Option<Digest> {
        self.comparison.expected.as_ref().map(|expected| expected.digest)
    }
}

/// Every image of a run that was found new or changed, with what became of it.
pub(crate) fn pending(results: &Results) -> Result<Vec<Pending<'_>>, CliError> {
    type Known = (Option<Accepted>, BTreeMap<(String, Digest), Entry>);
    let mut known: HashMap<(PathBuf, &str), Known> = HashMap::new();
    let mut all = Vec::new();
    for suite in &results.suites {
        for case in &suite.cases {
            let (Some(comparison), Some(image)) = (&case.comparison, &case.image) else { continue };
            if comparison.standing == Standing::Same {
                continue;
            }
            let folder = Folder::at(&comparison.folder)?;
            let key = (comparison.folder.clone(), suite.environment.as_str());
            if !known.contains_key(&key) {
                let accepted = folder.find(&suite.environment)?;
                let rejected = accepted.as_ref().map(Accepted::rejected).transpose()?.unwrap_or_default();
                known.insert(key.clone(), (accepted, rejected));
            }
            let (accepted, rejected) = &known[&key];
            let now = accepted.as_ref().and_then(|accepted| Some(accepted.manifest().cases.get(&case.id)?.image));
            let expected = comparison.expected.as_ref().map(|expected| expected.digest);
            let state = if now == Some(image.digest) {
                State::Accepted
            } else if now != expected {
                State::Overtaken
            } else if rejected.contains_key(&(case.id.clone(), image.digest)) {
                State::Rejected
            } else {
                State::Pending
            };
            all.push(Pending { suite, case, comparison, image, folder, state });
        }
    }
    Ok(all)
}

/// The one that `id` names: its id, or a beginning that no other has.
pub(crate) fn find<'p, 'r>(id: &str, results: &Results, all: &'p [Pending<'r>]) -> Result<&'p Pending<'r>, CliError> {
    if let Some(exact) = all.iter().find(|one| one.case.id == id) {
        return Ok(exact);
    }
    let found: Vec<_> = all.iter().filter(|one| one.case.id.starts_with(id)).collect();
    match found[..] {
        [one] => Ok(one),
        [] => Err(unknown(id, results, all)),
        _ => {
            let names: Vec<_> = found.iter().take(NAMED).map(|one| safe(&one.case.id)).collect();
            let message =
                format!("`{}` is the beginning of {}: {}", safe(id), count(found.len(), "case"), names.join(", "));
            Err(CliError::new("unknown-case", message).hint("give the whole id"))
        }
    }
}

/// Why there is nothing to decide about a case.
pub(super) fn unknown(id: &str, results: &Results, all: &[Pending<'_>]) -> CliError {
    let case = results.suites.iter().flat_map(|suite| &suite.cases).find(|case| case.id == id);
    let message = match case.map(|case| &case.comparison) {
        None => format!("run {} has no case {}", results.run, safe(id)),
        Some(None) => format!("{} was compared with no baseline in run {}", safe(id), results.run),
        Some(Some(_)) => format!("{} is as its baseline in run {}: there is nothing to decide", safe(id), results.run),
    };
    let ids = all.iter().map(|one| one.case.id.as_str());
    let hint = match case {
        None if all.is_empty() => "the run has nothing pending; `--run` names another one".to_owned(),
        None => did_you_mean(id, ids, "new or changed"),
        Some(case) if case.comparison.is_none() => {
            "only tests of kind = \"visual_regression\" have pending images; `difftest baseline save` keeps those of others".to_owned()
        }
        Some(_) => "`difftest review --list` shows what is pending; `difftest baseline remove` withdraws what was accepted".to_owned(),
    };
    CliError::new("unknown-case", message).hint(hint)
}

/// What is pending, for people or programs.
pub(super) fn listed(results: &Results, open: &[Pending<'_>], rejected: &[Pending<'_>], format: Format) -> String {
    let mut text = String::new();
    match format {
        Format::Human => {
            for one in open {
                let _ = writeln!(text, "{:<8} {}{}", word(one), safe(&one.case.id), brief(one));
            }
            for one in rejected {
                let _ = writeln!(text, "rejected {}{}", safe(&one.case.id), brief(one));
            }
            let before =
                if rejected.is_empty() { String::new() } else { format!(", {} rejected before", rejected.len()) };
            let _ = writeln!(text, "{} pending in run {}{before}", count(open.len(), "image"), results.run);
        }
        Format::Json => {
            let one = |one: &Pending<'_>| {
                json!({ "id": one.case.id, "standing": one.comparison.standing, "prompt": one.case.prompt.text, "seed": one.case.seed,
                    "image": one.image, "environment": one.suite.environment, "comparison": one.comparison })
            };
            let [open, rejected] = [open, rejected].map(|of| of.iter().map(one).collect::<Vec<_>>());
            let _ = writeln!(text, "{:#}", json!({ "run": results.run, "pending": open, "rejected": rejected }));
        }
    }
    text
}

fn word(one: &Pending<'_>) -> &'static str {
    if one.is_new() { "new" } else { "changed" }
}

/// The tiers that do not hold, and what was asked for otherwise.
fn brief(one: &Pending<'_>) -> String {
    let mut text = String::new();
    for tier in one.comparison.tiers.iter().filter(|tier| !tier.holds) {
        let side = if tier.tier.higher_is_alike() { "<" } else { ">" };
        let _ = write!(text, "  {} {} {side} {}", tier.tier, score(tier.value), score(tier.limit));
    }
    if let Some(asked) = findings::asked(one.comparison) {
        let _ = write!(text, "  {asked}");
    }
    text
}

/// Everything about one image, several lines.
pub(super) fn shown(one: &Pending<'_>) -> String {
    let Pending { case, comparison, image, .. } = one;
    let mut text = format!("{:<8} {}\n", word(one), safe(&case.id));
    let _ = writeln!(text, "  prompt    {}", short(&case.prompt.text, 200));
    if let Some((asked, change)) = findings::asked(comparison).zip(comparison.asked.as_ref()) {
        let was = change.was.as_deref().map_or_else(|| "not there".to_owned(), |was| short(was, 200));
        let _ = writeln!(text, "  asked     {asked}: it was {was}");
    }
    for tier in &comparison.tiers {
        let side = if tier.tier.higher_is_alike() { "at least" } else { "at most" };
        let holds = if tier.holds { "" } else { "   <- not so" };
        let _ = writeln!(text, "  {:<9} {}, {side} {}{holds}", tier.tier.name(), score(tier.value), score(tier.limit));
    }
    if !comparison.details.is_empty() {
        let details = comparison.details.iter().map(|detail| format!("{} {}", detail.name, score(detail.value)));
        let _ = writeln!(text, "  pixels    {}", details.collect::<Vec<_>>().join(", "));
    }
    if let Some(expected) = &comparison.expected
        && (expected.width, expected.height) != (image.width, image.height)
    {
        let _ = writeln!(
            text,
            "  size      {}x{}, and the baseline's {}x{}",
            image.width, image.height, expected.width, expected.height
        );
    }
    if let Some(note) = &comparison.note {
        let _ = writeln!(text, "  note      {}", safe(note));
    }
    let _ = writeln!(text, "  image     {}", safe(&image.path));
    let paths = [
        ("baseline", comparison.expected.as_ref().map(|expected| &expected.path)),
        ("diff", comparison.diff.as_ref()),
        ("heat map", comparison.heatmap.as_ref()),
    ];
    for (what, path) in paths.into_iter().filter_map(|(what, path)| Some((what, path?))) {
        let _ = writeln!(text, "  {what:<9} {}", safe(&path.to_string_lossy()));
    }
    text
}
