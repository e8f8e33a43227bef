"""What a step of each optimizer costs: Muon, ours and timm's, and AdamW, for the weights of a ResNet-18.

python benchmarks/optimizers.py [--quick]

muon_vs_timm    a step of our Muon over one of timm's (extra [timm]), with the same coefficients
muon_vs_adamw   over one of torch's AdamW, fused
The optimizers take turns, on one thread; medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics

import torch
from measuring import seconds

from deepdream.models import ResNet
from deepdream.training.muon import Muon

CLASSES = 67


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 3 if parser.parse_args().quick else 10
    torch.set_num_threads(1)
    weights = list(ResNet(18, CLASSES, stem="deep").parameters())
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    optimizers = {"muon": Muon(weights), "adamw": torch.optim.AdamW(weights, fused=True)}
    try:
        from timm.optim import Muon as TimmMuon
    except ImportError:
        print("timm is left out; `pip install '.[timm]'` brings it")
    else:
        optimizers["timm"] = TimmMuon(weights, nesterov=True, ns_coefficients="original")
    times: dict[str, list[float]] = {name: [] for name in optimizers}
    for _ in range(rounds + 1):  # the first round makes the state
        for name, optimizer in optimizers.items():
            times[name].append(seconds(optimizer.step))
    measured = {name: values[1:] for name, values in times.items()}
    for name, values in measured.items():
        print(f"{name:6} {1000 * statistics.median(values):8.1f} ms")
    ratios = {
        f"muon_vs_{name}": statistics.median(a / b for a, b in zip(measured["muon"], values, strict=True))
        for name, values in measured.items()
        if name != "muon"
    }
    print(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}))


if __name__ == "__main__":
    main()
