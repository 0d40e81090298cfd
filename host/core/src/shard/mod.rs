//! Shards: one plan, divided over machines that cannot talk to each other.
//!
//! Every shard sees the whole plan and works out the same division from it alone, so nothing is handed out and nothing is done twice.
//! What makes the division is in the [`Frozen`] plan, and its digest goes into the shard's recording: `difftest merge` refuses shards
//! that did not divide the same plan in the same way.
//!
//! The unit that is divided is the case: one image. A test with a set metric is one unit, for its score is of all of its images
//! together; so is a visual regression test, one with `controls`, and a suite with gates on a baseline, which are judged where the baseline is. Every other
//! test may be split, and is then judged by the merge.
//!
//! | module | holds |
//! |---|---|
//! | `mod.rs` | `--shard i/n` |
//! | `frozen.rs` | the plan as shards agree on it, and its digest |
//! | `split.rs` | which case goes where |

mod frozen;
mod split;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use frozen::{FORMAT, Frozen, FrozenCase, FrozenSuite, FrozenTest, Plan, PlanMismatch, Recorded};

/// The most shards a plan is divided into.
pub const MOST: u32 = 10_000;

/// One of some shards: `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shard {
    index: u32,
    of: u32,
}

/// How cases are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// By how long each takes: the longest first, each to the shard that has the least to do.
    Time,
    /// In the order of the plan, in pieces of equal size: neighbours, which share a model, stay together.
    #[default]
    Slice,
    /// By the digest of the case's id: a case stays in its shard when others come and go.
    Hash,
}

/// The text is not one of some shards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It has another form.
    #[error("expected I/N such as 1/4: the first of four shards")]
    Form,
    /// `1/0`.
    #[error("there cannot be 0 shards: 1/1 is everything")]
    NoShards,
    /// `0/4`.
    #[error("shards are counted from 1: the first of {of} is 1/{of}")]
    Zero {
        /// How many there are.
        of: u32,
    },
    /// `5/4`.
    #[error("there is no shard {index} of {of}: the last is {of}/{of}")]
    Beyond {
        /// The one that was asked for.
        index: u32,
        /// How many there are.
        of: u32,
    },
    /// More than [`MOST`].
    #[error("{of} shards are more than the {MOST} that a plan can be divided into")]
    TooMany {
        /// How many there are.
        of: u32,
    },
}

impl Shard {
    /// The shard `index` of `of`, counted from 1.
    ///
    /// # Errors
    /// [`ShardError`] when there is no such shard.
    pub fn new(index: u32, of: u32) -> Result<Self, ShardError> {
        match (index, of) {
            (_, 0) => Err(ShardError::NoShards),
            (_, of) if of > MOST => Err(ShardError::TooMany { of }),
            (0, of) => Err(ShardError::Zero { of }),
            (index, of) if index > of => Err(ShardError::Beyond { index, of }),
            (index, of) => Ok(Self { index, of }),
        }
    }

    /// Which, counted from 1.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether it is the first one, which also takes what is no case.
    #[must_use]
    pub fn is_first(self) -> bool {
        self.index == 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, of) = text.split_once('/').ok_or(ShardError::Form)?;
        let number = |text: &str| {
            // `parse` would take a sign
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse::<u32>().map_err(|_| ShardError::Form) } else { Err(ShardError::Form) }
        };
        Self::new(number(index)?, number(of)?)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = ShardError;

    fn try_from(text: String) -> Result<Self, ShardError> {
        text.parse()
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "time",
            Self::Slice => "slice",
            Self::Hash => "hash",
        })
    }
}
