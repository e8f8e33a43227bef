"""How strong each scale of a picture is, kept from frame to frame of a film that feeds on itself."""

from __future__ import annotations

from torch import Tensor

from deepdream.dreaming.gradients import OPPONENT, mix
from deepdream.dreaming.pyramid import blur

SIGMAS = (1, 2, 4, 8, 16, 32)  # pixels; a band lies between two
GROWTH = 1.04  # the most by which a band is strengthened; more makes grain of what enlarging has blurred


class Balance:
    """Gives pictures the mean colour of a `reference`, and no scale more contrast than it has there.

    Light and two opponent colours are measured apart, each in bands of an octave: a dream that is dreamed on raises
    those that its network likes until they clip, and loses the finest to each enlargement. A weak band grows by up to
    GROWTH. What a band shows, and where, stays. reference: (3, H, W) in [0, 1].

    After Heeger and Bergen, "Pyramid-Based Texture Analysis/Synthesis" (1995), who match whole histograms.
    """

    def __init__(self, reference: Tensor) -> None:
        bands, self._mean = _split(reference)
        self._contrasts = [_contrast(band) for band in bands]

    def __call__(self, picture: Tensor) -> Tensor:
        """The balanced `picture`, (3, H, W) in [0, 1]."""
        total = self._mean
        for band, wanted in zip(_split(picture)[0], self._contrasts, strict=True):
            total = total + band * (wanted / _contrast(band).clamp_min(1e-6)).clamp(max=GROWTH)
        return mix(total, OPPONENT.t())[0].clamp(0, 1)


def _split(picture: Tensor) -> tuple[list[Tensor], Tensor]:
    """Bands from fine to coarse, (1, 3, H, W) each, and the mean, (1, 3, 1, 1), which add up to `picture`."""
    rest = mix(picture[None], OPPONENT)
    mean = rest.mean(dim=(2, 3), keepdim=True)
    rest = rest - mean
    bands = []
    for sigma in SIGMAS:
        coarser = blur(rest, sigma)
        bands.append(rest - coarser)
        rest = coarser
    return [*bands, rest], mean


def _contrast(band: Tensor) -> Tensor:
    return band.square().mean(dim=(2, 3), keepdim=True).sqrt()
