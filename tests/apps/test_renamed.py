"""Names of version 0.1.0 are answered with today's, and its configurations are translated."""

from __future__ import annotations

import doctest

import pytest

from deepdream.apps import renamed
from deepdream.apps.renamed import RENAMED, new_name, translate


def test_the_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(renamed).attempted > 3
    assert doctest.testmod(renamed).failed == 0


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dream.tone", "0.5", "`dream.tone` is now `dream.contrast`"),
        ("dream.carry", "detail", "`dream.carry=detail` is now `dream.octave_mode=add_detail`"),
        ("dream.carry", None, "`dream.carry` is now `dream.octave_mode`"),
        ("dream.sheet", "12", "`dream.sheet` is now `mode=channels channels=12`"),
        ("dream.list_layers", "true", "`dream.list_layers` is now `mode=layers`"),
        ("dream.device", "cpu", "`dream.device` is now `device`"),
        ("dream", "atlas", "`dream=atlas` is now `dream=channel_grid`"),
        ("experiment", "box_adversary", "`experiment=box_adversary` is now `experiment=bundled_adversarial`"),
        ("schedule.warmup_epochs", "3", "`schedule.warmup_epochs` is now `scheduler.warmup_epochs`"),
        ("average.half_life_epochs", "5", "`average.half_life_epochs` is now `ema.half_life_epochs`"),
    ],
)
def test_an_old_name_is_answered_with_the_new_one(key: str, value: str | None, message: str) -> None:
    assert new_name(key, value) == message


@pytest.mark.parametrize("key", ["dream", "dream.steps", "trainer.devices", "data.url", "experiment", "nonsense"])
def test_a_name_of_today_is_no_old_name(key: str) -> None:
    assert new_name(key, "value") is None


def test_a_configuration_of_version_0_1_is_translated_and_not_changed_itself() -> None:
    old = {
        "seed": 3,
        "again": None,
        "dream": {"layers": ["layer4"], "space": "pixels", "start": "picture", "sheet": 0, "list_layers": False}
        | {"precision": "fp32", "max_pixels": 700_000, "compile": False, "tone": 1.0, "objective": {"mean": 1.0}},
    }
    new = translate(old)
    assert new == {
        "seed": 3,
        "reproduce": None,
        "precision": "fp32",
        "max_pixels": 700_000,
        "compile": False,
        "dream": {
            "layers": ["layer4"],
            "parameterization": "pixels",
            "init": "image",
            "contrast": 1.0,
            "objective": {"mean": 1.0},
        },
    }
    assert old["again"] is None
    assert translate(new) == new


def test_a_training_configuration_is_translated_too() -> None:
    old = {
        "average": {"half_life_epochs": 5},
        "trainer": {"max_epochs": 3, "extra": {"fast_dev_run": True}},
        "data": {"store": True, "cache": "kept", "url": None},
    }
    assert translate(old) == {
        "ema": {"half_life_epochs": 5},
        "trainer": {"max_epochs": 3, "fast_dev_run": True},
        "data": {"cache_images": True, "cache_dir": "kept", "url": None},
    }


@pytest.mark.parametrize("config", [{}, {"dream": 5}, {"dream": None}, {"dream": {"sheet": "many"}}])
def test_what_is_no_configuration_of_a_dream_is_left_to_the_schema(config: dict[str, object]) -> None:
    assert isinstance(translate(config), dict)


def test_no_new_name_is_an_old_one_too() -> None:
    keys = {old for old in RENAMED if "=" not in old}
    assert not keys & set(RENAMED.values())
