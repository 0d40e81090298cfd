//! The plan as shards agree on it: every case with what it will take, and one digest over all of it.
//!
//! Nothing in it depends on the machine: no path of a model, no time. What differs between machines and matters all the same (the
//! model's files, the class of environments) is in the recordings, and the merge compares it there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Strategy;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::metric::MetricKind;
use crate::plan::{Case, SuitePlan};
use crate::suite::ModelSpec;

/// Version of the document.
pub const FORMAT: u32 = 1;

/// How many seconds a case took when it was last made and scored, where that is known.
pub type Recorded<'a> = dyn Fn(&str) -> Option<f64> + 'a;

/// The plan of a suite and the digest of its text.
pub type Plan<'a> = (&'a SuitePlan, Digest);

/// A plan that cannot change any more. As JSON it is what `difftest plan` writes, and part of every recording of a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of difftest.
    pub difftest: String,
    /// BLAKE3 over all that follows: what two shards must agree on. 64 hex digits.
    pub digest: String,
    /// How the cases are divided.
    pub strategy: Strategy,
    /// The suites, in the order they run.
    pub suites: Vec<FrozenSuite>,
}

/// A suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrozenSuite {
    /// Its name.
    pub name: String,
    /// Digest of the suite file's text.
    pub digest: Digest,
    /// Whether all of its cases must be in one shard: gates on a baseline are judged where the baseline is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Its tests, in the order of the file.
    pub tests: Vec<FrozenTest>,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrozenTest {
    /// Its name.
    pub name: String,
    /// Whether all of its cases must be in one shard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Whether each of its images is compared with a baseline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub visual: bool,
    /// Its metrics with their config.
    pub metrics: Vec<(String, Value)>,
    /// What its scores must satisfy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Its cases, in the order of the plan.
    pub cases: Vec<FrozenCase>,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrozenCase {
    /// Its id.
    pub id: String,
    /// BLAKE3 over its prompt, seed and settings: 32 hex digits.
    pub inputs: String,
    /// What it takes beside the others: seconds where some are known, otherwise steps x pixels; 1 where time does not matter.
    pub weight: f64,
}

/// The suites are not what the plan was made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct PlanMismatch {
    /// The first difference.
    what: String,
}

impl FrozenSuite {
    /// Its cases, in the order of the plan.
    pub fn cases(&self) -> impl Iterator<Item = &FrozenCase> {
        self.tests.iter().flat_map(|test| &test.cases)
    }
}

