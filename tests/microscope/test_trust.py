from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from deepdream.microscope import activation_percentile, layer_means, path_agreement
from deepdream.microscope.trust import unit_ranks
from tests.dreaming.networks import photo, small_network

RNG = np.random.default_rng(0)
MOTIF = RNG.normal(size=40)
OTHERS = {"a": RNG.normal(size=(50, 40))}


def around(motif: np.ndarray, count: int = 8) -> dict[str, np.ndarray]:
    return {"a": motif + 0.5 * RNG.normal(size=(count, 40))}


def test_the_percentile_counts_ties_half() -> None:
    assert activation_percentile(5.0, [1.0, 2.0]) == 100
    assert activation_percentile(0.0, [1.0, 2.0]) == 0
    assert activation_percentile(1.0, [1.0, 1.0]) == 50


def test_images_of_the_same_kind_agree_by_one_others_by_zero_and_opposites_by_less() -> None:
    exciting = around(MOTIF)
    assert path_agreement(around(MOTIF), exciting, OTHERS)["a"] == pytest.approx(1, abs=0.1)
    unlike = {"a": RNG.normal(size=(50, 40))}
    assert path_agreement(unlike, exciting, OTHERS)["a"] == pytest.approx(0, abs=0.1)
    assert path_agreement(around(-MOTIF), exciting, OTHERS)["a"] < -0.5


def test_a_layer_that_does_not_tell_the_images_apart_says_nothing() -> None:
    alike = {"a": RNG.normal(size=(30, 40))}
    assert np.isnan(path_agreement(around(MOTIF), alike, OTHERS)["a"])


def test_agreement_ignores_the_strength_of_a_visualisation() -> None:
    """Ranks: a visualisation excites every channel more than a real image does, which is no other path."""
    seen, exciting = around(MOTIF), around(MOTIF)
    stronger = {"a": np.exp(3 * seen["a"])}
    assert path_agreement(stronger, exciting, OTHERS) == pytest.approx(path_agreement(seen, exciting, OTHERS))


def test_correlations_are_spearmans_with_ties() -> None:
    a, b = RNG.integers(0, 4, (3, 40)).astype(float), RNG.integers(0, 4, (2, 40)).astype(float)
    expected = [[spearmanr(x, y).statistic for y in b] for x in a]
    np.testing.assert_allclose(unit_ranks(a) @ unit_ranks(b).T, expected, atol=1e-12)


def test_layer_means_are_of_each_image() -> None:
    images = photo(40, 48, images=3).float()
    network = small_network()
    together = layer_means(network, ["1", "3"], images, batch_size=2)
    alone = layer_means(network, ["1", "3"], images[1:2])
    for name, means in together.items():
        np.testing.assert_allclose(means[1], alone[name][0], rtol=1e-5)
        assert means.shape[0] == 3


def test_one_exciting_image_is_too_few() -> None:
    with pytest.raises(ValueError, match="two"):
        path_agreement(OTHERS, {"a": OTHERS["a"][:1]}, OTHERS)
