"""Mean and standard deviation of the colours of a data set, and its mean spectrum."""

from __future__ import annotations

import torch

from deepdream.models.spectrum import Spectrum, mean_spectrum
from deepdream.scenes.dataset import SceneDataset

MOST_IMAGES = 10_000  # of more, so many are measured, evenly spread over the data set
MOST_SPECTRA = 256  # the mean of so many is smooth, and a training begins within a second


def measure_mean_and_std(dataset: SceneDataset) -> tuple[list[float], list[float]]:
    """`data.mean` and `data.std`: of red, green and blue in [0, 1] over the pixels before augmentation, to 3 digits.

    Each image counts equally, whatever its size.
    """
    chosen = range(0, len(dataset), max(1, len(dataset) // MOST_IMAGES))
    moments = torch.zeros(2, 3, dtype=torch.float64)
    for index in chosen:
        image = dataset.raw(index).float() / 255  # (3, H, W)
        moments += torch.stack([image.mean(dim=(1, 2)), image.square().mean(dim=(1, 2))])
    mean, square = moments / len(chosen)
    std = (square - mean.square()).clamp(min=0).sqrt()
    return [round(value, 3) for value in mean.tolist()], [round(value, 3) for value in std.tolist()]


def measure_spectrum(dataset: SceneDataset) -> Spectrum:
    """The mean spectrum of the images before augmentation. Raises what `mean_spectrum` raises."""
    chosen = range(0, len(dataset), max(1, len(dataset) // MOST_SPECTRA))
    return mean_spectrum(dataset.raw(index).float() / 255 for index in chosen)
