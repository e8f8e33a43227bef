"""The same room with and without its objects, and their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.rooms import BACKGROUND, CLASSES, SHORTCUT, Room, render_room

DRAWINGS = Path(__file__).parent / "data" / "drawings_v1.png"  # two rooms a class, 16 px, before faces had names


def test_drawings_are_those_of_version_one() -> None:
    columns = [np.concatenate([render_room(label, number, size=16) for number in range(2)]) for label in CLASSES]
    difference = np.abs(np.concatenate(columns, axis=1).astype(int) - np.asarray(Image.open(DRAWINGS)).astype(int))
    assert difference.max() <= 1  # the last bit of a float depends on the processor
    assert (difference == 0).mean() > 0.999


@pytest.mark.parametrize("label", CLASSES)
def test_masks_cover_the_pixels_that_an_object_changes(label: str) -> None:
    room = Room(label, 2, size=48)
    image = room.image()
    assert len(room.objects) >= 3
    changed = covered = straight = 0
    for name in room.objects:
        change = (room.image(without=[name]) != image).any(axis=2)
        masks = [room.visible(name), room.shadow(name), room.reflection(name), room.glow(name)]
        assert not (masks[0] & (masks[1] | masks[2] | masks[3])).any()
        changed += change.sum()
        covered += (change & np.logical_or.reduce(masks)).sum()
        straight += (change & masks[0]).sum()
    assert changed > 0.2 * 48 * 48
    assert covered >= 0.99 * changed
    assert straight > 0.3 * changed  # not by masks of the whole image


def test_each_pixel_belongs_to_one_object_that_it_shows() -> None:
    room = Room("bedroom", 0, size=48)
    assert room.names[0] == BACKGROUND
    for place, name in enumerate(room.names):
        assert not ((room.owners == place) & ~room.visible(name)).any()
    largest = [int((room.owners == room.names.index(name)).sum()) for name in room.objects]
    assert largest == sorted(largest, reverse=True)


def test_what_is_left_out_leaves_no_trace() -> None:
    room = Room("kitchen", 1, size=48)
    fewer = render_room("kitchen", 1, size=48, without=["fridge", "jars"])
    assert np.array_equal(fewer, room.image(without=["jars", "fridge"]))
    assert not np.array_equal(fewer, room.image(without=["fridge"]))
    far = ~np.logical_or.reduce([getattr(room, kind)("fridge") for kind in ("visible", "shadow", "reflection", "glow")])
    assert np.array_equal(room.image(without=["fridge"])[far], room.image()[far])


def test_other_noise_and_other_walls_keep_the_objects() -> None:
    room = Room("library", 0, size=48)
    difference = room.image(noise=1).astype(float) - room.image()
    assert 0 < difference.std() < 8
    assert np.array_equal(room.image(noise=1), room.image(noise=1))
    walls = np.abs(room.image(repainted=[BACKGROUND]).astype(float) - room.image()).mean(axis=2)
    is_wall = room.owners == room.names.index(BACKGROUND)
    assert walls[is_wall].mean() > 4 * walls[~is_wall].mean()


def test_a_shortcut_is_an_object_like_others() -> None:
    room = Room("library", 0, size=48, shortcut="lamp")
    assert np.array_equal(room.image(without=[SHORTCUT]), Room("library", 0, size=48).image())
    assert 0.005 < room.visible(SHORTCUT).mean() < 0.15


def test_an_unknown_object_is_an_error_that_names_those_of_the_room() -> None:
    room = Room("bedroom", 0, size=48)
    with pytest.raises(ValueError, match=r"this bedroom has no 'fridge'; its objects are background, .*bed"):
        room.image(without=["fridge"])
    with pytest.raises(ValueError, match="shortcut is 'lava'; it must be one of lamp"):
        Room("bedroom", 0, shortcut="lava")
