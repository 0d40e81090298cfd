//! The top level of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::fields::{Fields, Item, Problems, boolean, images, list, string, table, unique, wrong_type};
use super::loras::read_loras;
use super::test::{Shared, read_baseline, read_shared, read_test, shared_keys};
use super::{DeclaredModel, ModelSpec, Suite, SuiteError, SuiteErrors, Test};
use crate::gate::OnInconclusive;
use crate::nearest::did_you_mean;

/// Reads the text of a suite file; `path` names it in errors and gives the suite its name. Nothing is opened.
///
/// # Errors
/// Every problem of the file, in the order of the text; only the first one where the text is not TOML.
pub fn parse(path: &Path, text: &str) -> Result<Suite, SuiteErrors> {
    let text: Arc<str> = text.into();
    let mut problems = Problems::of(&text);
    let suite = match DeTable::parse(&text) {
        Ok(root) => read_suite(path, &text, root.get_ref(), &mut problems),
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let end = error.span().map_or(0, |span| span.end.clamp(start, text.len()));
            let message = format!("not valid TOML: {}", error.message());
            return Err(SuiteErrors::new(path, &text, vec![SuiteError::at(&(start..end), message)]));
        }
    };
    if problems.found.is_empty() { Ok(suite) } else { Err(SuiteErrors::new(path, &text, problems.found)) }
}

fn read_suite(path: &Path, text: &Arc<str>, root: &DeTable<'_>, problems: &mut Problems) -> Suite {
    let fields = top_level(root, problems);
    let model = fields.get("model").and_then(|item| read_model(item, problems));
    let models = fields.get("models").map(|item| read_models(item, problems)).unwrap_or_default();
    let defaults = fields.get("defaults").and_then(|item| {
        let table = table(item, "defaults", "a table: [defaults]", problems)?;
        let fields = Fields::new(table, "[defaults]", &shared_keys(), problems);
        Some(read_shared(&fields, problems))
    });
    let mut defaults = defaults.unwrap_or_default();
    let baseline = fields.get("baseline").and_then(|item| read_baseline(item, problems));
    defaults.baseline = defaults.baseline.or(baseline);
    let tests = read_tests(&fields, &defaults, model.as_ref(), problems);
    Suite {
        path: path.to_owned(),
        name: path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
        text: Arc::clone(text),
        model_span: fields.get("model").map(Item::span),
        loras: fields.get("loras").map(|item| read_loras(item, model.as_ref(), problems)).unwrap_or_default(),
        model,
        models,
        manual: fields.get("manual").and_then(|item| boolean(item, "manual", problems)).unwrap_or(false),
        inconclusive: fields.get("inconclusive").and_then(|item| read_inconclusive(item, problems)).unwrap_or_default(),
        tests,
    }
}

/// Unknown keys, with a word for those that stand in the wrong place.
fn top_level<'t>(root: &'t DeTable<'t>, problems: &mut Problems) -> Fields<'t> {
    let known = ["model", "loras", "models", "manual", "inconclusive", "baseline", "defaults", "test"];
    let shared = shared_keys();
    let before = problems.found.len();
    let fields = Fields::new(root, "a suite", &known, problems);
    for problem in &mut problems.found[before..] {
        let name = problem.message.split('`').nth(1).unwrap_or_default();
        if shared.contains(&name) {
            problem.hint = Some(format!("`{name}` belongs in [defaults] or in a [[test]]"));
        } else if matches!(name, "name" | "kind" | "prompts") {
            problem.hint = Some(format!("`{name}` belongs in a [[test]]"));
        }
    }
    fields
}

fn read_model(item: &Item<'_>, problems: &mut Problems) -> Option<ModelSpec> {
    match item.get_ref() {
        DeValue::String(_) => Some(ModelSpec::Diffusion(string(item, "model", problems)?.to_owned())),
        DeValue::Table(table) => {
            let (folder, manifest) = images(item, table, "model", problems)?;
            Some(ModelSpec::Images { folder, manifest })
        }
        _ => wrong_type(item, "model", "a string, or a table such as { images = \"out/\" }", problems),
    }
}

