"""Makes schedulers.json: diffusers' schedulers driven by a pseudo-model, so that no weights are needed.

Made with diffusers 0.42.1, torch 2.15 and SciPy 1.17 (for beta sigmas). Run: python make_schedulers.py

Each case is a `scheduler_config.json` (a base and what is changed in it), the name of a scheduler made from it as
`Class.from_config` does, and a number of steps. It keeps the timesteps, the initial sigma and, after some of the steps, some
values of the sample. Stochastic schedulers draw from `torch.Generator().manual_seed(SEED)`.
"""

import inspect
import itertools
import json
import pathlib
import warnings

import diffusers
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
)

torch.set_num_threads(1)
warnings.filterwarnings("ignore")
diffusers.logging.set_verbosity_error()
SEED = 5
VALUES = 20  # more than 16, so that noise is drawn in blocks, and no multiple of it
KEPT = [0, 6, 13, 19]
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
CLASSES = {
    "ddim": DDIMScheduler,
    "pndm": PNDMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-ancestral": EulerAncestralDiscreteScheduler,
    "dpmpp-2m": DPMSolverMultistepScheduler,
    "dpmpp-2m-karras": DPMSolverMultistepScheduler,
    "lcm": LCMScheduler,
}
# files as published with the models
FILES = {
    "sd15": dict(SD, _class_name="PNDMScheduler", clip_sample=False, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None),
    "sd21": dict(SD, _class_name="DDIMScheduler", clip_sample=False, prediction_type="v_prediction", set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None),
    "sdxl": dict(
        SD, _class_name="EulerDiscreteScheduler", clip_sample=False, interpolation_type="linear", prediction_type="epsilon", sample_max_value=1.0,
        set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, timestep_spacing="leading", trained_betas=None, use_karras_sigmas=False,
    ),
    "turbo": dict(
        SD, _class_name="EulerAncestralDiscreteScheduler", clip_sample=False, interpolation_type="linear", prediction_type="epsilon", sample_max_value=1.0,
        set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, timestep_spacing="trailing", trained_betas=None,
    ),
    "lcm": dict(
        SD, _class_name="LCMScheduler", clip_sample=False, clip_sample_range=1.0, dynamic_thresholding_ratio=0.995, original_inference_steps=50,
        prediction_type="epsilon", rescale_betas_zero_snr=False, sample_max_value=1.0, set_alpha_to_one=True, steps_offset=0, thresholding=False,
        timestep_scaling=10.0, timestep_spacing="leading", trained_betas=None,
    ),
    "sigmas": dict(SD, _class_name="EulerDiscreteScheduler", sigma_min=0.05, sigma_max=12.5, use_exponential_sigmas=True, final_sigmas_type="sigma_min"),
}  # fmt: skip
CASES = []


def start():
    """The same exactly represented numbers as in tests/schedulers.rs."""
    return torch.tensor([(i * 7 % 13 - 6) / 4 for i in range(VALUES)]).reshape(1, 1, 4, 5)


def model(x, t):
    """The same exactly rounded operations as `pseudo_model` in tests/schedulers.rs."""
    return x * 0.5 - x.abs() * 0.25 + torch.tensor(float(t)) / 4096.0


def case(name, steps, base="sd", **changes):
    CASES.append((name, steps, base, changes))


def grid(**choices):
    return [dict(zip(choices, values)) for values in itertools.product(*choices.values())]


STEPS = [1, 4, 13, 20]
SPACINGS = ["linspace", "leading", "trailing"]
LAYOUTS = [{}, {"use_karras_sigmas": True}, {"use_exponential_sigmas": True}, {"use_beta_sigmas": True}]
TRAINED = [0.001 * (i + 1) for i in range(40)]
ZERO = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing")

for common in grid(timestep_spacing=SPACINGS, prediction_type=["epsilon", "v_prediction", "sample"]):
    for steps in STEPS:
        case("ddim", steps, **common, clip_sample=False, steps_offset=1)
        for layout in LAYOUTS:
            case("euler", steps, **common, **layout, steps_offset=1)
        if common["prediction_type"] == "sample":
            continue
        case("euler-ancestral", steps, **common, steps_offset=1)
        case("pndm", steps, **common, skip_prk_steps=True, steps_offset=1)
        if steps >= 4:
            case("pndm", steps, **common, skip_prk_steps=False)
for spacing, steps in itertools.product(SPACINGS, STEPS):
    for layout in [*LAYOUTS, {"use_lu_lambdas": True}]:
        case("dpmpp-2m", steps, **layout, timestep_spacing=spacing, steps_offset=1)
    case("dpmpp-2m-karras", steps, timestep_spacing=spacing)
for algorithm in ["dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver"]:
    last = "zero" if "++" in algorithm else "sigma_min"
    for order, solver in [(1, "midpoint"), (2, "midpoint"), (2, "heun"), (3, "midpoint")]:
        if (algorithm, order) == ("sde-dpmsolver", 3):
            continue
        for prediction, steps in itertools.product(["epsilon", "v_prediction", "sample"], [5, 18]):
            case("dpmpp-2m", steps, algorithm_type=algorithm, solver_order=order, solver_type=solver, prediction_type=prediction, final_sigmas_type=last)
for prediction, steps in itertools.product(["epsilon", "v_prediction", "sample"], [1, 4, 13, 20, 50]):
    case("lcm", steps, prediction_type=prediction)
for base, name in itertools.product(FILES, CLASSES):
    if base != "sigmas" or name in ["dpmpp-2m", "euler"]:
        for steps in [4, 25]:
            case(name, steps, base)

for steps in [1, 2, 3, 7, 50, 999]:
    case("ddim", steps, steps_offset=1, clip_sample=False, set_alpha_to_one=False)
    case("euler", steps)
    case("pndm", steps, steps_offset=1, skip_prk_steps=True)
    case("euler-ancestral", steps)
    if steps < 999:
        case("dpmpp-2m", steps)
