"""The regressions of LIME and KernelSHAP, on functions of few features whose exact answers can be enumerated."""

from itertools import permutations, product
from math import factorial

import numpy as np
import pytest
import torch
from captum.attr import KernelShap
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances
from torch import Tensor

from deepdream.explaining import surrogates
from deepdream.explaining.surrogates import lime_surrogate, shapley_values


class Function:
    """A main effect of each feature, and some interactions of two and of three; counts its samples."""

    def __init__(self, features: int, *, twos: float = 0.5, threes: float = 0.2) -> None:
        generator = torch.Generator().manual_seed(features)
        self.samples = 0
        self.effects = [
            (strength * torch.randn(3 * features, generator=generator), self.groups(features, size, generator))
            for strength, size in ((0.6, 1), (twos, 2), (threes, 3))
        ]

    @staticmethod
    def groups(features: int, size: int, generator: torch.Generator) -> Tensor:
        return torch.rand(3 * features, features, generator=generator).argsort(dim=1)[:, :size]

    def __call__(self, visible: Tensor) -> Tensor:
        self.samples += len(visible)
        signs = visible.float() * 2 - 1
        return sum(signs[:, groups].prod(dim=2) @ strengths for strengths, groups in self.effects)


def everything(features: int) -> Tensor:
    return torch.tensor(list(product((0, 1), repeat=features)))


def lime_package_weights(visible: Tensor, values: Tensor, penalty: float) -> np.ndarray:
    """The regression as in the lime package: `lime_base.py` with the kernel of `lime_image.py`."""
    data = visible.double().numpy()
    distances = pairwise_distances(data, np.ones((1, data.shape[1])), metric="cosine").ravel()
    distances[data.sum(axis=1) == 0] = 1
    model = Ridge(alpha=penalty, fit_intercept=True)
    return model.fit(data, values.numpy(), sample_weight=np.sqrt(np.exp(-(distances**2) / 0.25**2))).coef_


def root_mean_square(error: np.ndarray | Tensor) -> float:
    return float((error**2).mean() ** 0.5)


def test_with_samples_for_all_combinations_limes_weights_are_the_closed_form() -> None:
    function, visible = Function(7), everything(7)
    weights = lime_surrogate(function, 7, samples=200)
    assert function.samples == 128
    assert weights.numpy() == pytest.approx(lime_package_weights(visible, function(visible), 128 / 200), abs=1e-6)


def test_limes_weights_from_samples_have_the_closed_form_as_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogates, "PROXY_PAIRS", 128)  # quicker
    function, visible = Function(9, threes=0.5), everything(9)
    exact = lime_package_weights(visible, function(visible), 512 / 200)
    function.samples = 0
    errors = np.stack([lime_surrogate(function, 9, samples=200, seed=seed).numpy() - exact for seed in range(100)])
    assert function.samples == 100 * 200
    assert root_mean_square(errors) > 1e-3
    assert root_mean_square(errors.mean(axis=0)) < 2.5 * root_mean_square(errors) / 100**0.5


def test_limes_weights_are_closer_than_those_of_four_times_as_many_independent_samples() -> None:
    """Where most interactions are of two features, as in networks: they cancel out between complements."""
    features, function = 14, Function(14, threes=0.05)
    exact = lime_surrogate(function, features, samples=2**14).numpy()
    ours, independent = [], []
    for seed in range(10):
        ours.append(lime_surrogate(function, features, samples=128, seed=seed).numpy() - exact)
        visible = torch.randint(0, 2, (512, features), generator=torch.Generator().manual_seed(seed))
        independent.append(lime_package_weights(visible, function(visible), 512 / 128) - exact)
    assert root_mean_square(np.stack(ours)) < root_mean_square(np.stack(independent))


@pytest.mark.parametrize("precision", [0.2, pytest.param(0.14, marks=pytest.mark.slow)])
def test_lime_stops_at_the_stated_precision(precision: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogates, "PROXY_PAIRS", 2048)  # quicker
    function, features = Function(14, threes=0.5), 14
    exact = lime_surrogate(function, features, samples=2**14)
    errors, samples = [], []
    for seed in range(6):
        function.samples = 0
        weights = lime_surrogate(function, features, samples=1000, precision=precision, seed=seed)
        errors.append(root_mean_square(weights - exact) / float(weights.std()))
        samples.append(function.samples)
    assert max(samples) < 1000
    assert 0.5 * precision < root_mean_square(torch.tensor(errors)) <= 1.1 * precision


