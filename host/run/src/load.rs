//! From names in a plan to a generator and metrics that are ready.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use difftest_core::event::{ErrorInfo, PromptOrigin};
use difftest_core::generate::{Generator, GeneratorInfo};
use difftest_core::key::Inputs;
use difftest_core::metric::{AnyMetric, MetricError, MetricInfo, MetricKind, ReproducibilityClass};
use difftest_core::model::ModelError;
use difftest_core::plan::{SuitePlan, TestPlan};
use difftest_core::suite::{MetricUse, ModelSpec, PromptSource};
use difftest_diffusion::clip::ClipScore;
use difftest_diffusion::lora::Adapters;
use difftest_diffusion::pipeline::{Options, StableDiffusion, described, scoring_runtime};
use difftest_plugin::{Limits, Registry, RegistryError};
use difftest_store::cache::Cache;

use crate::baselines::{self, Baselines};
use crate::catalog::{self, CLIP, CLIP_SCORE};
use crate::conduct::{LogRelay, SuiteRun};
use crate::evidence::{Evidence, Examination, Force, ScoreKeys};
use crate::references::Reference;

/// Native stack of the threads that run plugins: a plugin may use 512 KiB of WebAssembly stack, and an overflow of the thread's
/// own stack would end the process instead of the plugin.
pub(crate) const WORKER_STACK: usize = 8 << 20;

/// Opens models and metrics; what several suites share is opened once.
pub struct Loader<'a> {
    registry: &'a Registry,
    pub(crate) logs: &'a LogRelay,
    options: Options,
    threads: usize,
    kept: Arc<Kept>,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) baselines: Baselines,
    /// What models run in that score; looked up when a metric asks models.
    runtime: OnceLock<Inputs>,
}

/// The last diffusion model, by the folder it means and LoRA files: suites on the same one share it, and so do runs that are given the same of
/// this.
#[derive(Default)]
pub struct Kept(Mutex<Option<(String, Arc<dyn Generator>)>>);

/// What a suite needs to run.
pub(crate) struct Loaded {
    pub(crate) generator: Arc<dyn Generator>,
    /// For each test, its metrics in order.
    pub(crate) metrics: Vec<Vec<Slot>>,
    /// For each test, what it compares with and what is recorded of that.
    pub(crate) references: Vec<Option<(Reference, GeneratorInfo)>>,
    /// The test and the reason for each [`Slot::is_broken`].
    pub(crate) broken: Vec<(usize, MetricError)>,
    /// What is known of the suite's cases.
    pub(crate) evidence: Evidence,
    /// For each test, the keys of each metric's scores.
    pub(crate) keys: Vec<Vec<ScoreKeys>>,
    pub(crate) pool: rayon::ThreadPool,
}

/// The place of a metric: it is loaded when the first score of it is not known.
pub(crate) struct Slot {
    broken: bool,
    metric: OnceLock<Result<AnyMetric, MetricError>>,
}

impl Slot {
    /// Whether it was known before any case ran that it cannot be used.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The metric, if it was loaded.
    pub(crate) fn loaded(&self) -> Option<&AnyMetric> {
        self.metric.get().and_then(|metric| metric.as_ref().ok())
    }

