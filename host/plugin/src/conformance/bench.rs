//! What a plugin costs: fuel, which is equal on every machine with one wasmtime line and may be asserted, and time, which is not.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use difftest_core::metric::{AnyMetric, MetricError, MetricInfo};
use difftest_core::model::Models;
use serde::Serialize;
use serde_json::Value;

use super::cases::CaseFile;
use super::trials::{Input, of_size, sample};
use super::{Conformance, as_metric_error, said};
use crate::error::RegistryError;
use crate::prompts::PAGE;
use crate::registry::Registry;
use crate::report::GeneratorInfo;

/// Sides of the square images that are measured.
const SIDES: [u32; 2] = [512, 1024];
/// Prompts that are generated.
const PROMPTS: u32 = 100;
/// Calls whose median is told.
const RUNS: usize = 5;

/// What a plugin costs.
#[derive(Clone, Debug, Serialize)]
pub struct Bench {
    /// The plugin's name.
    pub plugin: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// The wasmtime line that the fuel belongs to.
    pub wasmtime: &'static str,
    /// Bytes of the component.
    pub bytes: u64,
    /// What comes before the first call.
    pub startup: Startup,
    /// Every metric at every size, and every prompt generator.
    pub costs: Vec<Cost>,
    /// What could not be measured, and why.
    pub skipped: Vec<(String, String)>,
}

/// What comes before the first call.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Startup {
    /// Seconds to parse, compile, link and describe.
    pub compiled_seconds: f64,
    /// Seconds for the same with compiled code found.
    pub cached_seconds: f64,
}

/// What one call costs.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// `plugin/metric`, or `plugin/generator`.
    pub name: String,
    /// `512x512`, `4 images of 512x512`, `100 prompts`.
    pub of: String,
    /// Fuel of the call.
    pub fuel: u64,
    /// Fuel for a million pixels of the image, or of all images of a set; `None` for prompts.
    pub fuel_per_megapixel: Option<u64>,
    /// Median of some calls.
    pub seconds: f64,
}

/// Measures the component at `path`. `open` opens a registry that finds it, each time a new one, all of them with one folder for
/// compiled code that is empty at first. `cases` have configs for what takes no empty one.
///
/// # Errors
/// When the plugin cannot be loaded.
pub fn bench<E: From<RegistryError>>(
    path: &Path,
    open: &dyn Fn() -> Result<Registry, E>,
    models: Option<Arc<dyn Models>>,
    cases: &mut [CaseFile],
) -> Result<Bench, E> {
    let timed = || -> Result<f64, E> {
        let registry = open()?;
        let began = Instant::now();
        match registry.inspect(&path.display().to_string())?.problem {
            Some(problem) => Err(RegistryError::Refused(problem).into()),
            None => Ok(began.elapsed().as_secs_f64()),
        }
    };
    let compiled_seconds = timed()?;
    // the median of a few: the first after writing may meet a cold page
    let mut cached = (0..RUNS).map(|_| timed()).collect::<Result<Vec<_>, _>>()?;
    let startup = Startup { compiled_seconds, cached_seconds: median(&mut cached) };

    let registry = open()?;
    let name = crate::discovery::name_of(path);
    let subject = Conformance { registry: &registry, plugin: &name, models, cases };
    let inspection = subject.inspection()?;
    let mut bench = Bench {
        plugin: name.clone(),
        digest: inspection.digest.to_string(),
        wasmtime: crate::WASMTIME_VERSION,
        bytes: inspection.bytes,
        startup,
        costs: Vec::new(),
        skipped: Vec::new(),
    };
    for info in &inspection.metrics {
        for side in SIDES {
            match metric(&subject, info, side) {
                Ok(cost) => bench.costs.push(cost),
                Err(why) => {
                    bench.skipped.push((info.name.clone(), why));
                    break;
                }
            }
        }
    }
    for info in &inspection.prompt_generators {
        match generator(&subject, info) {
            Ok(cost) => bench.costs.push(cost),
            Err(why) => bench.skipped.push((info.name.clone(), why)),
        }
    }
    Ok(bench)
}

fn metric(subject: &Conformance<'_>, info: &MetricInfo, side: u32) -> Result<Cost, String> {
    let input = of_size(info.kind, side, side);
    let mut last = super::config::NEEDS_CONFIG.to_owned();
    for config in subject.configs(&info.name) {
        let answer = subject.metric(&info.name, &config).and_then(|metric| cost(&metric, &input));
        match answer {
            Ok((fuel, seconds)) => {
                let of = match &input {
                    Input::Set(images, _) => format!("{} images of {side}x{side}", images.len()),
                    _ => format!("{side}x{side}"),
                };
                let megapixels = input.pixels() as f64 / 1e6;
                let fuel_per_megapixel = Some((fuel as f64 / megapixels).round() as u64);
                return Ok(Cost { name: info.name.clone(), of, fuel, fuel_per_megapixel, seconds });
            }
            Err(error) if error.kind == "invalid-config" => {}
            Err(error) if error.kind == "model-not-found" && subject.models.is_none() => {
                return Err(super::NEEDS_MODEL.to_owned());
            }
            Err(error) => last = said(&error),
        }
    }
    Err(last)
}

/// Fuel, and the median of some calls in seconds.
fn cost(metric: &AnyMetric, input: &Input) -> Result<(u64, f64), MetricError> {
    let image = match input {
        Input::One(image) | Input::Pair(image, _) => Some(image),
        Input::Set(..) => None,
    };
    let sample = sample("bench", image);
    let fuel = input.measure(metric, &sample)?.fuel.unwrap_or(0);
    let mut seconds = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let began = Instant::now();
        input.measure(metric, &sample)?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok((fuel, median(&mut seconds)))
}

fn generator(subject: &Conformance<'_>, info: &GeneratorInfo) -> Result<Cost, String> {
    let generator = subject.registry.prompt_generator(&info.name).map_err(|error| said(&as_metric_error(error)))?;
    let mut last = super::config::NEEDS_CONFIG.to_owned();
    let gather = |config: &Value| generator.gather(config, 42, PROMPTS, PAGE);
    for config in subject.configs(&info.name) {
        match gather(&config) {
            Err(error) if error.kind == "invalid-config" => {}
            Err(error) => last = said(&error),
            Ok((prompts, fuel)) => {
                let mut seconds = Vec::with_capacity(RUNS);
                for _ in 0..RUNS {
                    let began = Instant::now();
                    gather(&config).map_err(|error| said(&error))?;
                    seconds.push(began.elapsed().as_secs_f64());
                }
                let of = format!("{} prompts", prompts.len());
                let seconds = median(&mut seconds);
                return Ok(Cost { name: info.name.clone(), of, fuel, fuel_per_megapixel: None, seconds });
            }
        }
    }
    Err(last)
}

/// The middle of `values`, which are some.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
