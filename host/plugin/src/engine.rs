//! One wasmtime engine with settings that make scores the same on every machine, and the clock of the backstop.
//!
//! Determinism rests on these: NaN results get one bit pattern (x86 and ARM differ in the sign), relaxed SIMD is refused
//! (its results depend on the processor by design), growing memory beyond the limit is a trap and not an answer, and fuel,
//! not time, is what normally ends a call. Threads, garbage collection, stack switching and asynchronous components are not
//! compiled into this host at all. Ordinary float arithmetic and SIMD are deterministic as they are.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use difftest_core::digest::{Digest, Hasher as Sha256};
use wasmtime::{Config, EngineWeak, OptLevel, WasmBacktraceDetails};

use crate::limits::Limits;

/// How often the backstop's clock ticks; a deadline is met at most one tick late.
const TICK: Duration = Duration::from_millis(10);

/// What compiled code depends on besides wasmtime's version: the process that compiles and the one that runs must agree on it.
pub(crate) fn settings() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        // lines in backtraces where a component brings line tables; nothing changes for the others. Said outright because
        // the default asks the environment
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .max_wasm_stack(Limits::STACK_BYTES);
    config
}

/// The engine that every plugin of a registry shares.
#[derive(Clone)]
pub(crate) struct Engine(wasmtime::Engine);

impl Engine {
    /// An engine and its ticking thread, which ends by itself soon after the last clone of the engine is gone.
    pub(crate) fn new() -> Result<Self, wasmtime::Error> {
        let engine = wasmtime::Engine::new(&settings())?;
        let weak = engine.weak();
        std::thread::Builder::new().name("plugin-clock".into()).stack_size(64 << 10).spawn(move || tick(&weak))?;
        Ok(Self(engine))
    }

    /// wasmtime's own.
    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.0
    }

    /// Ticks that make at least `time`, one more because the first is already under way; never so many that adding them to the
    /// epoch could overflow.
    pub(crate) fn ticks(time: Duration) -> u64 {
        u64::try_from(time.as_millis().div_ceil(TICK.as_millis()) + 1).unwrap_or(u64::MAX).min(1 << 40)
    }

    /// A name for everything compiled code depends on: wasmtime's version, the target, and the settings above.
    pub(crate) fn compatibility(&self) -> Digest {
        struct Feed(Sha256);
        impl Hasher for Feed {
            fn write(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }
            fn finish(&self) -> u64 {
                0 // only the bytes that were written matter; they end in a SHA-256
            }
        }
        let mut feed = Feed(Sha256::new());
        self.0.precompile_compatibility_hash().hash(&mut feed);
        feed.0.finish()
    }
}

fn tick(engine: &EngineWeak) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        std::thread::sleep(TICK);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_never_early_and_never_overflow() {
        assert_eq!(Engine::ticks(Duration::ZERO), 1);
        assert_eq!(Engine::ticks(Duration::from_millis(11)), 3);
        assert_eq!(Engine::ticks(Duration::MAX), 1 << 40);
    }

    #[test]
    fn equal_settings_have_one_name() {
        assert_eq!(Engine::new().unwrap().compatibility(), Engine::new().unwrap().compatibility());
    }

    #[test]
    fn relaxed_simd_is_refused() {
        let relaxed = r#"(component (core module (func (param v128 v128 v128) (result v128)
            local.get 0 local.get 1 local.get 2 f32x4.relaxed_madd)))"#;
        let bytes = wat::parse_str(relaxed).unwrap();
        let error = wasmtime::component::Component::from_binary(Engine::new().unwrap().inner(), &bytes);
        let text = format!("{:?}", error.err().unwrap());
        assert!(text.contains("relaxed SIMD"), "{text}");
    }
}
