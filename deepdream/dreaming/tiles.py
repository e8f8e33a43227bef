"""Tiles: the gradient of a picture of any size within bounded memory.

Every pixel's gradient comes from a tile that shows it with its surroundings. The grid begins elsewhere at each step, so
no seam stays in one place. Tiles begin at multiples of the deepest layer's stride, so that its positions fall as they
do in the whole picture; all are of one size, so that what is a mean over positions weighs the same in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Span:
    """One axis of a tile: it shows [start, stop) of the picture, and gives the gradient of [first, last)."""

    start: int
    stop: int
    first: int
    last: int


def spans(length: int, longest: int, margin: int, stride: int, origin: float) -> list[Span]:
    """The tiles along one axis of `length` pixels, none longer than `longest`; each pixel is in one [first, last).

    margin: of surroundings that each side of a tile shows. origin: in [0, 1), by how much of a tile the grid is moved.
    One span where the whole axis fits.
    """
    if length <= longest:
        return [Span(0, length, 0, length)]
    shown = _shown(length, longest, stride)
    core = max(stride, shown - 2 * margin - stride)
    offset = int(origin * core) // stride * stride
    edges = sorted({0, length, *range(offset or core, length, core)})
    edges = _without_slivers(edges, stride)
    found = []
    for first, last in pairwise(edges):
        start = (first - margin) // stride * stride
        start = max(0, min(start, length - shown))
        found.append(Span(start, start + shown, first, last))
    return found


def _shown(length: int, longest: int, stride: int) -> int:
    """The size of every tile: as long as the picture up to a multiple of the stride, so that the last one fits too."""
    return longest - (longest - length) % stride


def _without_slivers(edges: list[int], stride: int) -> list[int]:
    """Edges of which the last, if it would leave less than a stride, is left out."""
    if len(edges) > 2 and edges[-1] - edges[-2] < stride:
        return [*edges[:-2], edges[-1]]
    return edges


def tiles(
    size: tuple[int, int], max_pixels: int, margin: int, stride: int, origin: tuple[float, float]
) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of each tile of a picture (H, W); one tile where the picture has at most `max_pixels`."""
    height, width = size
    if height * width <= max_pixels:
        yield Span(0, height, 0, height), Span(0, width, 0, width)
        return
    side = int(max_pixels**0.5)
    if min(size) <= side:  # a strip: the tiles may be longer
        short = min(size)
        tall, wide = (short, max_pixels // short) if height <= width else (max_pixels // short, short)
    else:
        tall, wide = side, side
    for rows in spans(height, tall, margin, stride, origin[0]):
        for columns in spans(width, wide, margin, stride, origin[1]):
            yield rows, columns


def least_pixels(margin: int, stride: int) -> int:
    """The fewest pixels a tile may have: half of its side is margin."""
    return (4 * margin + 2 * stride) ** 2
