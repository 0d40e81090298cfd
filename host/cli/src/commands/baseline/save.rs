//! `difftest baseline save`: the images and scores of a run become a baseline.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use difftest_core::digest::Digest;
use difftest_core::event::Verdict;
use difftest_core::gate::{Decision, Evidence};
use difftest_core::visual::{Comparison, Standing};
use difftest_report::json::{SuiteResult, TestResult};
use difftest_report::text::{count, safe};
use difftest_store::baseline::{Because, Effect, Folder, set_digest};

use super::{take, who};
use crate::args::baseline::SaveArgs;
use crate::error::{CliError, Exit};
use crate::recorded;
use crate::ui::Ui;

/// How many tests an error names.
const NAMED: usize = 10;

/// What a run says of a test, as far as a baseline cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standard {
    Passed,
    /// It only lacks what is being made.
    LacksBaseline,
    Failed,
}

pub(crate) fn save(args: &SaveArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let name = args.name.as_deref().or(args.model.as_deref()).unwrap_or_default();
    let folder = Folder::named(&args.root.baselines, name)?;
    let results = recorded::load_results(&recorded::folder(&args.run)?)?;
    if results.conclusion.is_none() {
        return Err(CliError::new("run", format!("run {} did not come to its end", results.run))
            .hint("run it again: what is finished is found, not made again"));
    }
    let standard = judged(&results.suites, args.accept_failing)?;
    let because = if standard == Standard::Passed { Because::Passed } else { Because::Person };
    if because == Because::Person {
        who::must_be_a_person("`baseline save` takes in images of tests that did not pass", args.ci.allow_ci)?;
    }
    let mut text = String::new();
    for suite in results.suites.iter().filter(|suite| suite.error.is_none()) {
        let of_all = |_: &TestResult| true;
        save_suite(suite, &of_all, &folder, because, &results.run, args.dry_run, &mut text)?;
    }
    if standard == Standard::LacksBaseline {
        ui.note("tests that compare with this baseline could not be judged yet: run again with it");
    }
    ui.data(&text)?;
    Ok(Exit::Success)
}

/// The worst of what is saved; an error where that is not good enough.
fn judged(suites: &[SuiteResult], accept_failing: bool) -> Result<Standard, CliError> {
    if let Some(error) = suites.iter().find_map(|suite| suite.error.as_ref().filter(|_| !accept_failing)) {
        return Err(CliError::new("failing", format!("a suite of the run could not be started: {}", error.message))
            .hint("mend that and run again"));
    }
    let tests = || suites.iter().flat_map(|suite| suite.tests.iter().map(move |test| (suite, test)));
    if tests().next().is_none() {
        return Err(CliError::new("failing", "the run has no test that was judged").hint("run again"));
    }
    let standards: Vec<_> = tests().map(|(suite, test)| (standard(suite, test), suite, test)).collect();
    let failed: Vec<_> = standards.iter().filter(|(standard, ..)| *standard == Standard::Failed).collect();
    if !failed.is_empty() && !accept_failing {
        let names = failed.iter().take(NAMED).map(|(_, suite, test)| format!("{}::{}", suite.name, test.name));
        let mut names = names.collect::<Vec<_>>().join(", ");
        if failed.len() > NAMED {
            let _ = write!(names, " and {} more", failed.len() - NAMED);
        }
        let message =
            format!("{} did not pass, and a baseline is made of what is good: {names}", count(failed.len(), "test"));
        return Err(CliError::new("failing", message).hint(
            "look at the images; `--accept-failing` if they are as they should be, `difftest review` for images of visual regression tests",
        ));
    }
    Ok(standards.into_iter().map(|(standard, ..)| standard).max().unwrap_or(Standard::Failed))
}

/// Kinds of errors that say nothing but that there is no baseline yet to judge by.
const LACKING: [&str; 5] =
    ["no-baseline", "baseline-environment", "baseline-incomplete", "baseline-metric", "baseline-question"];

