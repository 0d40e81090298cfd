"""Makes schedulers.json: diffusers' schedulers driven by a pseudo-model, so that no weights are needed.

Made with diffusers 0.42.1 and torch 2.15. Run: python make_schedulers.py
"""

import json
import pathlib

import diffusers
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler

torch.set_num_threads(1)
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
START = [1.5, -0.75, 0.25, -2.0, 0.0, 0.625]


def model(x, t):
    """The same exactly rounded operations as `pseudo_model` in tests/schedulers.rs."""
    return x * 0.5 - x.abs() * 0.25 + torch.tensor(float(t)) / 4096.0


CASES = []


def case(cls, name, steps, **config):
    CASES.append((cls, name, steps, config))


for steps in [1, 2, 3, 7, 20, 25, 50, 999]:
    case(DDIMScheduler, "ddim", steps, **SD, steps_offset=1, clip_sample=False, set_alpha_to_one=False)
    case(EulerDiscreteScheduler, "euler", steps, **SD)
    case(PNDMScheduler, "pndm", steps, **SD, steps_offset=1, skip_prk_steps=True)
for spacing in ["linspace", "leading", "trailing"]:
    for prediction in ["epsilon", "v_prediction", "sample"]:
        shared = dict(SD, timestep_spacing=spacing, prediction_type=prediction)
        case(DDIMScheduler, "ddim", 13, **shared, clip_sample=prediction == "sample", clip_sample_range=1.25)
        case(EulerDiscreteScheduler, "euler", 13, **shared, steps_offset=1)
        if prediction != "sample":
            case(PNDMScheduler, "pndm", 13, **shared, skip_prk_steps=True)
for schedule in ["linear", "squaredcos_cap_v2"]:
    case(DDIMScheduler, "ddim", 10, beta_schedule=schedule)
    case(EulerDiscreteScheduler, "euler", 10, beta_schedule=schedule)
trained = [0.001 * (i + 1) for i in range(40)]
case(DDIMScheduler, "ddim", 5, trained_betas=trained, num_train_timesteps=40)
case(EulerDiscreteScheduler, "euler", 6, trained_betas=trained, num_train_timesteps=40, timestep_spacing="leading")
zero = dict(SD, rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")
case(DDIMScheduler, "ddim", 10, **zero, clip_sample=False)
case(EulerDiscreteScheduler, "euler", 10, **zero)
for extra in [
    {"use_karras_sigmas": True},
    {"use_karras_sigmas": True, "timestep_spacing": "trailing", "sigma_min": 0.1, "sigma_max": 10.0},
    {"use_exponential_sigmas": True, "timestep_spacing": "leading"},
    {"final_sigmas_type": "sigma_min"},
]:
    case(EulerDiscreteScheduler, "euler", 12, **SD, **extra)

out = []
for cls, name, steps, config in CASES:
    scheduler = cls(**config)
    scheduler.set_timesteps(steps)
    x = torch.tensor(START) * scheduler.init_noise_sigma
    outputs = []
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)
        x = scheduler.step(model(scaled, t), t, x).prev_sample
        outputs.append(x.double().tolist())
    keep = sorted({0, 1, 2, 3, 4, 5, len(outputs) // 2, len(outputs) - 1} & set(range(len(outputs))))
    row = {
        "scheduler": name,
        "steps": steps,
        "config": {"_class_name": cls.__name__, **config},
        "init_noise_sigma": float(scheduler.init_noise_sigma),
        "timesteps": [float(t) for t in scheduler.timesteps],
        "samples": {str(i): outputs[i] for i in keep},
    }
    if steps == 999:
        row["timesteps"] = row["timesteps"][:5] + row["timesteps"][-5:]
    out.append(row)
text = json.dumps({"made_with": {"diffusers": diffusers.__version__, "torch": torch.__version__}, "cases": out}, separators=(",", ":"))
pathlib.Path(__file__).with_name("schedulers.json").write_text(text.replace('},{"scheduler', '},\n{"scheduler') + "\n")
