//! A plugin, loaded: read, judged, compiled or found compiled, linked once, and asked to describe itself.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use difftest_core::digest::Digest;
use difftest_core::metric::PluginId;
use difftest_core::model::Models;

use crate::cache::{Cache, Origin};
use crate::call::{Grant, Sandbox};
use crate::calls::Calls;
use crate::describe::{self, Generator, Metric};
use crate::error::LoadCause;
use crate::failure::Place;
use crate::imports;
use crate::limits::Limits;
use crate::lock::Lock;
use crate::outline::{self, Outline};
use crate::policy;
use crate::text;

/// How much a call is about, which its budget follows.
#[derive(Clone, Copy)]
pub(crate) enum About {
    /// One image or a pair of so many pixels; none for prompts and descriptions.
    Pixels(u64),
    /// A set of so many images, its reference included.
    Images(usize),
}

/// Ready to be called.
pub(crate) struct Plugin {
    pub(crate) id: PluginId,
    pub(crate) origin: Origin,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) calls: Calls,
    /// Whether it imports `wasi:nn`.
    tensors: bool,
    /// Of all interfaces; each name is there once.
    pub(crate) metrics: Vec<Metric>,
    pub(crate) generators: Vec<Generator>,
}

/// The bytes of a component file and what they are, before any judgement.
pub(crate) struct Artifact {
    /// As they are in the file, but without debug information that is over its limit.
    pub(crate) wasm: Vec<u8>,
    /// Of the file.
    pub(crate) digest: Digest,
    /// Of `wasm`: what its compiled code is kept by.
    compiled_as: Digest,
    pub(crate) outline: Outline,
}

/// Reads and parses `path`.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Artifact, LoadCause> {
    read_if(path, limits, |_| Ok(()))
}

/// Reads the file of the plugin `name`, and parses it once it is known to be the one that `lock` pins, where there is a lock.
pub(crate) fn read_locked(
    name: &str,
    path: &Path,
    limits: &Limits,
    lock: Option<&Lock>,
) -> Result<Artifact, LoadCause> {
    let Some(lock) = lock else { return read(path, limits) };
    let entry = lock.expect(name)?;
    let read = read_if(path, limits, |found| Ok(lock.compare(entry, path, found)?))?;
    // the digest pins everything; a lock that says something else of the same file was edited by hand
    if let Ok(abilities) = policy::judge(&read.outline, path) {
        lock.believe(entry, abilities.class, &read.outline.exports)?;
    }
    Ok(read)
}

fn read_if(
    path: &Path,
    limits: &Limits,
    check: impl FnOnce(Digest) -> Result<(), LoadCause>,
) -> Result<Artifact, LoadCause> {
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
    let digest = Digest::of(&wasm);
    check(digest)?;
    let outline = outline::read(&wasm, path, limits)?;
    let mut compiled_as = digest;
    if outline.debug_bytes > limits.debug_bytes {
        outline.hide_debug_information(&mut wasm);
        compiled_as = Digest::of(&wasm);
    }
    Ok(Artifact { wasm, digest, compiled_as, outline })
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
        let compiled = cache.component(engine, &sandbox.limits, name, &read.wasm, &read.compiled_as);
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
            calls: Calls::new(&pre, abilities).map_err(wrong)?,
            tensors: abilities.tensors,
            metrics: Vec::new(),
            generators: Vec::new(),
        };
        plugin.describe()?;
        Ok(plugin)
    }

    /// What a call may use.
    pub(crate) fn grant(&self, about: About, models: Option<&Arc<dyn Models>>) -> Grant {
        let limits = &self.sandbox.limits;
        let budget = match about {
            About::Pixels(pixels) => limits.one(self.tensors, pixels),
            About::Images(images) => limits.set(self.tensors, images),
        };
        Grant { budget, models: models.cloned() }
    }

    /// Asks every interface what it has. No model is there yet: what a plugin is must not depend on a suite.
    fn describe(&mut self) -> Result<(), LoadCause> {
        let place = Place { plugin: &self.id.name, of: None, sample: None };
        let limits = &self.sandbox.limits;
        let bad = |reason| LoadCause::BadDescription { reason };
        let mut metrics = Vec::new();
        for kind in self.calls.kinds() {
            let said =
                self.sandbox.call(&place, self.grant(About::Pixels(0), None), |store| self.calls.describe(kind, store));
            let (said, _) = said.map_err(LoadCause::Describe)?;
            metrics.extend(describe::metrics(said, kind, limits).map_err(bad)?);
        }
        describe::together(&metrics, limits).map_err(bad)?;
        if self.calls.prompts.is_some() {
            let said = self
                .sandbox
                .call(&place, self.grant(About::Pixels(0), None), |store| self.calls.describe_prompts(store));
            self.generators = describe::generators(said.map_err(LoadCause::Describe)?.0, limits).map_err(bad)?;
        }
        self.metrics = metrics;
        Ok(())
    }
}