fn standard(suite: &SuiteResult, test: &TestResult) -> Standard {
    // What a person rejected is not kept because it is new.
    let known = |comparison: &Comparison| comparison.standing == Standing::New && !comparison.is_rejected();
    let only_new = || {
        let mut compared = suite.cases_of(test).filter_map(|case| case.comparison.as_ref()).peekable();
        compared.peek().is_some()
            && compared.all(|comparison| comparison.standing == Standing::Same || known(comparison))
            && test.gates.iter().all(|gate| gate.result.holds)
    };
    // What keeps these gates from a verdict is that their prompts changed since the baseline was saved.
    let outdated = || {
        let mut open = test.gates.iter().filter(|gate| !gate.result.holds).peekable();
        let unpaired =
            |evidence: &Evidence| evidence.decision == Decision::Inconclusive && !evidence.unpaired.is_empty();
        open.peek().is_some() && open.all(|gate| gate.result.evidence.as_ref().is_some_and(unpaired))
    };
    let lacking = || test.errors.iter().all(|error| LACKING.contains(&error.kind.as_str()));
    match test.verdict {
        Verdict::Pass => Standard::Passed,
        Verdict::Fail if only_new() => Standard::LacksBaseline,
        Verdict::Inconclusive if outdated() => Standard::LacksBaseline,
        Verdict::Error if !test.errors.is_empty() && lacking() => Standard::LacksBaseline,
        _ => Standard::Failed,
    }
}

/// Takes the images and scores of the tests that are `wanted`; what was done goes to `text`.
pub(crate) fn save_suite(
    suite: &SuiteResult,
    wanted: &dyn Fn(&TestResult) -> bool,
    folder: &Folder,
    because: Because,
    run: &str,
    dry_run: bool,
    text: &mut String,
) -> Result<(), CliError> {
    let environment = &suite.environment;
    let before = folder.find(environment)?;
    let (mut new, mut changed, mut same, mut without) = (0, 0, 0, 0);
    let mut change = None;
    if !dry_run {
        change = Some(folder.change(environment, who::now(because, Some(run)))?);
    }
    let tests: Vec<&TestResult> = suite.tests.iter().filter(|test| wanted(test)).collect();
    let of_tests = || suite.cases.iter().filter(|case| tests.iter().any(|test| test.name == case.test));
    for case in of_tests() {
        let Some(candidate) = take::candidate(suite, case)? else {
            without += 1;
            continue;
        };
        let effect = match (&mut change, &before) {
            (Some(change), _) => change.accept(candidate)?,
            (None, before) => match before.as_ref().and_then(|before| before.manifest().cases.get(&case.id)) {
                None => Effect::New,
                Some(known) if known.image == candidate.image.digest() => Effect::Same,
                Some(_) => Effect::Changed,
            },
        };
        *(match effect {
            Effect::New => &mut new,
            Effect::Changed => &mut changed,
            Effect::Same => &mut same,
        }) += 1;
    }
    let taken: HashSet<&str> = of_tests().map(|case| case.id.as_str()).collect();
    let kept =
        before.map_or(0, |before| before.manifest().cases.keys().filter(|id| !taken.contains(id.as_str())).count());
    if let Some(mut change) = change {
        for test in &tests {
            let images: BTreeMap<&str, Digest> =
                suite.cases_of(test).filter_map(|case| Some((case.id.as_str(), case.image.as_ref()?.digest))).collect();
            let images = set_digest(images);
            for (metric, score) in take::scores(test, &test.scores) {
                change.accept_set(&format!("{}::{}", suite.name, test.name), &metric, score, images);
            }
        }
        change.commit()?;
    }
    let verb = if dry_run { "would be saved" } else { "saved" };
    let place = folder.path().join(environment);
    let _ =
        write!(text, "{}: {} {verb} in {}", safe(&suite.name), count(new + changed + same, "image"), place.display());
    let parts = [
        (new, "new"),
        (changed, "changed"),
        (same, "the same"),
        (kept, "kept from before"),
        (without, "without an image"),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let _ = writeln!(text, " ({})", parts.join(", "));
    Ok(())
}
