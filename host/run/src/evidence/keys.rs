//! What scores and judgements depend on.

use difftest_core::digest::{Digest, Hasher};
use difftest_core::gate::{Check, Gate};
use difftest_core::key::{Inputs, Key, Scoring};
use difftest_core::metric::{MetricInfo, MetricSource, ReproducibilityClass, Sample, metric_inputs};
use difftest_core::plan::TestPlan;

/// The keys of one metric's scores.
#[derive(Clone, Debug)]
pub(crate) struct ScoreKeys {
    /// What is the same for everything it measures.
    metric: Inputs,
    /// Whether it sees all of a sample, or only the prompt.
    sees_sample: bool,
}

impl ScoreKeys {
    /// `runtime` is what models run in, for a metric that may ask any; `fuel` a limit that is not the usual one: a plugin that ran
    /// out of it has no score.
    pub(crate) fn new(info: &MetricInfo, config: &serde_json::Value, runtime: &Inputs, fuel: Option<u64>) -> Self {
        let mut metric = metric_inputs(info, config);
        if info.class() == ReproducibilityClass::ModelDependent {
            metric.extend(runtime);
        }
        let is_plugin = matches!(info.source, MetricSource::Plugin(_));
        if let Some(fuel) = fuel.filter(|_| is_plugin) {
            metric.set("metric/fuel", fuel.to_string());
        }
        Self { metric, sees_sample: is_plugin }
    }

    /// What it is, without what it measures.
    pub(crate) fn metric(&self) -> &Inputs {
        &self.metric
    }

    /// Of one image, beside its reference where it compares.
    pub(crate) fn of_image(&self, image: &Digest, sample: &Sample, reference: Option<&Digest>) -> Inputs {
        let mut inputs = Inputs::new().with("image", image.to_string());
        if let Some(reference) = reference {
            inputs.set("reference", reference.to_string());
        }
        inputs.extend(&self.metric);
        inputs.set("sample/prompt", &sample.prompt);
        if self.sees_sample {
            inputs.set("sample/id", &sample.id);
            inputs.set("sample/seed", sample.seed.to_string());
            if let Some(negative) = &sample.negative_prompt {
                inputs.set("sample/negative", negative);
            }
            for (name, value) in &sample.attributes {
                inputs.set(format!("sample/attribute/{name}"), value);
            }
        }
        inputs
    }

    /// Of all images of a test.
    pub(crate) fn of_set(&self, images: &Digest, reference: Option<&Digest>) -> Key<Scoring> {
        let mut inputs = self.metric.clone();
        inputs.set("images", images.to_string());
        if let Some(reference) = reference {
            inputs.set("reference", reference.to_string());
        }
        inputs.key()
    }
}

/// One digest over images in their order.
pub(crate) fn images_digest<'d>(images: impl IntoIterator<Item = &'d Digest>) -> Digest {
    let mut hasher = Hasher::new();
    images.into_iter().for_each(|image| hasher.field(image.to_string().as_bytes()));
    hasher.finish()
}

/// What every case of a test is judged by, beside its own image and scores: the metrics, the gates, and the cases themselves, for a
/// verdict is over all of them.
pub(super) fn of_test<'c>(
    test: &TestPlan,
    keys: &[ScoreKeys],
    reference: Option<&Digest>,
    cases: impl IntoIterator<Item = &'c str>,
) -> Inputs {
    let mut inputs = Inputs::new();
    if let Some(reference) = reference {
        inputs.set("references", reference.to_string());
    }
    for ((used, _), keys) in test.metrics.iter().zip(keys) {
        for (name, value) in keys.metric().iter() {
            // `metric/variant` of `clip_score` is `metric/clip_score/variant` of the case.
            match name.strip_prefix("metric/") {
                Some("name") => {}
                Some(name) => inputs.set(format!("metric/{}/{name}", used.name), value),
                None => inputs.set(format!("metric/{}/{name}", used.name), value),
            }
        }
    }
    for (n, gate) in test.gates.iter().enumerate() {
        inputs.set(format!("gate/{n}"), described(gate));
    }
    if !test.under_test.is_empty() {
        inputs.set("under_test", test.under_test.join(" "));
    }
    if test.controls {
        inputs.set("controls", "true");
    }
    let mut hasher = Hasher::new();
    cases.into_iter().for_each(|case| hasher.field(case.as_bytes()));
    inputs.set("cases", hasher.finish().to_string());
    inputs
}

/// Everything a gate says, wherever it stands in its file.
fn described(gate: &Gate) -> String {
    let Gate { metric, of, bound, check, .. } = gate;
    let side = |name: &str, value: Option<f64>| value.map(|value| format!(" {name} {value}")).unwrap_or_default();
    let check = match check {
        Check::Bound => String::new(),
        other => format!(" {}", serde_json::to_string(other).unwrap_or_default()),
    };
    format!("{metric} {of}{}{}{check}", side("min", bound.min), side("max", bound.max))
}
