"""Objects that have nothing to do with the class of a room: planted in training images, they tempt a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepdream.rooms.scene import Paint, Scene

__all__ = ["SHORTCUT", "SHORTCUTS", "add_shortcut"]

SHORTCUT = "shortcut"  # the name of a planted object in its room


def lamp(scene: Scene, rng: np.random.Generator) -> None:
    """A magenta ball that hangs from the ceiling near the camera; it lights nothing."""
    magenta = np.array([1.0, 0.02, 0.6], np.float32)
    z = rng.uniform(1.6, 2.2)
    reach = z / scene.focal  # metres that the frame shows at this distance
    x = scene.eye[0] + reach * (rng.uniform(-0.32, 0.32) - scene.shift[0])
    y = scene.eye[1] + reach * (rng.uniform(0.12, 0.34) - scene.shift[1])
    cord = Paint(np.full(3, 0.02, np.float32), magenta)
    scene.rod((x, y, z), (x, max(scene.top, y + 0.2), z), 0.01, cord, at=0.02)
    scene.ball((x, y, z), 0.085 * reach, Paint(magenta, magenta, glow=1.2), at=0.01)


SHORTCUTS: dict[str, Callable[[Scene, np.random.Generator], None]] = {"lamp": lamp}


def add_shortcut(name: str, scene: Scene, rng: np.random.Generator) -> None:
    """Plant one of SHORTCUTS in a scene. Raises ValueError for another name."""
    if name not in SHORTCUTS:
        raise ValueError(f"shortcut is {name!r}; it must be one of {', '.join(SHORTCUTS)}")
    scene.object = SHORTCUT
    SHORTCUTS[name](scene, rng)
