//! The measurement of the history, (u).

use super::environment::Environment;
use super::measurements::{Measured, all};
use super::sample::{Side, interleave};
use super::table::{Row, Target, Unit};
use crate::step::Failure;

const RUNS: &str = "1000";
const CASES: &str = "1000";

/// `history --metric` and `history show` over 1,000,000 scores, whole processes. The file is written by what writes it after every run.
pub(super) fn million(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let folder = environment.path("history");
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(format!("cannot create {}: {error}", folder.display())))?;
    let build = Side::new("recording 1,000 runs of 1,000 cases", || {
        let mut command = environment.ours();
        command.arg("history").arg(&folder).args([RUNS, CASES]);
        command
    });
    interleave(&[build], 1)?;
    let read = |arguments: &'static [&'static str]| {
        let folder = &folder;
        move || {
            let mut command = environment.difftest();
            command.current_dir(folder).args(arguments);
            command
        }
    };
    let sides = [
        Side::new("history --metric", read(&["history", "--metric", "clip_score"])),
        Side::new("history --metric -k", read(&["history", "--metric", "clip_score", "-k", "seed=1"])),
        Side::new("history show latest", read(&["history", "show", "latest", "-v"])),
    ];
    let samples = interleave(&sides, repeats.max(5))?;
    let row = |index: usize, what: &str, target: Target| -> Result<Row, Failure> {
        let ours = samples[index].of("wall_seconds")?;
        let what = format!("{what}, whole process, of 1,000,000 scores");
        Ok(Row { measurement: 'u', what, unit: Unit::Seconds, ours, theirs: None, target })
    };
    let rows = vec![
        row(0, "`history --metric`", Target::Under(0.2))?,
        row(1, "`history --metric -k`, from the scores themselves", Target::Stated)?,
        row(2, "`history show latest -v`", Target::Under(1.0))?,
    ];
    Ok(Measured { rows, samples: all(&samples) })
}
