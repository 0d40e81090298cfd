//! Plugins by name. Each is read, compiled and asked what it is when it is first named, once, however many threads ask.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use difftest_core::metric::AnyMetric;
use difftest_core::model::Models;
use serde_json::Value;

use crate::cache::Cache;
use crate::call::{Sandbox, Stop};
use crate::compile::Compiler;
use crate::discovery::{self, Found};
use crate::engine::Engine;
use crate::error::{DiscoverError, LoadCause, LoadError, RegistryError};
use crate::limits::Limits;
use crate::lock::Lock;
use crate::log::{Discard, LogSink};
use crate::metric;
use crate::names::Names;
use crate::plugin::{self, Plugin};
use crate::policy;
use crate::prompts::PluginPrompts;
use crate::report::{Inspection, Listed};

type Slot = Arc<OnceLock<Result<Arc<Plugin>, LoadError>>>;

/// Every plugin in some folders. Cheap until one is named.
pub struct Registry {
    found: Found,
    limits: Arc<Limits>,
    sink: Arc<dyn LogSink>,
    stop: Stop,
    cache: Cache,
    /// Made with the first plugin: it starts a thread.
    sandbox: OnceLock<Result<Arc<Sandbox>, String>>,
    loaded: Mutex<HashMap<String, Slot>>,
    /// Made with the first name that nothing has.
    names: OnceLock<Names>,
    /// The only plugins that may be loaded, where this is set.
    lock: Option<Arc<Lock>>,
}

