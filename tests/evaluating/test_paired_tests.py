import numpy as np
import pytest
from scipy.stats import binom

from deepdream.evaluating import Predictions, paired_tests


def network_with(correct: list[bool]) -> Predictions:
    labels = np.zeros(len(correct), np.int64)
    probabilities = np.array([[0.9, 0.1] if c else [0.1, 0.9] for c in correct], np.float32)
    return Predictions(probabilities, labels, ["a", "b"])


def test_mcnemar_is_the_two_sided_sign_test_of_discordant_images() -> None:
    one = network_with([True] * 9 + [False] * 1 + [True] * 50 + [False] * 40)
    other = network_with([False] * 9 + [True] * 1 + [True] * 50 + [False] * 40)
    (test,) = paired_tests([one, other])
    assert (test.first_only, test.second_only) == (9, 1)
    assert test.difference == pytest.approx(0.08)
    assert test.p == pytest.approx(2 * binom.cdf(1, 10, 0.5))


def test_equal_networks_do_not_differ() -> None:
    one = network_with([True, False, True])
    (test,) = paired_tests([one, one])
    assert (test.p, test.difference) == (1.0, 0.0)


def test_holm_correction_for_the_number_of_pairs() -> None:
    rng = np.random.default_rng(0)
    networks = [network_with((rng.random(400) < share).tolist()) for share in (0.5, 0.56, 0.8)]
    tests = sorted(paired_tests(networks), key=lambda test: test.p)
    assert tests[0].adjusted_p == pytest.approx(min(1, 3 * tests[0].p))
    assert tests[1].adjusted_p == pytest.approx(max(3 * tests[0].p, 2 * tests[1].p))
    assert tests[2].adjusted_p >= tests[2].p


def test_networks_on_different_images_cannot_be_compared() -> None:
    one, other = network_with([True, False]), network_with([True, False, True])
    with pytest.raises(ValueError, match="different images"):
        paired_tests([one, other])
