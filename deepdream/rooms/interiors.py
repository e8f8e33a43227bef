"""One function for each class of rooms: from a palette to a scene."""

from __future__ import annotations

from collections.abc import Callable

from deepdream.rooms import halls, homes, passages, sports
from deepdream.rooms.palette import Palette
from deepdream.rooms.scene import Scene

INTERIORS: dict[str, Callable[[Palette], Scene]] = {
    "auditorium": halls.auditorium,
    "bathroom": homes.bathroom,
    "bedroom": homes.bedroom,
    "bowling": sports.bowling,
    "corridor": passages.corridor,
    "greenhouse": halls.greenhouse,
    "kitchen": homes.kitchen,
    "library": halls.library,
    "poolinside": sports.poolside,
    "stairscase": passages.stairscase,
    "subway": passages.subway,
    "winecellar": passages.winecellar,
}
