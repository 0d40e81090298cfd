//! Operators that a device has no code for.
//!
//! ONNX Runtime's tools fuse graphs for one kind of device, and such a graph does not run on another. The runtime then says
//! "failed to find kernel" for one node; this says what the graph was made for before anything is loaded.

use super::read::GraphFile;
use crate::session::Device;

/// ONNX Runtime's own operators (`com.microsoft`) that its CPU provider has no kernel for, sorted: those of the schema registry of
/// ONNX Runtime 1.31.1 that its list of CPU kernels lacks, without the ones that expand to standard operators.
const NOT_ON_CPU: &[&str] = &[
    "BiasAdd",
    "BiasDropout",
    "BiasSoftmax",
    "BiasSplitGelu",
    "BitmaskBiasDropout",
    "BitmaskDropout",
    "ComplexMul",
    "ComplexMulConj",
    "DecoderAttention",
    "DecoderMaskedSelfAttention",
    "DequantizeBFP",
    "DequantizeWithOrder",
    "DynamicSparseAttention",
    "EPContext",
    "FusedMatMulActivation",
    "GatedDeltaNet",
    "GatedRelativePositionBias",
    "GemmFastGelu",
    "GemmFloat8",
    "GemmaRotaryEmbedding",
    "GroupNorm",
    "Irfft",
    "IsAllFinite",
    "LongformerAttention",
    "MatMulBlockQuantizedFp4Weight",
    "MatMulBlockQuantizedFp8Weight",
    "MatMulNBitsMlp",
    "MatMulNBitsQkv",
    "MulInteger",
    "NhwcConv",
    "NhwcFusedConv",
    "PackedAttention",
    "PackedMultiHeadAttention",
    "PackedSparseAttentionIndexer",
    "PagedAttention",
    "QLinearReduceMean",
    "QOrderedAttention",
    "QOrderedGelu",
    "QOrderedLayerNormalization",
    "QOrderedLongformerAttention",
    "QOrderedMatMul",
    "QuantizeBFP",
    "QuantizeWithOrder",
    "ReduceSumInteger",
    "RelativePositionBias",
    "RemovePadding",
    "RestorePadding",
    "Rfft",
    "SkipGroupNorm",
    "Snpe",
    "SparseAttentionIndexer",
    "SparsePagedAttention",
    "TorchEmbedding",
    "VarlenCausalConvWithState",
];

/// Domains whose operators ONNX Runtime has.
const KNOWN_DOMAINS: &[&str] = &[
    "ai.onnx.ml",
    "ai.onnx.preview",
    "ai.onnx.preview.training",
    "ai.onnx.training",
    "com.microsoft",
    "com.microsoft.nchwc",
];

/// The operators of `graph` that `device` cannot run, by name, and why. `None` where nothing is known to be amiss.
pub(crate) fn unknown_to(device: Device, graph: &GraphFile) -> Option<(Vec<String>, &'static str)> {
    let names = |wanted: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
        let found = graph.operators.iter().filter(|(domain, name)| wanted(domain, name));
        found.map(|(domain, name)| format!("{domain}.{name}")).collect()
    };
    let foreign = names(&|domain, _| !KNOWN_DOMAINS.contains(&domain));
    if !foreign.is_empty() {
        return Some((foreign, "they come from a library that is not part of ONNX Runtime"));
    }
    let fused = names(&|domain, name| domain == "com.microsoft" && NOT_ON_CPU.binary_search(&name).is_ok());
    // The GPU is what such graphs are fused for; what it does not have either, the runtime names.
    let elsewhere = !matches!(device, Device::Cuda(_)) && !fused.is_empty();
    elsewhere.then_some((fused, "the graph was fused for NVIDIA GPUs"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn graphs_fused_for_a_gpu_are_told_from_others() {
        assert!(NOT_ON_CPU.is_sorted());
        let graph = |operators: &[(&str, &str)]| GraphFile {
            operators: operators.iter().map(|(domain, name)| ((*domain).to_owned(), (*name).to_owned())).collect(),
            ..GraphFile::default()
        };
        let fused = graph(&[("com.microsoft", "GroupNorm"), ("com.microsoft", "MultiHeadAttention")]);
        assert_eq!(unknown_to(Device::Cpu, &fused).unwrap().0, ["com.microsoft.GroupNorm"]);
        assert!(unknown_to(Device::Cuda(0), &fused).is_none());
        assert!(unknown_to(Device::Cpu, &graph(&[("com.microsoft", "FusedMatMul")])).is_none());
        let foreign = graph(&[("trt.plugins", "GroupNorm")]);
        assert_eq!(unknown_to(Device::Cuda(0), &foreign).unwrap().0, ["trt.plugins.GroupNorm"]);
    }
}
