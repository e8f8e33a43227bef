"""The image's gradient between the network and the step: smoothing, spectral clip, normalisation; their blurs."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.config import NORMALIZATIONS, SMOOTHINGS, DreamConfig

Smoothing = Callable[[Tensor, int], Tensor]  # gradient (N, 3, H, W), step of the octave -> smoothed gradient
Normalization = Callable[[Tensor], Tensor]

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
    so one averaged kernel per step replaces the three. Edges are reflected, without repeating the border pixel.
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


def unit_std(gradient: Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) with mean 0 and (unbiased) standard deviation 1 over each image.

    A constant gradient, which has no direction, becomes zero: no step is taken. Source: pytorch-deepdream.
    """
    mean = gradient.mean(dim=(1, 2, 3), keepdim=True)
    centred = gradient - mean
    std = _norm(centred, order=2) / (gradient[0].numel() - 1) ** 0.5
    # What remains of a constant after its mean is taken away is rounding, a few eps of it.
    rounding = 32 * torch.finfo(gradient.dtype).eps * mean.abs()
    return centred.div_(torch.where(std > rounding, std, torch.inf))


def unit_mean_abs(gradient: Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) with mean absolute value 1 over each image; zero stays zero.

    Source: google/deepdream, dream.ipynb.
    """
    mean_abs = _norm(gradient, order=1) / gradient[0].numel()
    return gradient / torch.where(mean_abs > 0, mean_abs, torch.inf)


def unit_rms(gradient: Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) with root mean square 1 over each image; zero stays zero."""
    rms = _norm(gradient, order=2) / gradient[0].numel() ** 0.5
    return gradient / torch.where(rms > 0, rms, torch.inf)


def unchanged(gradient: Tensor) -> Tensor:
    """`gradient` itself: the step is in proportion to it."""
    return gradient


def _norm(x: Tensor, *, order: int) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x, ord=order, dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
    return norm


class LocalRms:
    """Divides by the root mean square of each neighbourhood, so that quiet regions dream too; light and colours apart.

    sigma: of the neighbourhood, in pixels. A share of the image's rms is added, so that the noise of regions with
    hardly any gradient is not amplified.
    """

    FLOOR = 0.15  # share of the image's rms

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


