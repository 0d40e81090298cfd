//! The five image-stats metrics on one thread: as components in the sandbox, or the same code compiled natively.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, Item, Metric, Sample};
use difftest_plugin::{Limits, Registry};
use difftest_sdk::MetricPlugin;
use serde_json::{Value, json};

use crate::Result;

const METRICS: [&str; 5] = ["brightness", "contrast", "sharpness", "colorfulness", "entropy"];

/// As many as the Python side.
const WARM_UP: usize = 5;

pub(crate) fn measure(
    side: &str,
    plugins: &str,
    images: &str,
    count: &str,
    side_length: &str,
    scores: &str,
) -> Result<Value> {
    let (count, side_length): (usize, u32) = (count.parse()?, side_length.parse()?);
    let bytes = std::fs::read(images)?;
    let length = side_length as usize * side_length as usize * 3;
    if bytes.len() != length * count {
        return Err(format!("{images} does not hold {count} images of {side_length}x{side_length}").into());
    }
    let pixels = bytes.chunks_exact(length);
    let (seconds, values) = match side {
        "sandbox" => {
            let images = pixels.map(|pixels| Ok(Item::new(Image::new(side_length, side_length, pixels)?, sample())));
            in_sandbox(plugins, &images.collect::<Result<Vec<_>>>()?)?
        }
        "native" => {
            let images = pixels.map(|pixels| difftest_sdk::Image::from_rgb8(side_length, side_length, pixels.to_vec()));
            natively(&images.collect::<Vec<_>>())?
        }
        other => return Err(format!("there is no side `{other}`: sandbox or native").into()),
    };
    std::fs::write(scores, serde_json::to_string(&values)?)?;
    Ok(json!({ "seconds": seconds, "images": count }))
}

/// Seconds, and the five scores of each image.
type Measured = (f64, Vec<Vec<f64>>);

fn timed<I>(images: &[I], score: impl Fn(&I) -> Result<Vec<f64>>) -> Result<Measured> {
    for image in images.iter().take(WARM_UP) {
        score(image)?;
    }
    let began = Instant::now();
    let values = images.iter().map(score).collect::<Result<Vec<_>>>()?;
    Ok((began.elapsed().as_secs_f64(), values))
}

fn in_sandbox(plugins: &str, images: &[Item]) -> Result<Measured> {
    let registry = Registry::discover(&[PathBuf::from(plugins)], Limits::default())?;
    let load = |name: &str| -> Result<Arc<dyn Metric>> {
        match registry.metric(&format!("image-stats/{name}"), &Value::Null, None)? {
            AnyMetric::Each(metric) => Ok(metric),
            AnyMetric::Set(_) => Err(format!("`{name}` is not a metric of one image").into()),
        }
    };
    let metrics = METRICS.map(load).into_iter().collect::<Result<Vec<_>>>()?;
    timed(images, |image| {
        let score = |metric: &Arc<dyn Metric>| match metric.measure(std::slice::from_ref(image)).pop() {
            Some(score) => Ok(score?.value),
            None => Err("a metric gave no answer".into()),
        };
        metrics.iter().map(score).collect()
    })
}

fn natively(images: &[difftest_sdk::Image]) -> Result<Measured> {
    let sample = difftest_sdk::Sample::default();
    timed(images, |image| {
        let score = |name: &str| match image_stats::Metrics::measure(name, image, &sample, "") {
            Ok(score) => Ok(score.value),
            Err(error) => Err(format!("{name}: {error:?}").into()),
        };
        METRICS.into_iter().map(score).collect()
    })
}

fn sample() -> Sample {
    Sample { id: "bench".into(), prompt: String::new(), negative_prompt: None, seed: 0, attributes: Vec::new() }
}
