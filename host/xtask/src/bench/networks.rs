//! The measurements (e) and (l) to (n): large networks against torch, with the machine's own rate of matrix products beside them.

use std::path::Path;

use super::environment::Environment;
use super::inputs;
use super::measurements::{Measured, all, row};
use super::sample::{Samples, Side, Spread, interleave};
use super::table::{Row, Target, Unit};
use crate::step::Failure;

const THREADS: &str = "2";
/// Calls of each process, after the first, which pays for what later ones find ready.
const CALLS: &str = "2";
/// Timings of matrix products in each process.
const PRODUCTS: &str = "3";
/// Largest difference between a network's answer and torch's, as a share of the largest value.
const TOLERANCE: f64 = 1e-3;

/// One network, as both sides name it, and the letter and words of its rows.
struct Network {
    measurement: char,
    kind: &'static str,
    what: &'static str,
}

pub(super) fn unet(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let network = Network { measurement: 'e', kind: "unet", what: "one UNet step at 512x512" };
    compare(environment, repeats, &network, &inputs::network(environment, "sd15-unet", "unet")?)
}

pub(super) fn vae(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let network = Network { measurement: 'l', kind: "vae", what: "VAE decode at 512x512" };
    compare(environment, repeats, &network, &inputs::network(environment, "sd15-vae", "vae")?)
}

pub(super) fn clip(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let network = Network { measurement: 'm', kind: "clip", what: "CLIP ViT-L/14, 8 images" };
    compare(environment, repeats, &network, &inputs::network(environment, "clip-l14", "clip")?)
}

/// Start of the program, loading, one step and the end of the program.
pub(super) fn first_step(environment: &Environment<'_>, repeats: usize) -> Result<Measured, Failure> {
    let folder = inputs::network(environment, "sd15-unet", "unet")?;
    let samples = interleave(&sides(environment, "unet", &folder, "0"), repeats)?;
    same_answer(&samples[0])?;
    let pair = [&samples[0], &samples[1]];
    let rows = vec![
        row('n', "UNet: start, load, first step".to_owned(), "wall_seconds", pair, Target::TimesAtMost(0.5))?,
        row('n', "of it the loading alone".to_owned(), "load_seconds", pair, Target::Stated)?,
        row('n', "of it the first step".to_owned(), "first_seconds", pair, Target::Stated)?,
    ];
    Ok(Measured { rows, samples: all(&samples) })
}

fn compare(
    environment: &Environment<'_>,
    repeats: usize,
    network: &Network,
    folder: &Path,
) -> Result<Measured, Failure> {
    let Network { measurement, kind, what } = *network;
    let [ours, theirs] = sides(environment, kind, folder, CALLS);
    let samples = interleave(&[ours, theirs, our_products(environment), their_products(environment)], repeats)?;
    same_answer(&samples[0])?;
    let pair = [&samples[0], &samples[1]];
    let say = |rest: &str| format!("{what}{rest}");
    let mut rows = vec![
        row(measurement, say(""), "step_seconds", pair, Target::TimesAtMost(0.9))?,
        row(measurement, say(": peak memory"), "peak_bytes", pair, Target::TimesAtMost(0.6))?,
        row(measurement, say(": of it without a file"), "peak_anonymous_bytes", pair, Target::Stated)?,
    ];
    // What a network reaches of what the machine can: torch's count of operations for both sides, though ours does with fewer.
    let operations = samples[1].of("flops")?.median;
    let rate = |samples: &Samples| Ok::<_, Failure>(samples.of("step_seconds")?.rate(operations));
    let stated = |what: String, ours: Spread, theirs: Spread| Row {
        measurement,
        what,
        unit: Unit::Flops,
        ours,
        theirs: Some(theirs),
        target: Target::Stated,
    };
    rows.push(stated(say(": rate"), rate(&samples[0])?, rate(&samples[1])?));
    let limit = "the machine's limit: product of 2048x2048 matrices".to_owned();
    rows.push(stated(limit, samples[2].of("gemm_flops")?, samples[3].of("gemm_flops")?));
    Ok(Measured { rows, samples: all(&samples) })
}

/// difftest and torch on one network, `calls` times after the first.
fn sides<'a>(
    environment: &'a Environment<'_>,
    kind: &'static str,
    folder: &'a Path,
    calls: &'static str,
) -> [Side<'a>; 2] {
    [
        Side::new("difftest", move || {
            let mut command = environment.ours();
            command.args(["network", kind]).arg(folder).args([THREADS, calls]);
            command
        }),
        Side::new("torch", move || {
            let mut command = environment.python("networks.py", 2);
            command.args(["run", kind]).arg(folder).args([THREADS, calls]);
            command
        }),
    ]
}

fn our_products<'a>(environment: &'a Environment<'_>) -> Side<'a> {
    Side::new("ONNX Runtime, large matrices", || {
        let mut command = environment.ours();
        command.args(["gemm", THREADS, PRODUCTS]);
        command
    })
}

fn their_products<'a>(environment: &'a Environment<'_>) -> Side<'a> {
    Side::new("torch, large matrices", || {
        let mut command = environment.python("networks.py", 2);
        command.args(["gemm", THREADS, PRODUCTS]);
        command
    })
}

fn same_answer(ours: &Samples) -> Result<(), Failure> {
    let difference = ours.of("largest_difference")?.max / ours.of("largest_value")?.min;
    if difference.is_nan() || difference > TOLERANCE {
        let message = format!("the sides disagree by {difference:e} of the largest value: nothing to compare");
        return Err(Failure::new(message));
    }
    Ok(())
}
