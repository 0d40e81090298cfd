//! Whether recordings belong together, as far as their manifests tell: before a single event is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use difftest_store::recording::{Manifest, Part};

use super::MergeError;

/// What a manifest says of a shard that did not end.
const INTERRUPTED: &str = "interrupted";

/// A recording and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where it is; for messages.
    pub path: PathBuf,
    /// What it says.
    pub manifest: Manifest,
}

/// Checks that `claims` are every shard of one plan, each once or several times with the same content; answers for each shard, in
/// order, its part and the index of a recording that has it. `expected` is how many shards there are to be.
///
/// # Errors
/// The first of: nothing, foreign, duplicate, another number than expected, missing, interrupted. A shard that was interrupted and run
/// again is there once: as it ended. It does not depend on the order of `claims`.
pub fn check(claims: &[Claim], expected: Option<u32>) -> Result<Vec<(Part, usize)>, MergeError> {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by(|&a, &b| claims[a].path.cmp(&claims[b].path));
    let Some(first) = order.first().map(|&index| &claims[index]) else { return Err(MergeError::Nothing) };
    for other in order.iter().map(|&index| &claims[index]) {
        let (one, two) = (&first.manifest, &other.manifest);
        let why = if one.plan != two.plan {
            let short = |plan: &str| plan.chars().take(12).collect::<String>();
            format!("their plans are {} and {}", short(&one.plan), short(&two.plan))
        } else if one.of != two.of {
            format!("they are of {} and of {} shards", one.of, two.of)
        } else {
            continue;
        };
        return Err(MergeError::Foreign { one: first.path.clone(), other: other.path.clone(), why });
    }
    let mut parts: BTreeMap<u32, (Part, usize)> = BTreeMap::new();
    for index in order {
        for part in &claims[index].manifest.parts {
            match parts.get(&part.shard) {
                // A shard that was interrupted, and run again.
                Some((known, _)) if known != part && part.conclusion == INTERRUPTED => {}
                Some((known, other)) if known != part && known.conclusion != INTERRUPTED => {
                    let path = |index: usize| claims[index].path.clone();
                    return Err(MergeError::Duplicate { shard: part.shard, one: path(*other), other: path(index) });
                }
                Some((known, _)) if known == part => {}
                _ => drop(parts.insert(part.shard, (part.clone(), index))),
            }
        }
    }
    let of = first.manifest.of;
    if let Some(expected) = expected.filter(|&expected| expected != of) {
        return Err(MergeError::Expected { of, expected });
    }
    let missing: Vec<u32> = (1..=of).filter(|shard| !parts.contains_key(shard)).collect();
    if !missing.is_empty() {
        return Err(MergeError::Missing { shards: missing, of });
    }
    let interrupted = parts.values().filter(|(part, _)| part.conclusion == INTERRUPTED);
    let interrupted: Vec<_> =
        interrupted.map(|(part, index)| (part.shard, Some(claims[*index].path.clone()))).collect();
    if !interrupted.is_empty() {
        return Err(MergeError::Interrupted { shards: interrupted, of });
    }
    Ok(parts.into_values().collect())
}
