from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.truth.confidence import NAMES, auroc, judge_confidence, risk_coverage
from tests.explaining.networks import small_resnet


def test_auroc_is_that_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(0)
    values, positive = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    assert auroc(values, positive) == pytest.approx(roc_auc_score(positive, values))
    assert np.isnan(auroc(values, np.ones(60, bool)))


def test_risk_is_low_while_the_confident_are_correct() -> None:
    correct = np.arange(10) < 7
    assert risk_coverage(-np.arange(10.0), correct) == pytest.approx([0] * 7 + [1 / 8, 2 / 9, 3 / 10])
    assert risk_coverage(np.zeros(10), correct) == pytest.approx(np.full(10, 0.3))


@pytest.mark.slow
def test_six_confidences_are_judged_alike() -> None:
    config = ExplainConfig.preset(integrated_gradients_steps=2, confidence_samples=8)
    found = judge_confidence(small_resnet(size=32), images=12, config=config, resamples=20)
    assert {each.name for each in found} == set(NAMES)
    for each in found:
        assert 0 <= each.unknown_auroc <= 1
        assert each.risk_interval[0] <= each.risk <= each.risk_interval[1] + 1e-9
        assert len(each.curve) == 10
        assert each.curve[-1] == pytest.approx(found[0].curve[-1])  # the error rate of all images
    network = small_resnet(size=32)
    object.__setattr__(network, "classes", ["a", "b", "c", "d"])
    with pytest.raises(ValueError, match="knows no class of rooms"):
        judge_confidence(network, images=6)
