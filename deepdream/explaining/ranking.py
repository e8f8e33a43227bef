"""Which method can be trusted most, over a set of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from deepdream.explaining.explanation import Explanation
from deepdream.explaining.panels import CHECK_LABELS, TITLES
from deepdream.plots import COLORS, figure_style

HIGHER_IS_BETTER = ("insertion_auc",)
NEAR_ZERO_IS_BETTER = ("randomised_correlation",)
BEST, OTHERS = COLORS["val"], COLORS["train"]


@dataclass(frozen=True)
class MethodFigures:
    """A method over a set of pictures.

    mean_rank: its place among the methods, 1 the best, averaged over pictures and checks.
    means: of each check. errors: their standard errors; 0 for one picture. seconds: mean time of a map.
    """

    method: str
    mean_rank: float
    means: dict[str, float]
    errors: dict[str, float]
    seconds: float


def rank_methods(pictures: Sequence[Sequence[Explanation]]) -> list[MethodFigures]:
    """The methods from the best to the worst, from the explanations of each picture by the same methods and checks.

    Raises ValueError where there is none.
    """
    if not pictures or not pictures[0]:
        raise ValueError("there is no explanation to rank")
    methods = [explanation.method for explanation in pictures[0]]
    checks = list(pictures[0][0].scores)
    # (pictures, methods, checks)
    values = np.array([[[each.scores[check] for check in checks] for each in one] for one in pictures])
    ranks = rankdata(_badness(values, checks), axis=1).mean(axis=(0, 2))  # (methods,)
    means = values.mean(axis=0)
    errors = values.std(axis=0, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.zeros_like(means)
    figures = [
        MethodFigures(
            method,
            float(ranks[i]),
            dict(zip(checks, means[i].tolist(), strict=True)),
            dict(zip(checks, errors[i].tolist(), strict=True)),
            float(np.mean([one[i].seconds for one in pictures])),
        )
        for i, method in enumerate(methods)
    ]
    return sorted(figures, key=lambda each: each.mean_rank)


def _badness(values: npt.NDArray[np.float64], checks: Sequence[str]) -> npt.NDArray[np.float64]:
    """`values` (..., checks), turned so that the lowest of each check is the best."""
    turned = np.where([check in HIGHER_IS_BETTER for check in checks], -values, values)
    return np.where([check in NEAR_ZERO_IS_BETTER for check in checks], np.abs(values), turned)


def draw_ranking(ranking: Sequence[MethodFigures], *, pictures: int) -> Figure:
    """A row for each method, the best first, and for each check a column of bars with their standard errors.

    Of each column the best bar has another colour. pictures: over how many the figures are means.
    """
    checks = list(ranking[0].means)
    means = np.array([[row.means[check] for check in checks] for row in ranking])  # (methods, checks)
    errors = np.array([[row.errors[check] for check in checks] for row in ranking])
    best = _badness(means, checks).argmin(axis=0)
    with figure_style():
        figure = Figure(figsize=(4.3 + 2.3 * len(checks), 1.7 + 0.42 * len(ranking)))
        axes = figure.subplots(1, 1 + len(checks), sharey=True, squeeze=False)[0]
        ranks = np.array([row.mean_rank for row in ranking])
        _draw_bars(axes[0], "mean rank ↓", ranks, np.zeros_like(ranks), best=0)
        for i, check in enumerate(checks):
            _draw_bars(axes[1 + i], " ".join(CHECK_LABELS[check]), means[:, i], errors[:, i], best=int(best[i]))
        axes[0].set_yticks(range(len(ranking)), [TITLES[row.method] for row in ranking])
        axes[0].set_ylim(len(ranking) - 0.4, -0.6)  # the first on top
        noun = "picture" if pictures == 1 else f"{pictures} pictures"
        figure.suptitle(f"methods over {noun}, the best first; ± one standard error", x=0.01, ha="left", fontsize=14)
    return figure


def _draw_bars(
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
