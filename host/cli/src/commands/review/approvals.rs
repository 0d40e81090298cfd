//! `approvals.json`: marks that a person made in the HTML report.
//!
//! ```json
//! { "format": 1, "report": "20261121-093000-4f1c2a", "approvals": [
//!     { "id": "logos::header[p0,seed=42]", "image": "SHA-256 of size and pixels", "decision": "accept" } ] }
//! ```
//!
//! A mark counts for the image that was looked at and for no other: where the case has another image by now, the file is refused as a
//! whole.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use difftest_core::digest::Digest;
use difftest_report::json::Results;
use difftest_report::text::safe;
use difftest_store::baseline::Decision;
use serde::Deserialize;

use super::decide::Decided;
use super::pending::{self, Pending};
use crate::error::CliError;

const FORMAT: u64 = 1;

/// A million marks are less.
const MAX_BYTES: u64 = 512 << 20;

/// How many problems an error names.
const NAMED: usize = 10;

#[derive(Debug, Deserialize)]
struct Approvals {
    report: String,
    approvals: Vec<Approval>,
}

#[derive(Debug, Deserialize)]
struct Approval {
    id: String,
    image: Digest,
    decision: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mark {
    Accept,
    Reject,
}

/// The decisions in `file` about images of the run.
pub(super) fn read<'p>(file: &Path, results: &Results, all: &'p [Pending<'p>]) -> Result<Vec<Decided<'p>>, CliError> {
    let approvals = parse(file)?;
    let by_id: HashMap<&str, &'p Pending<'p>> = all.iter().map(|one| (one.case.id.as_str(), one)).collect();
    let mut seen: HashMap<&str, (Digest, Mark)> = HashMap::new();
    let (mut decided, mut problems) = (Vec::new(), Vec::new());
    for Approval { id, image, decision } in &approvals.approvals {
        match seen.insert(id, (*image, *decision)) {
            Some(earlier) if earlier != (*image, *decision) => {
                problems.push(format!("{} is marked twice, and not the same", safe(id)));
                continue;
            }
            Some(_) => continue,
            None => {}
        }
        match by_id.get(id.as_str()) {
            Some(one) if one.image.digest == *image => {
                let decision = if *decision == Mark::Accept { Decision::Accept } else { Decision::Reject };
                decided.push(Decided { pending: one, decision });
            }
            Some(one) => {
                let (was, is) = (image.short(), one.image.digest.short());
                problems.push(format!(
                    "{} is another image now: {was} was looked at, run {} has {is}",
                    safe(id),
                    results.run
                ));
            }
            // Accepted since then, and made again: it is as its baseline.
            None if *decision == Mark::Accept && has(results, id, image) => {}
            None => {
                if let CliError::Plain(info) = pending::unknown(id, results, all) {
                    problems.push(info.message);
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(decided);
    }
    let mut message = format!("{}: nothing is decided, since", file.display());
    for problem in problems.iter().take(NAMED) {
        let _ = write!(message, "\n  {problem}");
    }
    if problems.len() > NAMED {
        let _ = write!(message, "\n  and {} more", problems.len() - NAMED);
    }
    let hint = if approvals.report == results.run {
        "make a report of the run and mark its images anew: difftest report --html report.html".to_owned()
    } else {
        let report = safe(&approvals.report);
        format!(
            "the marks are of run {report}: look at the report of {}, or decide on that run with --run {report}",
            results.run
        )
    };
    Err(CliError::new("approvals", message).hint(hint))
}

/// Whether the run made this very image for the case.
fn has(results: &Results, id: &str, image: &Digest) -> bool {
    let mut cases = results.suites.iter().flat_map(|suite| &suite.cases);
    cases.any(|case| case.id == id && case.image.as_ref().is_some_and(|made| made.digest == *image))
}

fn parse(file: &Path) -> Result<Approvals, CliError> {
    #[derive(Deserialize)]
    struct Head {
        format: u64,
    }
    let shown = file.display();
    let expected =
        "expected the file that the HTML report exports: {\"format\": 1, \"report\": \"RUN\", \"approvals\": [..]}";
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| CliError::new("approvals", format!("cannot read {shown}: {error}")))?;
    let wrong = |error: serde_json::Error| {
        CliError::new("approvals", format!("{shown} has no approvals: {error}")).hint(expected)
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(CliError::new("approvals", format!("{shown} is larger than approvals can be")).hint(expected));
    }
    let Head { format } = serde_json::from_slice(&bytes).map_err(wrong)?;
    if format != FORMAT {
        return Err(CliError::new(
            "approvals",
            format!("{shown} has format {format}, and this difftest reads format {FORMAT}"),
        )
        .hint("export it from a report of the same difftest"));
    }
    serde_json::from_slice(&bytes).map_err(wrong)
}
