"""Makes noise.json: torch.randn on the CPU. Made with torch 2.15 on x86-64 (AVX2). Run: python make_noise.py"""

import json
import pathlib

import torch

torch.set_num_threads(1)
cases = []
# several draws from one generator: short draws keep a spare value for the next short draw
for seed, draws in [
    (0, [4]), (42, [4]), (0, [16]), (42, [16]), (0, [20]), (1, [1, 1, 1]), (7, [3, 16, 3]), (123, [15, 17, 31, 33]),
    (2**32 - 1, [16]), (2**63 + 5, [40]), (99, [1500]),
]:  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    values = [torch.randn(n, generator=generator).double().tolist() for n in draws]
    cases.append({"seed": seed, "draws": values})
out = {"made_with": {"torch": torch.__version__}, "cases": cases}
pathlib.Path(__file__).with_name("noise.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