impl Registry {
    /// The plugins in `folders` (see [`discovery::discover`]), to be run within `limits`.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn discover(folders: &[PathBuf], limits: Limits) -> Result<Self, DiscoverError> {
        Ok(Self {
            found: discovery::discover(folders)?,
            limits: Arc::new(limits),
            sink: Arc::new(Discard),
            stop: Stop::never(),
            cache: Cache::standard(),
            sandbox: OnceLock::new(),
            loaded: Mutex::default(),
            names: OnceLock::new(),
            lock: None,
        })
    }

    /// Sends what plugins log to `sink`. To be called before the first plugin is named.
    #[must_use]
    pub fn with_sink(mut self, sink: Arc<dyn LogSink>) -> Self {
        self.sink = sink;
        self
    }

    /// Keeps compiled code in `folder` and not in the standard one; `None` keeps none.
    #[must_use]
    pub fn with_cache(mut self, folder: Option<PathBuf>) -> Self {
        self.cache.folder = folder;
        self
    }

    /// Loads only what `lock` pins. Any other plugin is refused when it is named, before anything in its file is looked at.
    #[must_use]
    pub fn with_lock(mut self, lock: Lock) -> Self {
        self.lock = Some(Arc::new(lock));
        self
    }

    /// Breaks off every call into a plugin, within a fraction of a second, once `stopped` says so; such a call ends with an error
    /// of kind `cancelled`. To be called before the first plugin is named.
    #[must_use]
    pub fn with_stop(mut self, stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.stop = Stop::when(stopped);
        self
    }

    /// Compiles with `compiler` and not in this process.
    #[must_use]
    pub fn with_compiler(mut self, compiler: Compiler) -> Self {
        self.cache.compiler = compiler;
        self
    }

    /// Tells `notice` the name of each plugin whose compilation in a child process takes long, while it is going on. It is called on
    /// the thread that waits.
    #[must_use]
    pub fn with_notice(mut self, notice: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.cache.notice = Arc::new(notice);
        self
    }

    /// What plugins are run within.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where compiled code is kept; `None` where it is not.
    #[must_use]
    pub fn cache_folder(&self) -> Option<&Path> {
        self.cache.folder.as_deref()
    }

    /// Loads the plugins of `names` (`plugin`, `plugin/metric` or `plugin/generator`) side by side, as far as there are such, so that
    /// naming one of them later does not wait. Whatever is wrong with one is told then. No other plugin is opened.
    pub fn prepare<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        let plugins: BTreeSet<&str> =
            names.into_iter().map(|name| name.split_once('/').map_or(name, |(plugin, _)| plugin)).collect();
        let wanted = plugins.into_iter().filter(|name| self.found.contains_key(*name));
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(wanted);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            for _ in 0..threads {
                let Some(first) = next() else { break };
                let load = move || {
                    let mut name = Some(first);
                    while let Some(plugin) = name {
                        self.plugin(plugin);
                        name = next();
                    }
                };
                // without a thread it is loaded when it is named
                let _ = thread::Builder::new().name("plugin-loading".into()).spawn_scoped(scope, load);
            }
        });
    }

    /// The metric `plugin/metric` with `config` checked against its schema (`null` is the empty config), of whatever kind it is.
    /// It may ask `models`, which also are part of its variant where it can ask them at all; without, none is declared.
    ///
    /// # Errors
    /// When there is no such metric, its plugin cannot be used, or the config is wrong.
    pub fn metric(
        &self,
        name: &str,
        config: &Value,
        models: Option<&Arc<dyn Models>>,
    ) -> Result<AnyMetric, RegistryError> {
        let (plugin_name, metric) = name.split_once('/').unwrap_or((name, ""));
        let all = || RegistryError::not_found(name, self.names(name).metrics(name));
        let plugin = self.plugin(plugin_name).ok_or_else(all)??;
        let Some(found) = metric::open(&plugin, metric, config, models) else {
            if plugin.metrics.is_empty() {
                return Err(all());
            }
            let names = plugin.metrics.iter().map(|metric| format!("{plugin_name}/{}", metric.name));
            return Err(RegistryError::not_found(name, names.collect()));
        };
        Ok(found?)
    }

    /// The prompt generator `plugin/generator`, or `plugin` where the plugin has only one.
    ///
    /// # Errors
    /// When there is no such generator or its plugin cannot be used.
    pub fn prompt_generator(&self, name: &str) -> Result<PluginPrompts, RegistryError> {
        let (plugin_name, generator) = match name.split_once('/') {
            Some((plugin, generator)) => (plugin, Some(generator)),
            None => (name, None),
        };
        let all = || RegistryError::not_found(name, self.names(name).generators(name));
        let plugin = self.plugin(plugin_name).ok_or_else(all)??;
        PluginPrompts::new(&plugin, generator).ok_or_else(|| {
            if plugin.generators.is_empty() {
                return all();
            }
            let names = plugin.generators.iter().map(|generator| format!("{plugin_name}/{}", generator.name));
            RegistryError::not_found(name, names.collect())
        })
    }

    /// Every plugin that was found, by name, without opening any.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let entry = |(name, sources): (&String, &Vec<discovery::Source>)| match discovery::single(sources) {
            Ok((path, _)) => Listed { name: name.clone(), path: Some(path), problem: None },
            Err(cause) => Listed { name: name.clone(), path: None, problem: Some(cause.into()) },
        };
        self.found.iter().map(entry).collect()
    }

    /// Everything that can be told of the plugin of that name, or of the component file at that path. A component that this
    /// host refuses to run is told of too, with the reason.
    ///
    /// # Errors
    /// When there is no such plugin, or its file cannot be read as a component.
    pub fn inspect(&self, name_or_path: &str) -> Result<Inspection, RegistryError> {
        let as_path = Path::new(name_or_path);
        let is_path =
            as_path.extension().is_some_and(|extension| extension == "wasm") || as_path.components().count() > 1;
        let name = if is_path { discovery::name_of(as_path) } else { name_or_path.to_owned() };
        let fail = |cause| LoadError { plugin: name.clone(), cause };
        let (path, version) = if is_path {
            (as_path.to_owned(), None)
        } else {
            let none = || RegistryError::not_found(&name, self.found.keys().cloned().collect());
            self.locate(&name).ok_or_else(none)?.map_err(fail)?
        };
        let artifact = plugin::read(&path, &self.limits).map_err(fail)?;
        let outline = artifact.outline.clone();
        let inspection = Inspection {
            name: name.clone(),
            path: path.clone(),
            bytes: artifact.wasm.len() as u64,
            digest: artifact.digest,
            version: outline.version.clone().or_else(|| version.clone()),
            wit_version: policy::wit_version(&outline),
            class: None,
            modules: outline.modules,
            functions: outline.functions,
            imports: outline.imports,
            exports: outline.exports,
            made_with: outline.made_with,
            compiled: None,
            metrics: Vec::new(),
            prompt_generators: Vec::new(),
            problem: None,
        };
        let loaded =
            self.sandbox().and_then(|sandbox| Plugin::load(&name, &path, artifact, version, &sandbox, &self.cache));
        Ok(match loaded {
            Ok(plugin) => inspection.with(&plugin),
            Err(cause) => Inspection { problem: Some(cause.into()), ..inspection },
        })
    }

    /// The one file of the plugin `name`, where there is such a plugin.
    fn locate(&self, name: &str) -> Option<Result<(PathBuf, Option<String>), LoadCause>> {
        self.found.get(name).map(|sources| discovery::single(sources))
    }

    /// What there is, for an error about `asked`.
    fn names(&self, asked: &str) -> &Names {
        self.names.get_or_init(|| match self.sandbox() {
            Ok(sandbox) => {
                Names::collect(&self.found, asked, &sandbox.engine, &self.limits, &self.cache, self.lock.clone())
            }
            Err(_) => Names::default(),
        })
    }

    /// The plugin `name`, where there is such a plugin.
    fn plugin(&self, name: &str) -> Option<Result<Arc<Plugin>, LoadError>> {
        let located = self.locate(name)?;
        // the map is locked for a moment only: plugins load side by side, each of them once
        let slot =
            self.loaded.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone();
        let loaded = slot.get_or_init(|| {
            let load = || {
                let (path, version) = located?;
                let artifact = plugin::read_locked(name, &path, &self.limits, self.lock.as_deref())?;
                Plugin::load(name, &path, artifact, version, &self.sandbox()?, &self.cache)
            };
            load().map(Arc::new).map_err(|cause| LoadError { plugin: name.to_owned(), cause })
        });
        Some(loaded.clone())
    }

    fn sandbox(&self) -> Result<Arc<Sandbox>, LoadCause> {
        let make = || {
            let engine = Engine::new().map_err(|error| error.to_string())?;
            Ok(Arc::new(Sandbox {
                engine,
                limits: self.limits.clone(),
                sink: self.sink.clone(),
                stop: self.stop.clone(),
            }))
        };
        self.sandbox.get_or_init(make).clone().map_err(|reason| LoadCause::Engine { reason })
    }
}
