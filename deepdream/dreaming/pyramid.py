"""Coarse and fine: wide blurs at little cost, and the Laplacian pyramid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 4
ROW = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
BINOMIAL = torch.outer(ROW, ROW) / 256
TINY = 1e-10  # what a level's rms is at least divided by; the source's


def blur(x: Tensor, sigma: float) -> Tensor:
    """`x` (N, C, H, W) under a Gaussian of `sigma` pixels, edges mirrored.

    A wide one is computed on a picture shrunk until sigma is 2 to 3 pixels: nearly the same, and some hundred times
    faster.
    """
    height, width = x.shape[2:]
    factor = max(1, int(sigma / 2))
    small = (max(1, round(height / factor)), max(1, round(width / factor)))
    shrunk = F.interpolate(x, small, mode="area") if factor > 1 else x
    smooth = _convolve(_convolve(shrunk, sigma * small[0] / height, dim=2), sigma * small[1] / width, dim=3)
    return F.interpolate(smooth, (height, width), mode="bilinear", align_corners=False) if factor > 1 else smooth


def _convolve(x: Tensor, sigma: float, dim: int) -> Tensor:
    """`x` (N, C, H, W) under a Gaussian along one dimension, edges mirrored or, where `x` is short, repeated."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, *((-1, 1) if dim == 2 else (1, -1)))
    padding = (0, 0, radius, radius) if dim == 2 else (radius, radius, 0, 0)
    padded = F.pad(x, padding, mode="reflect" if x.shape[dim] > radius else "replicate")
    return F.conv2d(padded, kernel.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])


def normalize_levels(gradient: Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) with every level of its Laplacian pyramid brought to rms 1.

    Source: google's TensorFlow DeepDream tutorial (2015), lap_normalize: kernel [1, 4, 6, 4, 1], four levels.
    """
    levels = []
    rest = gradient
    for _ in range(LEVELS):
        if min(rest.shape[2:]) < 2:
            break
        smaller = _halve(rest)
        levels.append(rest - _double(smaller, rest))
        rest = smaller
    merged = _unit(rest)
    for level in reversed(levels):
        merged = _double(merged, level) + _unit(level)
    return merged


def _binomial(like: Tensor) -> Tensor:
    return BINOMIAL.to(like, non_blocking=True).expand(like.shape[1], 1, 5, 5)


def _halve(x: Tensor) -> Tensor:
    return F.conv2d(x, _binomial(x), stride=2, padding=2, groups=x.shape[1])


def _double(x: Tensor, like: Tensor) -> Tensor:
    """`x` at twice its size, that of `like`; four times the kernel, as three of four pixels between are empty."""
    extra = (like.shape[2] - (2 * x.shape[2] - 1), like.shape[3] - (2 * x.shape[3] - 1))
    return F.conv_transpose2d(x, 4 * _binomial(x), stride=2, padding=2, output_padding=extra, groups=x.shape[1])


def _unit(level: Tensor) -> Tensor:
    rms = level.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return level / rms.clamp_min(TINY)
