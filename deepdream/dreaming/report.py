"""What a dream did to the network that dreamed it, beside what chance would have done."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deepdream.dreaming.dreamer import Dreamer
from deepdream.dreaming.objectives import Seen, total_variation
from deepdream.images import to_image
from deepdream.models import Network


@torch.inference_mode(False)
def report(
    dreamer: Dreamer,
    network: Network,
    before: Tensor,
    after: Tensor,
    *,
    seconds: float,
    guide: Tensor | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What became of the picture `before` (3, H, W) in its dream `after`, as plain values.

    top5: the network's likeliest classes and their probabilities. objective: before and after; after a random step as
    large as the dream's; and before and after in a network of random weights: a dream that raises that one as much
    shows the picture's own structure, not what was learned (Adebayo et al., "Sanity Checks for Saliency Maps", 2018).
    total_variation: mean |difference| of neighbouring pixels.
    """
    noise = _as_large_a_step(before, after, seed)
    untrained = Dreamer(randomized(network, before, seed), dreamer.config)
    trained = {name: dreamer.measure(x, guide=guide) for name, x in (("b", before), ("a", after), ("n", noise))}
    random = {name: untrained.measure(x, guide=guide) for name, x in (("b", before), ("a", after))}
    steps = dreamer.config.octaves * dreamer.config.steps
    return {
        "top5": {"before": top5(network, before), "after": top5(network, after)},
        "objective": {
            "before": trained["b"],
            "after": trained["a"],
            "after_random_step": trained["n"],
            "untrained_before": random["b"],
            "untrained_after": random["a"],
        },
        "total_variation": {"before": _variation(before), "after": _variation(after)},
        "change": float((after - before).square().mean().sqrt()),
        "seconds_per_step": seconds / steps,
    }


def top5(network: Network, picture: Tensor) -> list[tuple[str, float]]:
    """The five likeliest classes of all of a picture (3, H, W) in [0, 1], as `explain.py crop=false` shows them."""
    answer = network.predict(network.preprocess(to_image(picture), crop=False))
    best = answer.topk(min(5, len(answer)))
    return [
        (network.class_name(index), round(share, 4))
        for share, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


@torch.no_grad()
def randomized(network: Network, picture: Tensor, seed: int) -> Network:
    """The same architecture with weights drawn anew, its batch norms adapted to `picture` (3, H, W)."""
    model = copy.deepcopy(network.model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = None  # the running statistics are then those of the picture
    model.train()(network.model_input(picture))
    return dataclasses.replace(network, model=model.eval(), source=f"{network.source}, random weights", digest="")


def _as_large_a_step(before: Tensor, after: Tensor, seed: int) -> Tensor:
    noise = torch.randn(before.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(before)
    return (before + noise * (after - before).square().mean().sqrt()).clamp(0, 1)


def _variation(picture: Tensor) -> float:
    return float(total_variation(Seen({}, picture[None])))


def gain(found: Mapping[str, Any]) -> dict[str, float]:
    """By how much the objective grew, as a share of what it was: by the dream, by chance, without training."""
    o = found["objective"]

    def share(after: float, before: float) -> float:
        return (after - before) / abs(before) if before else 0.0

    return {
        "dream": share(o["after"], o["before"]),
        "random step": share(o["after_random_step"], o["before"]),
        "random weights": share(o["untrained_after"], o["untrained_before"]),
    }