    /// The metric, loaded now if it was not.
    pub(crate) fn get(&self, load: impl FnOnce() -> Result<AnyMetric, MetricError>) -> Result<&AnyMetric, MetricError> {
        self.metric.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

impl<'a> Loader<'a> {
    /// Opens nothing yet. Plugins log to `logs`.
    #[must_use]
    pub fn new(registry: &'a Registry, logs: &'a LogRelay, options: Options, threads: usize) -> Self {
        Self {
            registry,
            logs,
            options,
            threads,
            kept: Arc::default(),
            cache: None,
            baselines: Baselines::default(),
            runtime: OnceLock::new(),
        }
    }

    /// Looks up what earlier runs kept in `cache`, and keeps there what this one computes.
    #[must_use]
    pub fn with_cache(mut self, cache: Option<Arc<Cache>>) -> Self {
        self.cache = cache;
        self
    }

    /// Compares with these baselines.
    #[must_use]
    pub fn comparing(mut self, baselines: Baselines) -> Self {
        self.baselines = baselines;
        self
    }

    /// Takes the diffusion model that an earlier run left in `kept`, and leaves its own there.
    #[must_use]
    pub fn keeping(mut self, kept: &Arc<Kept>) -> Self {
        self.kept = Arc::clone(kept);
        self
    }

    /// Everything one suite needs. A metric that cannot be loaded costs its tests their verdict, a generator all of them. A metric
    /// whose scores are all known is not loaded.
    pub(crate) fn open(&self, suite: &SuiteRun, force: Force) -> Result<Loaded, ErrorInfo> {
        let generator = self.generator(&suite.plan, &suite.folder)?;
        if let Some(cache) = &self.cache {
            generator.remember(cache.intermediates(force != Force::Generate));
        }
        let mut broken = Vec::new();
        let references = references(suite, &mut broken);
        let keys = self.keys(suite);
        let evidence = self.examine(suite, &*generator, &references, &keys, force);
        let mut metrics = Vec::new();
        for (index, test) in suite.plan.tests.iter().enumerate() {
            // What compares and has nothing to compare with: that is told once, and not for every image.
            let no_reference = test.reference.is_some() && broken.iter().any(|(test, _)| *test == index);
            let mut slots = Vec::new();
            for (place, (wanted, info)) in test.metrics.iter().enumerate() {
                let in_vain = no_reference && info.kind != MetricKind::Image;
                let mut slot = Slot { broken: in_vain, metric: OnceLock::new() };
                if !in_vain && (force != Force::Nothing || is_needed(&suite.plan, &evidence, index, place)) {
                    let loaded = self.metric(&wanted.name, &wanted.config, suite);
                    if let Err(error) = &loaded {
                        broken.push((index, error.clone()));
                        slot.broken = true;
                    }
                    slot.metric = OnceLock::from(loaded);
                }
                slots.push(slot);
            }
            metrics.push(slots);
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .stack_size(WORKER_STACK)
            .thread_name(|i| format!("worker-{i}"))
            .build()
            .map_err(|error| info("threads", format!("cannot start {} threads: {error}", self.threads), None))?;
        Ok(Loaded { generator, metrics, references, broken, evidence, keys, pool })
    }

    /// What is known of a suite: how much work each case needs, and why. Nothing is loaded but the model's configs.
    ///
    /// # Errors
    /// When the model cannot be opened.
    pub fn evidence(&self, suite: &SuiteRun, force: Force) -> Result<(Evidence, Arc<dyn Generator>), ErrorInfo> {
        let generator = self.generator(&suite.plan, &suite.folder)?;
        let references = references(suite, &mut Vec::new());
        let evidence = self.examine(suite, &*generator, &references, &self.keys(suite), force);
        Ok((evidence, generator))
    }

    /// The class of environments that a suite runs in. Its model's configs are read, and nothing is loaded.
    pub(crate) fn environment(&self, suite: &SuiteRun) -> Result<String, ErrorInfo> {
        Ok(self.generator(&suite.plan, &suite.folder)?.info().environment_class())
    }

    fn examine(
        &self,
        suite: &SuiteRun,
        generator: &dyn Generator,
        references: &[Option<(Reference, GeneratorInfo)>],
        keys: &[Vec<ScoreKeys>],
        force: Force,
    ) -> Evidence {
        let references: Vec<_> = references.iter().map(|found| Some(found.as_ref()?.0.clone())).collect();
        let plan = &suite.plan;
        // Without anything to look in, every case is to be done, whatever its keys are.
        if self.cache.is_none() {
            return Evidence::nothing(&suite.plan, generator.info().environment_class());
        }
        let compared = baselines::inputs(suite, &generator.info().environment_class(), &self.baselines);
        let examination = Examination { plan, generator, references: &references, keys, compared: &compared, force };
        examination.run(self.cache.as_deref())
    }

    /// For each test, the keys of each metric's scores.
    fn keys(&self, suite: &SuiteRun) -> Vec<Vec<ScoreKeys>> {
        let fuel = Some(self.registry.limits().fuel).filter(|fuel| *fuel != Limits::default().fuel);
        let none = Inputs::new();
        let keys = |(used, info): &(MetricUse, MetricInfo)| {
            let asks = info.class() == ReproducibilityClass::ModelDependent;
            let runtime = if asks { self.runtime.get_or_init(|| scoring_runtime(&self.options)) } else { &none };
            ScoreKeys::new(info, &used.config, runtime, fuel)
        };
        suite.plan.tests.iter().map(|test| test.metrics.iter().map(keys).collect()).collect()
    }

    /// The plugin that made a test's prompts, pinned. It was loaded for the plan, so this costs nothing.
    pub(crate) fn prompt_origin(&self, source: &PromptSource) -> Option<PromptOrigin> {
        let PromptSource::Generator { name, config, seed, limit, .. } = source else { return None };
        let plugin = self.registry.prompt_generator(name).ok()?.plugin().clone();
        Some(PromptOrigin { generator: name.clone(), plugin, config: config.clone(), seed: *seed, limit: *limit })
    }

    fn generator(&self, plan: &SuitePlan, base: &Path) -> Result<Arc<dyn Generator>, ErrorInfo> {
        match &plan.model {
            ModelSpec::Images { folder, manifest } => {
                let images = catalog::open_images(base, folder, manifest.as_deref());
                images.map(|images| Arc::new(images) as _).map_err(|e| info(&e.kind, e.message, e.hint))
            }
            ModelSpec::Diffusion(reference) => {
                let loras: Vec<_> = plan.loras.iter().map(|lora| (lora.path.clone(), lora.weight)).collect();
                let key = format!("{}|{loras:?}", place(reference, base).display());
                let mut open = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, generator)) = open.as_ref().filter(|(opened, _)| *opened == key) {
                    return Ok(Arc::clone(generator));
                }
                // Another model is let go before the next is loaded: two large ones may not fit.
                *open = None;
                let adapters =
                    Adapters::read_from(base, &loras).map_err(|error| info("lora", described(&error), error.hint()))?;
                let model = StableDiffusion::open_adapted(reference, base, adapters, &self.options)
                    .map_err(|error| info("model", described(&error), error.hint()))?;
                let generator: Arc<dyn Generator> = Arc::new(model);
                *open = Some((key, Arc::clone(&generator)));
                Ok(generator)
            }
        }
    }

    pub(crate) fn metric(
        &self,
        name: &str,
        config: &serde_json::Value,
        suite: &SuiteRun,
    ) -> Result<AnyMetric, MetricError> {
        if name == CLIP_SCORE {
            if suite.models.describe_clip(CLIP).is_none() {
                return Err(catalog::no_clip());
            }
            let clip = suite.models.clip(CLIP);
            let fail = |error: ModelError| MetricError { kind: "model".into(), message: error.to_string(), hint: None };
            return Ok(AnyMetric::Each(Arc::new(ClipScore::new(clip.map_err(fail)?))));
        }
        catalog::plugin_metric(self.registry, name, config, &suite.models).map_err(|error| match error {
            RegistryError::Refused(error) => error,
            RegistryError::Load(error) => error.into(),
            error @ RegistryError::NotFound { .. } => {
                MetricError { kind: "not-found".into(), message: error.to_string(), hint: None }
            }
        })
    }
}

/// What a reference to a diffusion model means, as far as that depends on where it is written: its folder, or the reference itself
/// where it names none (a built-in model).
pub(crate) fn place(reference: &str, base: &Path) -> PathBuf {
    let folder = base.join(reference);
    if folder.exists() { folder } else { PathBuf::from(reference) }
}

/// Whether a score of the metric at `place` of a test is not known, as far as the images are.
fn is_needed(plan: &SuitePlan, evidence: &Evidence, test: usize, place: usize) -> bool {
    let set = plan.tests[test].metrics[place].1.kind == MetricKind::Set;
    let mut of_test = plan.cases.iter().zip(&evidence.cases).filter(|(case, _)| case.test == test);
    let unknown = if set {
        evidence.tests[test].sets[place].scored.is_none()
    } else {
        of_test.clone().any(|(_, case)| case.scores[place].scored.is_none())
    };
    unknown || of_test.any(|(_, case)| case.made.is_none())
}

/// What each test compares with; what cannot be used is in `broken`.
fn references(suite: &SuiteRun, broken: &mut Vec<(usize, MetricError)>) -> Vec<Option<(Reference, GeneratorInfo)>> {
    let of = |(index, test): (usize, &TestPlan)| {
        reference(test, &suite.folder).unwrap_or_else(|error| {
            broken.push((index, error));
            None
        })
    };
    suite.plan.tests.iter().enumerate().map(of).collect()
}

/// The images that a test's pair and set metrics compare with, and what is recorded of them.
fn reference(test: &TestPlan, base: &Path) -> Result<Option<(Reference, GeneratorInfo)>, MetricError> {
    let Some(wanted) = &test.reference else { return Ok(None) };
    let needs = |kind| test.metrics.iter().any(|(_, info)| info.kind == kind);
    if !needs(MetricKind::Pair) && !needs(MetricKind::Set) {
        return Ok(None);
    }
    let folder = catalog::open_images(base, &wanted.images, wanted.manifest.as_deref())
        .map_err(|error| MetricError { message: format!("reference: {}", error.message), ..error })?;
    let reference = Reference::new(folder);
    let info = reference.info(needs(MetricKind::Set))?;
    Ok(Some((reference, info)))
}

fn info(kind: &str, message: String, hint: Option<String>) -> ErrorInfo {
    ErrorInfo { kind: kind.into(), message, hint, case: None }
}
