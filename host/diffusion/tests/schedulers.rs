//! Our schedulers against diffusers', driven by a pseudo-model. `golden/sampling/make_schedulers.py` made the values.
//! Bit equality is not on offer: with Intel's vector library torch's own square root is off by one in the last place in a
//! sixth of all cases.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;

use difftest_diffusion::noise::{Noise, Stream};
use difftest_diffusion::scheduler::{Kind, Scheduler, SchedulerConfig, SchedulerError};
use serde_json::{Value, json};

/// How many values the golden samples have.
const VALUES: usize = 20;
/// Largest difference allowed, in units of the largest value of the sample where that is above 1. Measured: 5e-6, and 1.9e-5
/// where the first sigma is 4096 and the first step cancels all but the last bits of the sample.
const TOLERANCE: f32 = 1e-5;

/// The same exactly represented numbers as in `make_schedulers.py`.
fn start() -> Vec<f32> {
    (0..VALUES as i16).map(|i| f32::from(i * 7 % 13 - 6) / 4.0).collect()
}

fn pseudo_model(x: f32, t: f32) -> f32 {
    x * 0.5 - x.abs() * 0.25 + t / 4096.0
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

/// Asserts that the timesteps are the golden ones, of which long lists hold the first and last five: whole ones exactly.
fn compare_timesteps(scheduler: &dyn Scheduler, case: &Value) {
    let (ours, expected) = (scheduler.timesteps(), numbers(&case["timesteps"]));
    let ends = || [&ours[..5], &ours[ours.len() - 5..]].concat();
    let ours = if ours.len() < 40 { ours.to_vec() } else { ends() };
    assert_eq!(ours.len(), expected.len(), "{case}");
    let whole = expected.iter().all(|t| t.fract() == 0.0);
    let off = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= if whole { 0.0 } else { 1e-4 }, "{case}: {ours:?}");
    assert!(!whole || ours.len() >= 10 || !scheduler.is_fractional());
}

/// Walks the schedule and returns the largest difference.
fn compare_samples(scheduler: &mut dyn Scheduler, case: &Value, kept: &[usize], seed: u64) -> f32 {
    let tolerance = if scheduler.init_noise_sigma() > 1000.0 { 2.0 * TOLERANCE } else { TOLERANCE };
    let mut worst = 0.0_f32;
    let mut noise = Noise::new(Stream::default(), seed);
    let mut x: Vec<f32> = start().into_iter().map(|v| v * scheduler.init_noise_sigma()).collect();
    for (index, t) in scheduler.timesteps().to_vec().into_iter().enumerate() {
        let mut output = x.clone();
        scheduler.scale_model_input(index, &mut output);
        output.iter_mut().for_each(|v| *v = pseudo_model(*v, t));
        scheduler.step(index, &output, &mut x, &mut noise);
        let Some(expected) = case["samples"].get(index.to_string()) else { continue };
        let expected = numbers(expected);
        let scale = expected.iter().map(|v| v.abs()).fold(1.0, f32::max);
        for (&place, theirs) in kept.iter().zip(expected) {
            let off = (x[place] - theirs).abs() / scale;
            assert!(off <= tolerance, "step {index}: {} for {theirs} in {case}", x[place]);
            worst = worst.max(off);
        }
    }
    worst
}

