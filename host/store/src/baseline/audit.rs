//! `audit.jsonl`: who decided what, one line for each decision, only ever appended to.
//!
//! A line is written after the manifest that it tells of: a kill in between leaves a decision without its line, never a line without
//! its decision. Who accepted an image is in the manifest too, so [`missing`] finds such lines, and the next change writes them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use difftest_core::digest::Digest;
use difftest_metrics::decode;
use serde::{Deserialize, Serialize};

use super::manifest::{Acceptance, Because, Manifest};
use super::{AUDIT, BaselineError};
use crate::atomic::WriteError;

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// RFC 3339, UTC.
    pub at: String,
    /// Who.
    pub by: String,
    /// What.
    pub decision: Decision,
    /// About which case.
    pub case: String,
    /// The image that was decided on; for `removed`, the one that was there.
    pub image: Digest,
    /// The image that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// Why it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// The run that made the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The image is the baseline from now on.
    Accept,
    /// The image is not what it should be: the baseline stays.
    Reject,
    /// The baseline has no image for the case any more.
    Removed,
}

impl Entry {
    pub(super) fn accepted(case: &str, image: Digest, accepted: &Acceptance) -> Self {
        let Acceptance { by, at, because, run, replaced } = accepted.clone();
        let (decision, because) = (Decision::Accept, Some(because));
        Self { at, by, decision, case: case.to_owned(), image, replaced, because, run }
    }
}

/// Every decision in the audit at `path`, the oldest first; none where there is no such file. A last line without its end is what a
/// kill leaves, and is left out.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, BaselineError> {
    let mut text = Vec::new();
    match decode::open(path).and_then(|mut file| file.read_to_end(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|source| BaselineError::read(path, source))?,
    };
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut entries = Vec::new();
    for (index, line) in text[..whole].split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let entry = serde_json::from_slice(line)
            .map_err(|error| BaselineError::damaged(path, format!("line {}: {error}", index + 1)))?;
        entries.push(entry);
    }
    Ok(entries)
}

/// Images that were rejected and not accepted since, by case and digest, with the decision.
pub(super) fn rejected(entries: impl IntoIterator<Item = Entry>) -> BTreeMap<(String, Digest), Entry> {
    let mut rejected = BTreeMap::new();
    for entry in entries {
        let key = (entry.case.clone(), entry.image);
        match entry.decision {
            Decision::Reject => drop(rejected.insert(key, entry)),
            Decision::Accept | Decision::Removed => drop(rejected.remove(&key)),
        }
    }
    rejected
}

/// Accepted images of the manifest whose line the audit lacks, and cases that are gone without one.
pub(super) fn missing(manifest: &Manifest, entries: &[Entry]) -> Vec<Entry> {
    let mut last = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.decision != Decision::Reject) {
        last.insert(entry.case.as_str(), entry);
    }
    let there = manifest.cases.iter().filter(|(id, case)| {
        let told = last.get(id.as_str());
        told.is_none_or(|entry| entry.decision != Decision::Accept || entry.image != case.image)
    });
    let there = there.map(|(id, case)| Entry::accepted(id, case.image, &case.accepted));
    let gone = last
        .values()
        .filter(|entry| entry.decision == Decision::Accept && !manifest.cases.contains_key(entry.case.as_str()));
    let gone = gone.map(|entry| Entry {
        decision: Decision::Removed,
        by: "unknown: the audit was not written to its end".to_owned(),
        replaced: None,
        because: None,
        run: None,
        ..(*entry).clone()
    });
    there.chain(gone).collect()
}

/// Takes away the beginning of a line that a kill left at the end: [`missing`] finds what it would have told.
pub(super) fn mend(folder: &Path, audit: &File) -> Result<(), BaselineError> {
    let path = folder.join(AUDIT);
    let text = std::fs::read(&path).map_err(|source| BaselineError::read(&path, source))?;
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        audit.set_len(whole as u64).map_err(|source| WriteError::new("write", &path, source))?;
    }
    Ok(())
}

/// Appends whole lines.
pub(super) fn append(folder: &Path, audit: &mut File, entries: &[Entry]) -> Result<(), BaselineError> {
    if entries.is_empty() {
        return Ok(());
    }
    let fail = |source| WriteError::new("write", &folder.join(AUDIT), source);
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry).map_err(|error| fail(io::Error::other(error)))?;
        text.push(b'\n');
    }
    audit.write_all(&text).and_then(|()| audit.sync_data()).map_err(fail)?;
    Ok(())
}
