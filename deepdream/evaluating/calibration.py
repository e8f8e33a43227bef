"""Reliability diagram and expected calibration error (Guo et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from deepdream.evaluating.predictions import Predictions
from deepdream.plots import COLORS, figure_style

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """Images in equal bins of confidence, the probability of the predicted class.

    edges: (bins + 1,). images: their number, (bins,). confidence: their mean confidence, accuracy: the share that is
    predicted correctly, both (bins,) and 0 in an empty bin. expected_error: mean of |confidence - accuracy| over the
    images, in [0, 1].
    """

    edges: npt.NDArray[np.float64]
    images: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    expected_error: float


def calibration(predictions: Predictions, *, bins: int = BINS) -> Calibration:
    """How well the confidence matches the accuracy, in `bins` bins of equal width."""
    confidences = predictions.confidence.astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    bin_index = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, bins - 1)  # a bin has its upper edge
    images = np.bincount(bin_index, minlength=bins)
    divisor = np.maximum(1, images)
    confidence = np.bincount(bin_index, weights=confidences, minlength=bins) / divisor
    accuracy = np.bincount(bin_index, weights=predictions.correct, minlength=bins) / divisor
    error = float((np.abs(confidence - accuracy) * images).sum() / images.sum())
    return Calibration(edges, images, confidence, accuracy, error)


def plot_reliability(result: Calibration, *, title: str) -> Figure:
    """The reliability diagram, and below it the number of images in each bin."""
    width = result.edges[1] - result.edges[0]
    centres = result.edges[:-1] + width / 2
    filled = result.images > 0
    with figure_style():
        figure = Figure(figsize=(6.4, 7.6))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], color="#888888", linestyle=":", label="perfect calibration")
        upper.bar(centres[filled], result.accuracy[filled], width * 0.92, color=COLORS["test"], label="accuracy")
        means = result.confidence[filled], result.accuracy[filled]
        upper.plot(*means, "o", color="black", markersize=5, label="mean of the bin")
        upper.set_title(f"{title}\nexpected calibration error {100 * result.expected_error:.1f}%")
        upper.set_ylabel("accuracy")
        upper.set_xlim(0, 1)
        upper.set_ylim(0, 1.02)
        upper.yaxis.set_major_formatter(PercentFormatter(1.0))
        figure.legend(loc="outside lower center", ncols=3, fontsize=10)
        lower.bar(centres, result.images, width * 0.92, color="#777777")
        lower.set_ylabel("images")
        lower.set_xlabel("confidence (probability of the predicted class)")
        lower.xaxis.set_major_formatter(PercentFormatter(1.0))
    return figure