case("pndm", 50, skip_prk_steps=False, set_alpha_to_one=True)
limits = [
    {"clip_sample": True, "clip_sample_range": 1.25},
    {"thresholding": True, "sample_max_value": 1.5},
    {"thresholding": True, "dynamic_thresholding_ratio": 0.7, "sample_max_value": 3.0},
]
for limit, prediction in itertools.product(limits, ["epsilon", "sample"]):
    case("ddim", 6, **limit, prediction_type=prediction)
    case("lcm", 6, **limit, prediction_type=prediction)
    case("dpmpp-2m", 6, **limit, prediction_type=prediction)
    case("dpmpp-2m", 6, **limit, prediction_type=prediction, algorithm_type="dpmsolver", final_sigmas_type="sigma_min")
for name, schedule in itertools.product(["ddim", "euler", "euler-ancestral", "pndm", "dpmpp-2m", "dpmpp-2m-karras", "lcm"], ["linear", "squaredcos_cap_v2"]):
    case(name, 10, "plain", beta_schedule=schedule)
for name in CLASSES:
    case(name, 5, "plain", trained_betas=TRAINED, num_train_timesteps=40, **({"original_inference_steps": 10} if name == "lcm" else {}))
case("euler", 6, "plain", trained_betas=TRAINED, num_train_timesteps=40, timestep_spacing="leading")
for name, prediction in itertools.product(["ddim", "lcm"], ["v_prediction", "sample"]):
    case(name, 10, **ZERO, prediction_type=prediction, clip_sample=False)
for name in ["euler", "euler-ancestral", "dpmpp-2m", "dpmpp-2m-karras", "pndm"]:
    case(name, 10, **ZERO, prediction_type="v_prediction")
for layout in LAYOUTS:
    case("euler", 12, **layout, interpolation_type="log_linear")
    case("euler", 12, **layout, timestep_type="continuous", prediction_type="v_prediction")
    case("euler", 12, **layout, timestep_type="continuous")
    case("euler", 12, **layout, final_sigmas_type="sigma_min")
    case("euler", 12, **layout, sigma_min=0.1, sigma_max=10.0, timestep_spacing="trailing")
    case("dpmpp-2m", 17, **layout, final_sigmas_type="sigma_min")
    case("dpmpp-2m", 12, **layout, sigma_min=0.1, sigma_max=10.0)
    case("dpmpp-2m", 12, "plain", **layout, beta_schedule="squaredcos_cap_v2")
case("dpmpp-2m", 12, "plain", use_lu_lambdas=True, beta_schedule="squaredcos_cap_v2")
for spacing in SPACINGS:
    case("dpmpp-2m", 12, "plain", beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1, timestep_spacing=spacing)
for changes in grid(euler_at_final=[False, True], lower_order_final=[False, True], final_sigmas_type=["zero", "sigma_min"], solver_order=[2, 3]):
    for steps in [6, 16]:
        case("dpmpp-2m", steps, **changes)
for changes in grid(algorithm_type=["sde-dpmsolver++"], use_karras_sigmas=[True], euler_at_final=[True, False]):
    case("dpmpp-2m", 25, **changes)
for solver in ["bh2", "logrho"]:
    case("dpmpp-2m", 5, solver_type=solver)
for changes in [{"original_inference_steps": 100}, {"original_inference_steps": 30, "timestep_scaling": 3.0}]:
    case("lcm", 4, **changes)
    case("lcm", 30, **changes)


def shown(number):
    return int(number) if float(number).is_integer() else float(f"{number:.9g}")


def run(name, steps, config):
    switch = {"use_karras_sigmas": True} if name == "dpmpp-2m-karras" else {}
    scheduler = CLASSES[name].from_config(config, **switch)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):  # as the SDXL pipeline does; without, a first timestep that appears twice is an IndexError
        scheduler.set_begin_index(0)
    generator = torch.Generator().manual_seed(SEED)
    extra = {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}
    x = start() * scheduler.init_noise_sigma
    outputs = []
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, t)
        x = scheduler.step(model(scaled, t), t, x, **extra).prev_sample
        assert x.isfinite().all(), (name, steps, config)
        outputs.append([shown(value) for value in x.flatten()[KEPT].double().tolist()])
    keep = sorted({0, 1, 2, 3, 12, len(outputs) // 2, len(outputs) - 1} & set(range(len(outputs))))
    timesteps = [shown(t.double().item()) for t in scheduler.timesteps]
    return {
        "init_noise_sigma": shown(float(scheduler.init_noise_sigma)),
        "timesteps": timesteps if len(timesteps) < 40 else timesteps[:5] + timesteps[-5:],
        "samples": {str(i): outputs[i] for i in keep},
    }


BASES = {"sd": SD, "plain": {}, **FILES}
rows, seen = [], set()
for name, steps, base, changes in CASES:
    changes = {**changes} if base in FILES else {"_class_name": CLASSES[name].__name__, **changes}
    key = json.dumps([name, steps, base, changes], sort_keys=True)
    if key not in seen:
        seen.add(key)
        rows.append({"scheduler": name, "steps": steps, "base": base, "changes": changes, **run(name, steps, {**BASES[base], **changes})})
out = {"made_with": {"diffusers": diffusers.__version__, "torch": torch.__version__}, "bases": BASES, "seed": SEED, "kept": KEPT, "cases": rows}
text = json.dumps(out, separators=(",", ":")).replace('},{"scheduler', '},\n{"scheduler')
pathlib.Path(__file__).with_name("schedulers.json").write_text(text + "\n")
print(len(rows), "cases,", len(text), "bytes")
