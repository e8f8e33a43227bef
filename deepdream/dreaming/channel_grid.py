"""A channel grid: feature visualisations of the strongest channels of a layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from deepdream.dreaming.dreamer import Dreamer, StepReport
from deepdream.dreaming.objectives import Objective
from deepdream.dreaming.selection import resolved
from deepdream.dreaming.terms import each_channel
from deepdream.dreaming.transparency import Transparency, over
from deepdream.models import Network
from deepdream.models.layers import choose_layers
from deepdream.models.probing import evaluating
from deepdream.models.taps import Taps


@torch.no_grad()
def strongest_channels(network: Network, layer: str, image: Tensor, count: int) -> list[int]:
    """The `count` channels of `layer` that respond most to an image (3, H, W) in [0, 1], strongest first.

    The response is the standard deviation over positions: a channel with one value everywhere detects nothing in the
    image. Raises ValueError for a layer that the network lacks.
    """
    layers = network.probe.layers
    (chosen,) = choose_layers([resolved(layer, layers)], layers)
    with evaluating(network.model), Taps(network.model, [chosen]) as taps:
        response = taps.run(network.model_input(image))[chosen.name][0].std(dim=(1, 2))  # (C,)
    return response.topk(min(count, len(response))).indices.tolist()


def visualize_channels(dreamer: Dreamer, layer: str, channels: list[int], side: int, *, seed: int = 0) -> Tensor:
    """A visualisation of each of `channels` of `layer`: (len(channels), 3, side, side) in [0, 1]; see `visualize`."""
    return visualize(dreamer, each_channel(layer, channels), len(channels), side, seed=seed)


def visualize(
    dreamer: Dreamer,
    objective: Objective,
    count: int,
    side: int,
    *,
    seed: int = 0,
    on_step: Callable[[StepReport], None] | None = None,
) -> Tensor:
    """`count` images that maximise an objective with one goal for each, from grey: (count, 3, side, side) in [0, 1].

    Where `dreamer.config` asks for transparency they lie over white. on_step: called after each step.
    """
    grey, share = torch.full((count, 3, side, side), 0.5), dreamer.config.transparency
    transparency = Transparency()

    def watch(report: StepReport) -> None:
        if share is not None:
            transparency(report)
        if on_step is not None:
            on_step(report)

    found = dreamer.with_objective(objective)(grey, seed=seed, on_step=watch)
    return found if share is None else over(found, transparency.opacity(1 - share))
