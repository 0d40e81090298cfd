//! One image after another, on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use difftest_report::json::Results;
use difftest_report::text::count;
use difftest_store::baseline::Decision;

use super::pending::{self, Pending};
use super::{Decided, carry_out};
use crate::args::review::REVIEW_HELP;
use crate::commands::open;
use crate::error::{CliError, Exit};
use crate::ui::Ui;

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Decide(Option<Decision>, Reach),
    Open,
    Quit,
    Help,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    This,
    AllThatFollow,
}

/// Asks about each; decisions count when all is asked, or at `q`.
pub(super) fn review(results: &Results, open: &[Pending<'_>], ui: &mut Ui) -> Result<Exit, CliError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = format!(
            "{} of run {} pending, and there is no terminal to ask on",
            count(open.len(), "image"),
            results.run
        );
        return Err(CliError::new("no-terminal", message).hint(
            "difftest review --list; difftest accept ID... | --new | --changed | --all | --from approvals.json; difftest reject ID...",
        ));
    }
    let mut decided = Vec::new();
    let mut rest: Option<Option<Decision>> = None;
    'images: for (index, one) in open.iter().enumerate() {
        let decision = match rest {
            Some(decision) => decision,
            None => {
                ui.note(&format!("\n{}/{}  {}", index + 1, open.len(), pending::shown(one)));
                loop {
                    match ask()? {
                        Answer::Decide(decision, reach) => {
                            rest = (reach == Reach::AllThatFollow).then_some(decision);
                            break decision;
                        }
                        Answer::Open => show(one, ui),
                        Answer::Help => ui.note(REVIEW_HELP),
                        Answer::Quit => break 'images,
                    }
                }
            }
        };
        decided.extend(decision.map(|decision| Decided { pending: one, decision }));
    }
    let skipped = open.len() - decided.len();
    if !decided.is_empty() {
        ui.data(&carry_out(&results.run, &decided, false)?.told(false))?;
    }
    if skipped > 0 {
        ui.note(&format!("{} still pending", count(skipped, "image")));
    }
    Ok(Exit::Success)
}

/// The end of the input is `q`.
fn ask() -> Result<Answer, CliError> {
    let fail = |error: io::Error| CliError::new("terminal", format!("cannot read the answer: {error}"));
    loop {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "accept, reject, skip, open, quit (a r s, A R S for all that follow, o q ?): ")
            .and_then(|()| stderr.flush());
        drop(stderr);
        let mut line = String::new();
        if io::stdin().read_line(&mut line).map_err(fail)? == 0 {
            return Ok(Answer::Quit);
        }
        match line.trim() {
            "a" => return Ok(Answer::Decide(Some(Decision::Accept), Reach::This)),
            "r" => return Ok(Answer::Decide(Some(Decision::Reject), Reach::This)),
            "s" => return Ok(Answer::Decide(None, Reach::This)),
            "A" => return Ok(Answer::Decide(Some(Decision::Accept), Reach::AllThatFollow)),
            "R" => return Ok(Answer::Decide(Some(Decision::Reject), Reach::AllThatFollow)),
            "S" => return Ok(Answer::Decide(None, Reach::AllThatFollow)),
            "o" => return Ok(Answer::Open),
            "q" => return Ok(Answer::Quit),
            "?" | "h" => return Ok(Answer::Help),
            _ => {}
        }
    }
}

/// The image, its baseline and the diff in whatever this system opens pictures with.
fn show(one: &Pending<'_>, ui: &mut Ui) {
    let comparison = one.comparison;
    let paths = [
        comparison.expected.as_ref().map(|expected| expected.path.clone()),
        Some(PathBuf::from(&one.image.path)),
        comparison.diff.clone(),
    ];
    for path in paths.into_iter().flatten() {
        if let Err(error) = open::file(&path) {
            ui.note(&format!("cannot open {}: {error}", path.display()));
        }
    }
}
