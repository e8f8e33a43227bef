"""Canvases that hold a picture as its spectrum, with decorrelated colours.

Source: Olah, Mordvintsev, Schubert, "Feature Visualization" (2017), and lucid's param.fft_image. A step in the spectrum
moves all frequencies alike, where a step in pixels moves mostly the high ones, which look like noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deepdream.dreaming.canvas import per_colour

# How the colours of natural pictures go together: light first, then blue against yellow, then green against purple.
# Source: lucid, color_correlation_svd_sqrt, here divided by its largest column's length.
COLORS = ((0.5623, 0.1947, 0.0433), (0.5840, 0.0000, -0.1081), (0.5840, -0.1947, 0.0649))
LUCID_SCALE = 4.0  # lucid divides its pictures by this, to keep its step size of 0.05
MARGIN = 0.01  # a photo's black and white are taken so far from 0 and 1, where the sigmoid never comes


class FourierCanvas:
    """Holds the spectrum of the picture before its sigmoid: (N, 3, H, W // 2 + 1, 2), real and imaginary part.

    Frequency f counts 1 / max(f, 1 / longer side)^decay: decay 1 is that of natural pictures.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        dtype: torch.dtype,
        device: torch.device,
        size: tuple[int, int],
        decay: float,
    ) -> None:
        self._mean, self._std = per_colour(mean, dtype, device), per_colour(std, dtype, device)
        self._size = size
        self._mix = torch.tensor(COLORS, dtype=dtype, device=device)
        height, width = size
        rows = torch.fft.fftfreq(height, dtype=dtype, device=device)[:, None]
        columns = torch.fft.rfftfreq(width, dtype=dtype, device=device)[None]
        self._frequency = (rows.square() + columns.square()).sqrt()
        floored = self._frequency.clamp_min(1 / max(size))
        self._scale = (height * width) ** 0.5 / floored**decay / LUCID_SCALE  # (H, W // 2 + 1)
        self.per_unit = torch.ones_like(self._std)

    def encode(self, image: Tensor) -> Tensor:
        """The spectrum of a picture in [0, 1]."""
        coloured = torch.logit(image * (1 - 2 * MARGIN) + MARGIN)
        plain = torch.einsum("ij,njhw->nihw", torch.linalg.inv(self._mix), coloured)
        return torch.view_as_real(torch.fft.rfft2(plain) / self._scale)

    def noise(self, pictures: int, seed: int, *, sd: float = 0.01) -> Tensor:
        """A spectrum of Gaussian noise, as lucid begins with: a nearly even grey."""
        shape = (pictures, 3, self._size[0], self._size[1] // 2 + 1, 2)
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return (sd * drawn).to(self._scale)

    def decode(self, held: Tensor) -> Tensor:
        """The picture in [0, 1]."""
        return (self.view(held) - MARGIN).div(1 - 2 * MARGIN).clamp(0, 1)

    def view(self, held: Tensor) -> Tensor:
        """The picture in (0, 1)."""
        spectrum = self._spectrum(held)
        plain = torch.fft.irfft2(spectrum * self._scale, s=self._size)
        return torch.sigmoid(torch.einsum("ij,njhw->nihw", self._mix, plain))

    def picture(self, view: Tensor) -> Tensor:
        """The view, as it is."""
        return view

    def network_input(self, view: Tensor) -> Tensor:
        """(view - mean) / std."""
        return (view - self._mean) / self._std

    def clamp(self, held: Tensor) -> Tensor:
        """What is held, as it is: the sigmoid keeps the picture in (0, 1)."""
        return held

    def _spectrum(self, held: Tensor) -> Tensor:
        return torch.view_as_complex(held)


class PhaseCanvas(FourierCanvas):
    """Holds only the phases (N, 3, H, W // 2 + 1, 1); the magnitudes stay those of the picture that was encoded.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
    (2023). Departs from the paper: the magnitudes are those of the given photo, not the mean of ImageNet's.
    """

    def encode(self, image: Tensor) -> Tensor:
        """The phases; the magnitudes are kept aside."""
        spectrum = torch.view_as_complex(super().encode(image))
        self._magnitude = spectrum.abs()
        self._mean_phase = spectrum.angle()[:, :, 0, 0]
        return spectrum.angle()[..., None]

    def noise(self, pictures: int, seed: int, *, sd: float = 1.0) -> Tensor:
        """Random phases, all as likely, but the mean colour of what was encoded: call `encode` first.

        The magnitudes become alike in all directions, as a mean over many photos is: those of one photo go with its own
        phases, and give others the streaks of its edges.
        """
        self._magnitude = self._ring_means(self._magnitude)
        shape = (pictures, 3, self._size[0], self._size[1] // 2 + 1, 1)
        drawn = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        phases = (2 * torch.pi * sd * (drawn - 0.5)).to(self._scale)
        phases[:, :, 0, 0, 0] = self._mean_phase
        return phases

    def _ring_means(self, magnitude: Tensor) -> Tensor:
        """`magnitude` (N, 3, H, W // 2 + 1), each value the mean over all of about its frequency."""
        unscaled = magnitude * self._scale
        rings = (self._frequency * max(self._size)).round().long().flatten()  # (H * (W // 2 + 1),)
        sums = unscaled.new_zeros(*magnitude.shape[:2], int(rings.max()) + 1)
        sums.index_add_(2, rings, unscaled.flatten(2))
        means = sums / torch.bincount(rings, minlength=sums.shape[2]).clamp(min=1)
        ringed: Tensor = means[:, :, rings].view_as(magnitude) / self._scale
        return ringed

    def _spectrum(self, held: Tensor) -> Tensor:
        return torch.polar(self._magnitude, held[..., 0])
