//! From a suite to its plan: names are resolved, prompts drawn, thresholds given a side, cases numbered.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::gates::{enough_images, gate};
use super::{Case, Catalog, MAX_CASES, SuitePlan, TestPlan, Unknown};
use crate::generate::Prompt;
use crate::metric::{MetricError, MetricKind};
use crate::nearest::did_you_mean;
use crate::suite::{ModelSpec, PromptSource, Span, Suite, SuiteError, SuiteErrors, Test, line_column};

/// Works out every case of `suite`. `model` is what makes the images: the suite's own model, or what the user says instead.
/// `seeds_override` replaces the seeds of every test; where prompts and seeds come from a manifest, it keeps the rows of those
/// seeds.
///
/// # Errors
/// Every problem of the suite that only shows once its names are looked up: unknown metrics and generators, configs that break
/// a schema, thresholds without a side or outside of a metric's range, a test without cases, more than [`MAX_CASES`] cases.
pub fn expand(
    suite: &Suite,
    model: &ModelSpec,
    seeds_override: Option<&[u64]>,
    catalog: &dyn Catalog,
) -> Result<SuitePlan, SuiteErrors> {
    let mut expansion = Expansion { suite, model, catalog, manifest: None, cases: Vec::new(), errors: Vec::new() };
    let tests: Vec<_> =
        suite.tests.iter().enumerate().map(|(index, test)| expansion.test(index, test, seeds_override)).collect();
    let Expansion { cases, errors, .. } = expansion;
    if errors.is_empty() {
        let (file, loras) = (suite.path.clone(), suite.loras.clone());
        Ok(SuitePlan {
            suite: suite.name.clone(),
            file,
            model: model.clone(),
            loras,
            inconclusive: suite.inconclusive,
            tests,
            cases,
        })
    } else {
        Err(SuiteErrors::new(&suite.path, &suite.text, errors))
    }
}

struct Expansion<'a> {
    suite: &'a Suite,
    model: &'a ModelSpec,
    catalog: &'a dyn Catalog,
    /// Read once for all tests; `None` inside when it could not be read (noted already).
    manifest: Option<Option<Vec<Row>>>,
    cases: Vec<Case>,
    errors: Vec<SuiteError>,
}

/// One image of a manifest.
type Row = (Arc<Prompt>, u64);

