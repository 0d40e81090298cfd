//! NVIDIA's libraries, as the CUDA install brings them.
//!
//! ONNX Runtime's CUDA provider finds them by name alone and knows no folder, so they are loaded from theirs before it:
//! the system's loader then takes the ones that are there. The driver's own library (`libcuda.so.1`, `nvcuda.dll`) comes
//! with the driver and is in no package.

use std::path::{Path, PathBuf};

/// In the order of their dependencies.
#[cfg(windows)]
pub const LIBRARIES: [&str; 15] = [
    "cudart64_13.dll",
    "nvrtc64_130_0.dll",
    "cublasLt64_13.dll",
    "cublas64_13.dll",
    "curand64_10.dll",
    "nvJitLink_130_0.dll",
    "cufft64_12.dll",
    "cudnn64_9.dll",
    "cudnn_graph64_9.dll",
    "cudnn_ops64_9.dll",
    "cudnn_cnn64_9.dll",
    "cudnn_adv64_9.dll",
    "cudnn_heuristic64_9.dll",
    "cudnn_engines_precompiled64_9.dll",
    "cudnn_engines_runtime_compiled64_9.dll",
];
/// In the order of their dependencies.
#[cfg(not(windows))]
pub const LIBRARIES: [&str; 15] = [
    "libcudart.so.13",
    "libnvrtc.so.13",
    "libcublasLt.so.13",
    "libcublas.so.13",
    "libcurand.so.10",
    "libnvJitLink.so.13",
    "libcufft.so.12",
    "libcudnn.so.9",
    "libcudnn_graph.so.9",
    "libcudnn_ops.so.9",
    "libcudnn_cnn.so.9",
    "libcudnn_adv.so.9",
    "libcudnn_heuristic.so.9",
    "libcudnn_engines_precompiled.so.9",
    "libcudnn_engines_runtime_compiled.so.9",
];

/// The paths of those that lie in a folder, in load order. Empty for a library of the user's own, which finds them
/// wherever the system keeps them.
#[must_use]
pub fn beside(folder: &Path) -> Vec<PathBuf> {
    LIBRARIES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}

/// Whether the folder holds all of them.
pub(super) fn complete(folder: &Path) -> bool {
    beside(folder).len() == LIBRARIES.len()
}
