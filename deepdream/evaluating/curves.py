"""Learning curves: accuracy and loss over the epochs of a run, from its metrics.csv."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from deepdream.evaluating.csv_files import read_metrics
from deepdream.plots import COLORS, figure_style

Curves = dict[str, dict[int, float]]


def read_curves(path: Path) -> Curves:
    """Each metric ("val/accuracy") at each epoch, counted from 1, from a run's metrics.csv."""
    curves: Curves = defaultdict(dict)
    for row in read_metrics(path):
        if "epoch" in row:
            for key, value in row.items():
                if "/" in key:
                    curves[key][int(row["epoch"]) + 1] = value
    return dict(curves)


def plot_curves(curves: Curves, *, title: str) -> Figure:
    """Accuracy and loss of train, val and test, side by side; a line marks the epoch with the best val accuracy."""
    with figure_style():
        figure = Figure(figsize=(12, 4.8))
        figure.suptitle(title, x=0.01, ha="left", fontsize=14)
        for axes, metric in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
            for split, color in COLORS.items():
                points = sorted(curves.get(f"{split}/{metric}", {}).items())
                if points:
                    marker = "o" if len(points) < 3 else None
                    axes.plot(*zip(*points, strict=True), color=color, label=split, marker=marker)
            axes.set_title(metric)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y")
            axes.set_ylim(bottom=0)
            if metric == "accuracy":
                axes.set_ylim(0, 1)
                axes.yaxis.set_major_formatter(PercentFormatter(1.0))
                validation = curves.get("val/accuracy")
                if validation:
                    best = max(validation, key=lambda epoch: validation[epoch])
                    axes.axvline(best, color="#888888", linestyle=":", label=f"best by val: epoch {best}")
            axes.legend()
    return figure
