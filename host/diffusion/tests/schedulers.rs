//! Our schedulers against diffusers', driven by a pseudo-model. `golden/sampling/make_schedulers.py` made the values.
//! Bit equality is not on offer: with Intel's vector library torch's own square root is off by one in the last place in a
//! sixth of all cases.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use difftest_diffusion::noise::{Noise, Stream};
use difftest_diffusion::scheduler::{Kind, SchedulerConfig, SchedulerError};
use serde_json::{Value, json};

const START: [f32; 6] = [1.5, -0.75, 0.25, -2.0, 0.0, 0.625];

fn pseudo_model(x: f32, t: f32) -> f32 {
    x * 0.5 - x.abs() * 0.25 + t / 4096.0
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

#[test]
fn steps_are_diffusers() {
    let golden: Value = serde_json::from_str(include_str!("golden/sampling/schedulers.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 50);
    let mut worst = 0.0_f32;
    for case in cases {
        let config = SchedulerConfig::from_json(&case["config"]).unwrap();
        let kind: Kind = case["scheduler"].as_str().unwrap().parse().unwrap();
        assert_eq!(config.own().unwrap(), kind);
        let mut scheduler = config.scheduler(kind, case["steps"].as_u64().unwrap() as u32).unwrap();
        let timesteps = scheduler.timesteps().to_vec();
        let expected = numbers(&case["timesteps"]);
        if expected.len() == timesteps.len() {
            let off = timesteps.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off <= 1e-4, "{case}: {timesteps:?}");
        } else {
            assert_eq!((&timesteps[..5], &timesteps[timesteps.len() - 5..]), (&expected[..5], &expected[5..]));
        }
        let sigma = case["init_noise_sigma"].as_f64().unwrap() as f32;
        assert!((scheduler.init_noise_sigma() - sigma).abs() <= 1e-6 * sigma, "{case}");

        let mut noise = Noise::new(Stream::default(), 0);
        let mut x = START.map(|v| v * scheduler.init_noise_sigma());
        for (index, t) in timesteps.iter().copied().enumerate() {
            let mut input = x;
            scheduler.scale_model_input(index, &mut input);
            let output = input.map(|v| pseudo_model(v, t));
            scheduler.step(index, &output, &mut x, &mut noise);
            let Some(expected) = case["samples"].get(index.to_string()) else { continue };
            for (ours, theirs) in x.iter().zip(numbers(expected)) {
                assert!(
                    (ours - theirs).abs() <= 2e-5 * theirs.abs().max(1.0),
                    "step {index}: {ours} {theirs} in {case}"
                );
                worst = worst.max((ours - theirs).abs() / theirs.abs().max(1.0));
            }
        }
    }
    println!("{} schedules, largest difference {worst:e}", cases.len());
}

#[test]
fn the_pipeline_overrides_old_settings() {
    let config = json!({"_class_name": "DDIMScheduler", "steps_offset": 0, "clip_sample": true});
    let config = SchedulerConfig::from_json(&config).unwrap().for_stable_diffusion();
    let scheduler = config.scheduler(Kind::Ddim, 50).unwrap();
    assert_eq!(scheduler.timesteps().first(), Some(&981.0));
    assert_eq!(scheduler.timesteps().last(), Some(&1.0));
}

#[test]
fn unknown_settings_are_refused_by_name() {
    for (key, value) in [
        ("prediction_type", json!("flow_prediction")),
        ("timestep_spacing", json!("quadratic")),
        ("beta_schedule", json!("sigmoid")),
        ("use_beta_sigmas", json!(true)),
        ("interpolation_type", json!("log_linear")),
        ("timestep_type", json!("continuous")),
        ("steps_offset", json!(-1)),
        ("beta_start", json!("small")),
        ("trained_betas", json!([])),
        ("num_train_timesteps", json!(0)),
        ("brand_new_setting", json!(3)),
        ("_class_name", json!(null)),
    ] {
        let mut config = json!({"_class_name": "EulerDiscreteScheduler"});
        config[key] = value;
        let error = SchedulerConfig::from_json(&config).unwrap_err();
        assert!(matches!(&error, SchedulerError::Unsupported { key: named, .. } if named == key), "{error}");
    }
}

#[test]
fn an_unknown_class_can_be_replaced_but_not_used() {
    let config =
        SchedulerConfig::from_json(&json!({"_class_name": "UniPCMultistepScheduler", "solver_order": 2})).unwrap();
    let error = config.own().unwrap_err().to_string();
    assert!(error.contains("UniPCMultistepScheduler") && error.contains("ddim, euler"), "{error}");
    assert!(config.scheduler(Kind::Euler, 10).is_ok());
}

#[test]
fn impossible_numbers_of_steps_are_refused() {
    let config = SchedulerConfig::from_json(&json!({"_class_name": "DDIMScheduler", "thresholding": true})).unwrap();
    for steps in [0, 1001] {
        assert!(matches!(config.scheduler(Kind::Euler, steps), Err(SchedulerError::Steps { .. })));
    }
    assert!(matches!(config.scheduler(Kind::Ddim, 5), Err(SchedulerError::Unsupported { .. })));
    assert!(matches!(config.scheduler(Kind::Pndm, 5), Err(SchedulerError::Unsupported { .. })));
    let offset = SchedulerConfig::from_json(&json!({"_class_name": "DDIMScheduler", "steps_offset": 1})).unwrap();
    assert!(matches!(offset.scheduler(Kind::Ddim, 1000), Err(SchedulerError::BeyondTraining { .. })));
}
