"""Accuracy, F1 and the like, over all images and for each class."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from deepdream.evaluating.calibration import calibration
from deepdream.evaluating.predictions import Predictions

Counts = npt.NDArray[np.int64]

# The metrics with an interval: key -> title.
METRICS = {
    "accuracy": "accuracy",
    "mean_per_class_accuracy": "mean per-class accuracy",
    "top5_accuracy": "top-5 accuracy",
    "macro_f1": "macro F1",
}


@dataclass(frozen=True)
class ClassMetrics:
    """One class against all others: true and false positives and negatives, precision, recall and F1.

    recall is the accuracy of the class. precision, recall and f1 are 0 where they would divide by zero.
    """

    name: str
    tp: int
    fp: int
    tn: int
    fn: int
    precision: float
    recall: float
    f1: float


def confusion_counts(predictions: Predictions) -> Counts:
    """The number of images of class i (row) that are predicted as class j (column), (classes, classes)."""
    labels = range(len(predictions.classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a single class
        return confusion_matrix(predictions.labels, predictions.predicted, labels=labels)  # type: ignore[no-any-return]


def class_metrics(predictions: Predictions) -> list[ClassMetrics]:
    """The metrics of each class, in the order of `predictions.classes`."""
    counts = confusion_counts(predictions)
    tp = np.diag(counts)
    fp, fn = counts.sum(axis=0) - tp, counts.sum(axis=1) - tp
    columns = (tp, fp, counts.sum() - tp - fp - fn, fn, *_precision_recall_f1(predictions))
    rows = zip(predictions.classes, *(column.tolist() for column in columns), strict=True)
    return [ClassMetrics(*row) for row in rows]


def compute_metrics(predictions: Predictions, *, seed: int = 0) -> dict[str, Any]:
    """METRICS in [0, 1]; expected_calibration_error; loss; the number of images and of classes; intervals.

    mean_per_class_accuracy and macro_f1 are means over the classes that have images. loss is the mean cross-entropy in
    nats. expected_calibration_error: see `calibration`. intervals: see `bootstrap_intervals`.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    _, recall, f1 = _precision_recall_f1(predictions)
    present = np.bincount(labels, minlength=len(predictions.classes)) > 0
    own = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float(predictions.correct.mean()),
        "mean_per_class_accuracy": float(recall[present].mean()),
        "top5_accuracy": float(topk_correct(predictions, 5).mean()),
        "macro_f1": float(f1[present].mean()),
        "expected_calibration_error": calibration(predictions).expected_error,
        "loss": float(-np.log(own.clip(np.finfo(np.float32).tiny)).mean()),
        "images": len(labels),
        "classes": len(predictions.classes),
        "intervals": {name: list(ends) for name, ends in bootstrap_intervals(predictions, seed=seed).items()},
    }


def topk_correct(predictions: Predictions, k: int) -> npt.NDArray[np.bool_]:
    """Whether the true class is among the `k` most probable, (N,).

    A tie counts as correct; scikit-learn's top_k_accuracy_score would decide it by the order of the classes.
    """
    probabilities, labels = predictions.probabilities, predictions.labels
    own = probabilities[np.arange(len(labels)), labels]
    correct: npt.NDArray[np.bool_] = (probabilities > own[:, None]).sum(axis=1) < k
    return correct


def bootstrap_intervals(
    predictions: Predictions, *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """The ends of the percentile bootstrap interval of each of METRICS (Efron 1979).

    The test images are resampled with replacement: the interval covers the choice of the test images, not that of the
    training run. Works on confusion counts: scikit-learn's functions take 50 times as long.
    """
    rng = np.random.default_rng(seed)
    classes, images = len(predictions.classes), len(predictions.labels)
    cell = predictions.labels * classes + predictions.predicted
    correct, top5_correct = predictions.correct, topk_correct(predictions, 5)
    samples: dict[str, list[float]] = {name: [] for name in METRICS}
    for _ in range(resamples):
        sample = rng.integers(0, images, images)
        counts = np.bincount(cell[sample], minlength=classes * classes).reshape(classes, classes)
        true, predicted, tp = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
        present = true > 0
        samples["accuracy"].append(correct[sample].mean())
        samples["mean_per_class_accuracy"].append((tp[present] / true[present]).mean())
        samples["top5_accuracy"].append(top5_correct[sample].mean())
        samples["macro_f1"].append((2 * tp / np.maximum(1, predicted + true))[present].mean())
    ends = (50 * (1 - level), 50 * (1 + level))
    return {
        name: (float(np.percentile(values, ends[0])), float(np.percentile(values, ends[1])))
        for name, values in samples.items()
    }


def _precision_recall_f1(predictions: Predictions) -> tuple[npt.NDArray[np.float64], ...]:
    """Precision, recall and F1 of each class, (classes,) each; 0 where they would divide by zero."""
    labels = range(len(predictions.classes))
    scores = precision_recall_fscore_support(predictions.labels, predictions.predicted, labels=labels, zero_division=0)
    return scores[:3]  # type: ignore[no-any-return]