#[test]
fn steps_are_diffusers() {
    let golden: Value = serde_json::from_str(include_str!("golden/sampling/schedulers.json")).unwrap();
    let kept: Vec<usize> = golden["kept"].as_array().unwrap().iter().map(|i| i.as_u64().unwrap() as usize).collect();
    let mut seen: BTreeMap<&str, (usize, f32)> = BTreeMap::new();
    for case in golden["cases"].as_array().unwrap() {
        let mut config = golden["bases"][case["base"].as_str().unwrap()].clone();
        for (key, value) in case["changes"].as_object().unwrap() {
            config[key] = value.clone();
        }
        let config = SchedulerConfig::from_json(&config).unwrap();
        let kind: Kind = case["scheduler"].as_str().unwrap().parse().unwrap();
        let mut scheduler = config.scheduler(kind, case["steps"].as_u64().unwrap() as u32).unwrap();
        assert_eq!(scheduler.name(), kind.name());
        compare_timesteps(&*scheduler, case);
        let sigma = case["init_noise_sigma"].as_f64().unwrap() as f32;
        assert!((scheduler.init_noise_sigma() - sigma).abs() <= 1e-6 * sigma, "{case}");
        let worst = compare_samples(&mut *scheduler, case, &kept, golden["seed"].as_u64().unwrap());
        let (count, largest) = seen.entry(kind.name()).or_default();
        *count += 1;
        *largest = largest.max(worst);
    }
    assert_eq!(seen.len(), Kind::ALL.len());
    for (name, (count, worst)) in seen {
        assert!(count >= 15, "{name}: {count}");
        println!("{name}: {count} schedules, largest difference {worst:e}");
    }
}

#[test]
fn the_pipeline_overrides_old_settings() {
    let config = json!({"_class_name": "DDIMScheduler", "steps_offset": 0, "clip_sample": true});
    let config = SchedulerConfig::from_json(&config).unwrap().for_stable_diffusion();
    let record = config.describe(Kind::Ddim, 50).unwrap();
    assert_eq!((&record["timesteps"][0], &record["timesteps"][49]), (&json!(981), &json!(1)));
    assert_eq!((&record["config"]["steps_offset"], &record["config"]["clip_sample"]), (&json!(1), &json!(false)));
    // another class takes over what the file says, corrected, but has defaults of its own
    let bare = SchedulerConfig::from_json(&json!({"_class_name": "PNDMScheduler"})).unwrap().for_stable_diffusion();
    assert_eq!(bare.describe(Kind::Pndm, 50).unwrap()["config"]["steps_offset"], 1);
    let record = bare.describe(Kind::Ddim, 50).unwrap();
    assert_eq!((&record["config"]["steps_offset"], &record["config"]["clip_sample"]), (&json!(0), &json!(true)));
    // a class without the setting does not get it
    assert_eq!(config.describe(Kind::Euler, 3).unwrap()["config"].get("clip_sample"), None);
}

#[test]
fn a_record_holds_what_was_used() {
    let file =
        json!({"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "skip_prk_steps": true});
    let config = SchedulerConfig::from_json(&file).unwrap();
    let record = config.describe(Kind::DpmKarras, 4).unwrap();
    assert_eq!(record["name"], "dpmpp-2m-karras");
    assert_eq!(record["class"], "DPMSolverMultistepScheduler");
    assert_eq!(record["timesteps"].as_array().unwrap().len(), 4);
    let settings = &record["config"];
    assert_eq!((&settings["beta_end"], &settings["use_karras_sigmas"]), (&json!(0.012), &json!(true)));
    assert_eq!((&settings["solver_order"], settings.get("skip_prk_steps")), (&json!(2), None));
    // the defaults of a class are its own
    let bare = SchedulerConfig::from_json(&json!({"_class_name": "DDIMScheduler"})).unwrap();
    assert_eq!(bare.describe(Kind::Lcm, 4).unwrap()["config"]["beta_schedule"], "scaled_linear");
    assert_eq!(bare.describe(Kind::Ddim, 4).unwrap()["config"]["beta_schedule"], "linear");
}

#[test]
fn schedules_say_whether_they_are_fractional() {
    let config = SchedulerConfig::from_json(&json!({"_class_name": "EulerDiscreteScheduler"})).unwrap();
    for (kind, fractional) in
        [(Kind::Euler, true), (Kind::EulerAncestral, true), (Kind::Ddim, false), (Kind::Dpm, false)]
    {
        assert_eq!(config.scheduler(kind, 7).unwrap().is_fractional(), fractional, "{kind}");
    }
}

#[test]
fn names_and_classes_are_read() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse::<Kind>().unwrap(), kind);
        assert_eq!(kind.class().parse::<Kind>().unwrap().class(), kind.class());
    }
    let error = "dpmpp-2m-karas".parse::<Kind>().unwrap_err().to_string();
    assert!(error.contains("did you mean `dpmpp-2m-karras`?") && error.contains("euler-ancestral"), "{error}");
}

