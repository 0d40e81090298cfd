//! The record of where images came from.

use difftest_core::generate::GeneratorInfo;

use super::load::{LoadError, Options};
use super::model::Model;
use crate::lora::Adapters;
use crate::runtime;

/// Counted up when graphs are built differently in a way that may change a bit.
const GRAPHS: &str = "difftest-2";

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
        environment: environment(options, lanes),
    })
}

/// Everything about the machine that images may depend on, and what they do not depend on but people ask for; sorted by name.
fn environment(options: &Options, lanes: usize) -> Vec<(String, String)> {
    let library = runtime::find_for(options.device.provider()).ok().and_then(|library| library.version);
    [
        ("cpu", cpu()),
        ("device", options.device.to_string()),
        ("graphs", GRAPHS.to_owned()),
        ("lanes", lanes.to_string()),
        ("onnxruntime", library.map_or_else(|| "unknown".to_owned(), |version| version.to_string())),
        ("optimization", "all".to_owned()),
        ("precision", options.precision().to_string()),
        ("provider", options.device.provider_name().to_owned()),
        ("threads", options.threads().to_string()),
        ("together", options.together.max(1).to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
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
