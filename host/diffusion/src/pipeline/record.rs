//! The record of where images came from.

use difftest_core::generate::GeneratorInfo;
use difftest_core::key::Inputs;
use sysinfo::{CpuRefreshKind, RefreshKind, System};

use super::load::{LoadError, Options};
use super::model::Model;
use crate::lora::Adapters;
use crate::runtime;
use crate::session::{gpu_name, provider_options, runtime_build};
use crate::weights::Weights;

/// Counted up when graphs are built, or schedules, noise, guidance and pixels computed, differently in a way that may change a
/// bit: images that an earlier one made are then made again.
const GRAPHS: &str = "difftest-3";

/// What is recorded of a pipeline with every result.
pub(super) fn info(
    model: &Model,
    adapters: &Adapters,
    options: &Options,
    lanes: usize,
) -> Result<GeneratorInfo, LoadError> {
    Ok(GeneratorInfo {
        model: model.repository.reference().to_owned(),
        revision: model.repository.revision(),
        kind: model.family.kind().to_owned(),
        files: model.repository.digests()?,
        loras: adapters.infos(),
        environment: environment(model, options, lanes),
    })
}

/// Everything about the machine that images may depend on, and what they do not depend on but people ask for; sorted by name.
fn environment(model: &Model, options: &Options, lanes: usize) -> Vec<(String, String)> {
    let library = runtime::find_for(options.device.provider()).ok().and_then(|library| library.version);
    [
        ("cpu", cpu()),
        ("cpu-model", processor()),
        ("device", options.device.to_string()),
        ("graphs", GRAPHS.to_owned()),
        ("lanes", lanes.to_string()),
        ("onnxruntime", library.map_or_else(|| "unknown".to_owned(), |version| version.to_string())),
        ("onnxruntime-build", runtime_build(options.device).unwrap_or("unknown").to_owned()),
        ("optimization", "all".to_owned()),
        ("os", System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned())),
        ("precision", options.precision().to_string()),
        ("provider", options.device.provider_name().to_owned()),
        ("provider-options", provider_options(&options.session(lanes))),
        ("threads", options.threads().to_string()),
        ("together", options.together.max(1).to_string()),
        ("weights", formats(model, options)),
    ]
    .into_iter()
    .chain(gpu_name(options.device).map(|name| ("gpu", name)))
    .map(|(name, value)| (name.to_owned(), value))
    .collect::<std::collections::BTreeMap<_, _>>()
    .into_iter()
    .collect()
}

/// What scores of host metrics, and of plugins that ask models, depend on beside the models: they run on the device of `options`, in
/// `f32` always. Named as [`Generator::inputs`](difftest_core::generate::Generator::inputs) names the runtime of images.
#[must_use]
pub fn scoring_runtime(options: &Options) -> Inputs {
    let session = options.scoring_session();
    let library = runtime::find_for(options.device.provider()).ok().and_then(|library| library.version);
    let facts = [
        ("cpu", cpu()),
        ("device", options.device.to_string()),
        ("graphs", GRAPHS.to_owned()),
        ("onnxruntime", library.map_or_else(|| "unknown".to_owned(), |version| version.to_string())),
        ("onnxruntime-build", runtime_build(options.device).unwrap_or("unknown").to_owned()),
        ("provider", options.device.provider_name().to_owned()),
        ("provider-options", provider_options(&session)),
    ];
    let gpu = gpu_name(options.device).map(|name| ("gpu", name));
    facts.into_iter().chain(gpu).map(|(name, value)| (format!("runtime/{name}"), value)).collect()
}

/// In which number formats each part's weights are stored: `unet f16, vae f32`; a part that is an exported graph says so.
fn formats(model: &Model, options: &Options) -> String {
    let encoders = model.family.text_encoders().iter().map(|(part, _)| (*part, "model"));
    let parts = encoders.chain([("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model")]);
    let folder = model.repository.folder();
    let formats =
        parts.map(|(part, stem)| match Weights::open_for(&folder.join(part), stem, options.graph_precision()) {
            Ok(weights) => format!("{part} {}", weights.formats().into_iter().collect::<Vec<_>>().join("/")),
            Err(_) => format!("{part} onnx"),
        });
    formats.collect::<Vec<_>>().join(", ")
}

/// What the processor calls itself.
fn processor() -> String {
    let what = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(what).ok();
    let brand = system.as_ref().and_then(|system| system.cpus().first()).map(|cpu| cpu.brand().trim().to_owned());
    brand.filter(|brand| !brand.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// Architecture and the instruction sets that ONNX Runtime chooses its kernels by: another set may round differently.
fn cpu() -> String {
    let mut names = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        let sets = [
            ("avx", std::is_x86_feature_detected!("avx")),
            ("avx2", std::is_x86_feature_detected!("avx2")),
            ("fma", std::is_x86_feature_detected!("fma")),
            ("avx512f", std::is_x86_feature_detected!("avx512f")),
            ("avx512vnni", std::is_x86_feature_detected!("avx512vnni")),
        ];
        names.extend(sets.into_iter().filter(|(_, there)| *there).map(|(name, _)| name));
    }
    #[cfg(target_arch = "aarch64")]
    {
        let sets = [
            ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
            ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
            ("sve", std::arch::is_aarch64_feature_detected!("sve")),
        ];
        names.extend(sets.into_iter().filter(|(_, there)| *there).map(|(name, _)| name));
    }
    names.join(" ")
}
