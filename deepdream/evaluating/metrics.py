"""How good the answers are, over all classes and for each."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from deepdream.evaluating.calibration import calibration
from deepdream.evaluating.predictions import Predictions

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares against all others: true and false positives and negatives, and what follows from them.

    precision, recall and f1 are 0 where they would divide by zero, as in scikit-learn.
    """

    name: str
    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def precision(self) -> float:
        """Share of the answers "this class" that are right."""
        return self.tp / max(1, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the pictures of this class that are found; the class's own accuracy."""
        return self.tp / max(1, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)


def confusion_counts(predictions: Predictions) -> Counts:
    """How often a picture of class i (row) was taken for class j (column), (classes, classes)."""
    labels = range(len(predictions.classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a single class, which is what it is
        return confusion_matrix(predictions.labels, predictions.answers, labels=labels)  # type: ignore[no-any-return]


def class_figures(counts: Counts, classes: list[str]) -> list[ClassFigures]:
    """The figures of each class from the confusion counts (classes, classes)."""
    total = int(counts.sum())
    figures = []
    for i, name in enumerate(classes):
        tp = int(counts[i, i])
        fp = int(counts[:, i].sum()) - tp
        fn = int(counts[i].sum()) - tp
        figures.append(ClassFigures(name, tp, fp, total - tp - fp - fn, fn))
    return figures


def summary(predictions: Predictions, *, seed: int = 0) -> dict[str, Any]:
    """The figures over all pictures: accuracy, mean_class_accuracy, top5_accuracy, macro_f1 in [0, 1]; loss; counts.

    mean_class_accuracy and macro_f1 count the classes that have pictures. loss is the mean cross-entropy in nats.
    expected_calibration_error: see `calibration`. intervals: see `bootstrap_intervals`.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    counts = confusion_counts(predictions)
    present = counts.sum(axis=1) > 0
    own = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float((predictions.answers == labels).mean()),
        "mean_class_accuracy": float((np.diag(counts)[present] / counts.sum(axis=1)[present]).mean()),
        "top5_accuracy": float(among_first(predictions, 5).mean()),
        "macro_f1": float(np.mean([f1 for f1, there in zip(_f1(counts), present, strict=True) if there])),
        "expected_calibration_error": calibration(predictions).expected_error,
        "loss": float(-np.log(own.clip(np.finfo(np.float32).tiny)).mean()),
        "pictures": len(labels),
        "classes": len(predictions.classes),
        "intervals": {name: list(ends) for name, ends in bootstrap_intervals(predictions, seed=seed).items()},
    }


def among_first(predictions: Predictions, k: int) -> npt.NDArray[np.bool_]:
    """Whether the right class is among the `k` most probable, (N,)."""
    probabilities, labels = predictions.probabilities, predictions.labels
    own = probabilities[np.arange(len(labels)), labels]
    first: npt.NDArray[np.bool_] = (probabilities > own[:, None]).sum(axis=1) < k
    return first


def bootstrap_intervals(
    predictions: Predictions, *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Ends of the percentile interval of accuracy, mean_class_accuracy, top5_accuracy and macro_f1.

    The pictures are drawn again with replacement, `resamples` times (Efron 1979): how far a figure would move with
    another test set of that size. The network stays the same; another training run is not in it.
    """
    rng = np.random.default_rng(seed)
    classes, pictures = len(predictions.classes), len(predictions.labels)
    cell = predictions.labels * classes + predictions.answers
    right, first = predictions.right, among_first(predictions, 5)
    figures: dict[str, list[float]] = {
        name: [] for name in ("accuracy", "mean_class_accuracy", "top5_accuracy", "macro_f1")
    }
    for _ in range(resamples):
        drawn = rng.integers(0, pictures, pictures)
        counts = np.bincount(cell[drawn], minlength=classes * classes).reshape(classes, classes)
        total = counts.sum(axis=1)
        present = total > 0
        figures["accuracy"].append(right[drawn].mean())
        figures["top5_accuracy"].append(first[drawn].mean())
        figures["mean_class_accuracy"].append((np.diag(counts)[present] / total[present]).mean())
        figures["macro_f1"].append(_f1(counts)[present].mean())
    ends = (50 * (1 - level), 50 * (1 + level))
    return {
        name: (float(np.percentile(values, ends[0])), float(np.percentile(values, ends[1])))
        for name, values in figures.items()
    }


def _f1(counts: Counts) -> npt.NDArray[np.float64]:
    """The F1 of each class, (classes,); 0 where it would divide by zero."""
    f1: npt.NDArray[np.float64] = 2 * np.diag(counts) / np.maximum(1, counts.sum(axis=0) + counts.sum(axis=1))
    return f1
