//! The real plugins, built once, and images to measure.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

pub mod models;
pub mod sets;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::SystemTime;

use difftest_core::image::Image;
use difftest_core::metric::{AnyMetric, ImageSet, Item, Metric, MetricError, Sample, Score, SetMetric};
use difftest_core::model::Models;
use difftest_plugin::log::LogLine;
use difftest_plugin::{Limits, Registry, RegistryError};
use serde_json::Value;

/// Components of first-party plugins and the examples of `hostile`, by the name of their target.
const PLUGINS: [&str; 4] = ["hostile", "image_stats", "prompt_matrix", "set_stats"];
const EXAMPLES: [&str; 4] = ["forbidden_sockets", "forbidden_files", "forbidden_clock", "hostile_models"];

/// Where they are, built first where they are missing or older than what they are made of.
static COMPONENTS: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(|| {
    let release = workspace().join("target/wasm32-wasip2/release");
    let plugins = PLUGINS.map(|name| (name.to_owned(), release.join(name).with_extension("wasm")));
    let examples = EXAMPLES.map(|name| (name.to_owned(), release.join("examples").join(name).with_extension("wasm")));
    let components: HashMap<_, _> = plugins.into_iter().chain(examples).collect();
    let packages = PLUGINS.map(|name| name.replace('_', "-"));
    let sources = packages.iter().map(|package| format!("plugins/{package}"));
    let sources = sources.chain(["sdk/rust", "wit"].map(str::to_owned));
    let changed = sources.map(|folder| newest(&workspace().join(folder))).max().unwrap();
    if components.values().all(|path| modified(path).is_some_and(|built| built >= changed)) {
        return components;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).args(["build", "--release", "--target", "wasm32-wasip2", "--lib"]);
    command.arg("--target-dir").arg(workspace().join("target"));
    for package in packages {
        command.args(["-p", &package]);
    }
    for name in EXAMPLES {
        command.args(["--example", name]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "the plugins do not build:\n{}", String::from_utf8_lossy(&output.stderr));
    components
});

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// When any Rust source, manifest or WIT below `folder` was last changed; tests do not go into components.
fn newest(folder: &Path) -> SystemTime {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let times = entries.filter_map(|path| match path.extension().and_then(|extension| extension.to_str()) {
        _ if path.is_dir() => (!path.ends_with("tests")).then(|| newest(&path)),
        Some("rs" | "toml" | "wit") => modified(&path),
        _ => None,
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The component of a plugin or of one of its examples.
pub fn component(name: &str) -> &'static Path {
    COMPONENTS.get(name).unwrap_or_else(|| panic!("no component `{name}` was built: {COMPONENTS:?}"))
}

/// A registry over these component files, and the lines its plugins log.
pub fn registry_of(files: &[&Path], limits: Limits) -> (Registry, Arc<Mutex<Vec<LogLine>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let files: Vec<_> = files.iter().map(|file| file.to_path_buf()).collect();
    let registry = Registry::discover(&files, limits)
        .unwrap()
        .with_cache(Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")))
        .with_sink(Arc::new(move |line| sink.lock().unwrap().push(line)));
    (registry, lines)
}

pub fn hostile(limits: Limits) -> (Registry, Arc<Mutex<Vec<LogLine>>>) {
    registry_of(&[component("hostile")], limits)
}

/// A gradient, so that every pixel differs from its neighbours.
pub fn image(width: u32, height: u32) -> Image {
    let pixel = |i: u32| [(i % width * 7) as u8, (i / width * 5) as u8, (i % 251) as u8];
    Image::new(width, height, (0..width * height).flat_map(pixel).collect::<Vec<_>>()).unwrap()
}

pub fn sample(id: &str) -> Sample {
    Sample { id: id.to_owned(), prompt: "a red circle".into(), negative_prompt: None, seed: 42, attributes: Vec::new() }
}

/// A metric of images or pairs.
pub fn each(registry: &Registry, name: &str, config: &Value) -> Result<Arc<dyn Metric>, RegistryError> {
    match registry.metric(name, config, None)? {
        AnyMetric::Each(metric) => Ok(metric),
        AnyMetric::Set(_) => panic!("`{name}` measures sets"),
    }
}

/// A metric of sets.
pub fn set(registry: &Registry, name: &str, config: &Value, models: Option<&Arc<dyn Models>>) -> Arc<dyn SetMetric> {
    match registry.metric(name, config, models).unwrap_or_else(|error| panic!("{error}")) {
        AnyMetric::Set(metric) => metric,
        AnyMetric::Each(_) => panic!("`{name}` measures images"),
    }
}

/// What a metric of any kind makes of `image`: alone, beside itself, or as a set of three.
pub fn measure_with(
    registry: &Registry,
    name: &str,
    config: &Value,
    image: &Image,
    models: Option<&Arc<dyn Models>>,
) -> Result<Score, MetricError> {
    let reference = Some(image.clone());
    let item = Item { image: image.clone(), sample: sample("suite::test[a,42]"), reference };
    match registry.metric(name, config, models).unwrap_or_else(|error| panic!("{error}")) {
        AnyMetric::Each(metric) => metric.measure(&[item]).remove(0),
        AnyMetric::Set(metric) => {
            let images: Arc<dyn ImageSet> = sets::Gradients::new([20, 30, 40]);
            metric.measure(&images, None)
        }
    }
}

/// One image through a metric, without models.
pub fn measure(registry: &Registry, name: &str, config: &Value, image: &Image) -> Result<Score, MetricError> {
    measure_with(registry, name, config, image, None)
}

/// Why `name` cannot be had, as the run records it.
pub fn refusal(registry: &Registry, name: &str) -> MetricError {
    match registry.metric(name, &Value::Null, None) {
        Err(RegistryError::Load(error)) => error.into(),
        Err(RegistryError::Refused(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("`{name}` was loaded"),
    }
}

/// Nothing in `text` may change how a terminal shows what is around it.
pub fn assert_harmless(text: &str) {
    let harmful = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!text.contains(harmful), "{text:?}");
}
