//! The measurement (s): many recordings become one run.

use super::environment::Environment;
use super::inputs;
use super::measurements::{Measured, all};
use super::sample::{Side, interleave};
use super::table::{Row, Target, Unit};
use crate::step::{self, Failure};

/// How many machines.
const SHARDS: usize = 16;
/// How many cases each has.
const CASES: usize = 1_000;
/// Width and height of an image: what is measured is the work for a case, not the disk.
const SIDE: usize = 64;

/// From recordings on disk to a run's folder with every image, results and the verdict: the whole process.
pub(super) fn merge(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let recordings = recordings(environment)?;
    let out = environment.path("merged");
    let sides = [Side::new("difftest merge", || {
        let mut command = environment.difftest();
        command.arg("--quiet").arg("merge").arg(&recordings).arg("--artifacts").arg(&out);
        command.args(["--expect-shards", &SHARDS.to_string()]);
        command
    })];
    let samples = interleave(&sides, repeats)?;
    let ours = samples[0].of("wall_seconds")?;
    let what = format!("`merge` of {SHARDS} shards of {CASES} cases of {SIDE}x{SIDE}, whole process");
    let rows =
        vec![Row { measurement: 's', what, unit: Unit::Seconds, ours, theirs: None, target: Target::Under(2.0) }];
    Ok(Measured { rows, samples: all(&samples) })
}

/// A folder with the recording of every shard.
fn recordings(environment: &Environment<'_>) -> Result<std::path::PathBuf, Failure> {
    let raw = inputs::kept(environment, "small.rgb", |path| {
        let mut make = environment.python("images.py", 1);
        step::run(make.arg(path).args([CASES.to_string(), SIDE.to_string()]))
    })?;
    let pictures = inputs::kept(environment, "small-pictures", |path| {
        let mut make = environment.python("pictures.py", 1);
        step::run(make.arg(&raw).arg(SIDE.to_string()).arg(path).arg((SHARDS * CASES).to_string()))
    })?;
    let suite = environment.path("small-pictures.toml");
    let text = format!(
        "model = {{ images = {:?} }}\n\n[[test]]\nname = \"all\"\nmetrics = [\"image-stats/brightness\"]\n\
         threshold = {{ \"image-stats/brightness\" = {{ min = 0.0 }} }}\n",
        pictures.display().to_string()
    );
    inputs::write(&suite, &text)?;
    inputs::kept(environment, "recordings", |folder| {
        for index in 1..=SHARDS {
            let mut run = environment.difftest();
            run.arg("--quiet").arg("run").arg(&suite).args(["--plugins", "plugins", "--shard"]);
            run.arg(format!("{index}/{SHARDS}")).arg("--record").arg(folder.join(format!("{index}.difftest")));
            step::run(run.arg("--artifacts").arg(environment.path("shard")))?;
        }
        Ok(())
    })
}
