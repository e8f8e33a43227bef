"""The confusion matrix as a plot, and its most confused pairs of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from deepdream.evaluating.metrics import Counts
from deepdream.plots import figure_style

# Up to this number of classes the cells are large enough for their counts.
NUMBERED_CLASSES = 20


@dataclass(frozen=True)
class ConfusedPair:
    """`count` images of class `label` were predicted as class `predicted`: `share` of all images of class `label`."""

    label: int
    predicted: int
    count: int
    share: float


def confused_pairs(counts: Counts, *, most: int = 10) -> list[ConfusedPair]:
    """Up to `most` pairs (true class, predicted class), sorted by their number of mistakes in descending order."""
    total = counts.sum(axis=1)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(cell), len(counts)) for cell in order]
    return [ConfusedPair(i, j, int(wrong[i, j]), float(wrong[i, j] / total[i])) for i, j in pairs if wrong[i, j] > 0]


def confusion_order(counts: Counts) -> npt.NDArray[np.int64]:
    """An order of the classes, (classes,), that puts confused classes next to each other.

    Hierarchical clustering (average linkage) of how often two classes are confused, with optimal leaf ordering
    (Bar-Joseph et al. 2001).
    """
    if len(counts) < 3:
        return np.arange(len(counts))
    shares = _shares(counts)
    similarity = shares + shares.T
    distance = similarity.max() - similarity
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    order: npt.NDArray[np.int64] = leaves_list(optimal_leaf_ordering(linkage(condensed, "average"), condensed))
    return order


def plot_confusion(counts: Counts, classes: list[str], *, title: str) -> Figure:
    """Confusion counts (classes, classes), each row normalised by its true class: the diagonal is the recall.

    The classes are in `confusion_order`.
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
        axes.set_xlabel("predicted class")
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
    """Each row divided by its sum; zeros for a class without images."""
    total = counts.sum(axis=1, keepdims=True)
    shares: npt.NDArray[np.float64] = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    return shares
