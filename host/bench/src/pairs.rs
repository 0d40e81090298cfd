//! Pair metrics: SSIM of neighbouring raw images on one thread, and hashes of images that are decoded on the way on some threads;
//! and decoding alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, Item, Metric, Sample};
use difftest_metrics::decode;
use difftest_plugin::{Limits, Registry};
use difftest_sdk::PairMetricPlugin;
use serde_json::{Value, json};

use crate::{Result, threads};

/// `count` times the SSIM of an image and the next one, the last with the first.
pub(crate) fn ssim(side: &str, plugins: &str, images: &str, size: [&str; 2], scores: &str) -> Result<Value> {
    let (count, length): (usize, u32) = (size[0].parse()?, size[1].parse()?);
    let bytes = std::fs::read(images)?;
    let pixels: Vec<&[u8]> = bytes.chunks_exact(length as usize * length as usize * 3).take(count).collect();
    if pixels.len() != count {
        return Err(format!("{images} does not hold {count} images of {length}x{length}").into());
    }
    let (seconds, values) = match side {
        "sandbox" => {
            let image = |pixels: &&[u8]| Ok(Image::new(length, length, *pixels)?);
            let images = pixels.iter().map(image).collect::<Result<Vec<_>>>()?;
            let metric = metric(plugins, "ssim/ssim")?;
            timed(count, |index| one(&*metric, images[index].clone(), images[(index + 1) % count].clone()))?
        }
        "native" => {
            let image = |pixels: &&[u8]| difftest_sdk::Image::from_rgb8(length, length, pixels.to_vec());
            let images: Vec<_> = pixels.iter().map(image).collect();
            let sample = difftest_sdk::Sample::default();
            timed(count, |index| {
                let reference = &images[(index + 1) % count];
                match ssim::PairMetrics::measure("ssim", &images[index], reference, &sample, "") {
                    Ok(score) => Ok(score.value),
                    Err(error) => Err(format!("{error:?}").into()),
                }
            })?
        }
        other => return Err(format!("there is no side `{other}`: sandbox or native").into()),
    };
    std::fs::write(scores, serde_json::to_string(&values)?)?;
    Ok(json!({ "seconds": seconds }))
}

/// The pHash distance of `0.png` and `1.png`, `2.png` and `3.png`, ...: `count` images in all, each decoded once.
pub(crate) fn phash(plugins: &str, folder: &str, [count, threads]: [&str; 2], scores: &str) -> Result<Value> {
    let (count, threads): (usize, usize) = (count.parse()?, threads.parse()?);
    let metric = metric(plugins, "phash/phash-distance")?;
    let read = |index: usize| -> Result<Image> {
        Ok(decode::read(&Path::new(folder).join(format!("{index}.png")), &decode::Limits::default())?)
    };
    let score = |pair: usize| one(&*metric, read(2 * pair)?, read(2 * pair + 1)?);
    let (values, seconds) = threads::each(count / 2, threads, score)?;
    std::fs::write(scores, serde_json::to_string(&values)?)?;
    Ok(json!({ "seconds": seconds }))
}

/// Only reads and decodes `count` images.
pub(crate) fn read(folder: &str, [count, threads]: [&str; 2]) -> Result<Value> {
    let limits = decode::Limits::default();
    let read = |index: usize| Ok(decode::read(&Path::new(folder).join(format!("{index}.png")), &limits)?.width());
    let (_, seconds) = threads::each(count.parse()?, threads.parse()?, read)?;
    Ok(json!({ "seconds": seconds }))
}

fn metric(plugins: &str, name: &str) -> Result<Arc<dyn Metric>> {
    let registry = Registry::discover(&[PathBuf::from(plugins)], Limits::default())?;
    match registry.metric(name, &Value::Null, None)? {
        AnyMetric::Each(metric) => Ok(metric),
        AnyMetric::Set(_) => Err(format!("`{name}` is a metric of sets").into()),
    }
}

fn one(metric: &dyn Metric, image: Image, reference: Image) -> Result<f64> {
    let sample =
        Sample { id: "bench".into(), prompt: String::new(), negative_prompt: None, seed: 0, attributes: Vec::new() };
    let item = Item { reference: Some(reference), ..Item::new(image, sample) };
    match metric.measure(&[item]).pop() {
        Some(score) => Ok(score?.value),
        None => Err("a metric gave no answer".into()),
    }
}

/// Seconds of `count` scores, after one that does not count.
fn timed(count: usize, score: impl Fn(usize) -> Result<f64>) -> Result<(f64, Vec<f64>)> {
    score(0)?;
    let began = Instant::now();
    let values = (0..count).map(score).collect::<Result<Vec<_>>>()?;
    Ok((began.elapsed().as_secs_f64(), values))
}
