"""Objectives: what a dream makes more of. Each maps tapped feature maps to one number a picture, to be raised.

Sums over (C, H, W) go through `vector_norm`: its forward and backward read the map once each, whatever its memory
format, where square-then-mean writes and reads several maps of the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Objective = Callable[[Mapping[str, Tensor]], Tensor]


def mean_square(features: Mapping[str, Tensor]) -> Tensor:
    """Mean over the layers of mean(activation^2): (N,) from maps (N, C, H, W). Source: pytorch-deepdream."""
    layers = [_sum_square(a) / a[0].numel() for a in features.values()]
    return torch.stack(layers).mean(dim=0)


def half_sum_square(features: Mapping[str, Tensor]) -> Tensor:
    """Sum over the layers of 0.5 * sum(activation^2): (N,) from maps (N, C, H, W). Its gradient at a layer is the
    layer's activation. Source: google/deepdream, dream.ipynb, objective_L2.
    """
    return torch.stack([0.5 * _sum_square(a) for a in features.values()]).sum(dim=0)


def _sum_square(a: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(a, dim=(1, 2, 3))  # (N,)
    return norm.square()


OBJECTIVES: dict[str, Objective] = {"mean_square": mean_square, "half_sum_square": half_sum_square}
