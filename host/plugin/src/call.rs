//! One call into a plugin: a fresh store, the call, what it cost, and its lines passed on.

use std::sync::Arc;
use std::time::Duration;

use difftest_core::metric::MetricError;
use difftest_core::model::Models;
use wasmtime::{Store, UpdateDeadline};

use crate::engine::Engine;
use crate::failure::{self, Place};
use crate::limits::{Budget, Limits};
use crate::log::{Level, LogLine, LogSink};
use crate::state::State;
use crate::text;

/// What all plugins of a registry share.
pub(crate) struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) limits: Arc<Limits>,
    pub(crate) sink: Arc<dyn LogSink>,
    pub(crate) stop: Stop,
}

/// Asked between a plugin's instructions and before each work of the host: whether nobody waits for the answer any more.
#[derive(Clone)]
pub(crate) struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    pub(crate) fn when(stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(stopped))
    }

    pub(crate) fn never() -> Self {
        Self::when(|| false)
    }

    pub(crate) fn stopped(&self) -> bool {
        (self.0)()
    }
}

/// How often a running plugin is asked to stop, at least.
const SLICE: Duration = Duration::from_millis(100);

/// What a call may use besides what every call may.
pub(crate) struct Grant {
    pub(crate) budget: Budget,
    pub(crate) models: Option<Arc<dyn Models>>,
}

impl Sandbox {
    /// Runs `body` in a store of its own, which is dropped whatever happens: nothing a plugin does is seen by the next call.
    /// Answers also the fuel that was burnt, instantiation included.
    pub(crate) fn call<R>(
        &self,
        place: &Place<'_>,
        grant: Grant,
        body: impl FnOnce(&mut Store<State>) -> wasmtime::Result<R>,
    ) -> Result<(R, u64), MetricError> {
        let Budget { fuel, time, transfer, .. } = grant.budget;
        let mut store = Store::new(
            self.engine.inner(),
            State::new(self.limits.clone(), grant.budget, grant.models, self.stop.clone()),
        );
        store.limiter(|state| state);
        store.set_hostcall_fuel(transfer);
        store.set_max_component_handles(self.limits.handles);
        store.set_epoch_deadline(Engine::ticks(time.min(SLICE)));
        // what the host spent on models and files meanwhile is given back
        store.epoch_deadline_callback(|store| {
            store.data().go_on()?;
            let next = |left: Duration| UpdateDeadline::Continue(Engine::ticks(left.min(SLICE)));
            Ok(store.data().time_left().map_or(UpdateDeadline::Interrupt, next))
        });
        let answer = store.set_fuel(fuel).and_then(|()| body(&mut store));
        let answer = match answer {
            Ok(answer) => Ok((answer, fuel - store.get_fuel().unwrap_or(0))),
            Err(error) => Err(failure::explain(&error, store.data(), place)),
        };
        // what a failed call wrote to standard error is in its error already
        self.pass_on(store.data_mut(), place, answer.is_ok());
        answer
    }

    fn pass_on(&self, state: &mut State, place: &Place<'_>, with_stderr: bool) {
        let pass = |level, message| {
            let sample = place.sample.map(str::to_owned);
            self.sink.log(LogLine { plugin: place.plugin.to_owned(), sample, level, message });
        };
        for (level, message) in state.lines.drain(..) {
            pass(level, message);
        }
        if state.lines_dropped > 0 {
            let most = self.limits.log_lines;
            pass(Level::Warn, format!("{} more lines were dropped; {most} are kept of one call", state.lines_dropped));
        }
        if with_stderr {
            let said = String::from_utf8_lossy(&state.stderr);
            for line in said.lines().filter(|line| !line.trim().is_empty()).take(self.limits.log_lines) {
                pass(Level::Info, text::line(line, self.limits.log_line_chars));
            }
        }
    }
}
