"""The head: from the last map of features to one number a channel; the linear layer behind it answers.

Average pooling forgets where in the picture a feature was seen. WiSE-SrNet learns, channel by channel, how much each
place counts.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

STRIDE = 32  # pixels of the picture per position of the last map


class SpatialWeights(nn.Module):
    """One weighted sum a channel over a map of size x size: a depthwise convolution as wide as the map.

    non_negative: `project` puts negative weights back to zero; call it after each step of the optimizer.

    Source: Rahimzadeh et al. 2021, "Wise-SrNet" (arXiv 2104.12294). Departs from it: the weights start as the average
    (theirs as noise about zero, before a pretrained network), and there is no bias (the linear layer has one).
    """

    def __init__(self, channels: int, size: int, *, non_negative: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, size, size), 1 / size**2))
        self.non_negative = non_negative

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, size, size) -> (N, channels, 1, 1)."""
        return (x * self.weight).sum(dim=(2, 3), keepdim=True)

    @torch.no_grad()
    def project(self) -> None:
        """Put negative weights to zero, where they have to be non-negative."""
        if self.non_negative:
            self.weight.clamp_(min=0)

    def extra_repr(self) -> str:
        """What print(model) shows."""
        channels, size, _ = self.weight.shape
        return f"{channels}, size={size}, non_negative={self.non_negative}"


def default_head_size(image_size: int) -> int:
    """Side of the last map for pictures of `image_size` pixels: each of five halvings rounds up.

    >>> default_head_size(224), default_head_size(225)
    (7, 8)
    """
    return math.ceil(image_size / STRIDE)
