//! What each class of diffusers 0.42 can be told, and what it takes when it is told nothing.

use serde_json::{Map, Value, json};

use super::Kind;

/// The settings of the class with its defaults.
pub(super) fn of(kind: Kind) -> Map<String, Value> {
    let own = match kind {
        Kind::Ddim => json!({
            "clip_sample": true,
            "clip_sample_range": 1.0,
            "dynamic_thresholding_ratio": 0.995,
            "rescale_betas_zero_snr": false,
            "sample_max_value": 1.0,
            "set_alpha_to_one": true,
            "thresholding": false,
            "timestep_spacing": "leading",
        }),
        Kind::Pndm => json!({
            "set_alpha_to_one": false,
            "skip_prk_steps": false,
            "timestep_spacing": "leading",
        }),
        Kind::Euler => json!({
            "final_sigmas_type": "zero",
            "interpolation_type": "linear",
            "rescale_betas_zero_snr": false,
            "sigma_max": null,
            "sigma_min": null,
            "timestep_spacing": "linspace",
            "timestep_type": "discrete",
            "use_beta_sigmas": false,
            "use_exponential_sigmas": false,
            "use_karras_sigmas": false,
        }),
        Kind::EulerAncestral => json!({
            "rescale_betas_zero_snr": false,
            "timestep_spacing": "linspace",
        }),
        // the class has no `sigma_min` and `sigma_max`, but finds them where a file says so: `from_config` keeps what it drops
        Kind::Dpm | Kind::DpmKarras => json!({
            "algorithm_type": "dpmsolver++",
            "dynamic_thresholding_ratio": 0.995,
            "euler_at_final": false,
            "final_sigmas_type": "zero",
            "lambda_min_clipped": "-Infinity",
            "lower_order_final": true,
            "rescale_betas_zero_snr": false,
            "sample_max_value": 1.0,
            "sigma_max": null,
            "sigma_min": null,
            "solver_order": 2,
            "solver_type": "midpoint",
            "thresholding": false,
            "timestep_spacing": "linspace",
            "use_beta_sigmas": false,
            "use_dynamic_shifting": false,
            "use_exponential_sigmas": false,
            "use_flow_sigmas": false,
            "use_karras_sigmas": false,
            "use_lu_lambdas": false,
            "variance_type": null,
        }),
        Kind::Lcm => json!({
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "beta_start": 0.00085,
            "clip_sample": false,
            "clip_sample_range": 1.0,
            "dynamic_thresholding_ratio": 0.995,
            "original_inference_steps": 50,
            "rescale_betas_zero_snr": false,
            "sample_max_value": 1.0,
            "thresholding": false,
            "timestep_scaling": 10.0,
        }),
    };
    let shared = json!({
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "beta_start": 0.0001,
        "num_train_timesteps": 1000,
        "prediction_type": "epsilon",
        "steps_offset": 0,
        "trained_betas": null,
    });
    let mut all = Map::new();
    for object in [shared, own] {
        if let Value::Object(object) = object {
            all.extend(object);
        }
    }
    all.sort_keys();
    all
}
