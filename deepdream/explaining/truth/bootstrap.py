"""Percentile bootstrap intervals over rooms (Efron 1979)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Samples = NDArray[np.intp]  # (resamples, rooms)
Interval = tuple[float, float]

LEVEL = 0.95


def resampled(count: int, resamples: int, *, seed: int = 0) -> Samples:
    """Places of `count` rooms drawn with replacement, `resamples` times: the same draws for all that is compared."""
    return np.random.default_rng(seed).integers(0, count, (resamples, count))


def sampled_means(values: Values, samples: Samples) -> Values:
    """The means of `values` (rooms, columns) on each sample, without NaN: (resamples, columns)."""
    weights = np.stack([np.bincount(sample, minlength=len(values)) for sample in samples]).astype(np.float64)
    with np.errstate(invalid="ignore"):
        means: Values = (weights @ np.nan_to_num(values)) / (weights @ ~np.isnan(values))
    return means


def mean_interval(values: Values, samples: Samples) -> Interval:
    """The interval of the mean of `values` (rooms,), without NaN; NaN where all are."""
    return ends(sampled_means(values[:, None], samples)[:, 0])


def ends(values: Values) -> Interval:
    """The interval of a statistic from its values on the samples."""
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
