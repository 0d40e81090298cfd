//! `difftest review`, `accept` and `reject`: a person decides on images that a run found new or changed.
//!
//! | file | holds |
//! |---|---|
//! | `pending.rs` | what of a run is undecided |
//! | `decide.rs` | decisions, checked and carried out |
//! | `approvals.rs` | marks that the HTML report exported |
//! | `interactive.rs` | one image after another, on a terminal |

mod approvals;
mod decide;
mod interactive;
mod pending;

use difftest_report::json::Results;
use difftest_report::text::count;
use difftest_store::baseline::Decision;

use crate::args::review::{DecideArgs, ReviewArgs};
use crate::commands::baseline::who;
use crate::error::{CliError, Exit};
use crate::recorded;
use crate::ui::Ui;

pub(crate) use decide::{Decided, carry_out};
pub(crate) use pending::{Pending, State, pending};

pub(crate) fn review(args: &ReviewArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    let results = recorded::load_results(&recorded::folder(&args.run.run)?)?;
    let all = pending(&results)?.into_iter().filter(|one| matches!(one.state, State::Pending | State::Rejected));
    let (open, rejected): (Vec<Pending<'_>>, Vec<_>) = all.partition(|one| one.state == State::Pending);
    if args.list {
        ui.data(&pending::listed(&results, &open, &rejected, args.message_format))?;
        return Ok(Exit::Success);
    }
    if open.is_empty() {
        ui.note(&format!("run {}: nothing is pending", results.run));
        if !rejected.is_empty() {
            let images = count(rejected.len(), "image");
            ui.note(&format!(
                "{images} rejected before: make others, or accept one after all with `difftest accept ID`"
            ));
        }
        return Ok(Exit::Success);
    }
    who::must_be_a_person("`review` asks about images", args.ci.allow_ci)?;
    interactive::review(&results, &open, ui)
}

pub(crate) fn accept(args: &DecideArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    decide_as(args, Decision::Accept, ui)
}

pub(crate) fn reject(args: &DecideArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    decide_as(args, Decision::Reject, ui)
}

fn decide_as(args: &DecideArgs, decision: Decision, ui: &mut Ui) -> Result<Exit, CliError> {
    let verb = if decision == Decision::Accept { "accept" } else { "reject" };
    if !args.dry_run {
        who::must_be_a_person(&format!("`{verb}` decides on images"), args.ci.allow_ci)?;
    }
    let results = recorded::load_results(&recorded::folder(&args.run.run)?)?;
    let all = pending(&results)?;
    let decided: Vec<Decided<'_>> = match &args.from {
        Some(file) => {
            let mut marked = approvals::read(file, &results, &all)?;
            // Whoever says `reject` accepts nothing.
            marked.retain(|one| decision == Decision::Accept || one.decision == decision);
            marked
        }
        None => chosen(args, &results, &all)?.into_iter().map(|pending| Decided { pending, decision }).collect(),
    };
    let done = carry_out(&results.run, &decided, args.dry_run)?;
    ui.data(&done.told(args.dry_run))?;
    Ok(Exit::Success)
}

/// The cases that the arguments name.
fn chosen<'p, 'r>(
    args: &DecideArgs,
    results: &Results,
    all: &'p [Pending<'r>],
) -> Result<Vec<&'p Pending<'r>>, CliError> {
    if args.ids.is_empty() {
        let wanted = |one: &&Pending<'_>| {
            one.state == State::Pending && (args.all || (args.new && one.is_new()) || (args.changed && !one.is_new()))
        };
        let chosen: Vec<_> = all.iter().filter(wanted).collect();
        if chosen.is_empty() {
            return Err(CliError::new(
                "nothing-pending",
                format!("run {} has nothing of that kind pending", results.run),
            )
            .hint("`difftest review --list` shows what is; `--run` names another run"));
        }
        return Ok(chosen);
    }
    args.ids.iter().map(|id| pending::find(id, results, all)).collect()
}
