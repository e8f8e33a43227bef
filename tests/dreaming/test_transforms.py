"""The shifts of the steps: random, or stratified so that the lattice of a network's strides cancels."""

from __future__ import annotations

import numpy as np
import pytest

from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.transforms import sample_transforms

PERIODS = (32, 16, 8)


def shifts(sampling: str, seed: int = 0, **keys: int) -> np.ndarray:
    config = DreamConfig.preset("vivid", jitter=16, steps=8, jitter_sampling=sampling, **keys)
    return np.array([transform.shift for transform in sample_transforms(config, 24, seed, None)])


def lattice_left(of_octave: np.ndarray) -> np.ndarray:
    """The share of a pattern of each period that the mean over the shifts keeps, down and right: (periods, 2)."""
    return np.abs([np.exp(2j * np.pi * of_octave / period).mean(axis=0) for period in PERIODS])


def test_stratified_shifts_cancel_the_periods_of_the_strides_in_every_octave() -> None:
    stratified, random = shifts("stratified"), shifts("random")
    for octave in np.split(stratified, 3):
        assert lattice_left(octave).max() < 1e-9
    assert max(lattice_left(octave).max() for octave in np.split(random, 3)) > 0.3


@pytest.mark.parametrize("sampling", ["random", "stratified"])
def test_shifts_stay_in_bounds_and_depend_on_the_seed_alone(sampling: str) -> None:
    found = shifts(sampling)
    assert np.abs(found).max() <= 16
    assert np.array_equal(found, shifts(sampling))
    assert not np.array_equal(found, shifts(sampling, seed=1))
    octaves = np.split(found, 3)
    assert not np.array_equal(octaves[0], octaves[1])


def test_a_sampling_of_another_name_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"dream\.jitter_sampling is .grid.; it must be one of random, stratified"):
        shifts("grid")
