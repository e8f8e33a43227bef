import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from deepdream.evaluating import Predictions
from deepdream.evaluating.calibration import calibration, draw_reliability


def predictions(seed: int = 0, pictures: int = 500) -> Predictions:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(5, 0.4), pictures).astype(np.float32)
    return Predictions(probabilities, rng.integers(0, 5, pictures), [f"class{i}" for i in range(5)])


def test_the_expected_error_is_torchmetrics() -> None:
    for seed in range(3):
        known = predictions(seed)
        theirs = multiclass_calibration_error(
            torch.from_numpy(known.probabilities), torch.from_numpy(known.labels), 5, n_bins=15, norm="l1"
        )
        assert calibration(known).expected_error == pytest.approx(float(theirs), abs=1e-6)


def test_a_network_that_is_as_sure_as_right_has_no_error_and_one_that_is_always_sure_its_share_of_mistakes() -> None:
    labels = np.array([0, 0, 0, 1])
    sure = np.tile(np.array([[0.75, 0.25]], np.float32), (4, 1))
    assert calibration(Predictions(sure, labels, ["a", "b"])).expected_error == pytest.approx(0)
    certain = np.tile(np.array([[1.0, 0.0]], np.float32), (4, 1))
    measured = calibration(Predictions(certain, labels, ["a", "b"]))
    assert measured.expected_error == pytest.approx(0.25)
    assert measured.pictures.tolist() == [0] * 14 + [4]


def test_the_diagram_says_the_error() -> None:
    measured = calibration(predictions())
    legend = draw_reliability(measured, title="t").axes[0].get_legend()
    assert f"{100 * measured.expected_error:.1f}%" in legend.get_title().get_text()
