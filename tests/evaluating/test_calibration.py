import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from deepdream.evaluating import Predictions
from deepdream.evaluating.calibration import calibration, plot_reliability


def random_predictions(seed: int = 0, images: int = 500) -> Predictions:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(5, 0.4), images).astype(np.float32)
    return Predictions(probabilities, rng.integers(0, 5, images), [f"class{i}" for i in range(5)])


def test_expected_calibration_error_equals_that_of_torchmetrics() -> None:
    for seed in range(3):
        predictions = random_predictions(seed)
        theirs = multiclass_calibration_error(
            torch.from_numpy(predictions.probabilities), torch.from_numpy(predictions.labels), 5, n_bins=15, norm="l1"
        )
        assert calibration(predictions).expected_error == pytest.approx(float(theirs), abs=1e-6)


def test_perfect_calibration_has_no_error_and_full_confidence_has_the_error_rate() -> None:
    labels = np.array([0, 0, 0, 1])
    calibrated = np.tile(np.array([[0.75, 0.25]], np.float32), (4, 1))
    assert calibration(Predictions(calibrated, labels, ["a", "b"])).expected_error == pytest.approx(0)
    certain = np.tile(np.array([[1.0, 0.0]], np.float32), (4, 1))
    result = calibration(Predictions(certain, labels, ["a", "b"]))
    assert result.expected_error == pytest.approx(0.25)
    assert result.images.tolist() == [0] * 14 + [4]


def test_reliability_diagram_shows_the_expected_error() -> None:
    result = calibration(random_predictions())
    title = plot_reliability(result, title="t").axes[0].get_title(loc="left")
    assert f"{100 * result.expected_error:.1f}%" in title
