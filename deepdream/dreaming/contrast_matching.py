"""Match the contrast of a film's frames to that of its first, band by band."""

from __future__ import annotations

from torch import Tensor

from deepdream.dreaming.gradients import OPPONENT, blur, mix

SIGMAS = (1, 2, 4, 8, 16, 32)  # pixels; a band lies between two
GROWTH = 1.04  # the most by which a band is strengthened; more turns what enlarging has blurred into grain


class ContrastMatching:
    """Gives images the mean colour of a `reference`, and limits the contrast of each band to the reference's.

    Lightness and two opponent colours are measured apart, each in bands of an octave: a dream of a dream raises the
    bands that its network responds to until they clip, and loses the finest to each enlargement. A weak band grows by
    up to GROWTH. reference: (3, H, W) in [0, 1].

    After Heeger and Bergen, "Pyramid-Based Texture Analysis/Synthesis" (1995), who match whole histograms.
    """

    def __init__(self, reference: Tensor) -> None:
        bands, self._mean = _bands(reference)
        self._contrasts = [_contrast(band) for band in bands]

    def __call__(self, image: Tensor) -> Tensor:
        """`image` (3, H, W) in [0, 1] with the reference's contrast in each band."""
        total = self._mean
        for band, wanted in zip(_bands(image)[0], self._contrasts, strict=True):
            total = total + band * (wanted / _contrast(band).clamp_min(1e-6)).clamp(max=GROWTH)
        return mix(total, OPPONENT.t())[0].clamp(0, 1)


def _bands(image: Tensor) -> tuple[list[Tensor], Tensor]:
    """Bands from fine to coarse, (1, 3, H, W) each, and the mean, (1, 3, 1, 1), which add up to `image`."""
    rest = mix(image[None], OPPONENT)
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
