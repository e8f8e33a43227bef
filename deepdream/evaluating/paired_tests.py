"""Several networks on the same pictures: is the difference real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import binomtest

from deepdream.evaluating.predictions import Predictions


@dataclass(frozen=True)
class PairedTest:
    """McNemar's exact test (McNemar 1947) of two networks on the same pictures.

    first, second: which two. first_only, second_only: pictures that only the one or only the other has right.
    difference: of their accuracies, first minus second. p: the chance of a split as uneven or more where both are
    equally good, two-sided. adjusted_p: after Holm's correction for the number of pairs.
    """

    first: int
    second: int
    first_only: int
    second_only: int
    difference: float
    p: float
    adjusted_p: float


def paired_tests(predictions: Sequence[Predictions]) -> list[PairedTest]:
    """The test of each pair of networks. Raises ValueError where they did not answer to the same pictures."""
    labels = predictions[0].labels
    for other in predictions[1:]:
        if not np.array_equal(other.labels, labels):
            raise ValueError(
                "the checkpoints were evaluated on different pictures; only on the same can they be compared"
            )
    tests = []
    for i, j in combinations(range(len(predictions)), 2):
        right, other_right = predictions[i].right, predictions[j].right
        first_only, second_only = int((right & ~other_right).sum()), int((~right & other_right).sum())
        split = first_only + second_only
        p = float(binomtest(first_only, split, 0.5).pvalue) if split else 1.0
        difference = float(right.mean() - other_right.mean())
        tests.append(PairedTest(i, j, first_only, second_only, difference, p, p))
    return _adjusted(tests)


def _adjusted(tests: list[PairedTest]) -> list[PairedTest]:
    """Holm's step-down correction: the smallest p counts as often as there are tests, and so on, never falling."""
    order = sorted(range(len(tests)), key=lambda i: tests[i].p)
    adjusted = [0.0] * len(tests)
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, tests[i].p * (len(tests) - place)))
        adjusted[i] = highest
    return [
        PairedTest(t.first, t.second, t.first_only, t.second_only, t.difference, t.p, adjusted[i])
        for i, t in enumerate(tests)
    ]
