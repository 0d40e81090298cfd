//! Measurement (y): what a run costs that has nothing to do, beside what pytest needs to begin.

use std::fs;
use std::process::Command;

use super::environment::Environment;
use super::inputs;
use super::measurements::{Measured, all};
use super::sample::{Side, interleave};
use super::table::{Row, Target, Unit};
use crate::step::{self, Failure};

/// 100 prompts of 10 seeds, three metrics.
fn suite(threshold: f64) -> String {
    let colours = ["red", "green", "blue", "yellow", "purple", "orange", "black", "pink", "white", "grey"];
    let shapes = ["circle", "square", "star", "heart", "ring", "cross", "triangle", "moon", "arrow", "drop"];
    let prompts = colours.iter().flat_map(|colour| shapes.map(|shape| format!("\"a {colour} {shape}\"")));
    format!(
        "model = \"builtin:shapes\"\n\n[[test]]\nname = \"all\"\nprompts = [{}]\nseeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n\
         steps = 1\nmetrics = [\"clip_score\", \"image-stats/brightness\", \"image-stats/entropy\"]\n\
         threshold = {{ clip_score = {threshold} }}\n",
        prompts.collect::<Vec<_>>().join(", ")
    )
}

/// A test file that does nothing but import torch.
const PYTEST: &str = "import torch\n\n\ndef test_nothing():\n    assert torch.ones(1).item() == 1\n";

pub(super) fn run(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let folder = inputs::empty_folder(environment, "cached")?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
    };
    write("suite.toml", &suite(-1.0))?;
    write("test_nothing.py", PYTEST)?;
    let plugins = environment.workspace.root.join("plugins");
    let again = |more: &'static str| {
        let (folder, plugins) = (&folder, &plugins);
        move || {
            let mut command = environment.difftest();
            command.current_dir(folder).args(["run", "suite.toml", "--quiet", "--plugins"]).arg(plugins);
            command.args((!more.is_empty()).then_some(more));
            command
        }
    };
    eprintln!("  making 1,000 images");
    step::run(&mut again("")())?;
    let threshold = std::cell::Cell::new(0);
    let sides = [
        Side::new("difftest run --diff", again("--diff")),
        Side::new("difftest, threshold edited", || {
            // Another one every time.
            threshold.set(threshold.get() + 1);
            let _ = write("suite.toml", &suite(-1.0 + f64::from(threshold.get()) / 1000.0));
            again("--diff")()
        }),
        // What was edited is proven again by the run before.
        Side::new("difftest run --diff, again", again("--diff")),
        Side::new("pytest with torch imported", || {
            let mut command: Command = environment.python_module("pytest");
            command.current_dir(&folder).args(["-q", "-p", "no:cacheprovider", "test_nothing.py"]);
            command
        }),
    ];
    let samples = interleave(&sides, repeats.max(5))?;
    let pytest = &samples[3];
    let under = |what: &str, side: usize, seconds: f64| -> Result<Row, Failure> {
        let ours = samples[side].of("wall_seconds")?;
        let what = format!("1,000 cached cases, {what}, whole process");
        let theirs = Some(pytest.of("wall_seconds")?);
        Ok(Row { measurement: 'y', what, unit: Unit::Seconds, ours, theirs, target: Target::Under(seconds) })
    };
    let rows = vec![under("nothing changed", 2, 0.25)?, under("a threshold edited", 1, 0.3)?];
    Ok(Measured { rows, samples: all(&samples) })
}
