//! How much work each case still needs, and why: keys over everything that it depends on, looked up in what was kept.
//!
//! ```text
//! inputs of a request (generator)  -> generation key -> image?                     -> generate
//! image digest, metric, sample     -> scoring key    -> score?  (set: all images)  -> score
//! all of these, gates, baseline    -> the same as when the case last passed?       -> judge, else reuse
//! ```
//!
//! A plan's description of a metric is enough for its keys, so nothing is loaded to know that nothing has to be. Verdicts are always
//! recomputed; what was last said of a case only decides whether it is worth looking at.
//!
//! | file | holds |
//! |---|---|
//! | `keys` | the inputs of scores and judgements |
//! | `examine` | a suite, case by case |
//! | `keeper` | what a run finds out is kept, and compared with what was found before |

mod examine;
mod keeper;
mod keys;

use difftest_core::digest::Digest;
use difftest_core::key::{Action, Difference, Generation, Inputs, Key, Scoring};
use difftest_core::plan::{Case, SuitePlan};
use difftest_store::cache::{Judged, Made, Scored};

pub(crate) use self::examine::Examination;
pub(crate) use self::keeper::{Keeper, warning};
pub(crate) use self::keys::{ScoreKeys, images_digest};

/// Work that is done although its outcome is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// None.
    #[default]
    Nothing,
    /// Scores.
    Score,
    /// Images, and so scores.
    Generate,
}

/// What is known of a suite before it runs.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The class of environments it would run in.
    pub environment: String,
    /// Its cases, in the order of the plan.
    pub cases: Vec<CaseEvidence>,
    /// Its tests, in the order of the plan.
    pub tests: Vec<TestEvidence>,
}

/// What is known of a case.
#[derive(Clone, Debug, Default)]
pub struct CaseEvidence {
    /// Everything that its image, its scores and its judgement depend on; `None` where that cannot be told, such as for an image
    /// that is not there.
    pub inputs: Option<Inputs>,
    /// The key of its image.
    pub key: Option<Key<Generation>>,
    /// Its image, if it is there.
    pub made: Option<Made>,
    /// The digest that an image with the same inputs had before, whether it is still there or not.
    pub known: Option<Digest>,
    /// Its scores by metric of the test. Those of set metrics are [`TestEvidence::sets`].
    pub scores: Vec<ScoreEvidence>,
    /// How much work it needs.
    pub action: Action,
    /// Why: see [`difftest_core::event::CaseInfo::because`].
    pub because: Option<Difference>,
    /// What was last said of it.
    pub last: Option<Judged>,
}

/// What is known of a score.
#[derive(Clone, Debug, Default)]
pub struct ScoreEvidence {
    /// Its key, where the image is known.
    pub key: Option<Key<Scoring>>,
    /// The score.
    pub scored: Option<Scored>,
}

/// What is known of a test.
#[derive(Clone, Debug, Default)]
pub struct TestEvidence {
    /// Scores of its set metrics, by metric.
    pub sets: Vec<ScoreEvidence>,
}

/// How many cases need how much work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// An image.
    pub generate: usize,
    /// A score.
    pub score: usize,
    /// A judgement.
    pub judge: usize,
    /// Nothing.
    pub reuse: usize,
}

impl Amounts {
    /// Counts.
    pub fn of(actions: impl IntoIterator<Item = Action>) -> Self {
        let mut amounts = Self::default();
        for action in actions {
            *match action {
                Action::Generate => &mut amounts.generate,
                Action::Score => &mut amounts.score,
                Action::Judge => &mut amounts.judge,
                Action::Reuse => &mut amounts.reuse,
            } += 1;
        }
        amounts
    }
}

impl Evidence {
    /// Of a suite of which nothing is known.
    #[must_use]
    pub fn nothing(plan: &SuitePlan, environment: String) -> Self {
        let scores = |test: usize| vec![ScoreEvidence::default(); plan.tests[test].metrics.len()];
        let case = |case: &Case| CaseEvidence { scores: scores(case.test), ..CaseEvidence::default() };
        Self {
            environment,
            cases: plan.cases.iter().map(case).collect(),
            tests: (0..plan.tests.len()).map(|test| TestEvidence { sets: scores(test) }).collect(),
        }
    }

    /// How much work its cases need.
    #[must_use]
    pub fn amounts(&self) -> Amounts {
        Amounts::of(self.cases.iter().map(|case| case.action))
    }
}
