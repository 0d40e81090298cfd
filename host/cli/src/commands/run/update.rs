//! `run --baseline` and `run --update`: what is compared with, and what of it a person accepts beforehand.
//!
//! A gate on a baseline that is not there is an error before the first image is made. With `--update` it is not: the gate is left out,
//! and the images and scores of its test become the baseline if the test passes without it.

use std::path::Path;

use difftest_core::event::Verdict;
use difftest_report::json::{Results, TestResult};
use difftest_report::text::count;
use difftest_run::conduct::SuiteRun;
use difftest_run::lacking::{Lacking, lacking};
use difftest_run::load::Loader;
use difftest_run::visual::Update;
use difftest_store::baseline::{Because, DEFAULT_ROOT, Decision, Folder};

use crate::args::baseline::{Against, Update as Asked};
use crate::commands::baseline::save::save_suite;
use crate::commands::baseline::{named, who};
use crate::commands::review::{Decided, Pending, State, carry_out, pending};
use crate::error::CliError;
use crate::ui::Ui;

/// A baseline that is made of this run.
pub(super) struct Making {
    suite: String,
    tests: Vec<String>,
    folder: Folder,
}

/// What `--update` says, refused where no person says it. A baseline that `--baseline` names has to be there, or is made by `--update`.
pub(super) fn asked(against: &Against) -> Result<Update, CliError> {
    if let Some(name) = against.compared.baseline.as_ref().filter(|_| against.update.is_none()) {
        let folder = named(&against.compared.root.baselines, name)?;
        if folder.environments()?.is_empty() {
            // says what there is
            folder.read("images")?;
        }
    }
    let Some(asked) = against.update else { return Ok(Update::Nothing) };
    who::must_be_a_person("`run --update` accepts images", against.ci.allow_ci)?;
    Ok(match asked {
        Asked::New => Update::New,
        Asked::All => Update::All,
    })
}

/// Accepts what the run found and `--update` covers.
pub(super) fn accept(results: &Results, update: Update, making: &[Making], ui: &mut Ui) -> Result<(), CliError> {
    if update == Update::Nothing {
        return Ok(());
    }
    make(results, making, ui)?;
    let all = pending(results)?;
    let covered = |one: &&Pending<'_>| one.state == State::Pending && update.covers(one.comparison.standing);
    let decided: Vec<_> =
        all.iter().filter(covered).map(|pending| Decided { pending, decision: Decision::Accept }).collect();
    let rejected =
        all.iter().filter(|one| one.state == State::Rejected && update.covers(one.comparison.standing)).count();
    if rejected > 0 {
        let images = count(rejected, "image");
        ui.note(&format!("--update: {images} rejected before and so not accepted: difftest accept ID"));
    }
    if decided.is_empty() && making.is_empty() {
        ui.note("--update: nothing to accept");
    }
    if decided.is_empty() {
        return Ok(());
    }
    let done = carry_out(&results.run, &decided, false)?;
    ui.note(&format!("--update: {}", done.told(false).trim_end()));
    Ok(())
}

/// Takes gates whose baseline is not there out of the plans where `--update` makes it of this run, and answers what to make.
///
/// # Errors
/// Where it does not, or cannot; each baseline that is missing is told.
pub(super) fn make_or_refuse(
    suites: &mut [SuiteRun],
    loader: &Loader<'_>,
    against: &Against,
    update: Update,
    ui: &mut Ui,
) -> Result<Vec<Making>, CliError> {
    let mut making: Vec<Making> = Vec::new();
    // An error, and how many more tests have the same.
    let mut refused: Vec<(Lacking, usize)> = Vec::new();
    for lacks in lacking(suites, loader) {
        let Some(folder) = lacks.baseline.clone().filter(|_| update != Update::Nothing) else {
            match refused.iter_mut().find(|(other, _)| other.error == lacks.error) {
                Some((_, more)) => *more += 1,
                None => refused.push((lacks, 0)),
            }
            continue;
        };
        let plans = suites.iter_mut().filter(|run| run.plan.suite == lacks.suite).flat_map(|run| &mut run.plan.tests);
        for plan in plans.filter(|plan| plan.name == lacks.test) {
            plan.gates.retain(|gate| !gate.check.needs_baseline());
        }
        match making.iter_mut().find(|one| one.suite == lacks.suite && one.folder == folder) {
            Some(one) => one.tests.push(lacks.test),
            None => making.push(Making { suite: lacks.suite, tests: vec![lacks.test], folder }),
        }
    }
    let mut errors = refused.into_iter().map(|(lacks, more)| {
        let also = if more > 0 { format!(" (and {} more)", count(more, "test")) } else { String::new() };
        let message = format!("{}::{}{also}: {}", lacks.suite, lacks.test, lacks.error.message);
        let hint = match &lacks.baseline {
            Some(folder) => Some(how(&lacks, folder, against)),
            None => lacks.error.hint,
        };
        CliError::new(&lacks.error.kind, message).hint_if(hint)
    });
    let Some(first) = errors.next() else {
        for Making { suite, tests, folder } in &making {
            let tests = tests.join(", ");
            ui.note(&format!(
                "--update: gates of {suite}::{tests} on baseline {} are left out: this run makes it",
                folder.name()
            ));
        }
        return Ok(making);
    };
    for error in errors {
        let _ = error.report(ui);
    }
    Err(first)
}

/// The commands that make a baseline.
fn how(lacks: &Lacking, folder: &Folder, against: &Against) -> String {
    let named = against.compared.baseline.as_ref().map(|name| format!(" --baseline {name}")).unwrap_or_default();
    let root = folder.path().parent().filter(|root| *root != Path::new(DEFAULT_ROOT));
    let root = root.map(|root| format!(" --baselines {}", root.display())).unwrap_or_default();
    let beside = folder.path().parent().and_then(|root| Folder::list(root).ok()).unwrap_or_default();
    let beside: Vec<&str> = beside.iter().map(Folder::name).filter(|name| *name != folder.name()).collect();
    let beside = if beside.is_empty() { String::new() } else { format!("; there are: {}", beside.join(", ")) };
    format!(
        "make it of a run that passes without these gates: difftest run {}{named}{root} --update; of an earlier run: difftest baseline save {}{root}{beside}",
        lacks.suite,
        folder.name()
    )
}

/// Makes baselines of what passed.
fn make(results: &Results, making: &[Making], ui: &mut Ui) -> Result<(), CliError> {
    for Making { suite, tests, folder } in making {
        let Some(suite) = results.suites.iter().find(|other| other.name == *suite && other.error.is_none()) else {
            continue;
        };
        let wanted = |test: &TestResult| tests.contains(&test.name) && test.verdict == Verdict::Pass;
        for test in suite.tests.iter().filter(|test| tests.contains(&test.name) && !wanted(test)) {
            ui.note(&format!(
                "--update: {}::{} did not pass, so it is not in baseline {}",
                suite.name,
                test.name,
                folder.name()
            ));
        }
        if suite.tests.iter().any(wanted) {
            let mut text = String::new();
            save_suite(suite, &wanted, folder, Because::Person, &results.run, false, &mut text)?;
            ui.note(&format!("--update: {}", text.trim_end()));
        }
    }
    Ok(())
}