/// The error of a file that names `class` and sets one key.
fn refusal(class: &str, kind: Kind, key: &str, value: &Value) -> SchedulerError {
    let mut config = json!({"_class_name": class});
    config[key] = value.clone();
    SchedulerConfig::from_json(&config).and_then(|config| config.scheduler(kind, 5).map(|_| ())).unwrap_err()
}

#[test]
fn settings_that_cannot_be_followed_are_refused_by_name() {
    for (kind, key, value) in [
        (Kind::Euler, "prediction_type", json!("flow_prediction")),
        (Kind::Euler, "prediction_type", json!(3)),
        (Kind::Pndm, "prediction_type", json!("sample")),
        (Kind::EulerAncestral, "prediction_type", json!("sample")),
        (Kind::Euler, "timestep_spacing", json!("quadratic")),
        (Kind::Euler, "beta_schedule", json!("sigmoid")),
        (Kind::Euler, "interpolation_type", json!("cubic")),
        (Kind::Euler, "sigma_min", json!(0)),
        (Kind::Euler, "steps_offset", json!(-1)),
        (Kind::Euler, "beta_start", json!("small")),
        (Kind::Euler, "trained_betas", json!([])),
        (Kind::Euler, "beta_start", json!(-1)),
        (Kind::Euler, "beta_end", json!(1.5)),
        (Kind::Euler, "num_train_timesteps", json!(0)),
        (Kind::Dpm, "predict_epsilon", json!(false)),
        (Kind::Euler, "brand_new_setting", json!(3)),
        (Kind::Euler, "_class_name", json!(null)),
        (Kind::Dpm, "algorithm_type", json!("deis")),
        (Kind::Dpm, "solver_type", json!("rk4")),
        (Kind::Dpm, "solver_order", json!(4)),
        (Kind::Dpm, "use_flow_sigmas", json!(true)),
        (Kind::Dpm, "use_dynamic_shifting", json!(true)),
        (Kind::Dpm, "variance_type", json!("learned_range")),
        (Kind::Dpm, "lambda_min_clipped", json!("-inf")),
        (Kind::Dpm, "lambda_min_clipped", json!(1000)),
        (Kind::Lcm, "original_inference_steps", json!(2000)),
    ] {
        let error = refusal("EulerDiscreteScheduler", kind, key, &value);
        assert!(matches!(&error, SchedulerError::Unsupported { key: named, .. } if named == key), "{error}");
    }
    let error = refusal("DDIMScheduler", Kind::Dpm, "prediction_type", &json!("noise")).to_string();
    assert!(error.ends_with("supported: epsilon, v_prediction, sample"), "{error}");
    // what another class would do with it does not matter
    let foreign = json!({"_class_name": "UniPCMultistepScheduler", "variance_type": "learned", "solver_order": 7, "solver_p": {}});
    assert!(SchedulerConfig::from_json(&foreign).unwrap().scheduler(Kind::Ddim, 5).is_ok());
}

#[test]
fn settings_that_exclude_each_other_are_refused() {
    for (kind, changes, named) in [
        (Kind::Euler, json!({"use_karras_sigmas": true, "use_beta_sigmas": true}), "use_beta_sigmas"),
        (Kind::DpmKarras, json!({"use_exponential_sigmas": true}), "use_exponential_sigmas"),
        (Kind::Dpm, json!({"algorithm_type": "dpmsolver"}), "final_sigmas_type"),
        (
            Kind::Dpm,
            json!({"algorithm_type": "sde-dpmsolver", "solver_order": 3, "final_sigmas_type": "sigma_min"}),
            "solver_order",
        ),
        (Kind::Ddim, json!({"rescale_betas_zero_snr": true, "timestep_spacing": "trailing"}), "prediction_type"),
        (Kind::Euler, json!({"trained_betas": [0.1, 0.2]}), "num_train_timesteps"),
        (Kind::Euler, json!({"trained_betas": [0.1, 0.1, 0.2, 0.2, -0.5], "num_train_timesteps": 5}), "trained_betas"),
    ] {
        let mut config = changes.clone();
        config["_class_name"] = json!(kind.class());
        let error = SchedulerConfig::from_json(&config).unwrap().scheduler(kind, 5).err().unwrap();
        assert!(matches!(&error, SchedulerError::Unsupported { key, .. } if key == named), "{error} for {changes}");
    }
}

