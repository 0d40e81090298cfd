//! `run --baseline` and `run --update`: what is compared with, and what of it a person accepts beforehand.

use difftest_report::json::Results;
use difftest_run::visual::Update;
use difftest_store::baseline::Decision;

use crate::args::baseline::{Against, Update as Asked};
use crate::commands::baseline::{named, who};
use crate::commands::review::{Decided, Pending, State, carry_out, pending};
use crate::error::CliError;
use crate::ui::Ui;

/// What `--update` says, refused where no person says it. A baseline that `--baseline` names has to be there.
pub(super) fn asked(against: &Against) -> Result<Update, CliError> {
    if let Some(name) = &against.baseline {
        let folder = named(&against.root.baselines, name)?;
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
pub(super) fn accept(results: &Results, update: Update, ui: &mut Ui) -> Result<(), CliError> {
    if update == Update::Nothing {
        return Ok(());
    }
    let all = pending(results)?;
    let covered = |one: &&Pending<'_>| one.state == State::Pending && update.covers(one.comparison.standing);
    let decided: Vec<_> =
        all.iter().filter(covered).map(|pending| Decided { pending, decision: Decision::Accept }).collect();
    if decided.is_empty() {
        ui.note("--update: nothing to accept");
        return Ok(());
    }
    let done = carry_out(&results.run, &decided, false)?;
    ui.note(&format!("--update: {}", done.told(false).trim_end()));
    Ok(())
}
