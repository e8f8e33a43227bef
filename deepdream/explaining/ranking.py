"""Attribution methods ranked by their checks over a set of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from deepdream.explaining.config import CHECKS, METHODS
from deepdream.plots import COLORS, figure_style

TRIM = 0.2  # share of the images that is left out at each end of a mean
BEST, OTHERS = COLORS["val"], COLORS["train"]


@dataclass(frozen=True)
class MethodMetrics:
    """The checks of a method over a set of images.

    mean_rank: its rank among the methods, 1 is the best, averaged over images and checks.
    means: of each check, without the TRIM lowest and highest images. errors: their standard errors; 0 for one image.
    seconds: mean time of an attribution.
    """

    method: str
    mean_rank: float
    means: dict[str, float]
    errors: dict[str, float]
    seconds: float


class Scored(Protocol):
    """An `Explanation`, or what is kept of one."""

    @property
    def method(self) -> str:
        """Its name."""

    @property
    def scores(self) -> dict[str, float]:
        """The values of its checks."""

    @property
    def seconds(self) -> float:
        """The time of the attribution."""


def rank_methods(images: Sequence[Sequence[Scored]]) -> list[MethodMetrics]:
    """The methods from the best to the worst, given the explanations of each image by the same methods and checks.

    Raises ValueError if there are none.
    """
    if not images or not images[0]:
        raise ValueError("there is no explanation to rank")
    methods = [explanation.method for explanation in images[0]]
    checks = list(images[0][0].scores)
    # (images, methods, checks)
    values = np.array([[[each.scores[check] for check in checks] for each in one] for one in images])
    ranks = rankdata(_badness(values, checks), axis=1).mean(axis=(0, 2))  # (methods,)
    means, errors = trimmed_means(values)
    metrics = [
        MethodMetrics(
            method,
            float(ranks[i]),
            dict(zip(checks, means[i].tolist(), strict=True)),
            dict(zip(checks, errors[i].tolist(), strict=True)),
            float(np.mean([one[i].seconds for one in images])),
        )
        for i, method in enumerate(methods)
    ]
    return sorted(metrics, key=lambda each: each.mean_rank)


def trimmed_means(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Means over the first axis and their standard errors, without the lowest and the highest TRIM of the values.

    One odd image does not decide them; of fewer than five values they are the ordinary ones. The standard error is that
    of Tukey and McLaughlin 1963, from the winsorised values; 0 for one value.
    """
    count = len(values)
    cut = int(TRIM * count)
    ordered = np.sort(values, axis=0)
    means = ordered[cut : count - cut].mean(axis=0)
    if count == 1:
        return means, np.zeros_like(means)
    winsorised = ordered.clip(ordered[cut], ordered[count - 1 - cut])
    return means, winsorised.std(axis=0, ddof=1) / ((1 - 2 * cut / count) * count**0.5)


def _badness(values: npt.NDArray[np.float64], checks: Sequence[str]) -> npt.NDArray[np.float64]:
    """`values` (..., checks), changed so that the lowest of each check is the best."""
    best = [CHECKS.details(check).best for check in checks]
    turned = np.where([each == "high" for each in best], -values, values)
    return np.where([each == "near zero" for each in best], np.abs(values), turned)


def plot_ranking(ranking: Sequence[MethodMetrics], *, image_count: int) -> Figure:
    """One row for each method, the best first; one column for each check: bars with their standard errors.

    The best bar of each column has another colour. image_count: the number of images of the means.
    """
    checks = list(ranking[0].means)
    means = np.array([[row.means[check] for check in checks] for row in ranking])  # (methods, checks)
    errors = np.array([[row.errors[check] for check in checks] for row in ranking])
    best = _badness(means, checks).argmin(axis=0)
    with figure_style():
        figure = Figure(figsize=(4.3 + 2.3 * len(checks), 1.7 + 0.42 * len(ranking)))
        axes = figure.subplots(1, 1 + len(checks), sharey=True, squeeze=False)[0]
        ranks = np.array([row.mean_rank for row in ranking])
        _plot_bars(axes[0], "mean rank ↓", ranks, np.zeros_like(ranks), best=0)
        for i, check in enumerate(checks):
            _plot_bars(axes[1 + i], CHECKS.details(check).title, means[:, i], errors[:, i], best=int(best[i]))
        axes[0].set_yticks(range(len(ranking)), [METHODS.details(row.method).title for row in ranking])
        axes[0].set_ylim(len(ranking) - 0.4, -0.6)  # the first at the top
        noun = "image" if image_count == 1 else f"{image_count} images"
        figure.suptitle(f"methods over {noun}, best first; ± one standard error", x=0.01, ha="left", fontsize=14)
    return figure


def _plot_bars(
    axes: Axes, title: str, values: npt.NDArray[np.float64], errors: npt.NDArray[np.float64], *, best: int
) -> None:
    places = range(len(values))
    axes.barh(places, values, 0.62, color=[BEST if place == best else OTHERS for place in places])
    if errors.any():
        axes.errorbar(values, places, xerr=errors, fmt="none", ecolor="#333333", elinewidth=1.4, capsize=3)
    low, ends = min(0.0, (values - errors).min()), (values + errors).clip(min=0)
    room = ends.max() - low or 1.0
    for place, value, end in zip(places, values, ends, strict=True):
        axes.text(end + 0.04 * room, place, f"{value:.2g}", fontsize=10, va="center")
    axes.set_xlim(low - 0.04 * room * (low < 0), ends.max() + 0.34 * room)
    axes.set_title(title, fontsize=12)
    axes.tick_params(left=False, labelsize=9.5)
    axes.tick_params(axis="y", labelsize=11)
    axes.locator_params(axis="x", nbins=3)
