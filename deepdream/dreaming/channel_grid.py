"""A contact sheet of a layer: what its strongest channels look for."""

from __future__ import annotations

import torch
from torch import Tensor

from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.dreamer import Dreamer
from deepdream.dreaming.objectives import each_channel
from deepdream.dreaming.taps import Taps
from deepdream.models import Network
from deepdream.models.layers import choose_layers, evaluation_copy, probe


@torch.no_grad()
def strongest_channels(network: Network, layer: str, picture: Tensor, count: int) -> list[int]:
    """The `count` channels of `layer` that answer most to a picture (3, H, W) in [0, 1], the strongest first.

    To answer is to differ from place to place: a channel that is as bright everywhere sees nothing in the picture.
    Raises ValueError for a layer that is not there.
    """
    model = evaluation_copy(network.model)
    (chosen,) = choose_layers([layer], probe(model, network.image_size))
    with Taps(model, [chosen]) as taps:
        answer = taps.run(network.model_input(picture))[layer][0].std(dim=(1, 2))  # (C,)
    return answer.topk(min(count, len(answer))).indices.tolist()


def visualize_channels(
    network: Network, config: DreamConfig, layer: str, channels: list[int], *, seed: int = 0
) -> Tensor:
    """What each of `channels` of `layer` looks for: (len(channels), 3, width, width) in [0, 1]."""
    side = config.width or network.image_size
    dreamer = Dreamer(network, config, objective=each_channel(layer, channels))
    return dreamer(torch.full((len(channels), 3, side, side), 0.5), seed=seed)
