"""Which method can be trusted most, over a set of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from deepdream.explaining.explanation import Explanation

HIGHER_IS_BETTER = ("insertion_auc",)


@dataclass(frozen=True)
class MethodFigures:
    """A method over a set of pictures.

    mean_rank: its place among the methods, 1 the best, averaged over pictures and checks.
    means: of each check. errors: their standard errors; 0 for one picture. seconds: mean time of a map.
    """

    method: str
    mean_rank: float
    means: dict[str, float]
    errors: dict[str, float]
    seconds: float


def rank_methods(pictures: Sequence[Sequence[Explanation]]) -> list[MethodFigures]:
    """The methods from the best to the worst, from the explanations of each picture by the same methods and checks.

    Raises ValueError where there is none.
    """
    if not pictures or not pictures[0]:
        raise ValueError("there is no explanation to rank")
    methods = [explanation.method for explanation in pictures[0]]
    checks = list(pictures[0][0].scores)
    # (pictures, methods, checks)
    values = np.array([[[each.scores[check] for check in checks] for each in one] for one in pictures])
    signed = np.where([check in HIGHER_IS_BETTER for check in checks], -values, values)
    ranks = rankdata(signed, axis=1).mean(axis=(0, 2))  # (methods,)
    means = values.mean(axis=0)
    errors = values.std(axis=0, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.zeros_like(means)
    figures = [
        MethodFigures(
            method,
            float(ranks[i]),
            dict(zip(checks, means[i].tolist(), strict=True)),
            dict(zip(checks, errors[i].tolist(), strict=True)),
            float(np.mean([one[i].seconds for one in pictures])),
        )
        for i, method in enumerate(methods)
    ]
    return sorted(figures, key=lambda each: each.mean_rank)
