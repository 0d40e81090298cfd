//! From names in a plan to a generator and metrics that are ready.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use difftest_core::event::{ErrorInfo, PromptOrigin};
use difftest_core::generate::{Generator, GeneratorInfo};
use difftest_core::metric::{AnyMetric, MetricError, MetricKind};
use difftest_core::model::ModelError;
use difftest_core::plan::{SuitePlan, TestPlan};
use difftest_core::suite::{ModelSpec, PromptSource};
use difftest_diffusion::clip::ClipScore;
use difftest_diffusion::lora::Adapters;
use difftest_diffusion::pipeline::{Options, StableDiffusion, described};
use difftest_plugin::{Registry, RegistryError};

use crate::catalog::{self, CLIP, CLIP_SCORE};
use crate::conduct::{LogRelay, SuiteRun};
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
}

/// The last diffusion model, by the folder it means and LoRA files: suites on the same one share it, and so do runs that are given the same of
/// this.
#[derive(Default)]
pub struct Kept(Mutex<Option<(String, Arc<dyn Generator>)>>);

/// What a suite needs to run.
pub(crate) struct Loaded {
    pub(crate) generator: Arc<dyn Generator>,
    /// For each test, its metrics in order; `None` where one could not be loaded.
    pub(crate) metrics: Vec<Vec<Option<AnyMetric>>>,
    /// For each test, what it compares with and what is recorded of that.
    pub(crate) references: Vec<Option<(Reference, GeneratorInfo)>>,
    /// The test and the reason for each `None`.
    pub(crate) broken: Vec<(usize, MetricError)>,
    pub(crate) pool: rayon::ThreadPool,
}

impl<'a> Loader<'a> {
    /// Opens nothing yet. Plugins log to `logs`.
    #[must_use]
    pub fn new(registry: &'a Registry, logs: &'a LogRelay, options: Options, threads: usize) -> Self {
        Self { registry, logs, options, threads, kept: Arc::default() }
    }

    /// Takes the diffusion model that an earlier run left in `kept`, and leaves its own there.
    #[must_use]
    pub fn keeping(mut self, kept: &Arc<Kept>) -> Self {
        self.kept = Arc::clone(kept);
        self
    }

    /// Everything one suite needs. A metric that cannot be loaded costs its tests their verdict, a generator all of them.
    pub(crate) fn open(&self, suite: &SuiteRun) -> Result<Loaded, ErrorInfo> {
        let generator = self.generator(&suite.plan, &suite.folder)?;
        let mut broken = Vec::new();
        let mut metrics = Vec::new();
        let mut references = Vec::new();
        for (index, test) in suite.plan.tests.iter().enumerate() {
            let loaded =
                test.metrics.iter().map(|(wanted, _)| match self.metric(&wanted.name, &wanted.config, suite) {
                    Ok(metric) => Some(metric),
                    Err(error) => {
                        broken.push((index, error));
                        None
                    }
                });
            let mut loaded: Vec<Option<AnyMetric>> = loaded.collect();
            references.push(reference(test, &suite.folder).unwrap_or_else(|error| {
                broken.push((index, error));
                // What compares has nothing to compare with; that is told once, and not for every image.
                for metric in loaded.iter_mut().filter(|metric| metric.as_ref().is_some_and(compares)) {
                    *metric = None;
                }
                None
            }));
            metrics.push(loaded);
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .stack_size(WORKER_STACK)
            .thread_name(|i| format!("worker-{i}"))
            .build()
            .map_err(|error| info("threads", format!("cannot start {} threads: {error}", self.threads), None))?;
        Ok(Loaded { generator, metrics, references, broken, pool })
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

    fn metric(&self, name: &str, config: &serde_json::Value, suite: &SuiteRun) -> Result<AnyMetric, MetricError> {
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

fn compares(metric: &AnyMetric) -> bool {
    metric.info().kind != MetricKind::Image
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
