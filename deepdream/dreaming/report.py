"""How a dream changed the network's predictions and its objective, compared with chance."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deepdream.dreaming.dreamer import Dreamer
from deepdream.dreaming.objectives import Activations
from deepdream.dreaming.terms import total_variation
from deepdream.images import to_image
from deepdream.models import Network


@torch.inference_mode(False)
def dream_report(
    dreamer: Dreamer,
    network: Network,
    before: Tensor,
    after: Tensor,
    *,
    seconds: float,
    guide: Tensor | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The image `before` (3, H, W) and its dream `after` compared, as plain values.

    top5: the network's top-5 predictions and their probabilities. objective: before and after; after a random step as
    large as the dream's; and before and after in a network of random weights: a dream that raises that one as much
    shows the image's own structure, not what was learned (Adebayo et al., "Sanity Checks for Saliency Maps", 2018).
    total_variation: mean |difference| of neighbouring pixels.
    """
    noise = _random_step(before, after, seed)
    untrained = dreamer.with_network(randomized(network, before, seed))
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


def top5(network: Network, image: Tensor) -> list[tuple[str, float]]:
    """The top-5 predictions for a whole image (3, H, W) in [0, 1], as `explain.py crop=false` makes them."""
    probabilities = network.predict(network.preprocess(to_image(image), crop=False))
    best = probabilities.topk(min(5, len(probabilities)))
    return [
        (network.class_name(index), round(probability, 4))
        for probability, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


@torch.no_grad()
def randomized(network: Network, image: Tensor, seed: int) -> Network:
    """The same architecture with random weights, its batch norms adapted to `image` (3, H, W)."""
    model = copy.deepcopy(network.model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        model.eval()  # an auxiliary classifier of training needs larger images
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train().momentum = None  # the running statistics are then those of the image
        model(network.model_input(image))
    return dataclasses.replace(network, model=model.eval(), source=f"{network.source}, random weights", digest="")


def _random_step(before: Tensor, after: Tensor, seed: int) -> Tensor:
    noise = torch.randn(before.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(before)
    return (before + noise * (after - before).square().mean().sqrt()).clamp(0, 1)


def _variation(image: Tensor) -> float:
    return float(total_variation(Activations({}, image[None])))


def objective_gains(found: Mapping[str, Any]) -> dict[str, float]:
    """Relative growth of the objective: by the dream, by a random step, and with random weights."""
    o = found["objective"]

    def share(after: float, before: float) -> float:
        return (after - before) / abs(before) if before else 0.0

    return {
        "dream": share(o["after"], o["before"]),
        "random step": share(o["after_random_step"], o["before"]),
        "random weights": share(o["untrained_after"], o["untrained_before"]),
    }
