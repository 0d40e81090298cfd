//! One `[[test]]`.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::DeValue;

use super::fields::{Fields, Item, Problems, boolean, config, images, list, string, table, unique, wrong_type};
use super::settings::{DEFAULT_SEEDS, KEYS, fill, read_seeds, read_settings, read_spans};
use super::threshold::read_thresholds;
use super::{MetricUse, ModelSpec, PromptSource, Reference, Span, SuiteError, Test, Threshold, prompts, visual};
use crate::generate::Settings;
use crate::nearest::did_you_mean;

/// What tests and `[defaults]` both may say.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) seeds: Option<Vec<u64>>,
    pub(super) metrics: Option<Vec<MetricUse>>,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) reference: Option<Reference>,
    pub(super) baseline: Option<String>,
    pub(super) controls: Option<bool>,
    pub(super) under_test: Option<Vec<String>>,
    pub(super) visual: visual::Written,
    pub(super) settings: Settings,
    pub(super) setting_spans: BTreeMap<&'static str, Span>,
}

/// The keys of `[defaults]`.
pub(super) fn shared_keys() -> Vec<&'static str> {
    [
        &["seeds", "metrics", "threshold", "reference", "baseline", "controls", "under_test"],
        visual::KEYS.as_slice(),
        KEYS.as_slice(),
    ]
    .concat()
}

pub(super) fn read_shared(fields: &Fields<'_>, problems: &mut Problems) -> Shared {
    Shared {
        seeds: fields.get("seeds").map(|item| read_seeds(item, problems).unwrap_or_default()),
        metrics: fields.get("metrics").map(|item| read_metrics(item, problems).unwrap_or_default()),
        thresholds: fields.get("threshold").and_then(|item| read_thresholds(item, problems)).unwrap_or_default(),
        reference: fields.get("reference").and_then(|item| read_reference(item, problems)),
        baseline: fields.get("baseline").and_then(|item| read_baseline(item, problems)),
        controls: fields.get("controls").and_then(|item| boolean(item, "controls", problems)),
        under_test: fields.get("under_test").map(|item| read_under_test(item, problems).unwrap_or_default()),
        visual: visual::read_written(fields, problems),
        settings: read_settings(fields, problems),
        setting_spans: read_spans(fields),
    }
}

/// Reads a test; `model` is the suite's. `None` when it has no usable name. An incomplete test comes with a problem.
pub(super) fn read_test(
    item: &Item<'_>,
    defaults: &Shared,
    model: Option<&ModelSpec>,
    problems: &mut Problems,
) -> Option<Test> {
    let known = [vec!["name", "kind", "prompts"], shared_keys()].concat();
    let fields = Fields::new(table(item, "test", "a table: [[test]]", problems)?, "a test", &known, problems);
    let shared = read_shared(&fields, problems);

    let name_item = fields.get("name");
    let name = match name_item {
        Some(item) => read_name(item, problems),
        None => {
            problems.add(SuiteError::at(&head(item), "this test has no name").hint("add name = \"...\""));
            None
        }
    };
    let span = name_item.map_or_else(|| head(item), |item| item.span());
    let prompts_item = fields.get("prompts");
    let prompts = match prompts_item {
        Some(item) => prompts::read_prompts(item, problems),
        None => {
            if fields.is_misspelt("prompts") {
                // The misspelt key has its own error.
            } else if let Some(ModelSpec::Diffusion(_)) = model {
                let error = SuiteError::at(&span, "this test has no prompts");
                problems
                    .add(error.hint("add prompts = [\"...\"]; only a suite over a folder of images can do without"));
            } else if let Some(item) = fields.get("seeds") {
                let error = SuiteError::at(&item.span(), "seeds without prompts have no effect");
                problems.add(error.hint("without prompts every image of the manifest is used: leave `seeds` out"));
            }
            Some(PromptSource::Manifest)
        }
    };
    let baseline = shared.baseline.or_else(|| defaults.baseline.clone());
    let is_visual = fields.get("kind").map_or(Some(false), |item| visual::read_kind(item, problems));
    let visual = match is_visual {
        Some(true) => {
            let size = shared.settings.size.or(defaults.settings.size);
            Some(shared.visual.complete(&defaults.visual, &span, baseline.is_some(), size, problems))
        }
        Some(false) => {
            shared.visual.refuse(problems);
            None
        }
        None => None,
    };
    if shared.metrics.is_none() && defaults.metrics.is_none() && is_visual == Some(false) {
        problems.add(SuiteError::at(&span, "this test has no metrics").hint("add metrics = [\"clip_score\"]"));
    }
    let metrics = shared.metrics.or_else(|| defaults.metrics.clone()).unwrap_or_default();
    let thresholds = thresholds(shared.thresholds, &metrics, defaults, problems);

    Some(Test {
        name: name?.to_owned(),
        prompts_span: prompts_item.map_or_else(|| span.clone(), |item| item.span()),
        span,
        prompts: prompts?,
        seeds: shared.seeds.or_else(|| defaults.seeds.clone()).unwrap_or_else(|| DEFAULT_SEEDS.to_vec()),
        metrics,
        thresholds,
        reference: shared.reference.or_else(|| defaults.reference.clone()),
        baseline,
        controls: shared.controls.or(defaults.controls).unwrap_or(false),
        under_test: shared.under_test.or_else(|| defaults.under_test.clone()).unwrap_or_default(),
        visual,
        settings: fill(shared.settings, &defaults.settings),
        setting_spans: defaults.setting_spans.clone().into_iter().chain(shared.setting_spans).collect(),
    })
}

