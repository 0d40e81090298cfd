//! Tests whose gates have no baseline to compare with: known before the first image is made, and not after the last.

use difftest_core::event::ErrorInfo;
use difftest_core::gate::no_baseline;
use difftest_store::baseline::Folder;

use crate::baselines::{info, name};
use crate::conduct::{SuiteRun, by_model};
use crate::load::Loader;

/// A test that a gate on a baseline cannot be judged of.
#[derive(Clone, Debug)]
pub struct Lacking {
    /// The suite's name.
    pub suite: String,
    /// The test's name.
    pub test: String,
    /// The baseline that a run may make: it is not there, or not in this environment. `None` where nothing names one, and where the one
    /// that is there cannot be read.
    pub baseline: Option<Folder>,
    /// What is wrong.
    pub error: ErrorInfo,
}

/// Every such test. No model is loaded; of a suite whose model cannot be opened nothing is said, for its run says that.
#[must_use]
pub fn lacking(suites: &[SuiteRun], loader: &Loader<'_>) -> Vec<Lacking> {
    let mut found = Vec::new();
    // Suites on the same model one after another: it is opened once.
    for suite in by_model(suites) {
        let mut environment = None;
        for test in &suite.plan.tests {
            let Some(gate) = test.gates.iter().find(|gate| gate.check.needs_baseline()) else { continue };
            let mut lacks = |baseline: Option<Folder>, error: ErrorInfo| {
                let (suite, test) = (suite.plan.suite.clone(), test.name.clone());
                found.push(Lacking { suite, test, baseline, error });
            };
            let Some(name) = name(test, &loader.baselines) else {
                lacks(None, no_baseline(&gate.metric));
                continue;
            };
            let folder = match Folder::named(&loader.baselines.root, name) {
                Ok(folder) => folder,
                Err(error) => {
                    lacks(None, info(&error));
                    continue;
                }
            };
            let class = environment.get_or_insert_with(|| loader.environment(suite));
            let Ok(class) = class else { continue };
            if let Err(error) = folder.read(class) {
                let may_be_made = matches!(error.kind(), "no-baseline" | "baseline-environment");
                lacks(may_be_made.then_some(folder), info(&error));
            }
        }
    }
    found
}
