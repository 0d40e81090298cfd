//! From names in a plan to a generator and metrics that are ready.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use difftest_core::event::{ErrorInfo, PromptOrigin};
use difftest_core::generate::Generator;
use difftest_core::metric::{Metric, MetricError};
use difftest_core::suite::{ModelSpec, PromptSource};
use difftest_diffusion::clip::ClipScore;
use difftest_diffusion::pipeline::{Options, StableDiffusion, described};
use difftest_plugin::{Registry, RegistryError};

use crate::catalog::{self, CLIP_SCORE};
use crate::conduct::{LogRelay, SuiteRun};

/// Native stack of the threads that run plugins: a plugin may use 512 KiB of WebAssembly stack, and an overflow of the thread's
/// own stack would end the process instead of the plugin.
const WORKER_STACK: usize = 8 << 20;

/// A metric that several tests share.
type Shared = Arc<dyn Metric>;

/// Opens models and metrics; what several suites share is opened once.
pub struct Loader<'a> {
    registry: &'a Registry,
    pub(crate) logs: &'a LogRelay,
    options: Options,
    threads: usize,
    /// The last diffusion model, by folder and reference: suites on the same one share it.
    diffusion: Mutex<Option<(String, Arc<dyn Generator>)>>,
    clips: Mutex<HashMap<String, Shared>>,
}

/// What a suite needs to run.
pub(crate) struct Loaded {
    pub(crate) generator: Arc<dyn Generator>,
    /// For each test, its metrics in order; `None` where one could not be loaded.
    pub(crate) metrics: Vec<Vec<Option<Shared>>>,
    /// The test and the reason for each `None`.
    pub(crate) broken: Vec<(usize, MetricError)>,
    pub(crate) pool: rayon::ThreadPool,
}

impl<'a> Loader<'a> {
    /// Opens nothing yet. Plugins log to `logs`.
    #[must_use]
    pub fn new(registry: &'a Registry, logs: &'a LogRelay, options: Options, threads: usize) -> Self {
        Self { registry, logs, options, threads, diffusion: Mutex::default(), clips: Mutex::default() }
    }

    /// Everything one suite needs. A metric that cannot be loaded costs its tests their verdict, a generator all of them.
    pub(crate) fn open(&self, suite: &SuiteRun) -> Result<Loaded, ErrorInfo> {
        let generator = self.generator(&suite.plan.model, &suite.folder)?;
        let mut broken = Vec::new();
        let mut metrics = Vec::new();
        for (index, test) in suite.plan.tests.iter().enumerate() {
            let loaded =
                test.metrics.iter().map(|(wanted, _)| match self.metric(&wanted.name, &wanted.config, suite) {
                    Ok(metric) => Some(metric),
                    Err(error) => {
                        broken.push((index, error));
                        None
                    }
                });
            metrics.push(loaded.collect());
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .stack_size(WORKER_STACK)
            .thread_name(|i| format!("worker-{i}"))
            .build()
            .map_err(|error| info("threads", format!("cannot start {} threads: {error}", self.threads), None))?;
        Ok(Loaded { generator, metrics, broken, pool })
    }

    /// The plugin that made a test's prompts, pinned. It was loaded for the plan, so this costs nothing.
    pub(crate) fn prompt_origin(&self, source: &PromptSource) -> Option<PromptOrigin> {
        let PromptSource::Generator { name, config, seed, limit, .. } = source else { return None };
        let plugin = self.registry.prompt_generator(name).ok()?.plugin().clone();
        Some(PromptOrigin { generator: name.clone(), plugin, config: config.clone(), seed: *seed, limit: *limit })
    }

    fn generator(&self, model: &ModelSpec, base: &Path) -> Result<Arc<dyn Generator>, ErrorInfo> {
        match model {
            ModelSpec::Images { folder, manifest } => {
                let images = catalog::open_images(base, folder, manifest.as_deref());
                images.map(|images| Arc::new(images) as _).map_err(|e| info(&e.kind, e.message, e.hint))
            }
            ModelSpec::Diffusion(reference) => {
                let key = format!("{}|{reference}", base.display());
                let mut open = self.diffusion.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, generator)) = open.as_ref().filter(|(opened, _)| *opened == key) {
                    return Ok(Arc::clone(generator));
                }
                // Another model is let go before the next is loaded: two large ones may not fit.
                *open = None;
                let model = StableDiffusion::load(reference, base, &self.options)
                    .map_err(|error| info("model", described(&error), error.hint()))?;
                let generator: Arc<dyn Generator> = Arc::new(model);
                *open = Some((key, Arc::clone(&generator)));
                Ok(generator)
            }
        }
    }

    fn metric(&self, name: &str, config: &serde_json::Value, suite: &SuiteRun) -> Result<Shared, MetricError> {
        if name == CLIP_SCORE {
            return self.clip(suite);
        }
        match self.registry.metric(name, config) {
            Ok(metric) => Ok(Arc::new(metric)),
            Err(RegistryError::Refused(error)) => Err(error),
            Err(RegistryError::Load(error)) => Err(error.into()),
            Err(error @ RegistryError::NotFound { .. }) => {
                Err(MetricError { kind: "not-found".into(), message: error.to_string(), hint: None })
            }
        }
    }

    fn clip(&self, suite: &SuiteRun) -> Result<Shared, MetricError> {
        let reference = catalog::clip_model(&suite.models, &suite.plan.model)?;
        let key = format!("{}|{reference}", suite.folder.display());
        let mut open = self.clips.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = open.get(&key) {
            return Ok(Arc::clone(metric));
        }
        let clip = ClipScore::load(&reference, &suite.folder, &self.options).map_err(|error| MetricError {
            kind: "model".into(),
            message: described(&error),
            hint: error.hint(),
        })?;
        let metric: Shared = Arc::new(clip);
        open.insert(key, Arc::clone(&metric));
        Ok(metric)
    }
}

fn info(kind: &str, message: String, hint: Option<String>) -> ErrorInfo {
    ErrorInfo { kind: kind.into(), message, hint, case: None }
}