impl Expansion<'_> {
    fn test(&mut self, index: usize, test: &Test, seeds_override: Option<&[u64]>) -> TestPlan {
        let mut metrics = Vec::with_capacity(test.metrics.len());
        let mut refused = Vec::new();
        for wanted in &test.metrics {
            match self.catalog.metric(&wanted.name, &wanted.config) {
                Ok(info) => {
                    if info.kind == MetricKind::Pair && test.reference.is_none() {
                        self.errors.push(no_reference(&wanted.name, &wanted.span));
                    }
                    metrics.push((wanted.clone(), info));
                }
                // Metrics of one plugin are often refused for one reason; it is told once.
                Err(unknown) => {
                    let error = self.unknown(unknown, "metric", &wanted.name, &wanted.span);
                    refused.extend(error.filter(|error| !refused.contains(error)));
                }
            }
        }
        let mut gates = Vec::with_capacity(test.thresholds.len());
        for threshold in &test.thresholds {
            // A metric that was not found or refused has its own error.
            if let Some((_, info)) = metrics.iter().find(|(wanted, _)| wanted.name == threshold.metric) {
                match gate(threshold, info) {
                    Ok(gate) => gates.push(gate),
                    Err(error) => self.errors.push(error),
                }
            }
        }
        // Without a single metric that can be computed, its images would be made for nothing. (A metric that does not exist is a
        // mistake in the suite: its prompts are looked at all the same, so that every mistake is told at once.)
        let in_vain = metrics.is_empty() && !refused.is_empty();
        if !in_vain && let Some(rows) = self.rows(test, seeds_override, &mut refused) {
            self.cases(index, test, &rows);
            self.errors.extend(gates.iter().filter_map(|gate| enough_images(gate, rows.len())));
        }
        TestPlan {
            name: test.name.clone(),
            line: line_column(&self.suite.text, test.span.start).0,
            prompts: test.prompts.clone(),
            metrics,
            reference: test.reference.clone(),
            baseline: test.baseline.clone(),
            under_test: test.under_test.clone(),
            controls: test.controls,
            visual: test.visual.clone(),
            gates,
            refused,
            split_of: None,
        }
    }

    /// A name that is not there and a config that breaks its schema are mistakes in the suite. Anything else (a plugin that
    /// traps) is given back: it costs its test the verdict, and the other tests nothing.
    fn unknown(&mut self, unknown: Unknown, what: &str, name: &str, span: &Span) -> Option<MetricError> {
        match unknown {
            Unknown::NotFound { available } => {
                let error = SuiteError::at(span, format!("unknown {what} `{name}`")).label(format!("no such {what}"));
                self.errors.push(error.hint(did_you_mean(name, available.iter().map(String::as_str), "available")));
                None
            }
            Unknown::Refused(error) if error.kind == "invalid-config" => {
                self.errors.push(refusal(error, span).label(format!("config of this {what}")));
                None
            }
            Unknown::Refused(error) => Some(error),
        }
    }

    /// Prompts with their seeds, in the order of the cases. `None` after an error.
    fn rows(
        &mut self,
        test: &Test,
        seeds_override: Option<&[u64]>,
        refused: &mut Vec<MetricError>,
    ) -> Option<Vec<Row>> {
        let prompts: Vec<Prompt> = match &test.prompts {
            PromptSource::Manifest => return self.manifest_rows(test, seeds_override),
            PromptSource::List(texts) => texts.iter().enumerate().map(|(i, text)| written(i, text)).collect(),
            PromptSource::Generator { name, span, config, seed, limit } => {
                match self.catalog.prompts(name, config, *seed, *limit) {
                    Ok(prompts) => prompts,
                    Err(unknown) => {
                        refused.extend(self.unknown(unknown, "prompt generator", name, span));
                        return None;
                    }
                }
            }
        };
        let seeds = unique_seeds(seeds_override.unwrap_or(&test.seeds));
        let count = prompts.len().saturating_mul(seeds.len());
        if !self.has_room(count, &test.prompts_span) {
            return None;
        }
        let mut rows = Vec::with_capacity(count);
        for prompt in prompts.into_iter().map(Arc::new) {
            rows.extend(seeds.iter().map(|&seed| (Arc::clone(&prompt), seed)));
        }
        Some(rows)
    }

    fn manifest_rows(&mut self, test: &Test, seeds_override: Option<&[u64]>) -> Option<Vec<Row>> {
        if let ModelSpec::Diffusion(name) = self.model {
            let error = SuiteError::at(&test.span, format!("test `{}` has no prompts", test.name));
            let hint = format!(
                "`{name}` makes images from prompts; only a folder of images brings its own: add prompts = [...]"
            );
            self.errors.push(error.hint(hint));
            return None;
        }
        if self.manifest.is_none() {
            // A folder that the suite itself names is mended there; `--model` stands in no line of the suite.
            let own = self.suite.model_span.as_ref().filter(|_| self.suite.model.as_ref() == Some(self.model));
            let span = own.unwrap_or(&test.span);
            let read = match self.catalog.manifest(self.model) {
                Ok(rows) => Some(rows.into_iter().map(|(prompt, seed)| (Arc::new(prompt), seed)).collect()),
                // Without it no test of the suite has anything to measure, so any refusal is the suite's.
                Err(Unknown::Refused(error)) => {
                    let label = if own.is_some() { "names the folder" } else { "needs the manifest" };
                    self.errors.push(refusal(error, span).label(label));
                    None
                }
                Err(unknown) => {
                    self.unknown(unknown, "image folder", &folder_name(self.model), span);
                    None
                }
            };
            self.manifest = Some(read);
        }
        let rows = self.manifest.as_ref()?.as_ref()?;
        let wanted = |row: &&Row| seeds_override.is_none_or(|seeds| seeds.contains(&row.1));
        let rows: Vec<Row> = rows.iter().filter(wanted).cloned().collect();
        self.has_room(rows.len(), &test.span).then_some(rows)
    }

    fn has_room(&mut self, more: usize, span: &Span) -> bool {
        let total = self.cases.len().saturating_add(more);
        if total > MAX_CASES {
            let error = SuiteError::at(span, format!("the suite has more than {MAX_CASES} cases"));
            self.errors
                .push(error.label(format!("{more} more here")).hint("use fewer prompts or seeds, or several suites"));
        }
        total <= MAX_CASES
    }

    fn cases(&mut self, index: usize, test: &Test, rows: &[Row]) {
        if rows.is_empty() {
            let error = SuiteError::at(&test.prompts_span, format!("test `{}` has no cases", test.name));
            self.errors
                .push(error.label("gives no prompts with these seeds").hint("a test without cases proves nothing"));
            return;
        }
        let settings = Arc::new(test.settings.clone());
        let mut seen = HashSet::with_capacity(rows.len());
        for (prompt, seed) in rows {
            if let Some(problem) = id_problem(&prompt.id) {
                let shown = prompt.id.escape_debug();
                self.errors.push(SuiteError::at(&test.prompts_span, format!("prompt id `{shown}` {problem}")));
                return;
            }
            if !seen.insert((prompt.id.as_str(), *seed)) {
                let message = format!("prompt id `{}` with seed {seed} occurs twice", prompt.id);
                let error = SuiteError::at(&test.prompts_span, message);
                self.errors.push(error.hint("every prompt needs an id of its own, and every image a seed of its own"));
                return;
            }
            let mut id = String::with_capacity(self.suite.name.len() + test.name.len() + prompt.id.len() + 32);
            // Writing to a String cannot fail.
            let _ = write!(id, "{}::{}[{},seed={seed}]", self.suite.name, test.name, prompt.id);
            self.cases.push(Case {
                id,
                test: index,
                prompt: Arc::clone(prompt),
                seed: *seed,
                settings: Arc::clone(&settings),
            });
        }
    }
}

