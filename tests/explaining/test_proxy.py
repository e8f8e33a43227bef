"""The Gaussian process against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, DotProduct
from torch import Tensor

from deepdream.explaining.proxy import LINEAR, MOST_PAIRS, NOISE, SHARPNESS, Proxy

FEATURES = 8


def samples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pairs of complements and probabilities, (count, 2, FEATURES) and (count, 2)."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randint(0, 2, (count, FEATURES), generator=generator)
    return torch.stack([vectors, 1 - vectors], dim=1), torch.rand(count, 2, generator=generator).double()


def sklearns(pairs: Tensor, scores: Tensor, mean: Tensor, scale: Tensor, asked: Tensor) -> np.ndarray:
    kernel = LINEAR / FEATURES * DotProduct(0) + RBF((FEATURES / SHARPNESS) ** 0.5)
    process = GaussianProcessRegressor(kernel, alpha=NOISE, optimizer=None)
    process.fit(pairs.flatten(0, 1) * 2.0 - 1, (scores.flatten() - mean) / scale)
    return process.predict(asked.flatten(0, 1) * 2.0 - 1) * float(scale) + float(mean)


@pytest.mark.filterwarnings("ignore:divide by zero")  # the logarithm of DotProduct's offset
def test_predictions_are_scikit_learns_of_the_log_odds() -> None:
    pairs, values = samples(20, 0)
    asked, _ = samples(10, 1)
    scores = values.logit()
    expected = 1 / (1 + np.exp(-sklearns(pairs, scores, scores.mean(), scores.std(), asked)))
    found = Proxy(pairs, values, is_probability=True)(asked)
    assert found.flatten().numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_pair_left_out_is_predicted_by_scikit_learns_process_without_it() -> None:
    pairs, values = samples(12, 2)
    found = Proxy(pairs, values, is_probability=False).left_out(pairs)
    for index in range(12):
        others = torch.arange(12) != index
        expected = sklearns(pairs[others], values[others], values.mean(), values.std(), pairs[[index]])
        assert found[index].numpy() == pytest.approx(expected, abs=1e-6)


def test_pairs_beyond_the_most_are_predicted_but_not_fitted() -> None:
    pairs, values = samples(MOST_PAIRS + 3, 3)
    proxy = Proxy(pairs, values, is_probability=True)
    assert torch.equal(proxy.left_out(pairs)[MOST_PAIRS:], proxy(pairs[MOST_PAIRS:]))
    assert torch.equal(proxy(pairs[:5]), Proxy(pairs[:MOST_PAIRS], values[:MOST_PAIRS], is_probability=True)(pairs[:5]))