impl Frozen {
    /// Freezes the plans of a run, each with the digest of its suite's text, in the order they run. Only [`Strategy::Time`] asks
    /// `recorded`; a case that it does not know is estimated from its steps and pixels, in the proportion of those that it knows.
    #[must_use]
    pub fn of(plans: &[Plan<'_>], difftest: &str, strategy: Strategy, recorded: &Recorded<'_>) -> Self {
        let mut suites: Vec<_> = plans.iter().map(suite).collect();
        if strategy == Strategy::Time {
            weigh(plans, &mut suites, recorded);
        }
        let mut frozen =
            Self { format: FORMAT, difftest: difftest.to_owned(), digest: String::new(), strategy, suites };
        frozen.digest = frozen.computed_digest();
        frozen
    }

    /// The digest of what is in it; [`Frozen::digest`] of a document that was read may be another.
    #[must_use]
    pub fn computed_digest(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("difftest 1 plan");
        let mut field = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(&self.format.to_le_bytes());
        field(self.strategy.to_string().as_bytes());
        for suite in &self.suites {
            field(b"suite");
            field(suite.name.as_bytes());
            field(suite.digest.to_string().as_bytes());
            field(&[u8::from(suite.whole)]);
            for test in &suite.tests {
                field(b"test");
                field(test.name.as_bytes());
                field(&[u8::from(test.whole)]);
                if test.visual {
                    field(b"visual");
                }
                // Neither can fail: plain data, and no map with keys that are no strings.
                field(&serde_json::to_vec(&test.metrics).unwrap_or_default());
                field(&serde_json::to_vec(&test.gates).unwrap_or_default());
                for case in &test.cases {
                    field(b"case");
                    field(case.id.as_bytes());
                    field(case.inputs.as_bytes());
                    field(&case.weight.to_bits().to_le_bytes());
                }
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// `now`, the plan that the suites give here, with the weights and the strategy of this one, which was made before: the two are
    /// then equal.
    ///
    /// # Errors
    /// [`PlanMismatch`] with the first difference: another suite, test or case, or other inputs of one.
    pub fn agreed(&self, now: &Self) -> Result<Self, PlanMismatch> {
        let differ = |what: String| Err(PlanMismatch { what });
        for index in 0..self.suites.len().max(now.suites.len()) {
            match (self.suites.get(index), now.suites.get(index)) {
                (Some(then), Some(now)) => {
                    if let Some(what) = difference(then, now) {
                        return differ(what);
                    }
                }
                (Some(then), None) => return differ(format!("the suite `{}` is in the plan and not here", then.name)),
                (None, Some(now)) => return differ(format!("the suite `{}` is here and not in the plan", now.name)),
                (None, None) => {}
            }
        }
        let mut agreed = self.clone();
        agreed.difftest.clone_from(&now.difftest);
        agreed.digest = agreed.computed_digest();
        Ok(agreed)
    }
}

fn difference(then: &FrozenSuite, now: &FrozenSuite) -> Option<String> {
    let suite = &then.name;
    if then.name != now.name {
        return Some(format!("the plan has the suite `{suite}` where here is `{}`", now.name));
    }
    if then.digest != now.digest {
        return Some(format!("the text of the suite `{suite}` is another"));
    }
    let tests = |suite: &FrozenSuite| suite.tests.iter().map(|test| test.name.clone()).collect::<Vec<_>>();
    if tests(then) != tests(now) {
        return Some(format!("the suite `{suite}` has other tests"));
    }
    then.tests.iter().zip(&now.tests).find_map(|(then, now)| {
        if (then.whole, then.visual, &then.metrics, &then.gates) != (now.whole, now.visual, &now.metrics, &now.gates) {
            return Some(format!("the test `{suite}::{}` has other metrics or gates", then.name));
        }
        if then.cases.len() != now.cases.len() {
            let (name, then, now) = (&then.name, then.cases.len(), now.cases.len());
            return Some(format!("the test `{suite}::{name}` has {now} cases, and {then} in the plan"));
        }
        let pair = then.cases.iter().zip(&now.cases).find(|(a, b)| (&a.id, &a.inputs) != (&b.id, &b.inputs))?;
        Some(format!("the case {} is {} in the plan, or has another prompt or other settings", pair.1.id, pair.0.id))
    })
}

fn suite(&(plan, digest): &Plan<'_>) -> FrozenSuite {
    let mut tests: Vec<_> = plan
        .tests
        .iter()
        .map(|test| FrozenTest {
            name: test.name.clone(),
            whole: test.visual.is_some()
                || test.controls
                || test.metrics.iter().any(|(_, info)| info.kind == MetricKind::Set),
            visual: test.visual.is_some(),
            metrics: test.metrics.iter().map(|(wanted, _)| (wanted.name.clone(), wanted.config.clone())).collect(),
            gates: test.gates.clone(),
            cases: Vec::new(),
        })
        .collect();
    for case in &plan.cases {
        tests[case.test].cases.push(FrozenCase { id: case.id.clone(), inputs: inputs(case), weight: 1.0 });
    }
    let whole = plan.tests.iter().flat_map(|test| &test.gates).any(|gate| gate.check.needs_baseline());
    FrozenSuite { name: plan.suite.clone(), digest, whole, tests }
}

fn inputs(case: &Case) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("difftest 1 case");
    hasher.update(&case.seed.to_le_bytes());
    for part in [serde_json::to_vec(&case.prompt), serde_json::to_vec(&case.settings)] {
        let part = part.unwrap_or_default();
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(&part);
    }
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(32);
    hex
}

fn weigh(plans: &[Plan<'_>], suites: &mut [FrozenSuite], recorded: &Recorded<'_>) {
    let (mut known, mut guessed) = (0.0, 0.0);
    let mut seconds = Vec::new();
    for (plan, _) in plans {
        for case in &plan.cases {
            let took = recorded(&case.id).filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
            if let Some(took) = took {
                known += took;
                guessed += estimate(plan, case);
            }
            seconds.push(took);
        }
    }
    let scale = if known > 0.0 && guessed > 0.0 { known / guessed } else { 1.0 };
    let mut seconds = seconds.into_iter();
    for ((plan, _), suite) in plans.iter().zip(suites) {
        let frozen = suite.tests.iter_mut().flat_map(|test| &mut test.cases);
        for (case, frozen) in plan.cases.iter().zip(frozen) {
            frozen.weight = seconds.next().flatten().unwrap_or_else(|| estimate(plan, case) * scale);
        }
    }
}

/// Steps x megapixels; what the suite leaves to the model counts as 20 steps of half a megapixel. An image that is there already
/// counts as one step.
fn estimate(plan: &SuitePlan, case: &Case) -> f64 {
    let pixels = case.settings.size.map_or(512.0 * 512.0, |(width, height)| f64::from(width) * f64::from(height));
    let steps = match plan.model {
        ModelSpec::Images { .. } => 1,
        ModelSpec::Diffusion(_) => case.settings.steps.unwrap_or(20),
    };
    f64::from(steps) * pixels / f64::from(1 << 20)
}