fn refusal(error: MetricError, span: &Span) -> SuiteError {
    SuiteError { message: error.message, span: Some(span.clone()), label: None, hint: error.hint }
}

fn no_reference(metric: &str, span: &Span) -> SuiteError {
    let error =
        SuiteError::at(span, format!("`{metric}` compares each image with a reference, and the test names none"));
    error.label("needs a reference").hint(
        "add reference = \"FOLDER\" to the test or to [defaults]: images with a manifest.jsonl that lists them by prompt and seed",
    )
}

fn written(index: usize, text: &str) -> Prompt {
    Prompt { id: format!("p{index}"), text: text.to_owned(), negative: None, attributes: Vec::new() }
}

/// In the order given, each once: `--seed 1 --seed 1` means 1.
fn unique_seeds(seeds: &[u64]) -> Vec<u64> {
    let mut seen = HashSet::new();
    seeds.iter().copied().filter(|&seed| seen.insert(seed)).collect()
}

/// Ids come from plugins and manifests; they end up in file names, on terminals and in `-k`.
fn id_problem(id: &str) -> Option<&'static str> {
    const LONGEST: usize = 200;
    if id.trim().is_empty() {
        Some("is empty")
    } else if id.len() > LONGEST {
        Some("is longer than 200 bytes")
    } else if id.chars().any(char::is_control) {
        Some("has a control character in it")
    } else {
        None
    }
}

fn folder_name(model: &ModelSpec) -> String {
    match model {
        ModelSpec::Diffusion(name) => name.clone(),
        ModelSpec::Images { folder, .. } => Path::display(folder).to_string(),
    }
}
