//! Decisions: all of them are checked before any is carried out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use difftest_report::text::{count, safe};
use difftest_store::baseline::{BaselineError, Because, Decision, Effect};

use super::pending::{Pending, State};
use crate::commands::baseline::{take, who};
use crate::error::CliError;

/// How many ids an error names.
const NAMED: usize = 10;

/// A decision about an image.
#[derive(Clone, Debug)]
pub(crate) struct Decided<'p> {
    pub(crate) pending: &'p Pending<'p>,
    pub(crate) decision: Decision,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    accepted: usize,
    already: usize,
    rejected: usize,
    rejected_before: usize,
    places: Vec<PathBuf>,
}

impl Done {
    pub(crate) fn told(&self, dry_run: bool) -> String {
        let would = if dry_run { "would be " } else { "" };
        let mut parts = Vec::new();
        if self.accepted > 0 {
            let places: Vec<_> = self.places.iter().map(|place| place.display().to_string()).collect();
            parts.push(format!("{} {would}accepted into {}", count(self.accepted, "image"), places.join(", ")));
        }
        if self.rejected > 0 {
            parts.push(format!("{} {would}rejected: the baseline stays", count(self.rejected, "image")));
        }
        if self.rejected_before > 0 {
            parts.push(format!("{} rejected already", count(self.rejected_before, "image")));
        }
        if self.already > 0 {
            parts.push(format!("{} accepted already", count(self.already, "image")));
        }
        let mut text = parts.join("; ");
        let _ = writeln!(text, "{}", if text.is_empty() { "nothing to decide" } else { "" });
        text
    }
}

/// Carries out decisions on images of the run, each baseline at once. Nothing is done where one of them cannot be.
pub(crate) fn carry_out(run: &str, decided: &[Decided<'_>], dry_run: bool) -> Result<Done, CliError> {
    let overtaken: Vec<_> = decided.iter().filter(|one| one.pending.state == State::Overtaken).map(id).collect();
    if !overtaken.is_empty() {
        return Err(stale(&overtaken));
    }
    let kept = decided.iter().find(|one| one.decision == Decision::Reject && one.pending.state == State::Accepted);
    if let Some(Decided { pending, .. }) = kept {
        let (case, folder) = (safe(&pending.case.id), pending.folder.path().to_owned());
        return Err(BaselineError::IsBaseline { case, folder }.into());
    }
    let mut groups: BTreeMap<(PathBuf, &str), Vec<&Decided<'_>>> = BTreeMap::new();
    for one in decided {
        let key = (one.pending.folder.path().to_owned(), one.pending.suite.environment.as_str());
        groups.entry(key).or_default().push(one);
    }
    let mut done = Done::default();
    for ((path, environment), group) in groups {
        // Read before anything is written: an image that is gone or another one stops all of the group.
        let mut candidates = Vec::with_capacity(group.len());
        for one in &group {
            let candidate = match (one.decision, one.pending.state) {
                (Decision::Accept, State::Accepted) => {
                    done.already += 1;
                    continue;
                }
                (Decision::Accept, _) => take::candidate(one.pending.suite, one.pending.case)?,
                _ => None,
            };
            candidates.push((*one, candidate));
        }
        if dry_run {
            for (one, candidate) in &candidates {
                *(match (candidate, one.pending.state) {
                    (Some(_), _) => &mut done.accepted,
                    (None, State::Rejected) => &mut done.rejected_before,
                    (None, _) => &mut done.rejected,
                }) += 1;
            }
            done.places.push(path.join(environment));
            continue;
        }
        if candidates.is_empty() {
            continue;
        }
        let folder = &group[0].pending.folder;
        let mut change = folder.change(environment, who::now(Because::Person, Some(run)))?;
        // Again under the lock: another person may have been quicker.
        let overtaken = candidates.iter().filter(|(one, _)| {
            let now = change.manifest().cases.get(&one.pending.case.id).map(|case| case.image);
            now != one.pending.expected() && now != Some(one.pending.image.digest)
        });
        let overtaken: Vec<_> = overtaken.map(|(one, _)| id(one)).collect();
        if !overtaken.is_empty() {
            return Err(stale(&overtaken));
        }
        for (one, candidate) in candidates {
            match candidate {
                Some(candidate) => match change.accept(candidate)? {
                    Effect::Same => done.already += 1,
                    Effect::New | Effect::Changed => done.accepted += 1,
                },
                None => match change.reject(&one.pending.case.id, one.pending.image.digest)? {
                    true => done.rejected += 1,
                    false => done.rejected_before += 1,
                },
            }
        }
        change.commit()?;
        done.places.push(path.join(environment));
    }
    Ok(done)
}

fn id(one: &Decided<'_>) -> String {
    safe(&one.pending.case.id)
}

/// The baseline is not what these images were compared with.
fn stale(ids: &[String]) -> CliError {
    let mut names = ids.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if ids.len() > NAMED {
        let _ = write!(names, " and {} more", ids.len() - NAMED);
    }
    CliError::new("stale", format!("the baseline has other images now than those that the run compared with: {names}"))
        .hint("run again and look at what is new or changed then; nothing was decided")
}
