"""Does the network know how sure it can be: reliability, and the expected calibration error (Guo et al. 2017)."""

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
    """Pictures in equal bins of the probability of their answer.

    edges: (bins + 1,). pictures: how many, (bins,). confidence: their mean probability; accuracy: how many are right,
    both (bins,) and 0 where a bin is empty. expected_error: mean distance of the two over the pictures, in [0, 1].
    """

    edges: npt.NDArray[np.float64]
    pictures: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    expected_error: float


def calibration(predictions: Predictions, *, bins: int = BINS) -> Calibration:
    """How the probabilities of the answers compare with how often they are right."""
    sure = predictions.probabilities.max(axis=1).astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)  # a bin holds its upper edge
    pictures = np.bincount(place, minlength=bins)
    divisor = np.maximum(1, pictures)
    confidence = np.bincount(place, weights=sure, minlength=bins) / divisor
    accuracy = np.bincount(place, weights=predictions.right, minlength=bins) / divisor
    error = float((np.abs(confidence - accuracy) * pictures).sum() / pictures.sum())
    return Calibration(edges, pictures, confidence, accuracy, error)


def draw_reliability(measured: Calibration, *, title: str) -> Figure:
    """The reliability diagram, and how many pictures stand in each bin beneath it."""
    width = measured.edges[1] - measured.edges[0]
    centres = measured.edges[:-1] + width / 2
    filled = measured.pictures > 0
    with figure_style():
        figure = Figure(figsize=(6.4, 7.2))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], color="#888888", linestyle=":", label="as sure as right")
        upper.bar(
            centres[filled], measured.accuracy[filled], width * 0.92, color=COLORS["test"], label="share that is right"
        )
        upper.plot(
            measured.confidence[filled],
            measured.accuracy[filled],
            "o",
            color="black",
            markersize=5,
            label="mean of a bin",
        )
        upper.set_title(title)
        upper.set_ylabel("right")
        upper.set_xlim(0, 1)
        upper.set_ylim(0, 1.02)
        upper.yaxis.set_major_formatter(PercentFormatter(1.0))
        upper.legend(loc="upper left", title=f"expected calibration error {100 * measured.expected_error:.1f}%")
        lower.bar(centres, measured.pictures, width * 0.92, color="#777777")
        lower.set_ylabel("pictures")
        lower.set_xlabel("probability that the network gives to its answer")
        lower.xaxis.set_major_formatter(PercentFormatter(1.0))
    return figure
