//! A component that imports `wasi:clocks`. It has to be refused when it is loaded.

#![allow(missing_docs, reason = "a component, not a library")]

difftest_sdk::metrics! {
    /// A different score every time.
    fn time() -> f64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }
}
