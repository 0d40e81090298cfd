//! Every family of models, by every scheduler, against diffusers' own pipelines: the models and the recorded outputs of
//! `golden/families`, run by path as a user would.
//!
//! `cargo test -p difftest-diffusion --test fidelity -- --nocapture` prints the table. `FIDELITY.md` has it too; with
//! `DIFFTEST_UPDATE_FIDELITY=1` this test writes that file anew, otherwise it checks that the file has every row and that
//! nothing became worse than it says.
//!
//! Needs ONNX Runtime: `cargo xtask test` provides it. Without it these tests fail, they are never skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod golden;
mod networks;
mod runs;
mod table;

use self::golden::Family;
use self::table::Table;

/// Outputs of single networks: largest absolute difference.
const NETWORK: f64 = 1e-4;
/// Latents after the last step: largest absolute difference.
const LATENTS: f64 = 1e-3;
/// Images: the part of all bytes that may differ by more than one level.
const BYTES: f64 = 0.01;

#[test]
fn every_family_and_scheduler_equals_the_reference() {
    let mut table = Table::default();
    let mut failures = Vec::new();
    let families = Family::all();
    for family in &families {
        match networks::measure(family) {
            Ok(row) => table.networks.push(row),
            Err(error) => failures.push(format!("{}: {error}", family.name)),
        }
    }
    for family in families.iter().chain(&Family::with_loras()) {
        match runs::measure(family) {
            Ok(runs) => {
                failures.extend(runs.failures);
                table.runs.extend(runs.rows);
            }
            Err(error) => failures.push(format!("{}: {error}", family.name)),
        }
    }
    println!("{}", table.markdown());
    failures.extend(table.outside());
    assert!(failures.is_empty(), "not within the tolerances:\n  {}", failures.join("\n  "));
    if std::env::var_os("DIFFTEST_UPDATE_FIDELITY").is_some() {
        table.write();
    }
    let stale = table.stale();
    assert!(stale.is_empty(), "FIDELITY.md, to be updated with DIFFTEST_UPDATE_FIDELITY=1:\n  {}", stale.join("\n  "));
}
