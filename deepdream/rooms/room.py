"""One synthetic room, with and without its objects: the same camera, light, colours, textures and noise.

What a network makes of the difference is the effect of the object, as no photo can show it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deepdream.rooms.interiors import INTERIORS
from deepdream.rooms.palette import Palette, take_film
from deepdream.rooms.perspective import SUPERSAMPLE, View, bloom, brightness, develop, expose, look
from deepdream.rooms.scene import BACKGROUND, Floats
from deepdream.rooms.shortcuts import SHORTCUT, add_shortcut

__all__ = ["Room"]

Mask = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)

LEAST_CHANGE = 1e-4  # of a factor or of a linear colour; below it rounding decides


class Room:
    """The room of a class and a number, in (size, size) pixels. All masks are (size, size).

    shortcut: an object of SHORTCUTS to add to the room; it is called "shortcut".

    >>> room = Room("bedroom", 0, size=48)
    >>> "bed" in room.objects
    True
    >>> room.image(without=["bed"]).shape, bool(room.visible("bed").any())
    ((48, 48, 3), True)

    Raises ValueError for an unknown class or shortcut, and for a size below 16.
    """

    def __init__(self, label: str, number: int, *, size: int = 96, seed: int = 0, shortcut: str | None = None) -> None:
        if label not in INTERIORS:
            from deepdream.schema import did_you_mean  # brings Hydra, which each rendering process would import

            near = did_you_mean(label, INTERIORS) or f"; it must be one of {', '.join(sorted(INTERIORS))}"
            raise ValueError(f"unknown class of rooms {label!r}{near}")
        if size < 16:
            raise ValueError(f"size is {size}; an image of a room needs at least 16 pixels per side")
        self.label, self.size = label, size
        self._key = [seed, *label.encode(), number]
        tones = Palette(np.random.default_rng([0, *self._key]))
        self._film = take_film(tones)
        self._scene = INTERIORS[label](tones)
        if shortcut is not None:
            add_shortcut(shortcut, self._scene, np.random.default_rng([2, *self._key]))

    @cached_property
    def objects(self) -> tuple[str, ...]:
        """The objects that the image shows at least one pixel of, the largest first; without the background."""
        pixels = np.bincount(self.owners.ravel(), minlength=len(self.names))
        largest_first = np.argsort(-pixels, kind="stable")
        return tuple(self.names[i] for i in largest_first if pixels[i] and self.names[i] != BACKGROUND)

    @property
    def names(self) -> tuple[str, ...]:
        """All objects of the room, hidden ones and the background too; `owners` counts in it."""
        return self._view.objects

    @cached_property
    def owners(self) -> NDArray[np.intp]:
        """Which of `names` each pixel shows most of; of two that share a pixel evenly, the one named first."""
        shares = np.stack([self._fraction(self._view.owner == i) for i in range(len(self.names))])
        owners: NDArray[np.intp] = shares.argmax(axis=0)
        return owners

    def image(
        self, *, without: Collection[str] = (), repainted: Collection[str] = (), noise: int = 0
    ) -> NDArray[np.uint8]:
        """The image, (size, size, 3) uint8 RGB.

        without: objects to leave out, with their shadows, reflections and glow. Lamps keep their light, the camera its
        exposure. The background cannot be left out; its walls become blank and grey.
        repainted: objects in other colours, "background" for the walls. noise: another number gives other sensor noise.
        Raises ValueError for an object that the room does not have.
        """
        self._check([*without, *repainted])
        view = self._look(without, repainted) if without or repainted else self._view
        sensor = np.random.default_rng([1, *self._key, *([noise] if noise else [])])
        return develop(self._exposed(view), self._film, sensor)

    def visible(self, name: str) -> Mask:
        """The pixels that show any of an object. Raises ValueError if the room does not have it."""
        self._check([name])
        return self._fraction(self._view.owner == self.names.index(name)) > 0

    def shadow(self, name: str) -> Mask:
        """The pixels outside an object that its shadow darkens or its patch of sun brightens."""
        return self._elsewhere(name, self._view.floor_light - self._look([name]).floor_light)

    def reflection(self, name: str) -> Mask:
        """The pixels outside an object whose reflection changes without it."""
        change = np.abs(self._view.reflection - self._look([name]).reflection).max(axis=0)
        return self._elsewhere(name, change)

    def glow(self, name: str) -> Mask:
        """The pixels outside an object on which the film lets its brightness bleed."""
        before, after = (bloom(self._exposed(view)) for view in (self._view, self._look([name])))
        mask: Mask = self._straight(np.abs(before - after).max(axis=2) > 0)
        return mask & ~self.visible(name)

    @cached_property
    def _view(self) -> View:
        return self._look()

    def _look(self, without: Collection[str] = (), repainted: Collection[str] = ()) -> View:
        side = self.size * SUPERSAMPLE
        return look(self._scene, self._film, side, without=without, repainted=repainted)

    def _exposed(self, view: View) -> Floats:
        return expose(view.light, self._film, self.size, self._brightness)

    @cached_property
    def _brightness(self) -> float:
        """Of the room without a shortcut, so that one changes no pixel far from it."""
        return brightness((self._look([SHORTCUT]) if SHORTCUT in self.names else self._view).light)

    def _elsewhere(self, name: str, change: Floats) -> Mask:
        """Where a value of each point, (N,), changes, apart from the object itself."""
        self._check([name])
        return (self._fraction(np.abs(change) > LEAST_CHANGE) > 0) & ~self.visible(name)

    def _fraction(self, points: NDArray[np.bool_]) -> Floats:
        """The fraction of each pixel that `points` (N,) cover, (size, size)."""
        blocks = points.reshape(self.size, SUPERSAMPLE, self.size, SUPERSAMPLE)
        fraction: Floats = blocks.mean(axis=(1, 3), dtype=np.float32)
        return self._straight(fraction)

    def _straight(self, mask: NDArray[T]) -> NDArray[T]:
        """As the film shows it: mirrored or not."""
        return mask[:, ::-1] if self._film.mirrored else mask

    def _check(self, names: Collection[str]) -> None:
        for name in names:
            if name not in self.names:
                raise ValueError(f"this {self.label} has no {name!r}; its objects are {', '.join(self.names)}")
