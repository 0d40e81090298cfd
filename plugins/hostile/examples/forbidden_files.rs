//! A component that imports `wasi:filesystem`. It has to be refused when it is loaded.

#![allow(missing_docs, reason = "a component, not a library")]

difftest_sdk::metrics! {
    /// 1 if a file opens.
    fn leak() -> f64 {
        f64::from(u8::from(std::fs::read("/etc/passwd").is_ok()))
    }
}
