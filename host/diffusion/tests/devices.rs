//! Devices beside the CPU, as far as this machine has them, and what is written for them and runs on the CPU too.
#![allow(clippy::unwrap_used)]

mod support;

use difftest_diffusion::models::Unet;
use difftest_diffusion::session::{Device, Precision, SessionOptions, start_device};
use support::*;

/// `[2, 4, 8, 8]` and two texts, the same on every machine.
fn inputs(unet: &Unet, seed: usize) -> (Vec<f32>, Vec<f32>) {
    let wave = |count: usize, step: usize| {
        (0..count).map(|i| ((i * step + seed * 7) % 101) as f32 / 25.0 - 2.0).collect::<Vec<_>>()
    };
    (wave(2 * 4 * 8 * 8, 37), wave(2 * 77 * unet.cross_attention_dim(), 31))
}

const SHAPE: [usize; 4] = [2, 4, 8, 8];

/// On a GPU, texts stay on the device. The same code on the CPU gives the bits of plain calls, whichever texts take turns,
/// and more of them than a lane keeps.
#[test]
fn texts_that_stay_bound_change_no_bit() {
    let plain = Unet::load(&model("shapes/unet"), &options()).unwrap();
    let bound = Unet::load(&model("shapes/unet"), &SessionOptions { bind: true, ..options() }).unwrap();
    let texts: Vec<_> = (0..6)
        .map(|seed| {
            let (_, texts) = inputs(&plain, seed);
            plain.project_texts(&texts, 2, None, None).unwrap()
        })
        .collect();
    for step in 0..3 {
        let (sample, _) = inputs(&plain, 100 + step);
        for (turn, texts) in texts.iter().enumerate() {
            let timestep = 900.0 - 100.0 * step as f32;
            let wanted = plain.predict_under(&sample, SHAPE, timestep, texts).unwrap();
            let found = bound.predict_under(&sample, SHAPE, timestep, texts).unwrap();
            assert!(wanted.iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()), "step {step}, texts {turn}");
        }
    }
    // A call that fails leaves nothing behind.
    let (sample, _) = inputs(&plain, 0);
    assert!(bound.predict_under(&sample[1..], SHAPE, 1.0, &texts[0]).is_err());
    let wanted = plain.predict_under(&sample, SHAPE, 1.0, &texts[0]).unwrap();
    assert_eq!(bound.predict_under(&sample, SHAPE, 1.0, &texts[0]).unwrap(), wanted);
}

/// Nothing runs on the CPU that was meant for another device.
#[test]
fn devices_that_are_not_here_are_errors() {
    #[cfg(not(target_os = "macos"))]
    {
        let error = start_device(Device::CoreMl).unwrap_err();
        assert!(error.to_string().starts_with("coreml does not exist on"), "{error}");
        assert!(error.hint().unwrap().contains("--device cpu"));
    }
    // No machine has so many GPUs; most have no driver.
    let error = start_device(Device::Cuda(9999)).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("--device") || hint.contains("number")), "{error}");
    let there = SessionOptions { device: Device::Cuda(9999), precision: Precision::F16, ..options() };
    assert!(Unet::load(&model("shapes/unet"), &there).is_err());
}

/// Formats that a device does not have are refused before anything is loaded.
#[test]
fn a_format_that_the_cpu_does_not_have_is_refused() {
    let error =
        Unet::load(&model("shapes/unet"), &SessionOptions { precision: Precision::Bf16, ..options() }).unwrap_err();
    assert_eq!(error.to_string(), "cpu does not run networks in bf16");
}

/// On OpenVINO, against the CPU: the same within rounding in `f32`, and close in bf16; a session of the CPU that is made
/// afterwards is still one of the CPU. Measured: 2.4e-6 and 0.015 of values up to 2.5.
#[test]
#[ignore = "needs `difftest runtime install openvino` and an Intel processor"]
fn openvino_agrees_with_the_cpu() {
    let cpu = Unet::load(&model("shapes/unet"), &options()).unwrap();
    let (sample, texts) = inputs(&cpu, 1);
    let wanted = cpu.predict(&sample, SHAPE, 500.0, &texts).unwrap();
    for (rounding, tolerance) in [(Precision::F32, 1e-4), (Precision::Bf16, 0.05)] {
        let there = SessionOptions { device: Device::OpenVino, rounding, ..options() };
        let unet = Unet::load(&model("shapes/unet"), &there).unwrap();
        let found = unet.predict(&sample, SHAPE, 500.0, &texts).unwrap();
        assert_close(&format!("OpenVINO in {rounding}"), &found, &wanted, tolerance);
        assert!(rounding == Precision::F32 || found != wanted, "it rounds as it was told");
        let placed = there.placements.list();
        assert!(placed.iter().all(|(_, nodes)| nodes.starts_with("OpenVINOExecutionProvider ")), "{placed:?}");
    }
    let after = Unet::load(&model("shapes/unet"), &options()).unwrap();
    assert_eq!(after.predict(&sample, SHAPE, 500.0, &texts).unwrap(), wanted, "the CPU is still the CPU");
}
