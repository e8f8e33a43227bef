"""Effects whose truth is made up, and a network whose truth is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from deepdream.explaining.truth.effects import Effects
from deepdream.models import Network
from deepdream.rooms import BACKGROUND

SIDE = 24


def made_up(seed: int = 0, *, effects: tuple[float, ...] = (3.0, 0.5, -1.0, 0.01, 0.8)) -> Effects:
    """A room of four rectangles before the background; an effect of 0.01 is below the floor of 0.1."""
    rng = np.random.default_rng(seed)
    owners = np.full((SIDE, SIDE), 4)
    for place in range(4):
        top, left = rng.integers(0, 4, 2) + np.array([12 * (place // 2), 12 * (place % 2)])
        owners[top : top + rng.integers(3, 8), left : left + rng.integers(3, 8)] = place
    image = torch.zeros(3, SIDE, SIDE)
    true = np.array(effects)
    return Effects(
        image=image,
        label="bedroom",
        target=0,
        predicted=0,
        objects=("bed", "lamp", "rug", "clock", BACKGROUND),
        owners=owners,
        logit=true,
        probability=true / 10,
        replaced=true / 2,
        floor=0.1,
        interactions={},
        noisy=image,
        other_walls=image,
    )


class MagentaReader(nn.Module):
    """The logit of "kitchen" is how much magenta an image has; that of "library" is 0."""

    def forward(self, images: Tensor) -> Tensor:
        kitchen = 200 * magenta(images).mean(dim=(1, 2))
        return torch.stack([kitchen, torch.zeros_like(kitchen)], dim=1)


def magenta(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, H, W): what no wall or furniture has as much of as a planted lamp."""
    return (images[:, [0, 2]].amin(dim=1) - images[:, 1] - 0.3).clamp(min=0)


def magenta_network() -> Network:
    return Network(MagentaReader(), ["kitchen", "library"], (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 48, "magenta")
