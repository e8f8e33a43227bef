"""The colours, light and camera of one image, sampled from one distribution for all classes.

Colour alone must not tell a library from a bathroom, as it does not in photographs: what makes a class is its shape.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from deepdream.rooms.perspective import Film
from deepdream.rooms.scene import Floats, Paint, Scene, Span

__all__ = ["Palette", "empty_room", "take_film"]


class Palette:
    """The colours of one image, in two or three hues, and its random generator, `rng`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.hues = [self._hue(), self._hue(), rng.random()]
        self.strength = rng.uniform(0.4, 1.0)
        self.dim = rng.random() < 0.35  # dark walls with light things, instead of light walls with dark things
        self.board = self.tone((0.25, 0.8), (0.2, 0.65), rng.uniform(0.05, 0.1) if rng.random() < 0.4 else None)
        self.leaf_hue = rng.uniform(0.2, 0.42) if rng.random() < 0.55 else rng.random()
        self.white = self.tone((0.85, 1.0), (0.0, 0.12))

    def _hue(self) -> float:
        """Mostly what paint shops sell: cream to brick, or blue to teal."""
        kind = self.rng.random()
        low, high = (0.01, 0.15) if kind < 0.42 else (0.45, 0.64) if kind < 0.74 else (0.0, 1.0)
        return float(self.rng.uniform(low, high))

    def tone(self, value: Span, saturation: Span, hue: float | None = None) -> Floats:
        """A linear RGB colour (3,) with value and saturation sampled from these ranges of sRGB."""
        rng = self.rng
        if hue is None:
            hue = self.hues[int(np.searchsorted((0.52, 0.92), rng.random()))]
        pure = rng.uniform(*saturation) * self.strength
        glare = 0.35 * pure * max(0.0, 1 - abs(hue - 0.33) / 0.14)  # a pure green looks brighter than other hues
        shade = colorsys.hsv_to_rgb((hue + rng.normal(0, 0.015)) % 1, pure, rng.uniform(*value) * (1 - glare))
        return np.array(shade, np.float32) ** 2

    def light(self) -> Floats:
        """The colour of most walls: pale, or deep in an image of dark walls."""
        return self.tone((0.3, 0.6), (0.1, 0.6)) if self.dim else self.tone((0.7, 0.97), (0.03, 0.4))

    def mid(self) -> Floats:
        """A colour of middle brightness."""
        return self.tone((0.35, 0.75), (0.1, 0.65))

    def dark(self) -> Floats:
        """The counterpart of `light`."""
        return self.tone((0.7, 0.95), (0.05, 0.4)) if self.dim else self.tone((0.15, 0.4), (0.1, 0.6))

    def accent(self) -> Floats:
        """A colour to stand out."""
        return self.tone((0.5, 0.95), (0.6, 1.0))

    def leaf(self) -> Floats:
        """The image's plants, green in every second image."""
        return self.tone((0.3, 0.75), (0.4, 0.9), self.leaf_hue)

    def water(self) -> Floats:
        """Water, blue to teal more often than not."""
        hue = self.rng.uniform(0.46, 0.6) if self.rng.random() < 0.6 else None
        return self.tone((0.5, 0.9), (0.35, 0.9), hue)

    def metal(self) -> Floats:
        """Near to grey."""
        return self.tone((0.45, 0.8), (0.0, 0.12))

    def sky(self) -> Floats:
        """What shines through windows and from screens."""
        return self.tone((0.8, 1.0), (0.05, 0.5), self.hues[0] if self.rng.random() < 0.5 else self.rng.random())

    def paint(
        self, colour: Floats | None = None, material: str = "plain", scale: float = 1.0, *, glow: float = 0.0
    ) -> Paint:
        """A paint of this colour (a middle one by default) with a second colour from the palette."""
        colour = self.mid() if colour is None else colour
        second = self.light() if self.rng.random() < 0.5 else self.dark()
        return Paint(colour, second, material, scale, glow=glow)

    def wood(self, scale: float = 1.0, *, turn: bool = False) -> Paint:
        """Boards of the image's one kind of wood (or painted wood)."""
        return Paint(self.board, self.board * 0.4, "wood", scale, turn=turn)

    def floor(self, kinds: Sequence[str] = ("tiles", "checker", "planks", "stone", "carpet", "plain")) -> Paint:
        """A floor of one of these materials, at times polished."""
        rng = self.rng
        kind = str(rng.choice(kinds))
        scale = {"tiles": 0.5, "checker": 0.5, "planks": 0.16, "bricks": 0.3}.get(kind, 1.0) * rng.uniform(0.7, 1.5)
        gloss = 0.0 if kind == "carpet" else max(0.0, rng.uniform(-0.3, 0.6))
        colour = self.board if kind == "planks" else self.tone((0.28, 0.78), (0.03, 0.45))
        return Paint(colour, colour * rng.uniform(0.3, 0.8), kind, scale, gloss=gloss)

    def wall(self, kinds: Sequence[str] = ("plain", "plain", "stripes", "dots", "bricks", "tiles", "stone")) -> Paint:
        """A wall of one of these materials."""
        rng = self.rng
        kind = str(rng.choice(kinds))
        scale = {"stripes": 0.3, "dots": 0.3, "bricks": 0.4, "tiles": 0.35}.get(kind, 1.0) * rng.uniform(0.7, 1.5)
        colour = self.light()
        return Paint(colour, np.clip(colour * rng.uniform(0.45, 1.35), 0, 1).astype(np.float32), kind, scale)

    def ceiling(self) -> Paint:
        """A plain ceiling or one of square panels."""
        kind = str(self.rng.choice(["plain", "plain", "tiles"]))
        colour = self.light()
        return Paint(colour, colour * np.float32(0.6), kind, 0.6)


def take_film(tones: Palette) -> Film:
    """Light and camera, sampled alike for every class."""
    rng = tones.rng
    cast = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.22), 1.0), np.float32)
    warm = np.array(colorsys.hsv_to_rgb(rng.uniform(0.04, 0.14), rng.uniform(0, 0.3), 1.0), np.float32)
    return Film(
        ambient=rng.uniform(0.2, 0.6),
        light=cast * warm * np.float32(rng.uniform(0.6, 1.1)),
        sky=(0.5 + 0.5 * cast) * np.float32(1.0),
        haze=rng.uniform(0.0, 0.025),
        exposure=rng.uniform(0.24, 0.6),
        vignette=rng.uniform(0.0, 0.35),
        saturation=rng.uniform(0.85, 1.3),
        contrast=rng.uniform(0.2, 0.9),
        noise=rng.uniform(0.5, 5.0),
        mirrored=bool(rng.random() < 0.5),
    )


def empty_room(
    tones: Palette, width: Span, height: Span, depth: Span, *, eye: Span = (1.35, 1.75), focal: Span = (0.55, 0.8),
    aside: float = 0.16, lift: float = 0.0, floor: float = 0.0,
) -> Scene:  # fmt: skip
    """An empty room with sizes from these ranges; the camera stands up to `aside` widths off the middle."""
    u = tones.rng.uniform
    wide, high = u(*width), u(*height)
    return Scene(
        width=wide,
        height=high,
        depth=u(*depth),
        eye=(u(-aside, aside) * wide, min(u(*eye), high - 0.3), 0.0),
        focal=u(*focal),
        shift=(u(-0.1, 0.1), u(-0.07, 0.07) + lift),
        yaw=u(-0.1, 0.1),
        floor=floor,
    )
