"""What is kept of a layer's channels over a stream of images: memory does not grow with their number.

An activation of a channel in an image is either its peak, the largest value of its feature map, with the place where
it is, or its mean over the positions. Peaks choose images; means are what a classifier behind average pooling reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

K = 9  # images of each kind that are kept for a channel
BINS = 128  # of a histogram: half of them for negative values
SUMS = ("count", "firing", "positions", "peak_sum", "peak_square", "mean_sum", "class_count")  # over the images
FIRST_RANGE = 2.0**-12  # of a histogram, which doubles when a value is larger


@dataclass(frozen=True)
class Response:
    """How a layer responds to N images. peak, mean: float32 (N, C). place: flat index of the peak, int64 (N, C).

    firing: the number of positions with a positive value, int64 (N, C). positions: of the feature map, rows x columns.
    """

    peak: Tensor
    mean: Tensor
    place: Tensor
    firing: Tensor
    grid: tuple[int, int]


def response(maps: Tensor) -> Response:
    """The response that a feature map (N, C, H, W) holds. The first of equal peaks counts."""
    positions = maps.permute(0, 2, 3, 1).flatten(1, 2)  # (N, P, C): a view, channels last
    peak, place = positions.max(dim=1)
    return Response(
        peak.float(),
        positions.mean(dim=1, dtype=torch.float32),
        place,
        (positions > 0).sum(dim=1),
        (maps.shape[2], maps.shape[3]),
    )


class ChannelStatistics:
    """Statistics of C channels over images that come in batches, in the order of their indices.

    best, worst: the K images with the highest and lowest peaks, each as (value, image, place), arrays (K, C); of equal
        peaks the earlier image comes first. NaN where there are fewer images.
    samples: the peaks, means and places of chosen images, arrays (images, C).
    """

    def __init__(self, channels: int, classes: int, samples: npt.ArrayLike) -> None:
        self._samples = np.asarray(samples, dtype=np.int64)
        size = len(self._samples), channels
        self.arrays: dict[str, npt.NDArray[Any]] = {
            "count": np.zeros(1, np.int64),
            "best_value": np.full((K, channels), -np.inf, np.float32),
            "best_image": np.full((K, channels), -1, np.int64),
            "best_place": np.zeros((K, channels), np.int64),
            "worst_value": np.full((K, channels), np.inf, np.float32),
            "worst_image": np.full((K, channels), -1, np.int64),
            "worst_place": np.zeros((K, channels), np.int64),
            "histogram": np.zeros((BINS, channels), np.int64),
            "range": np.full(channels, FIRST_RANGE),
            "firing": np.zeros(channels, np.int64),
            "positions": np.zeros(1, np.int64),
            "peak_sum": np.zeros(channels),
            "peak_square": np.zeros(channels),
            "mean_sum": np.zeros((classes, channels)),
            "class_count": np.zeros(classes, np.int64),
            "sample_peak": np.zeros(size, np.float32),
            "sample_mean": np.zeros(size, np.float32),
            "sample_place": np.zeros(size, np.int32),
            "grid": np.zeros(2, np.int64),
        }

    def take_in(self, later: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take in the `arrays` of other statistics, over images and samples that follow those so far."""
        a = self.arrays
        for name in SUMS:
            a[name] += later[name]
        for kind, descending in (("best", True), ("worst", False)):
            values, images, places = (torch.from_numpy(later[f"{kind}_{name}"]) for name in ("value", "image", "place"))
            self._rank(kind, values, images, places, descending=descending)
        histogram, width = later["histogram"].copy(), later["range"].copy()
        _widen(histogram, width, a["range"])
        _widen(a["histogram"], a["range"], width)
        a["histogram"] += histogram
        for name in ("sample_peak", "sample_mean", "sample_place"):
            a[name] = np.concatenate([a[name], later[name]])
        if later["count"][0]:
            a["grid"] = later["grid"].copy()

    def update(self, found: Response, indices: Tensor, labels: Tensor) -> None:
        """Take in N more images. indices: of the images, ascending; labels: int64 (N,), negative where unknown."""
        if not len(indices):
            return
        a = self.arrays
        peak, place = found.peak.cpu(), found.place.cpu()
        a["count"] += len(indices)
        a["grid"][:] = found.grid
        images = indices[:, None].expand_as(place)
        self._rank("best", peak, images, place, descending=True)
        self._rank("worst", peak, images, place, descending=False)
        values = peak.numpy()
        self._count(values)
        a["firing"] += found.firing.sum(dim=0).cpu().numpy()
        a["positions"] += len(indices) * found.grid[0] * found.grid[1]
        a["peak_sum"] += values.sum(axis=0, dtype=np.float64)
        a["peak_square"] += np.square(values, dtype=np.float64).sum(axis=0)
        mean = found.mean.cpu().numpy()
        known = labels.numpy() >= 0
        np.add.at(a["mean_sum"], labels.numpy()[known], mean[known])
        np.add.at(a["class_count"], labels.numpy()[known], 1)
        rows = np.searchsorted(self._samples, indices.numpy())
        chosen = rows < len(self._samples)
        chosen[chosen] = self._samples[rows[chosen]] == indices.numpy()[chosen]
        a["sample_peak"][rows[chosen]] = values[chosen]
        a["sample_mean"][rows[chosen]] = mean[chosen]
        a["sample_place"][rows[chosen]] = place.numpy()[chosen]

    def _rank(self, kind: str, values: Tensor, images: Tensor, places: Tensor, *, descending: bool) -> None:
        """Merge with the K images so far, which are earlier: a stable sort keeps them first among equals."""
        later = {"value": values, "image": images, "place": places}
        every = {name: torch.cat([torch.from_numpy(self.arrays[f"{kind}_{name}"]), later[name]]) for name in later}
        order = every["value"].sort(dim=0, descending=descending, stable=True).indices[:K]
        self.arrays |= {f"{kind}_{name}": of_all.gather(0, order).numpy() for name, of_all in every.items()}

    def _count(self, values: npt.NDArray[np.float32]) -> None:
        """Add to the histograms, whose ranges double until they hold every value: the order of images is no matter."""
        a = self.arrays
        _widen(a["histogram"], a["range"], np.abs(values).max(axis=0))
        bins = np.floor((values / a["range"] + 1) * (BINS / 2)).astype(np.int64).clip(0, BINS - 1)
        np.add.at(a["histogram"], (bins, np.arange(values.shape[1])[None]), 1)

    @property
    def class_means(self) -> npt.NDArray[np.float64]:
        """The mean activation of each channel in the images of each class, (classes, C); 0 for a class without any."""
        counts: npt.NDArray[np.float64] = self.arrays["mean_sum"] / np.maximum(self.arrays["class_count"], 1)[:, None]
        return counts

    @property
    def firing(self) -> npt.NDArray[np.float64]:
        """The share of positions at which each channel is positive, (C,)."""
        share: npt.NDArray[np.float64] = self.arrays["firing"] / max(1, int(self.arrays["positions"][0]))
        return share

    @property
    def peak_moments(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Mean and standard deviation of the peaks of each channel, (C,) each."""
        count = max(1, int(self.arrays["count"][0]))
        mean = self.arrays["peak_sum"] / count
        variance = self.arrays["peak_square"] / count - mean**2
        return mean, np.sqrt(np.maximum(variance, 0))


def _widen(histogram: npt.NDArray[np.int64], width: npt.NDArray[np.float64], least: npt.NDArray[Any]) -> None:
    """Double the ranges (C,) of histograms (BINS, C) in place until each is at least `least`."""
    while (small := width < least).any():
        pairs = histogram[:, small].reshape(BINS // 2, 2, -1).sum(axis=1)
        histogram[:, small] = 0
        histogram[BINS // 4 : 3 * BINS // 4, small] = pairs
        width[small] *= 2