class SpectralClip:
    """Clips the amplitude of each frequency to `limit` times the median of its ring: the frequencies of its scale.

    Hatching and plaid repeat one wave, a peak in the spectrum; a motif that varies has the energy of its scale spread
    over the ring. Phases, which hold the position of every form, do not change.
    """

    RINGS = 64  # of equally many frequencies, by their distance from 0

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._size = (0, 0)  # of the last gradient: only its rings are kept, as photos may be of many sizes
        self._rings: tuple[Tensor, Tensor]

    def __call__(self, gradient: Tensor) -> Tensor:
        """`gradient` (N, 3, H, W), each colour clipped alone; zero stays zero."""
        height, width = gradient.shape[2:]
        spectrum = torch.fft.rfft2(gradient)
        amplitude = spectrum.abs()
        limit = self._limit * self._ring_medians(amplitude, (height, width))
        scale = (limit / amplitude.clamp_min(torch.finfo(amplitude.dtype).tiny)).clamp_max(1)
        clipped: Tensor = torch.fft.irfft2(spectrum.mul_(scale), s=(height, width))
        return clipped

    def _ring_medians(self, amplitude: Tensor, size: tuple[int, int]) -> Tensor:
        """The median amplitude of the ring of each frequency: in the shape of `amplitude` (N, 3, H, W // 2 + 1)."""
        if size != self._size:
            by_radius, ring = _rings(*size, self.RINGS)
            self._size, self._rings = size, (by_radius.to(amplitude.device), ring.to(amplitude.device))
        by_radius, ring = self._rings
        rings = amplitude.flatten(2)[..., by_radius].view(*amplitude.shape[:2], self.RINGS, -1)
        # Not the mean, which a strong wave raises; sorted, because torch.median is not deterministic on a GPU.
        medians = rings.sort(dim=3).values[..., (rings.shape[3] - 1) // 2]
        return medians[..., ring].view_as(amplitude)


def _rings(height: int, width: int, count: int) -> tuple[Tensor, Tensor]:
    """The frequencies of rfft2 in `count` rings. Which, ring by ring; and the ring of each frequency.

    The last frequency stands in for those that are missing to rings of equal size.
    """
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]).flatten()
    by_radius = radius.argsort(stable=True)
    each = -(-len(radius) // count)
    ring = torch.empty_like(by_radius)
    ring[by_radius] = torch.arange(len(radius)) // each
    missing = each * count - len(radius)
    return torch.cat([by_radius, by_radius[-1:].expand(missing)]), ring


# Lightness, then two opponent colours, orthonormal.
OPPONENT = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
OPPONENT = OPPONENT / torch.linalg.vector_norm(OPPONENT, dim=1, keepdim=True)


def mix(x: Tensor, matrix: Tensor) -> Tensor:
    """The colours of `x` (N, 3, H, W) times `matrix` (3, 3)."""
    return F.conv2d(x, matrix.to(x, non_blocking=True)[:, :, None, None])


def band_pass(gradient: Tensor, fine: float, coarse: float) -> Tensor:
    """`gradient` (N, 3, H, W) under a band-pass filter: the difference of two Gaussian blurs, in pixels.

    Of the colours nothing finer than twice `fine` passes: fine coloured grain looks like noise.
    """
    opponent = mix(gradient, OPPONENT)
    smooth = torch.cat([blur(opponent[:, :1], fine), blur(opponent[:, 1:], 2 * fine)], dim=1)
    return mix(smooth - blur(opponent, coarse), OPPONENT.t())


LEVELS = 4
ROW = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
BINOMIAL = torch.outer(ROW, ROW) / 256
TINY = 1e-10  # least divisor of a level; that of the source


def blur(x: Tensor, sigma: float) -> Tensor:
    """`x` (N, C, H, W) under a Gaussian of `sigma` pixels, edges mirrored.

    A wide blur is computed on an image shrunk until sigma is 2 to 3 pixels: nearly the same, and some hundred times
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


def gaussian_cascade(config: DreamConfig, dtype: torch.dtype, device: torch.device) -> Smoothing:
    """The smoothing "cascade"."""
    return GaussianCascade(config.steps, config.sigma, dtype, device)


def laplacian(config: DreamConfig, dtype: torch.dtype, device: torch.device) -> Smoothing:
    """The smoothing "laplacian"."""
    return lambda gradient, step: normalize_levels(gradient)


def band(config: DreamConfig, dtype: torch.dtype, device: torch.device) -> Smoothing:
    """The smoothing "band"."""
    return lambda gradient, step: band_pass(gradient, config.sigma, config.band)


def unsmoothed(config: DreamConfig, dtype: torch.dtype, device: torch.device) -> Smoothing:
    """The smoothing "none"."""
    return lambda gradient, step: gradient


def build_smoothing(config: DreamConfig, dtype: torch.dtype, device: torch.device) -> Smoothing:
    """The smoothing that `config` names, and the spectral clip after it."""
    smoothing: Smoothing = SMOOTHINGS[config.smoothing](config, dtype, device)
    if config.spectral_clip is None:
        return smoothing
    clip = SpectralClip(config.spectral_clip)
    return lambda gradient, step: clip(smoothing(gradient, step))


def build_normalization(config: DreamConfig) -> Normalization:
    """The normalisation that `config` names; a neighbourhood is twice as wide as the band."""
    normalization = NORMALIZATIONS[config.normalize]
    if normalization is LocalRms:
        return LocalRms(2 * config.band)
    return normalization  # type: ignore[no-any-return]
