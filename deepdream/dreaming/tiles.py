"""Tiles: the gradient of a picture of any size within bounded memory.

Every pixel's gradient comes from a tile that shows it with its surroundings. Tiles lie evenly from border to border and
overlap; where in an overlap one tile hands over to the next is drawn anew at each step, so no seam stays in one place.
They begin at multiples of the deepest layer's stride, so that its positions fall as they do in the whole picture; all
are of one size, so that what is a mean over positions weighs the same in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil


@dataclass(frozen=True)
class Span:
    """One axis of a tile: it shows [start, stop) of the picture, and gives the gradient of [first, last)."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Axis:
    """How tiles may share one axis of `length` pixels: beginning at multiples of `stride`, overlapping by `overlap`."""

    length: int
    stride: int
    overlap: int

    @property
    def most(self) -> int:
        """So many tiles are one stride apart; more would not differ."""
        return max(1, self.length // self.stride - self._shared)

    def shown(self, count: int) -> int:
        """The pixels that each of `count` tiles shows; all begin at a multiple of the stride, and the last one fits."""
        if count == 1:
            return self.length
        strides = self._shared + ceil((self.length // self.stride - self._shared) / count)
        return strides * self.stride + self.length % self.stride

    def fewest(self, longest: int) -> int | None:
        """The number of tiles of which none is longer than `longest`; None where no number will do."""
        if self.length <= longest:
            return 1
        strides = (longest - self.length % self.stride) // self.stride
        if strides <= self._shared or self.most == 1:
            return None
        return ceil((self.length // self.stride - self._shared) / (strides - self._shared))

    def spans(self, count: int, margin: int, origin: float) -> list[Span]:
        """`count` tiles; each hands over to the next `margin` or more from where either ends, by `origin` in [0, 1)."""
        shown = self.shown(count)
        steps = (self.length - shown) // self.stride
        starts = [i * steps // max(1, count - 1) * self.stride for i in range(count)]
        edges = [0]
        for before, after in pairwise(starts):
            low, high = after + margin, before + shown - margin
            edges.append(low + int(origin * (high - low + 1)))
        edges.append(self.length)
        return [Span(a, a + shown, first, last) for a, (first, last) in zip(starts, pairwise(edges), strict=True)]

    @property
    def _shared(self) -> int:
        """The overlap in strides; what the length has beyond a multiple of the stride is part of every tile."""
        return ceil((self.overlap - self.length % self.stride) / self.stride)


def tiles(
    size: tuple[int, int], max_pixels: int, margin: int, stride: int, origin: tuple[float, float]
) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of each tile of a picture (H, W); one tile where the picture has at most `max_pixels`.

    Each pixel is in one [first, last); a tile shows `margin` pixels around these, except beyond the picture's borders.
    Of all grids with tiles of at most `max_pixels`, it is the one that shows the fewest pixels in all. max_pixels:
    `least_pixels` or more. origin: where tiles hand over, in [0, 1) of a stretch of half a margin or longer.
    """
    height, width = (Axis(length, stride, 2 * margin + margin // 2) for length in size)
    grids = []
    for rows in range(1, height.most + 1):
        tall = height.shown(rows)
        columns = width.fewest(max_pixels // tall)
        if columns is not None:
            grids.append((rows * tall * columns * width.shown(columns), rows, columns))
    _, rows, columns = min(grids)
    for along in height.spans(rows, margin, origin[0]):
        for across in width.spans(columns, margin, origin[1]):
            yield along, across


def least_pixels(margin: int, stride: int) -> int:
    """The fewest pixels a tile may have: half of its side is margin."""
    return (4 * margin + 2 * stride) ** 2