#[test]
fn an_unknown_class_can_be_replaced_but_not_used() {
    let config =
        SchedulerConfig::from_json(&json!({"_class_name": "UniPCMultistepScheduler", "solver_order": 2})).unwrap();
    let error = config.own().unwrap_err().to_string();
    assert!(error.contains("UniPCMultistepScheduler") && error.contains("ddim, pndm, euler"), "{error}");
    assert!(config.scheduler(Kind::Euler, 10).is_ok());
}

#[test]
fn flow_matching_is_refused_whatever_is_asked_for() {
    let config = json!({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0});
    let error = SchedulerConfig::from_json(&config).unwrap_err();
    assert!(matches!(error, SchedulerError::FlowMatching { .. }));
    assert!(error.to_string().contains("FlowMatchEulerDiscreteScheduler"), "{error}");
}

#[test]
fn impossible_numbers_of_steps_are_refused() {
    let config = SchedulerConfig::from_json(&json!({"_class_name": "DDIMScheduler"})).unwrap();
    for kind in Kind::ALL {
        for steps in [0, 1001, 10_000] {
            let error = config.scheduler(kind, steps).err().unwrap();
            assert!(matches!(error, SchedulerError::Steps { .. }), "{error}");
            assert!(error.to_string().contains("only"), "{error}");
        }
    }
    let single = json!({"_class_name": "DDIMScheduler", "num_train_timesteps": 1});
    let single = SchedulerConfig::from_json(&single).unwrap().scheduler(Kind::Ddim, 1).err().unwrap();
    assert!(single.to_string().contains("2 or more"), "{single}");
    assert!(matches!(config.scheduler(Kind::Lcm, 51), Err(SchedulerError::Steps { most: 50, .. })));
    assert!(matches!(config.scheduler(Kind::Pndm, 3), Err(SchedulerError::Steps { least: 4, .. })));
    assert!(matches!(config.scheduler(Kind::Dpm, 1000), Err(SchedulerError::Standstill { .. })));
    let offset = SchedulerConfig::from_json(&json!({"_class_name": "DDIMScheduler", "steps_offset": 1})).unwrap();
    assert!(matches!(offset.scheduler(Kind::Ddim, 1000), Err(SchedulerError::BeyondTraining { .. })));
}

/// Every number of steps that is accepted walks to its end in finite numbers, noisiest timestep first.
#[test]
fn every_accepted_number_of_steps_can_be_walked() {
    for spacing in ["linspace", "leading", "trailing"] {
        let file =
            json!({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": spacing, "num_train_timesteps": 120});
        let config = SchedulerConfig::from_json(&file).unwrap();
        let mut walked = 0;
        for (kind, steps) in Kind::ALL.into_iter().flat_map(|kind| (0..=121).map(move |steps| (kind, steps))) {
            let Ok(mut scheduler) = config.scheduler(kind, steps) else { continue };
            let mut noise = Noise::new(Stream::default(), 1);
            let mut x = [0.5, -1.0, 2.0];
            let timesteps = scheduler.timesteps().to_vec();
            assert!(timesteps.iter().all(|t| (0.0..120.0).contains(t)), "{kind} {steps}: {timesteps:?}");
            for (index, t) in timesteps.into_iter().enumerate() {
                let output = x.map(|v| pseudo_model(v, t));
                scheduler.step(index, &output, &mut x, &mut noise);
            }
            assert!(x.iter().all(|v| v.is_finite()), "{kind} {steps}");
            walked += 1;
        }
        assert!(walked > 500, "{walked}");
    }
}
