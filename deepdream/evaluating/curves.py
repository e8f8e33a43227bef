"""Accuracy and loss over the epochs of a run, from its metrics.csv."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from deepdream.plots import COLORS, figure_style

Curves = dict[str, dict[int, float]]


def read_curves(path: Path) -> Curves:
    """Each metric ("val/accuracy") at each epoch, counted from 1, from a run's metrics.csv."""
    curves: Curves = defaultdict(dict)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row.get("epoch"):
                continue
            for key, value in row.items():
                if "/" in key and value:
                    curves[key][int(float(row["epoch"])) + 1] = float(value)
    return dict(curves)


def draw_curves(curves: Curves, *, title: str) -> Figure:
    """Accuracy and loss of train, val and test, side by side; the best epoch by val is marked."""
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
                chosen = curves.get("val/accuracy")
                if chosen:
                    best = max(chosen, key=lambda epoch: chosen[epoch])
                    axes.axvline(best, color="#888888", linestyle=":", label=f"best by val: epoch {best}")
            axes.legend()
    return figure
