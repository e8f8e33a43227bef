"""What is done to the picture's gradient before a step is taken along it: smoothing, then normalising."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.pyramid import blur, normalize_levels

KERNEL_SIZE = 9
PADDING = KERNEL_SIZE // 2


def gaussian_kernel(sigma: float) -> Tensor:
    """A 9x9 Gaussian of standard deviation `sigma` pixels that sums to 1: (9, 9), float64."""
    x = torch.arange(KERNEL_SIZE, dtype=torch.float64) - PADDING
    row = torch.exp(-0.5 * (x / sigma) ** 2)
    row = row / row.sum()
    return torch.outer(row, row)


class GaussianCascade:
    """Smooths a gradient by the mean of three Gaussians of 0.5, 1 and 2 sigma. Source: pytorch-deepdream.

    Sigma is 2 (i + 1) / steps + `sigma` at step i of an octave: coarse structure is settled last. Smoothing is linear,
    so one averaged kernel a step stands for the three. Edges are reflected, without repeating the border pixel.
    """

    def __init__(self, steps: int, sigma: float, dtype: torch.dtype, device: torch.device) -> None:
        kernels = []
        for i in range(steps):
            s = 2 * (i + 1) / steps + sigma
            kernels.append((gaussian_kernel(0.5 * s) + gaussian_kernel(s) + gaussian_kernel(2 * s)) / 3)
        # (steps, 3, 1, 9, 9): one kernel for each colour
        self._kernels = torch.stack(kernels)[:, None, None].repeat(1, 3, 1, 1, 1).to(device, dtype)

    def __call__(self, gradient: Tensor, step: int) -> Tensor:
        """Smooth `gradient` (N, 3, H, W) for step `step` of its octave; H and W are at least 5."""
        padded = F.pad(gradient, (PADDING,) * 4, mode="reflect")
        return F.conv2d(padded, self._kernels[step], groups=3)


Normalization = Callable[[Tensor], Tensor]


def unit_std(gradient: Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) with mean 0 and (unbiased) standard deviation 1 over each whole picture.

    A constant gradient, which has no direction, becomes zero: no step is taken. Source: pytorch-deepdream.
    """
    mean = gradient.mean(dim=(1, 2, 3), keepdim=True)
    centred = gradient - mean
    std = _norm(centred, order=2) / (gradient[0].numel() - 1) ** 0.5
    # What remains of a constant after its mean is taken away is rounding, a few eps of it.
    rounding = 32 * torch.finfo(gradient.dtype).eps * mean.abs()
    return centred / torch.where(std > rounding, std, torch.inf)


def unit_mean_abs(gradient: Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) with mean absolute value 1 over each whole picture; zero stays zero.

    Source: google/deepdream, dream.ipynb.
    """
    mean_abs = _norm(gradient, order=1) / gradient[0].numel()
    return gradient / torch.where(mean_abs > 0, mean_abs, torch.inf)


def unit_rms(gradient: Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) with root mean square 1 over each whole picture; zero stays zero."""
    rms = _norm(gradient, order=2) / gradient[0].numel() ** 0.5
    return gradient / torch.where(rms > 0, rms, torch.inf)


def unchanged(gradient: Tensor) -> Tensor:
    """`gradient` as it is: the step is in proportion to it."""
    return gradient


def _norm(x: Tensor, *, order: int) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x, ord=order, dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
    return norm


class LocalRms:
    """Divides by the root mean square of each neighbourhood, so that quiet regions dream too; light and colours apart.

    sigma: of the neighbourhood, in pixels. A share of the whole picture's rms is added, so that where there is hardly
    any gradient its noise is not blown up.
    """

    FLOOR = 0.15

    def __init__(self, sigma: float) -> None:
        self._sigma = sigma

    def __call__(self, gradient: Tensor) -> Tensor:
        """`gradient` (N, 3, H, W) with root mean square near 1 everywhere; zero stays zero."""
        opponent = mix(gradient, OPPONENT)
        energy = opponent.square()
        local = blur(energy, self._sigma).clamp_min(0).sqrt()
        whole = energy.mean(dim=(2, 3), keepdim=True).sqrt()
        size = local + self.FLOOR * whole
        return mix(opponent / torch.where(size > 0, size, torch.inf), OPPONENT.t())


# Light, then two colours, at right angles to one another.
OPPONENT = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
OPPONENT = OPPONENT / torch.linalg.vector_norm(OPPONENT, dim=1, keepdim=True)


def mix(x: Tensor, matrix: Tensor) -> Tensor:
    """The colours of `x` (N, 3, H, W) times `matrix` (3, 3)."""
    return F.conv2d(x, matrix.to(x, non_blocking=True)[:, :, None, None])


def band(gradient: Tensor, fine: float, coarse: float) -> Tensor:
    """What of `gradient` (N, 3, H, W) lies between two blurs of `fine` and `coarse` pixels.

    Of the colours nothing finer than twice `fine`: fine coloured grain looks like noise.
    """
    opponent = mix(gradient, OPPONENT)
    smooth = torch.cat([blur(opponent[:, :1], fine), blur(opponent[:, 1:], 2 * fine)], dim=1)
    return mix(smooth - blur(opponent, coarse), OPPONENT.t())


NORMALIZATIONS: dict[str, Normalization] = {
    "std": unit_std,
    "mean_abs": unit_mean_abs,
    "rms": unit_rms,
    "none": unchanged,
}


def smoothing(config: DreamConfig, dtype: torch.dtype, device: torch.device) -> Callable[[Tensor, int], Tensor]:
    """The smoothing that `config` names: of a gradient (N, 3, H, W) at a step of its octave."""
    if config.smoothing == "cascade":
        return GaussianCascade(config.steps, config.sigma, dtype, device)
    if config.smoothing == "laplacian":
        return lambda gradient, step: normalize_levels(gradient)
    if config.smoothing == "band":
        return lambda gradient, step: band(gradient, config.sigma, config.band)
    return lambda gradient, step: gradient


def normalization(config: DreamConfig) -> Normalization:
    """The normalisation that `config` names."""
    return LocalRms(2 * config.band) if config.normalize == "local" else NORMALIZATIONS[config.normalize]
