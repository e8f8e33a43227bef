"""Rooms drawn by program: what is in a scene, how it is seen, and one function for each class."""

from collections.abc import Callable

from deepdream.scenes.drawing import halls, homes, passages
from deepdream.scenes.drawing.palette import Palette, take_film
from deepdream.scenes.drawing.perspective import render
from deepdream.scenes.drawing.scene import Scene

__all__ = ["INTERIORS", "Palette", "render", "take_film"]

INTERIORS: dict[str, Callable[[Palette], Scene]] = {
    "auditorium": halls.auditorium,
    "bathroom": homes.bathroom,
    "bedroom": homes.bedroom,
    "bowling": halls.bowling,
    "corridor": passages.corridor,
    "greenhouse": halls.greenhouse,
    "kitchen": homes.kitchen,
    "library": halls.library,
    "poolinside": halls.poolside,
    "stairscase": passages.stairscase,
    "subway": passages.subway,
    "winecellar": passages.winecellar,
}
