"""Which classes are taken for which: the confusion matrix as a picture, and its most confused pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from deepdream.evaluating.metrics import Counts
from deepdream.plots import figure_style

# Up to this many classes the cells are large enough to carry their number.
NUMBERED_CLASSES = 20


@dataclass(frozen=True)
class ConfusedPair:
    """count pictures of class `label` were taken for class `answer`: `share` of all of class `label`."""

    label: int
    answer: int
    count: int
    share: float


def confused_pairs(counts: Counts, *, most: int = 10) -> list[ConfusedPair]:
    """The `most` pairs (true class, answer) with the most mistakes, the most first; fewer where there are fewer."""
    total = counts.sum(axis=1)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(counts)) for place in order]
    return [ConfusedPair(i, j, int(wrong[i, j]), float(wrong[i, j] / total[i])) for i, j in pairs if wrong[i, j] > 0]


def confusion_order(counts: Counts) -> npt.NDArray[np.int64]:
    """An order of the classes, (classes,), in which those that are confused stand together.

    Hierarchical clustering (average linkage) on how often two classes are taken for one another, its leaves in the
    order that puts the most alike beside each other (Bar-Joseph et al. 2001).
    """
    if len(counts) < 3:
        return np.arange(len(counts))
    shares = _shares(counts)
    alike = shares + shares.T
    distance = alike.max() - alike
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    order: npt.NDArray[np.int64] = leaves_list(optimal_leaf_ordering(linkage(condensed, "average"), condensed))
    return order


def draw_confusion(counts: Counts, classes: list[str], *, title: str) -> Figure:
    """Confusion counts (classes, classes), each row as shares of its true class: the diagonal is the recall.

    The classes stand in `confusion_order`.
    """
    order = confusion_order(counts)
    counts, names = counts[np.ix_(order, order)], [classes[i] for i in order]
    shares = _shares(counts)
    side = 4.5 + 0.42 * len(names) if len(names) <= NUMBERED_CLASSES else 5 + 0.22 * len(names)
    with figure_style():
        figure = Figure(figsize=(side + 1, side))
        axes = figure.subplots()
        image = axes.imshow(shares, vmin=0, vmax=1)
        axes.set_title(title)
        axes.set_xlabel("answer")
        axes.set_ylabel("true class")
        size = 11 if len(names) <= NUMBERED_CLASSES else 8
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        axes.set_yticks(range(len(names)), names, fontsize=size)
        if len(names) <= NUMBERED_CLASSES:
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    color = "black" if shares[row, column] > 0.5 else "white"
                    axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=10)
        figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def _shares(counts: Counts) -> npt.NDArray[np.float64]:
    """Each row divided by its sum; a class without pictures has a row of zeros."""
    total = counts.sum(axis=1, keepdims=True)
    shares: npt.NDArray[np.float64] = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    return shares
