"""How well an attribution agrees with the true effects of the objects. Each measure is one number for one room.

The evidence of an object is the sum of an attribution over its pixels; its share is that divided by the sum over the
image. An oracle, whose shares are the true effects, scores 1 (false positives: 0). What a map scores that knows nothing
is the chance level, and no measure has it in its formula: a constant map is graded like any other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from deepdream.explaining.truth.config import MEASURES
from deepdream.explaining.truth.effects import Effects, Values

FEWEST_OBJECTS = 3  # that can be ranked

Map = NDArray[np.float64]


@MEASURES.register("mass", "high")
def mass(attribution: Map, effects: Effects) -> float:
    """The overlap of evidence and positive effects: the sum of the smaller of an object's two shares, in [0, 1]."""
    positive = np.maximum(effects.true, 0)
    if not positive.any():
        return np.nan
    return float(np.minimum(shares(evidence(attribution), effects), positive / positive.sum()).sum())


@MEASURES.register("pointing", "high")
def pointing(attribution: Map, effects: Effects) -> float:
    """1 if the peak lies on something of positive effect, else 0 (Zhang et al. 2016); the mean over several peaks."""
    if effects.true.max() <= 0:
        return np.nan
    values = evidence(attribution)
    return float(_is_effective(effects)[values == values.max()].mean())


@MEASURES.register("rank corr.", "high")
def rank_correlation(attribution: Map, effects: Effects) -> float:
    """Spearman's correlation of the objects' shares and effects, both with their sign, without the walls."""
    true = effects.true[:-1]
    if len(true) < FEWEST_OBJECTS or np.ptp(true) == 0:
        return np.nan
    return spearman(shares(attribution, effects)[:-1], true)


@MEASURES.register("false pos.", "low", is_graded=False)
def false_positives(attribution: Map, effects: Effects) -> float:
    """The share of the evidence on objects without any effect, in [0, 1]."""
    idle = effects.true == 0
    idle[-1] = False
    if not idle.any():
        return np.nan
    return float(shares(evidence(attribution), effects)[idle].sum())


@MEASURES.register("avg. precision", "high")
def average_precision(attribution: Map, effects: Effects) -> float:
    """Area under precision and recall of the pixels of positive effect, found by their evidence, in [0, 1]."""
    labels = _is_effective(effects)
    if labels.all() or not labels.any():
        return np.nan
    return float(average_precision_score(labels.ravel(), evidence(attribution).ravel()))


@MEASURES.register("sign", "high", is_graded=False)
def sign_agreement(attribution: Map, effects: Effects) -> float:
    """The share of the effects, by their size, whose sign the object's evidence has; of maps that have two signs."""
    true = effects.true[:-1]
    if attribution.min() >= 0 or not true.any():
        return np.nan
    agree = np.sign(shares(attribution, effects)[:-1]) == np.sign(true)
    return float(np.abs(true[agree]).sum() / np.abs(true).sum())


def evidence(attribution: Map) -> Map:
    """The positive part; for a map without any a constant one, which knows as little."""
    positive = np.maximum(attribution, 0)
    return positive if positive.any() else np.ones_like(positive)


def shares(attribution: Map, effects: Effects) -> Values:
    """The sum over each object's pixels, of a map whose absolute values are scaled to add up to 1."""
    total = np.abs(attribution).sum() or 1.0
    weights = (attribution / total).ravel()
    found: Values = np.bincount(effects.owners.ravel(), weights, minlength=len(effects.objects)).astype(np.float64)
    return found


def change(attribution: Map, other: Map) -> float:
    """How much of the evidence moves from one map to another, in [0, 1]."""
    one, two = evidence(attribution), evidence(other)
    return float(0.5 * np.abs(one / one.sum() - two / two.sum()).sum())


def spearman(one: Values, other: Values) -> float:
    """Spearman's rank correlation; 0 if one of the two is constant and ranks nothing."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)


def _is_effective(effects: Effects) -> NDArray[np.bool_]:
    """The pixels of what has a positive effect, (H, W)."""
    found: NDArray[np.bool_] = (effects.true > 0)[effects.owners]
    return found
