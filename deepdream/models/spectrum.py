"""The mean spectrum of a network's training images, and the decorrelated colours in which spectra are taken.

Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
(MACO, 2023), for the mean; Olah, Mordvintsev, Schubert, "Feature Visualization" (2017) and lucid, for the colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# How the colours of natural images correlate: lightness first, then blue against yellow, then green against purple.
# Source: lucid, color_correlation_svd_sqrt, here divided by its largest column's length.
COLORS = ((0.5623, 0.1947, 0.0433), (0.5840, 0.0000, -0.1081), (0.5840, -0.1947, 0.0649))
MARGIN = 0.01  # black and white of an image are mapped this far inside (0, 1), which the sigmoid can reach
DIGITS = 4  # significant ones of a ring mean
LEAST = 1e-9  # magnitude of a ring: grey images have no colours
LEAST_SIDE = 8  # pixels of a measured image; smaller ones have too few rings for a slope


@dataclass(frozen=True)
class Spectrum:
    """The mean spectrum of images: how strong each frequency is in them, the same in all directions.

    mean: of each decorrelated colour (see `decorrelated`).
    rings: for each of these colours the mean magnitude in rings of frequencies. Ring i is half an octave wide and lies
        around 2^(i / 2) cycles per shorter side. A magnitude is that of `torch.fft.rfft2`, divided by the number of
        pixels.
    """

    mean: tuple[float, float, float]
    rings: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]

    def magnitudes(self, size: tuple[int, int]) -> Tensor:
        """Those of `torch.fft.rfft2` of an image of `size`: (3, H, W // 2 + 1), float64; the mean is 0.

        Between rings, and above the highest one, magnitudes follow a power of the frequency.
        """
        height, width = size
        cycles = _cycles(size).clamp_min(1)
        logs = torch.tensor(self.rings, dtype=torch.float64).log2()  # (3, R)
        ring = torch.arange(logs.shape[1], dtype=torch.float64)
        centred = ring - ring.mean()
        slope = (logs * centred).sum(dim=1) / centred.square().sum()  # (3,), per ring
        at = 2 * cycles.log2()
        below = at.floor().clamp_max(logs.shape[1] - 2).long()
        inner = torch.lerp(logs[:, below], logs[:, below + 1], (at - below).clamp_max(1))
        beyond = (at - ring[-1]).clamp_min(0) * slope[:, None, None]
        # A longer side has more frequencies, which share the same contrast.
        density = min(size) / max(size)
        found: Tensor = torch.exp2(inner + beyond) * density**0.5 * height * width
        found[:, 0, 0] = 0
        return found

    def as_record(self) -> dict[str, Any]:
        """As plain values, for a checkpoint; `spectrum_of_record` reads them."""
        return {"mean": list(self.mean), "rings": [list(row) for row in self.rings]}


# Of 600 photos of six kinds of rooms, 256 pixels a side (Places365); ImageNet's falls with about the same power.
SPECTRUM_OF_ROOMS = Spectrum(
    (-0.3997, 1.546, -0.1465),
    (
        (
            *(0.5137, 0.2515, 0.2073, 0.1389, 0.08982, 0.05997, 0.03792, 0.024, 0.01538),
            *(0.009647, 0.006311, 0.003946, 0.002459, 0.001425, 0.0009343),
        ),
        (
            *(0.3483, 0.1892, 0.1551, 0.1038, 0.0687, 0.04563, 0.02954, 0.0187, 0.01189),
            *(0.007266, 0.00477, 0.002981, 0.001907, 0.001254, 0.0009761),
        ),
        (
            *(0.2447, 0.1371, 0.1148, 0.07995, 0.056, 0.03881, 0.02639, 0.01792, 0.0127),
            *(0.008936, 0.005927, 0.003485, 0.002228, 0.001554, 0.001288),
        ),
    ),
)


def decorrelated(image: Tensor) -> Tensor:
    """The colours of images (N, 3, H, W) in [0, 1], before the sigmoid and decorrelated: lightness first."""
    coloured = torch.logit(image * (1 - 2 * MARGIN) + MARGIN)
    inverse = torch.linalg.inv(torch.tensor(COLORS, dtype=image.dtype, device=image.device))
    return torch.einsum("ij,njhw->nihw", inverse, coloured)


def mean_spectrum(images: Iterable[Tensor]) -> Spectrum:
    """The mean spectrum of images (3, H, W), float in [0, 1], of any size; each counts equally.

    Frequencies are counted in cycles per shorter side, up to those that the smallest image has; an image under 8 pixels
    a side is left out.
    Departs from MACO: means over rings, so that 50 numbers are enough and no direction has the streaks of the images'
    edges, where the paper averages each frequency of ImageNet.
    Raises ValueError where no image is left.
    """
    means, rings = [], []
    for image in images:
        size = (image.shape[1], image.shape[2])
        if min(size) < LEAST_SIDE:
            continue
        spectrum = torch.fft.rfft2(decorrelated(image[None].double())[0]) / (size[0] * size[1])
        cycles = _cycles(size)
        ring = (2 * cycles.clamp_min(1).log2()).round().long().flatten()
        inside = ((cycles > 0) & (cycles <= min(size) / 2)).flatten()
        sums = torch.zeros(3, int(ring[inside].max()) + 1, dtype=torch.float64)
        sums.index_add_(1, ring[inside], spectrum.abs().flatten(1)[:, inside])
        density = min(size) / max(size)
        rings.append(sums / torch.bincount(ring[inside]) / density**0.5)
        means.append(spectrum[:, 0, 0].real)
    if not rings:
        raise ValueError(f"there is no image of {LEAST_SIDE} pixels a side to measure a spectrum of")
    least = min(row.shape[1] for row in rings)
    mean = torch.stack(means).mean(dim=0).tolist()
    ring_means = torch.stack([row[:, :least] for row in rings]).mean(dim=0).clamp_min(LEAST).tolist()
    return spectrum_of_record({"mean": _rounded(mean), "rings": [_rounded(row) for row in ring_means]})


def spectrum_of_record(record: Any) -> Spectrum:
    """The spectrum that `as_record` made plain values of. Raises ValueError for other values."""
    try:
        mean, rings = [float(value) for value in record["mean"]], [[float(v) for v in row] for row in record["rings"]]
        (m0, m1, m2), (r0, r1, r2) = mean, (tuple(row) for row in rings)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("the spectrum is not a mean and rings of three colours") from error
    finite = all(math.isfinite(value) for value in (m0, m1, m2))
    positive = all(math.isfinite(value) and value > 0 for value in r0 + r1 + r2)
    if not finite or not positive or not 3 <= len(r0) == len(r1) == len(r2) <= 64:
        raise ValueError("the spectrum is not three rows of as many numbers above 0, and three means")
    return Spectrum((m0, m1, m2), (r0, r1, r2))


def _cycles(size: tuple[int, int]) -> Tensor:
    """The frequencies of `torch.fft.rfft2` in cycles per shorter side: (H, W // 2 + 1), float64."""
    height, width = size
    rows = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    columns = torch.fft.rfftfreq(width, dtype=torch.float64)[None]
    radius: Tensor = (rows.square() + columns.square()).sqrt()
    return radius * min(size)


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]
