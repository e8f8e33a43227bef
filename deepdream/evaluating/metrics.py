"""How good the answers are, over all classes and for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

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


def summary(predictions: Predictions) -> dict[str, Any]:
    """The figures over all pictures: accuracy, mean_class_accuracy and top5_accuracy in [0, 1], loss, and how many.

    mean_class_accuracy counts the classes that have pictures. loss is the mean cross-entropy in nats.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    counts = confusion_counts(predictions)
    present = counts.sum(axis=1) > 0
    own = probabilities[np.arange(len(labels)), labels]
    better = (probabilities > own[:, None]).sum(axis=1)
    return {
        "accuracy": float((predictions.answers == labels).mean()),
        "mean_class_accuracy": float((np.diag(counts)[present] / counts.sum(axis=1)[present]).mean()),
        "top5_accuracy": float((better < 5).mean()),
        "loss": float(-np.log(own.clip(np.finfo(np.float32).tiny)).mean()),
        "pictures": len(labels),
        "classes": len(predictions.classes),
    }
