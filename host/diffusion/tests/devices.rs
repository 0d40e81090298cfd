//! Devices beside the CPU, as far as this machine has them.
#![allow(clippy::unwrap_used)]

mod support;

use difftest_diffusion::models::Unet;
use difftest_diffusion::session::{Device, Precision, SessionOptions};
use support::*;

/// What difftest's own model gives on OpenVINO, against the CPU.
#[test]
#[ignore = "needs `difftest runtime install openvino` and an Intel processor"]
fn openvino_agrees_with_the_cpu() {
    for precision in [Precision::F32, Precision::Bf16] {
        let there = SessionOptions { device: Device::OpenVino, rounding: precision, ..options() };
        let shape = [2, 4, 8, 8];
        let sample: Vec<f32> = (0..512).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
        let cpu = Unet::load(&model("shapes/unet"), &options()).unwrap();
        let unet = Unet::load(&model("shapes/unet"), &there).unwrap();
        let width = cpu.cross_attention_dim();
        let texts: Vec<f32> = (0..2 * 77 * width).map(|i| ((i * 31 % 97) as f32 - 48.0) / 48.0).collect();
        let a = cpu.predict(&sample, shape, 500.0, &texts).unwrap();
        let t = std::time::Instant::now();
        let b = unet.predict(&sample, shape, 500.0, &texts).unwrap();
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let most = a.iter().fold(0.0f32, |m, a| m.max(a.abs()));
        println!("{precision}: {worst} of {most}; {:?} {:?}", t.elapsed(), there.placements.list());
    }
}
