//! What shards say of the same suite: what may differ between machines, and what may not.

use difftest_core::baseline::BaselineInfo;
use difftest_core::digest::Digest;
use difftest_core::event::{Event, TestInfo};
use difftest_core::gate::OnInconclusive;
use difftest_core::generate::GeneratorInfo;

use super::MergeError;

/// The beginning of a suite in one shard.
pub(super) struct Head {
    pub(super) shard: u32,
    pub(super) file: Option<std::path::PathBuf>,
    pub(super) digest: Digest,
    pub(super) generator: GeneratorInfo,
    pub(super) models: Vec<(String, Digest)>,
    pub(super) environment: String,
    pub(super) baseline: Option<BaselineInfo>,
    pub(super) inconclusive: OnInconclusive,
}

impl Head {
    /// `None` for another event.
    pub(super) fn of(shard: u32, event: &Event) -> Option<Self> {
        let Event::SuiteStarted { file, digest, generator, models, environment, baseline, inconclusive, .. } = event
        else {
            return None;
        };
        Some(Self {
            shard,
            file: file.clone(),
            digest: *digest,
            generator: generator.clone(),
            models: models.clone(),
            environment: environment.clone(),
            baseline: baseline.clone(),
            inconclusive: *inconclusive,
        })
    }
}

/// Refuses shards whose images or scores must not be judged together.
pub(super) fn same_suite(suite: &str, one: &Head, other: &Head) -> Result<(), MergeError> {
    let what = if one.environment != other.environment {
        format!("suite `{suite}` ran in the environments {} and {}", one.environment, other.environment)
    } else if one.generator.files != other.generator.files || one.generator.kind != other.generator.kind {
        format!("suite `{suite}` has images of different models: {}", differing(&one.generator, &other.generator))
    } else if one.generator.loras.iter().map(|l| (l.digest, l.weight.to_bits())).ne(other
        .generator
        .loras
        .iter()
        .map(|l| (l.digest, l.weight.to_bits())))
    {
        format!("suite `{suite}` has images with different LoRA files or weights")
    } else if !one.models.is_empty() && !other.models.is_empty() && one.models != other.models {
        // A shard without a metric that asks models says nothing of them.
        format!("suite `{suite}` declares models that were different files")
    } else if one.baseline != other.baseline {
        format!("suite `{suite}` was compared with different baselines")
    } else if one.inconclusive != other.inconclusive {
        format!("suite `{suite}` has different policies for inconclusive tests")
    } else {
        return Ok(());
    };
    Err(MergeError::Mixed { one: one.shard, other: other.shard, what })
}

/// The first file that is another.
fn differing(one: &GeneratorInfo, other: &GeneratorInfo) -> String {
    let differs = one.files.iter().find(|file| !other.files.contains(file));
    let differs = differs.or_else(|| other.files.iter().find(|file| !one.files.contains(file)));
    differs.map_or_else(|| format!("{} and {}", one.kind, other.kind), |(file, _)| format!("{file} differs"))
}

/// Refuses a test that was scored by other metrics.
pub(super) fn same_test(
    suite: &str,
    one: &TestInfo,
    other: &TestInfo,
    shard: u32,
    other_shard: u32,
) -> Result<(), MergeError> {
    let name = &one.name;
    let metric = one.metrics.iter().zip(&other.metrics).find(|(one, other)| one != other);
    let what = if let Some((metric, _)) = metric {
        format!("`{}` of test `{suite}::{name}` is another plugin, version or model", metric.name)
    } else if one.configs != other.configs {
        format!("metrics of test `{suite}::{name}` have different configs")
    } else if one.prompts != other.prompts {
        format!("prompts of test `{suite}::{name}` come from different plugins")
    } else if one.reference.as_ref().map(|r| &r.files) != other.reference.as_ref().map(|r| &r.files) {
        format!("test `{suite}::{name}` has different reference images")
    } else if one.generation != other.generation {
        format!("test `{suite}::{name}` has different settings of the model")
    } else {
        return Ok(());
    };
    Err(MergeError::Mixed { one: shard, other: other_shard, what })
}

/// What made the images, of all shards: what their machines call themselves is joined where it differs.
pub(super) fn generator(heads: &[Head]) -> Option<GeneratorInfo> {
    let mut generator = heads.first()?.generator.clone();
    for (name, value) in &mut generator.environment {
        let values = heads.iter().flat_map(|head| &head.generator.environment);
        let mut values: Vec<&str> = values.filter(|(other, _)| other == name).map(|(_, v)| v.as_str()).collect();
        values.sort_unstable();
        values.dedup();
        *value = values.join(" | ");
    }
    Some(generator)
}
