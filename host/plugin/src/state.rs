//! What one store holds: the meters of its limits, its host objects, and what it said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use difftest_core::model::Models;
use wasmtime::ResourceLimiter;
use wasmtime::component::{Resource, ResourceTable};

use crate::call::Stop;
use crate::failure::Breach;
use crate::limits::{Budget, Limits};
use crate::log::Level;
use crate::text;

/// Something that a plugin can hold a handle of.
pub(crate) trait HostObject: Send + 'static {
    /// Bytes of it that count against the plugin.
    fn held(&self) -> usize {
        0
    }
}

/// Lives as long as one call.
pub(crate) struct State {
    limits: Arc<Limits>,
    budget: Budget,
    models: Option<Arc<dyn Models>>,
    stop: Stop,
    started: Instant,
    /// Time of that which went into models and files.
    aside: Duration,
    objects: ResourceTable,
    memory: usize,
    tables: usize,
    credits: u64,
    host_bytes: usize,
    /// Lines, escaped and cut.
    pub(crate) lines: Vec<(Level, String)>,
    /// Lines beyond the limit.
    pub(crate) lines_dropped: u64,
    /// The beginning of what was written to standard error and standard output.
    pub(crate) stderr: Vec<u8>,
}

impl State {
    /// Nothing used yet. Without `models`, none is declared.
    pub(crate) fn new(limits: Arc<Limits>, budget: Budget, models: Option<Arc<dyn Models>>, stop: Stop) -> Self {
        let mut objects = ResourceTable::new();
        objects.set_max_capacity(limits.host_objects);
        Self {
            credits: budget.credits,
            limits,
            budget,
            models,
            stop,
            started: Instant::now(),
            aside: Duration::ZERO,
            objects,
            memory: 0,
            tables: 0,
            host_bytes: 0,
            lines: Vec::new(),
            lines_dropped: 0,
            stderr: Vec::new(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What the call began with.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The models that may be asked.
    pub(crate) fn models(&self) -> Option<Arc<dyn Models>> {
        self.models.clone()
    }

    /// Does work of the host's own, models and files, whose time the plugin's backstop does not count.
    pub(crate) fn aside<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let started = Instant::now();
        let answer = work();
        self.aside += started.elapsed();
        answer
    }

    /// What is left of the plugin's own time; `None` where it is over.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let own = self.started.elapsed().saturating_sub(self.aside);
        self.budget.time.checked_sub(own).filter(|left| !left.is_zero())
    }

    /// Breaks the call off when nobody waits for it any more.
    pub(crate) fn go_on(&self) -> Result<(), Breach> {
        if self.stop.stopped() { Err(Breach::Cancelled) } else { Ok(()) }
    }

    /// Pays for one call of an import and `more` credits of work, before the work is done.
    pub(crate) fn charge(&mut self, more: u64) -> Result<(), Breach> {
        self.go_on()?;
        match self.credits.checked_sub(more.saturating_add(Limits::CALL_CREDITS)) {
            Some(left) => {
                self.credits = left;
                Ok(())
            }
            None => {
                self.credits = 0;
                Err(Breach::Credits { limit: self.budget.credits })
            }
        }
    }

    /// Takes room for `bytes` that the host will hold for the plugin.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Breach> {
        let wanted = self.host_bytes.saturating_add(bytes);
        if wanted > self.limits.host_bytes {
            return Err(Breach::HostBytes { wanted, limit: self.limits.host_bytes });
        }
        self.host_bytes = wanted;
        Ok(())
    }

    /// Gives back what [`State::hold`] took.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.host_bytes = self.host_bytes.saturating_sub(bytes);
    }

    /// Puts an object where the plugin can get a handle of it. What it holds is taken beforehand.
    pub(crate) fn insert<T: HostObject>(&mut self, object: T) -> Result<Resource<T>, Breach> {
        self.objects.push(object).map_err(|_| Breach::HostObjects { limit: self.limits.host_objects })
    }

    /// The object behind a handle.
    pub(crate) fn get<T: HostObject>(&mut self, handle: &Resource<T>) -> wasmtime::Result<&mut T> {
        Ok(self.objects.get_mut(handle)?)
    }

    /// The object behind a handle that the plugin gave away.
    pub(crate) fn take<T: HostObject>(&mut self, handle: Resource<T>) -> wasmtime::Result<T> {
        let object = self.objects.delete(handle)?;
        self.release(object.held());
        Ok(object)
    }

    /// The plugin let go of an object.
    pub(crate) fn remove<T: HostObject>(&mut self, handle: u32) -> wasmtime::Result<()> {
        self.take::<T>(Resource::new_own(handle)).map(drop)
    }

    /// Keeps a line, up to the limit.
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        if self.lines.len() < self.limits.log_lines {
            self.lines.push((level, text::line(message, self.limits.log_line_chars)));
        } else {
            self.lines_dropped += 1;
        }
    }

    /// Keeps what fits of bytes written to standard error.
    pub(crate) fn write_stderr(&mut self, bytes: &[u8]) {
        let room = self.limits.stderr_bytes.saturating_sub(self.stderr.len());
        self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// wasmtime asks before memories and tables come to be and before they grow. An answer beyond the limit is an error, which
/// traps: an allocation that may or may not fail would be a way for scores to depend on the machine.
impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // the module's own declared maximum: growing fails as WebAssembly says
        }
        let wanted = self.memory.saturating_add(desired - current);
        if wanted > self.limits.memory_bytes {
            return Err(Breach::Memory { wanted, limit: self.limits.memory_bytes }.into());
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.tables.saturating_add(desired - current);
        if wanted > self.limits.table_elements {
            return Err(Breach::Tables { wanted, limit: self.limits.table_elements }.into());
        }
        self.tables = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }
}