def test_lime_stops_at_its_first_block_where_the_features_only_add_up() -> None:
    function = Function(14, twos=0, threes=0)
    weights = lime_surrogate(function, 14, samples=2000, precision=0.05)
    assert function.samples == 48
    assert weights.numpy() == pytest.approx(lime_surrogate(function, 14, samples=2**14).numpy(), abs=0.05)


def test_the_response_may_be_a_probability_or_the_same_everywhere() -> None:
    """The proxy of the log odds takes over more of a probability than one of the probability itself."""
    function = Function(14, twos=0.2, threes=0)

    def error(*, is_probability: bool) -> float:
        exact, ours = (
            lime_surrogate(lambda v: function(v).sigmoid(), 14, samples=samples, is_probability=is_probability)
            for samples in (2**14, 192)
        )
        return root_mean_square(ours - exact)

    assert error(is_probability=True) < 0.5 * error(is_probability=False)
    for constant in (torch.zeros_like, torch.ones_like):
        for method in (lime_surrogate, shapley_values):
            flat = method(lambda visible, same=constant: same(visible[:, 0]), 14, samples=64, is_probability=True)
            assert float(flat.abs().max()) < 1e-5


@pytest.mark.parametrize("least", [6, 21, 62, 75])
def test_columns_of_a_hadamard_matrix_are_orthogonal(least: int) -> None:
    signs = surrogates._hadamard(least).double() * 2 - 1
    assert len(signs) > least
    assert torch.equal(signs.T @ signs, len(signs) * torch.eye(len(signs), dtype=torch.float64))


@pytest.mark.parametrize("method", [lime_surrogate, shapley_values])
@pytest.mark.parametrize(("features", "samples"), [(4, 10), (4, 16), (9, 11), (20, 10), (20, 200), (70, 300)])
def test_the_samples_are_no_more_than_stated_and_follow_from_the_seed(method, features: int, samples: int) -> None:
    function = Function(features)
    one = method(function, features, samples=samples, seed=1)
    assert samples - 2 <= function.samples <= samples or function.samples == 2**features
    assert torch.equal(one, method(function, features, samples=samples, seed=1))
    assert torch.equal(one, method(function, features, samples=samples, seed=2)) == (2**features <= samples)


def shapley_by_definition(function: Function, features: int) -> Tensor:
    """The mean gain of a feature over all orders in which they may appear."""
    found = torch.zeros(features)
    for order in permutations(range(features)):
        visible = torch.zeros(features + 1, features, dtype=torch.int64)
        for place, feature in enumerate(order):
            visible[place + 1 :, feature] = 1
        found[list(order)] += function(visible).diff()
    return found / factorial(features)


@pytest.mark.parametrize("features", [4, 5, 6])
def test_with_samples_for_all_combinations_shapley_values_are_those_of_the_definition(features: int) -> None:
    function = Function(features, threes=0.5)
    values = shapley_values(function, features, samples=2**features)
    assert function.samples == 2**features
    assert values.numpy() == pytest.approx(shapley_by_definition(function, features).numpy(), abs=1e-5)


@pytest.mark.parametrize("samples", [10, 50, 400])
def test_shapley_values_add_up_to_the_gain_whatever_the_samples(samples: int) -> None:
    function = Function(12, threes=0.5)
    none, full = function(torch.stack([torch.zeros(12), torch.ones(12)]))
    assert float(shapley_values(function, 12, samples=samples).sum()) == pytest.approx(float(full - none), abs=1e-4)


def test_shapley_values_tend_to_the_exact_ones_and_are_closer_than_captums() -> None:
    function, features = Function(10, threes=0.5), 10
    exact = shapley_values(function, features, samples=1024)
    few, many = (
        torch.stack([shapley_values(function, features, samples=samples, seed=seed) - exact for seed in range(5)])
        for samples in (100, 400)
    )
    captums = []
    for seed in range(5):
        torch.manual_seed(seed)
        method = KernelShap(function)
        captums.append(method.attribute(torch.ones(1, 10), n_samples=400, perturbations_per_eval=400)[0] - exact)
    assert root_mean_square(many) < 0.4 * root_mean_square(few)
    assert root_mean_square(many) < 0.5 * root_mean_square(torch.stack(captums))
