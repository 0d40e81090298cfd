//! The pinned packages.
//!
//! To move to another version: change it here, download each wheel with the arguments of the `pip` module, and put its
//! SHA-256, its length, and the length of the files that are taken from it here. What ONNX Runtime's CUDA provider needs
//! is said by the extras `cuda` and `cudnn` of its package, and by what the provider library itself links to: cuBLAS,
//! cuRAND, the CUDA runtime and the driver at once, cuDNN and cuFFT when they are first used. cuBLAS and cuFFT bring NVRTC
//! and nvJitLink.

use super::package::{PACKAGE_VERSION, Provider, Wheel};

/// `(provider, operating system, architecture)` as in [`std::env::consts`], and the wheels: the main library's first.
pub(super) type Pin = (Provider, &'static str, &'static str, &'static [Wheel]);

/// Where ONNX Runtime's packages keep their libraries.
const CAPI: &str = "onnxruntime/capi/";
/// Where NVIDIA's packages keep theirs.
const LINUX_CUDA: &str = "nvidia/cu13/lib/";
const WINDOWS_CUDA: &str = "nvidia/cu13/bin/x86_64/";

const LINUX_X64: Wheel = Wheel {
    package: "onnxruntime",
    version: PACKAGE_VERSION,
    platform: "manylinux_2_28_x86_64",
    folder: CAPI,
    bytes: 23_760_988,
    unpacked: 29_366_832,
    sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
};

const WINDOWS_X64: Wheel = Wheel {
    package: "onnxruntime",
    version: PACKAGE_VERSION,
    platform: "win_amd64",
    folder: CAPI,
    bytes: 14_888_466,
    unpacked: 19_310_192,
    sha256: "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130",
};

/// A wheel of NVIDIA or Intel.
const fn wheel(
    (package, version): (&'static str, &'static str),
    platform: &'static str,
    folder: &'static str,
    (bytes, unpacked): (u64, u64),
    sha256: &'static str,
) -> Wheel {
    Wheel { package, version, platform, folder, bytes, unpacked, sha256 }
}

const CUBLAS: (&str, &str) = ("nvidia-cublas", "13.10.0.20");
const NVRTC: (&str, &str) = ("nvidia-cuda-nvrtc", "13.5.37");
const CUDART: (&str, &str) = ("nvidia-cuda-runtime", "13.5.37");
const CUDNN: (&str, &str) = ("nvidia-cudnn-cu13", "9.28.0.42");
const CUFFT: (&str, &str) = ("nvidia-cufft", "12.5.0.14");
const CURAND: (&str, &str) = ("nvidia-curand", "10.4.5.25");
const NVJITLINK: (&str, &str) = ("nvidia-nvjitlink", "13.5.37");
const OPENVINO: (&str, &str) = ("onnxruntime-ep-openvino", "1.8.1");

#[rustfmt::skip]
pub(super) const PINS: [Pin; 9] = [
    (Provider::Cpu, "linux", "x86_64", &[LINUX_X64]),
    (Provider::Cpu, "linux", "aarch64", &[Wheel {
        package: "onnxruntime", version: PACKAGE_VERSION, platform: "manylinux_2_28_aarch64", folder: CAPI,
        bytes: 21_420_803, unpacked: 25_463_832,
        sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
    }]),
    (Provider::Cpu, "macos", "aarch64", &[Wheel {
        package: "onnxruntime", version: PACKAGE_VERSION, platform: "macosx_14_0_arm64", folder: CAPI,
        bytes: 20_882_125, unpacked: 33_037_336,
        sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
    }]),
    (Provider::Cpu, "windows", "x86_64", &[WINDOWS_X64]),
    (Provider::Cpu, "windows", "aarch64", &[Wheel {
        package: "onnxruntime", version: PACKAGE_VERSION, platform: "win_arm64", folder: CAPI,
        bytes: 14_740_724, unpacked: 19_192_944,
        sha256: "fe8b9ac1ae8e894e12c47ee82e4f6dfc1835768133687257866469fda80d0bf1",
    }]),
    (Provider::Cuda, "linux", "x86_64", &[
        Wheel {
            package: "onnxruntime-gpu", version: PACKAGE_VERSION, platform: "manylinux_2_28_x86_64", folder: CAPI,
            bytes: 255_569_273, unpacked: 313_451_216,
            sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
        },
        wheel(CUBLAS, "manylinux_2_5_x86_64", LINUX_CUDA, (444_289_903, 608_935_360),
            "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84"),
        wheel(NVRTC, "manylinux_2_12_x86_64", LINUX_CUDA, (58_185_930, 148_431_960),
            "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc"),
        wheel(CUDART, "manylinux_2_17_x86_64", LINUX_CUDA, (2_504_024, 806_720),
            "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d"),
        wheel(CUDNN, "manylinux_2_27_x86_64", "nvidia/cudnn/lib/", (516_782_127, 940_113_128),
            "7358353c75bb121a58e5f7712fe6d588883dc1df8ba00f428237e44e97543c4d"),
        wheel(CUFFT, "manylinux_2_17_x86_64", LINUX_CUDA, (165_072_555, 236_983_152),
            "b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad"),
        wheel(CURAND, "manylinux_2_27_x86_64", LINUX_CUDA, (77_113_015, 104_860_296),
            "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529"),
        wheel(NVJITLINK, "manylinux_2_12_x86_64", LINUX_CUDA, (46_642_491, 117_247_464),
            "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb"),
    ]),
    (Provider::Cuda, "windows", "x86_64", &[
        Wheel {
            package: "onnxruntime-gpu", version: PACKAGE_VERSION, platform: "win_amd64", folder: CAPI,
            bytes: 168_098_228, unpacked: 213_302_224,
            sha256: "2bb1e9373baba88f6415257f5b6a589d23e23c16004f7d89adf4344eada5749e",
        },
        wheel(CUBLAS, "win_amd64", WINDOWS_CUDA, (427_284_863, 554_315_488),
            "c310b749eea855b88fafb906de08d6819b87216c6711640771764fea5dcd8546"),
        wheel(NVRTC, "win_amd64", WINDOWS_CUDA, (49_248_991, 119_174_368),
            "e8e6c10b251385707ae3abd7b4ee118de6736fd7678d0f0f4eab4d759f679c21"),
        wheel(CUDART, "win_amd64", WINDOWS_CUDA, (2_780_254, 551_024),
            "f225d3fa5ea6bfbb58fc4979ef72375cbe661d9107f0d8a4ff22cc151525e4a9"),
        wheel(CUDNN, "win_amd64", "nvidia/cudnn/bin/", (406_229_469, 602_715_232),
            "fdddb1a8be28b5c95893bb1646822c53b3cf4a762e957c74ee1dd8f411993f05"),
        wheel(CUFFT, "win_amd64", WINDOWS_CUDA, (164_476_208, 236_194_928),
            "78e7585159ecf37d73af1ce43a5dea7fd3360e1af71cde08f070c07966a336bc"),
        wheel(CURAND, "win_amd64", WINDOWS_CUDA, (77_330_709, 105_042_032),
            "f6a02a70f5b9715235df31a164a4bf3237a45be1600a5f435f5e4a0d8682eb22"),
        wheel(NVJITLINK, "win_amd64", WINDOWS_CUDA, (41_467_665, 103_557_232),
            "4465d4e8f2212118220b580c82523c5654f93a62906bd51d29d79bdfc12376c1"),
    ]),
    (Provider::OpenVino, "linux", "x86_64", &[
        LINUX_X64,
        wheel(OPENVINO, "manylinux_2_28_x86_64", "onnxruntime_ep_openvino/", (52_587_628, 158_497_351),
            "3832643158c8c187fcab6db661cde2a8c06a2b3559d95d0f2411ac0e51c5e924"),
    ]),
    (Provider::OpenVino, "windows", "x86_64", &[
        WINDOWS_X64,
        wheel(OPENVINO, "win_amd64", "onnxruntime_ep_openvino/", (75_824_318, 227_332_433),
            "1acd878be173b02bb8b953460f2f59b121e5f6e47ebc6aad490c0590cf6718fb"),
    ]),
];
