"""The metrics of each class as a plot."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.figure import Figure

from deepdream.evaluating.metrics import ClassMetrics
from deepdream.plots import figure_style

COUNTS = ("tp", "fp", "tn", "fn")
SHARES = ("precision", "recall", "f1")
ROW = 0.26  # height in inches


def plot_class_table(classes: list[ClassMetrics], *, title: str) -> Figure:
    """One row per class, sorted by F1 in descending order; precision, recall and F1 as bars with their values."""
    rows = sorted(classes, key=lambda row: -row.f1)
    with figure_style():
        figure = Figure(figsize=(10, 1.3 + ROW * len(rows)))
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        axes.set_xlim(0, 10)
        axes.set_ylim(len(rows) + 0.3, -1.3 / ROW + 0.6)
        axes.text(0.15, -2.6, title, fontsize=13, va="center")
        axes.text(0.15, -0.8, "class", fontsize=10, va="center", weight="bold")
        for i, name in enumerate(COUNTS):
            axes.text(3.35 + 0.65 * i, -0.8, name.upper(), fontsize=10, va="center", ha="right", weight="bold")
        for i, name in enumerate(SHARES):
            axes.text(5.8 + 1.4 * i, -0.8, "F1" if name == "f1" else name, fontsize=10, va="center", weight="bold")
        colours = mpl.colormaps["cividis"]
        for y, row in enumerate(rows):
            axes.axhline(y + 0.5, color="#eeeeee", linewidth=0.8)
            axes.text(0.15, y, row.name, fontsize=10, va="center")
            for i, name in enumerate(COUNTS):
                axes.text(3.35 + 0.65 * i, y, str(getattr(row, name)), fontsize=10, va="center", ha="right")
            for i, name in enumerate(SHARES):
                share = getattr(row, name)
                axes.barh(y, 0.8 * share, 0.7, left=5.8 + 1.4 * i, color=colours(share))
                axes.text(6.65 + 1.4 * i, y, f"{100 * share:.0f}%", fontsize=10, va="center")
    return figure
