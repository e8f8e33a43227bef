"""The stem: from a picture to a map of features at a quarter of its size.

Both stems are four modules with torchvision's names: conv1, bn1, relu, maxpool.
"""

from __future__ import annotations

from torch import nn

from deepdream.models.blocks import conv
from deepdream.models.blur import BlurPool


def classic(channels: int) -> nn.Module:
    """conv1 of He et al. 2015: one 7x7 convolution of stride 2."""
    return conv(3, channels, 7, stride=2)


def deep(channels: int) -> nn.Module:
    """conv1 of ResNet-D (He et al. 2019, "Bag of Tricks"): three 3x3 convolutions in place of the 7x7.

    The same field of view for fewer operations, and two more activations on the way.
    """
    half = rounded(channels / 2)
    return nn.Sequential(
        conv(3, half, 3, stride=2),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        conv(half, half, 3),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        conv(half, channels, 3),
    )


STEMS = {"classic": classic, "deep": deep}


def max_pool(channels: int, *, blur: bool) -> nn.Module:
    """The largest of each 3x3 pixels, at every second pixel; with `blur` low-passed before pixels are left out."""
    if not blur:
        return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    return nn.Sequential(nn.MaxPool2d(kernel_size=3, stride=1, padding=1), BlurPool(channels))


def rounded(channels: float) -> int:
    """The multiple of 8 closest to `channels`, at least 8: tensor cores like multiples of 8."""
    return max(8, 8 * round(channels / 8))
