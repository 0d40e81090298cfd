"""Makes noise.json: torch.randn on the CPU, in float32 and in both half types. Run: python make_noise.py

Made with torch 2.15 on x86-64 (AVX-512). Older releases draw the same float32 and, for 16 elements and more, other halves.
"""

import json
import pathlib

import torch

torch.set_num_threads(1)
STREAMS = {"torch-cpu-f32": torch.float32, "torch-cpu-f16": torch.float16, "torch-cpu-bf16": torch.bfloat16}
# several draws from one generator: short draws keep a spare value for the next short draw
DRAWS = [
    (0, [4]), (42, [4]), (0, [16]), (42, [16]), (0, [20]), (1, [1, 1, 1]), (7, [3, 16, 3]), (123, [15, 17, 31, 33]),
    (2**32 - 1, [16]), (2**63 + 5, [40]), (99, [1500]), (5, [5, 20, 7, 15, 4]),
]  # fmt: skip
cases = []
for stream, dtype in STREAMS.items():
    for seed, draws in DRAWS:
        generator = torch.Generator().manual_seed(seed)
        values = [torch.randn(n, generator=generator, dtype=dtype).double().tolist() for n in draws]
        if stream != "torch-cpu-f32":  # halves have few digits; these six round back to the same half
            values = [[float(f"{value:.6g}") for value in draw] for draw in values]
        cases.append({"stream": stream, "seed": seed, "draws": values})
# what one generator gives when a half-precision model asks for float32 in between
generator = torch.Generator().manual_seed(11)
mixed = [torch.randn(24, generator=generator, dtype=dtype).double().tolist() for dtype in [torch.float16, torch.float32, torch.float16]]
out = {"made_with": {"torch": torch.__version__}, "cases": cases, "mixed": {"seed": 11, "draws": mixed}}
text = json.dumps(out, separators=(",", ":")).replace('},{"stream', '},\n{"stream')
pathlib.Path(__file__).with_name("noise.json").write_text(text + "\n")
