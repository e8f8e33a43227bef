from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepdream.explaining.truth.config import MEASURES
from deepdream.explaining.truth.measures import change, shares
from deepdream.explaining.truth.methods import CONSTANT, ORACLE, RANDOM, reference
from tests.explaining.truth.rooms import SIDE, made_up


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_scores_one_and_its_opposite_does_not(name: str, seed: int) -> None:
    effects = made_up(seed)
    oracle = reference(ORACLE, effects, seed=0)
    best, worst = MEASURES[name](oracle, effects), MEASURES[name](-oracle, effects)
    if MEASURES.details(name).best == "high":
        assert best == pytest.approx(1)
        assert worst < 0.95
    else:
        assert best == pytest.approx(0)


def test_a_constant_map_scores_what_areas_give() -> None:
    effects = made_up(1)
    constant = reference(CONSTANT, effects, seed=0)
    areas, positive = effects.areas, np.array([3.0, 0.5, 0, 0, 0.8])
    is_effective = areas[[0, 1, 4]].sum()
    assert MEASURES["mass"](constant, effects) == pytest.approx(np.minimum(areas, positive / positive.sum()).sum())
    assert MEASURES["pointing"](constant, effects) == pytest.approx(is_effective)
    assert MEASURES["average_precision"](constant, effects) == pytest.approx(is_effective)
    assert MEASURES["false_positives"](constant, effects) == pytest.approx(areas[3])
    assert np.isnan(MEASURES["sign_agreement"](constant, effects))  # it has one sign only


@pytest.mark.parametrize("name", [name for name in MEASURES if name != "sign_agreement"])
def test_random_maps_score_what_the_constant_map_scores(name: str) -> None:
    effects = made_up(2)
    random = [MEASURES[name](reference(RANDOM, effects, seed=seed), effects) for seed in range(100)]
    chance = MEASURES[name](reference(CONSTANT, effects, seed=0), effects)
    assert np.mean(random) == pytest.approx(chance, abs=max(0.1, 3.5 * np.std(random) / 10))


def test_a_map_of_nothing_scores_chance_and_a_room_without_effects_is_left_out() -> None:
    effects = made_up()
    for name in ("mass", "pointing", "average_precision"):
        constant = MEASURES[name](np.ones((SIDE, SIDE)), effects)
        assert MEASURES[name](np.zeros((SIDE, SIDE)), effects) == constant
        idle = replace(effects, logit=np.full(5, 0.05))
        assert np.isnan(MEASURES[name](np.ones((SIDE, SIDE)), idle))


def test_shares_keep_their_sign_and_changes_are_of_the_evidence() -> None:
    effects = made_up()
    values = np.where(effects.owners == 0, 1.0, 0.0) - np.where(effects.owners == 2, 1.0, 0.0)
    found = shares(values, effects)
    assert found[0] > 0 > found[2]
    assert np.abs(found).sum() == pytest.approx(1)
    assert change(values, 5 * values) == pytest.approx(0)
    assert change(values, -values) == pytest.approx(1)
