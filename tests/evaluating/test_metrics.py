import numpy as np
import pytest
import sklearn.metrics
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from deepdream.evaluating import Predictions
from deepdream.evaluating.metrics import bootstrap_intervals, class_figures, confusion_counts, summary


@pytest.fixture
def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 400)  # class 6 has no picture
    logits = rng.normal(size=(400, 7))
    logits[np.arange(400), labels] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(probabilities.astype(np.float32), labels, [f"class{i}" for i in range(7)])


def test_the_figures_of_each_class_are_scikit_learns(predictions: Predictions) -> None:
    figures = class_figures(confusion_counts(predictions), predictions.classes)
    matrices = sklearn.metrics.multilabel_confusion_matrix(predictions.labels, predictions.answers, labels=range(7))
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        predictions.labels, predictions.answers, labels=range(7), zero_division=0
    )
    for i, row in enumerate(figures):
        assert [[row.tn, row.fp], [row.fn, row.tp]] == matrices[i].tolist()
        assert (row.precision, row.recall, row.f1) == pytest.approx((precision[i], recall[i], f1[i]))


def test_rows_of_the_confusion_counts_are_the_true_classes() -> None:
    probabilities = np.array([[0.1, 0.9], [0.1, 0.9], [0.2, 0.8]], np.float32)
    counts = confusion_counts(Predictions(probabilities, np.array([0, 0, 1]), ["bar", "pub"]))
    assert counts.tolist() == [[0, 2], [0, 1]]


def test_the_summary_agrees_with_torchmetrics_and_scikit_learn(predictions: Predictions) -> None:
    figures = summary(predictions)
    p, y = torch.from_numpy(predictions.probabilities), torch.from_numpy(predictions.labels)
    assert figures["accuracy"] == pytest.approx(multiclass_accuracy(p, y, 7, average="micro").item())
    assert figures["top5_accuracy"] == pytest.approx(multiclass_accuracy(p, y, 7, average="micro", top_k=5).item())
    assert figures["mean_class_accuracy"] == pytest.approx(
        np.mean([(predictions.answers[predictions.labels == c] == c).mean() for c in range(6)])
    )
    assert figures["loss"] == pytest.approx(sklearn.metrics.log_loss(predictions.labels, p.numpy(), labels=range(7)))
    assert figures["macro_f1"] == pytest.approx(
        sklearn.metrics.f1_score(predictions.labels, predictions.answers, labels=range(6), average="macro")
    )


def test_the_interval_of_the_accuracy_is_that_of_a_share(predictions: Predictions) -> None:
    """With 400 pictures the normal approximation holds: 1.96 standard errors either way."""
    share = float(predictions.right.mean())
    error = 1.96 * (share * (1 - share) / 400) ** 0.5
    intervals = bootstrap_intervals(predictions, resamples=2000)
    assert intervals["accuracy"] == pytest.approx((share - error, share + error), abs=0.012)
    figures = summary(predictions)
    for name, (low, high) in intervals.items():
        assert low < figures[name] < high
    assert bootstrap_intervals(predictions, seed=1) == bootstrap_intervals(predictions, seed=1)
