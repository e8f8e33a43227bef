import numpy as np
import pytest
import sklearn.metrics
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from deepdream.evaluating import Predictions
from deepdream.evaluating.metrics import (
    bootstrap_intervals,
    class_metrics,
    compute_metrics,
    confusion_counts,
    topk_correct,
)


@pytest.fixture
def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 400)  # class 6 has no image
    logits = rng.normal(size=(400, 7))
    logits[np.arange(400), labels] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(probabilities.astype(np.float32), labels, [f"class{i}" for i in range(7)])


def test_class_metrics_follow_from_the_confusion_matrix_of_scikit_learn(predictions: Predictions) -> None:
    rows = class_metrics(predictions)
    assert [row.name for row in rows] == predictions.classes
    matrices = sklearn.metrics.multilabel_confusion_matrix(predictions.labels, predictions.predicted, labels=range(7))
    for i, row in enumerate(rows):
        assert [[row.tn, row.fp], [row.fn, row.tp]] == matrices[i].tolist()
        assert row.precision == pytest.approx(row.tp / max(1, row.tp + row.fp))
        assert row.recall == pytest.approx(row.tp / max(1, row.tp + row.fn))
        assert row.f1 == pytest.approx(2 * row.tp / max(1, 2 * row.tp + row.fp + row.fn))
    assert rows[6].recall == rows[6].f1 == 0


def test_rows_of_the_confusion_counts_are_the_true_classes() -> None:
    probabilities = np.array([[0.1, 0.9], [0.1, 0.9], [0.2, 0.8]], np.float32)
    counts = confusion_counts(Predictions(probabilities, np.array([0, 0, 1]), ["bar", "pub"]))
    assert counts.tolist() == [[0, 2], [0, 1]]


def test_metrics_agree_with_torchmetrics_and_scikit_learn(predictions: Predictions) -> None:
    metrics = compute_metrics(predictions)
    p, y = torch.from_numpy(predictions.probabilities), torch.from_numpy(predictions.labels)
    assert metrics["accuracy"] == pytest.approx(multiclass_accuracy(p, y, 7, average="micro").item())
    assert metrics["top5_accuracy"] == pytest.approx(multiclass_accuracy(p, y, 7, average="micro", top_k=5).item())
    assert metrics["mean_per_class_accuracy"] == pytest.approx(
        np.mean([(predictions.predicted[predictions.labels == c] == c).mean() for c in range(6)])
    )
    assert metrics["loss"] == pytest.approx(sklearn.metrics.log_loss(predictions.labels, p.numpy(), labels=range(7)))
    assert metrics["macro_f1"] == pytest.approx(
        sklearn.metrics.f1_score(predictions.labels, predictions.predicted, labels=range(6), average="macro")
    )


def test_accuracy_interval_agrees_with_the_normal_approximation(predictions: Predictions) -> None:
    """With 400 images: 1.96 standard errors either way."""
    share = float(predictions.correct.mean())
    error = 1.96 * (share * (1 - share) / 400) ** 0.5
    intervals = bootstrap_intervals(predictions, resamples=2000)
    assert intervals["accuracy"] == pytest.approx((share - error, share + error), abs=0.012)
    metrics = compute_metrics(predictions)
    for name, (low, high) in intervals.items():
        assert low < metrics[name] < high
    assert bootstrap_intervals(predictions, seed=1) == bootstrap_intervals(predictions, seed=1)


def test_ties_count_as_correct_in_topk() -> None:
    """Uniform probabilities: every class is among the most probable."""
    uniform = Predictions(np.full((3, 4), 0.25, np.float32), np.array([0, 2, 3]), list("abcd"))
    assert topk_correct(uniform, 1).all()
    ranked = Predictions(np.array([[0.4, 0.3, 0.2, 0.1]] * 4, np.float32), np.arange(4), list("abcd"))
    assert topk_correct(ranked, 2).tolist() == [True, True, False, False]
