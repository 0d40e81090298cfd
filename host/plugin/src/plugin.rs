//! A plugin, loaded: read, judged, compiled or found compiled, linked once, and asked to describe itself.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::metric::PluginId;

use crate::bindings::{MetricPluginPre, PromptPluginPre};
use crate::cache::{Cache, Origin};
use crate::call::Sandbox;
use crate::describe::{self, Generator, Metric};
use crate::error::LoadCause;
use crate::failure::Place;
use crate::imports;
use crate::limits::Limits;
use crate::outline::{self, Outline};
use crate::policy;
use crate::state::State;
use crate::text;

/// Ready to be called. The two `Pre`s hold the linked component; making an instance of one costs microseconds.
pub(crate) struct Plugin {
    pub(crate) id: PluginId,
    pub(crate) origin: Origin,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) metric: Option<MetricPluginPre<State>>,
    pub(crate) prompts: Option<PromptPluginPre<State>>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) generators: Vec<Generator>,
}

/// The bytes of a component file and what they are, before any judgement.
pub(crate) struct Artifact {
    pub(crate) wasm: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) outline: Outline,
}

/// Reads and parses `path`.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Artifact, LoadCause> {
    let fail = |error: std::io::Error| LoadCause::Io { path: path.to_owned(), reason: error.to_string() };
    let too_large = |bytes| LoadCause::TooLarge { path: path.to_owned(), bytes, limit: limits.component_bytes };
    let file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    if length > limits.component_bytes {
        return Err(too_large(length));
    }
    let mut wasm = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // asked for one byte more than is allowed: pipes have no length, and a file may grow while it is read
    file.take(limits.component_bytes + 1).read_to_end(&mut wasm).map_err(fail)?;
    if wasm.len() as u64 > limits.component_bytes {
        return Err(too_large(wasm.len() as u64));
    }
    let outline = outline::read(&wasm, path, limits)?;
    Ok(Artifact { digest: Digest::of(&wasm), wasm, outline })
}

impl Plugin {
    /// Loads the component `read` from `path` under `name`. `version` is what the crate says, where the file says nothing.
    pub(crate) fn load(
        name: &str,
        path: &Path,
        read: Artifact,
        version: Option<String>,
        sandbox: &Arc<Sandbox>,
        cache: &Cache,
    ) -> Result<Self, LoadCause> {
        let abilities = policy::judge(&read.outline, path)?;
        let engine = &sandbox.engine;
        let compiled = cache.component(engine, &sandbox.limits, name, &read.wasm, &read.digest);
        let (component, origin) = compiled.map_err(|error| LoadCause::compile(path, error))?;
        let wrong = |error: wasmtime::Error| LoadCause::WrongType {
            path: path.to_owned(),
            reason: text::line(&format!("{error:#}"), 400),
        };
        let pre =
            imports::link(engine, &component).and_then(|linker| linker.instantiate_pre(&component)).map_err(wrong)?;
        let mut plugin = Self {
            id: PluginId {
                name: name.to_owned(),
                version: read.outline.version.or(version),
                digest: read.digest,
                class: abilities.class,
            },
            origin,
            sandbox: sandbox.clone(),
            metric: abilities.metric.then(|| MetricPluginPre::new(pre.clone())).transpose().map_err(wrong)?,
            prompts: abilities.prompts.then(|| PromptPluginPre::new(pre)).transpose().map_err(wrong)?,
            metrics: Vec::new(),
            generators: Vec::new(),
        };
        plugin.describe()?;
        Ok(plugin)
    }

    fn describe(&mut self) -> Result<(), LoadCause> {
        let place = Place { plugin: &self.id.name, of: None, sample: None };
        let limits = &self.sandbox.limits;
        let bad = |reason| LoadCause::BadDescription { reason };
        if let Some(pre) = &self.metric {
            let said = self.sandbox.call(&place, |store| {
                pre.instantiate(&mut *store)?.difftest_plugin_metric().call_describe(&mut *store)
            });
            self.metrics = describe::metrics(said.map_err(LoadCause::Describe)?.0, limits).map_err(bad)?;
        }
        if let Some(pre) = &self.prompts {
            let said = self.sandbox.call(&place, |store| {
                pre.instantiate(&mut *store)?.difftest_plugin_prompts().call_describe(&mut *store)
            });
            self.generators = describe::generators(said.map_err(LoadCause::Describe)?.0, limits).map_err(bad)?;
        }
        Ok(())
    }
}
