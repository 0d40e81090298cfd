//! The results of a run as one JSON document.
//!
//! [`Results`] is the fold and the document in one: [`Results::apply`] takes in events, [`Results::to_json`] writes what is known, at
//! any moment. [`schema`] describes it; the copy in `schema/results.schema.json` is what others build on, and a test keeps both equal.
//! Numbers are exact: what is read back is the `f64` that was measured.

mod fold;
mod stable;
mod types;

#[cfg(test)]
mod tests;

pub use types::{
    CaseResult, CaseState, Counts, ErrorRecord, FORMAT, GateRecord, ImageFile, LogLine, RemoteRecord, RemoteState,
    Results, ScoreResult, SuiteResult, TestResult,
};

/// The JSON Schema of [`Results`].
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Results).to_value()
}

impl Results {
    /// The document, indented, with a newline at its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings, numbers and lists can always be written");
        text.push('\n');
        text
    }
}
