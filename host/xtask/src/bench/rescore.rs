//! Measurement (r): scoring again because a plugin changed, beside decoding the same files and nothing else.

use std::cell::Cell;
use std::fs;

use super::environment::Environment;
use super::inputs::{self, PNGS};
use super::measurements::{Measured, all, row};
use super::sample::{Side, interleave};
use super::table::Target;
use crate::step::Failure;

/// Threads of both.
const THREADS: &str = "2";
/// 80 % of the rate of decoding alone.
const TIMES: f64 = 1.25;

/// `run --diff` with another build of `image-stats` each time, for one of its metrics and for five, over images that were scored before.
pub(super) fn run(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let pictures = inputs::pictures(environment)?;
    let folder = inputs::empty_folder(environment, "rescore")?;
    let component = environment.workspace.target.join("wasm32-wasip2/release/image_stats.wasm");
    let component =
        fs::read(&component).map_err(|error| Failure::new(format!("cannot read {}: {error}", component.display())))?;
    let five =
        ["brightness", "contrast", "sharpness", "colorfulness", "entropy"].map(|name| format!("image-stats/{name}"));
    for (name, metrics) in [("one", &five[..1]), ("five", &five[..])] {
        let images = pictures.display().to_string();
        let text = format!("model = {{ images = {images:?} }}\n\n[[test]]\nname = \"all\"\nmetrics = {metrics:?}\n");
        inputs::write(&folder.join(name).with_extension("toml"), &text)?;
    }
    let build = Cell::new(0_u32);
    let ours = |suite: &'static str| {
        let (folder, component, build) = (&folder, &component, &build);
        move || {
            build.set(build.get() + 1);
            let plugins = folder.join(format!("plugins-{}", build.get()));
            let _ = fs::create_dir_all(&plugins);
            let _ = fs::write(plugins.join("image-stats.wasm"), rebuilt(component, build.get()));
            let mut command = environment.difftest();
            command.current_dir(folder).args(["run", suite, "--diff", "--no-locked", "-q", "-j", THREADS, "--plugins"]);
            command.arg(plugins);
            command
        }
    };
    let sides = [
        Side::new("difftest, one metric", ours("one.toml")),
        Side::new("difftest, five metrics", ours("five.toml")),
        Side::new("decoding alone", || {
            let mut command = environment.ours();
            command.arg("read").arg(&pictures).args([&PNGS.to_string(), THREADS]);
            command
        }),
    ];
    // Scored once before: what is measured is scoring again.
    interleave(&sides, 1)?;
    let samples = interleave(&sides, repeats)?;
    let what = format!(
        "scoring {PNGS} PNG files of 512x512 again after a plugin changed, whole process, against decoding alone"
    );
    let rows = vec![
        row(
            'r',
            format!("{what}: one metric"),
            "wall_seconds",
            [&samples[0], &samples[2]],
            Target::TimesAtMost(TIMES),
        )?,
        row('r', format!("{what}: five metrics"), "wall_seconds", [&samples[1], &samples[2]], Target::Stated)?,
    ];
    Ok(Measured { rows, samples: all(&samples) })
}

/// The same component with another digest: a custom section that holds `build` is added, as a compiler's notes are.
fn rebuilt(component: &[u8], build: u32) -> Vec<u8> {
    const NAME: &[u8] = b"build";
    let mut section = vec![0, (1 + NAME.len() + 4) as u8, NAME.len() as u8];
    section.extend(NAME);
    section.extend(build.to_le_bytes());
    [component, &section].concat()
}