fn read_inconclusive(item: &Item<'_>, problems: &mut Problems) -> Option<OnInconclusive> {
    match string(item, "inconclusive", problems)? {
        "fail" => Some(OnInconclusive::Fail),
        "pass" => Some(OnInconclusive::Pass),
        other => {
            let message = format!("`inconclusive` must be \"fail\" or \"pass\", found `{other}`");
            problems.add(SuiteError::at(&item.span(), message).label("expected \"fail\" or \"pass\""));
            None
        }
    }
}

fn read_models(item: &Item<'_>, problems: &mut Problems) -> Vec<DeclaredModel> {
    const LONGEST: usize = 64;
    let Some(table) = table(item, "models", "a table: [models]", problems) else { return Vec::new() };
    let mut models = Vec::with_capacity(table.len());
    for (key, item) in table {
        let name = key.get_ref().as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
            let what = "a model's name is made of at most 64 letters, digits, `_`, `-` and `.`";
            problems
                .add(SuiteError::at(&key.span(), what).hint("plugins ask for it by this name; the file is its value"));
        } else if let Some(reference) = string(item, name, problems) {
            models.push(DeclaredModel { name: name.to_owned(), reference: reference.to_owned(), span: item.span() });
        }
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(clip) = models.iter().find(|model| model.name == "clip" && model.is_graph()) {
        let error = SuiteError::at(&clip.span, "`clip` is a CLIP model, not a graph");
        problems.add(error.hint("give its folder, as transformers saves a CLIPModel; name the graph something else"));
    }
    models
}

fn read_tests(fields: &Fields<'_>, defaults: &Shared, model: Option<&ModelSpec>, problems: &mut Problems) -> Vec<Test> {
    let Some(item) = fields.get("test") else {
        // A misspelt `[[tests]]` has its own problem already.
        if problems.found.is_empty() {
            let hint = "add one:\n[[test]]\nname = \"first\"\nprompts = [\"a red circle\"]\nmetrics = [\"clip_score\"]";
            problems.add(SuiteError::whole("the suite has no tests").hint(hint));
        }
        return Vec::new();
    };
    if let DeValue::Table(_) = item.get_ref() {
        let error = SuiteError::at(&item.span(), "`test` must be a list of tables, found a table");
        problems.add(error.hint("write [[test]] with two brackets"));
        return Vec::new();
    }
    let mut names = BTreeMap::new();
    let mut tests = Vec::new();
    for entry in list(item, "test", "a list of tables: [[test]]", problems).unwrap_or_default() {
        if let Some(test) = read_test(entry, defaults, model, problems) {
            unique(test.name.clone(), &test.span, &format!("test name `{}`", test.name), &mut names, problems);
            tests.push(test);
        }
    }
    unused_defaults(defaults, &tests, problems);
    tests
}

/// A threshold that no test takes over judges nothing: a silent pass.
fn unused_defaults(defaults: &Shared, tests: &[Test], problems: &mut Problems) {
    if !problems.found.is_empty() {
        return; // tests that could not be read might have used it
    }
    if let Some((key, span)) = defaults.visual.first().filter(|_| tests.iter().all(|test| test.visual.is_none())) {
        let error = SuiteError::at(span, format!("`{key}` has no effect: no test compares images"));
        problems.add(error.label("only for visual regression").hint("add kind = \"visual_regression\" to a test"));
    }
    let metrics: BTreeSet<&str> =
        tests.iter().flat_map(|test| &test.metrics).map(|metric| metric.name.as_str()).collect();
    for threshold in defaults.thresholds.iter().filter(|threshold| !metrics.contains(threshold.metric.as_str())) {
        let error = SuiteError::at(&threshold.span, format!("no test measures `{}`", threshold.metric));
        let names = metrics.iter().copied().collect::<Vec<_>>();
        problems.add(error.label("judges nothing").hint(did_you_mean(&threshold.metric, names, "measured")));
    }
}