/// The first line of a table: where `[[test]]` stands, or the start of an inline one.
fn head(item: &Item<'_>) -> Span {
    let span = item.span();
    span.start..span.end.min(span.start + "[[test]]".len())
}

/// Names become parts of case ids and folders, so they stay plain.
fn read_name<'t>(item: &'t Item<'t>, problems: &mut Problems) -> Option<&'t str> {
    const LONGEST: usize = 100;
    let name = string(item, "name", problems)?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.chars().all(plain) || name.starts_with(['.', '-']) {
        let error = SuiteError::at(&item.span(), "a test's name is made of letters, digits, `_`, `-` and `.`");
        problems.add(error.label("cannot be part of a case id").hint("start with a letter, a digit or `_`"));
        return None;
    }
    if name.chars().count() > LONGEST {
        problems.add(SuiteError::at(&item.span(), format!("a test's name is at most {LONGEST} characters long")));
        return None;
    }
    Some(name)
}

/// Own thresholds, then those of `[defaults]` for metrics that this test measures and has no threshold of its own for.
fn thresholds(
    own: Vec<Threshold>,
    metrics: &[MetricUse],
    defaults: &Shared,
    problems: &mut Problems,
) -> Vec<Threshold> {
    let measured = |threshold: &Threshold| metrics.iter().any(|metric| metric.name == threshold.metric);
    for threshold in own.iter().filter(|threshold| !measured(threshold)) {
        let error = SuiteError::at(&threshold.span, format!("`{}` is not a metric of this test", threshold.metric));
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        problems.add(error.label("not measured").hint(did_you_mean(&threshold.metric, names, "its metrics")));
    }
    let inherited = defaults
        .thresholds
        .iter()
        .filter(|threshold| measured(threshold) && !own.iter().any(|other| other.metric == threshold.metric));
    let inherited: Vec<_> = inherited.cloned().collect();
    [own, inherited].concat()
}

/// The name of a baseline: what it may be made of is checked where it is opened, the same for the command line.
pub(super) fn read_baseline(item: &Item<'_>, problems: &mut Problems) -> Option<String> {
    let name = string(item, "baseline", problems)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
    if !name.chars().all(plain) || name.starts_with(['.', '-', '+']) || name.len() > 100 {
        let error = SuiteError::at(&item.span(), format!("`baseline` is no name of a baseline: {name}"));
        problems.add(error.label("letters, digits, `_`, `-`, `+` and `.`").hint(
            "`--baselines DIR` says where baselines are; `baseline_dir` is the folder of one for visual regression",
        ));
        return None;
    }
    Some(name.to_owned())
}

/// Settings that may differ from those of a baseline. `long_prompt` says whether there is an image, and not which.
fn read_under_test(item: &Item<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let settings: Vec<&str> = KEYS.into_iter().filter(|key| *key != "long_prompt").collect();
    let mut named = Vec::new();
    for (index, entry) in
        list(item, "under_test", "a list of settings such as [\"steps\"]", problems)?.iter().enumerate()
    {
        let Some(name) = string(entry, &format!("under_test[{index}]"), problems) else { continue };
        if settings.contains(&name) {
            named.push(name.to_owned());
        } else {
            let error = SuiteError::at(&entry.span(), format!("`{name}` is no setting")).label("cannot be under test");
            problems.add(error.hint(did_you_mean(name, settings.iter().copied(), "settings")));
        }
    }
    Some(named)
}

fn read_reference(item: &Item<'_>, problems: &mut Problems) -> Option<Reference> {
    const EXPECTED: &str = "a folder, or a table such as { images = \"originals/\" }";
    let (folder, manifest) = match item.get_ref() {
        DeValue::String(_) => (string(item, "reference", problems)?.into(), None),
        DeValue::Table(table) => images(item, table, "reference", problems)?,
        _ => return wrong_type(item, "reference", EXPECTED, problems),
    };
    Some(Reference { images: folder, manifest, span: item.span() })
}

fn read_metrics(item: &Item<'_>, problems: &mut Problems) -> Option<Vec<MetricUse>> {
    let entries = list(item, "metrics", "a list of metric names", problems)?;
    let mut seen = BTreeMap::new();
    let mut metrics = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if let Some(metric) = read_metric(entry, &format!("metrics[{index}]"), problems) {
            unique(metric.name.clone(), &metric.span, &format!("metric `{}`", metric.name), &mut seen, problems);
            metrics.push(metric);
        }
    }
    Some(metrics)
}

fn read_metric(entry: &Item<'_>, key: &str, problems: &mut Problems) -> Option<MetricUse> {
    const EXPECTED: &str = "a name, or a table such as { name = \"plugin/metric\", config = {} }";
    match entry.get_ref() {
        DeValue::String(_) => {
            let name = string(entry, key, problems)?;
            Some(MetricUse { name: name.to_owned(), span: entry.span(), config: Value::Null })
        }
        DeValue::Table(table) => {
            let fields = Fields::new(table, "a metric", &["name", "config"], problems);
            let config = fields.get("config").map_or(Some(Value::Null), |item| config(item, problems));
            let Some(name) = fields.get("name") else {
                return wrong_type(entry, key, "a table with the key `name`", problems);
            };
            Some(MetricUse { name: string(name, "name", problems)?.to_owned(), span: name.span(), config: config? })
        }
        _ => wrong_type(entry, key, EXPECTED, problems),
    }
}
