"""The confusion matrix as a picture."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from deepdream.evaluating.metrics import Counts
from deepdream.figures import figure_style

# Up to this many classes the cells are large enough to carry their number.
NUMBERED_CLASSES = 20


def draw_confusion(counts: Counts, classes: list[str], *, title: str) -> Figure:
    """Confusion counts (classes, classes), each row as shares of its true class: the diagonal is the recall."""
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    side = 4.5 + 0.42 * len(classes) if len(classes) <= NUMBERED_CLASSES else 5 + 0.22 * len(classes)
    with figure_style():
        figure = Figure(figsize=(side + 1, side))
        axes = figure.subplots()
        image = axes.imshow(shares, vmin=0, vmax=1)
        axes.set_title(title)
        axes.set_xlabel("answer")
        axes.set_ylabel("true class")
        size = 11 if len(classes) <= NUMBERED_CLASSES else 8
        axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=size)
        axes.set_yticks(range(len(classes)), classes, fontsize=size)
        if len(classes) <= NUMBERED_CLASSES:
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    color = "black" if shares[row, column] > 0.5 else "white"
                    axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=10)
        figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure
