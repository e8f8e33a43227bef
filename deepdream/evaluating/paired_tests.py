"""McNemar's test: do two networks differ in accuracy on the same images?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.stats import binomtest

from deepdream.evaluating.predictions import Predictions


@dataclass(frozen=True)
class PairedTest:
    """McNemar's exact test (McNemar 1947) of two networks on the same images.

    first, second: indices of the networks. first_only, second_only: the number of images that only this network
    predicts correctly. difference: accuracy of the first minus that of the second. p: two-sided p-value under equal
    accuracy. adjusted_p: with Holm's correction for the number of pairs.
    """

    first: int
    second: int
    first_only: int
    second_only: int
    difference: float
    p: float
    adjusted_p: float


def paired_tests(predictions: Sequence[Predictions]) -> list[PairedTest]:
    """The test of each pair of networks. Raises ValueError unless all were evaluated on the same images.

    SciPy's exact binomial test is all that McNemar's needs; statsmodels has it by name, and would be one dependency
    more.
    """
    labels = predictions[0].labels
    for other in predictions[1:]:
        if not np.array_equal(other.labels, labels):
            raise ValueError("the checkpoints were evaluated on different images; a comparison needs the same images")
    tests = []
    for i, j in combinations(range(len(predictions)), 2):
        first, second = predictions[i].correct, predictions[j].correct
        first_only, second_only = int((first & ~second).sum()), int((~first & second).sum())
        discordant = first_only + second_only
        p = float(binomtest(first_only, discordant, 0.5).pvalue) if discordant else 1.0
        tests.append(PairedTest(i, j, first_only, second_only, float(first.mean() - second.mean()), p, p))
    return _holm(tests)


def _holm(tests: list[PairedTest]) -> list[PairedTest]:
    """The tests with Holm's step-down correction: the k-th smallest of n p-values times n - k + 1, never decreasing."""
    adjusted = list(tests)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(tests)), key=lambda i: tests[i].p)):
        highest = max(highest, min(1.0, tests[i].p * (len(tests) - rank)))
        adjusted[i] = replace(tests[i], adjusted_p=highest)
    return adjusted
