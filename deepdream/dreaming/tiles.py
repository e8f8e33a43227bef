"""Tiles: the gradient of an image of any size within bounded memory.

Every pixel's gradient comes from a tile that contains it with its surroundings. Tiles are spread evenly and overlap;
where in an overlap one tile ends and the next begins is sampled at each step, so that no seam stays in one place. They
begin at multiples of the deepest layer's stride, so that its positions are those of the whole image; all have one size,
so that a mean over positions has the same weight in each.

A network that takes images of one size only (a Vision Transformer) sees every image in squares of that size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import torch

# A ResNet-50 to layer4 then takes about 3 GB for an image of 3840x2160.
CPU_PIXELS = 1_000_000  # with numbers of 16 bits
CPU_PIXELS_WIDE = 1_300_000  # with wider ones: fused blocks save masks of one byte
GPU_PIXELS = 4_000_000  # there it takes 2.2 GB in bfloat16; in one piece 4.4 GB, and 15 % less time
GPU_BYTES_PER_PIXEL = 2_000  # of the same network in float32, with room to spare


@dataclass(frozen=True)
class Span:
    """One axis of a tile: it covers [start, stop) of the image, and yields the gradient of [first, last)."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Axis:
    """One axis of `length` pixels, divided into tiles that begin at multiples of `stride` and overlap by `overlap`."""

    length: int
    stride: int
    overlap: int

    @property
    def most(self) -> int:
        """Largest useful number of tiles: they are then one stride apart."""
        return max(1, self.length // self.stride - self._shared)

    def covered(self, count: int) -> int:
        """Pixels of each of `count` tiles."""
        if count == 1:
            return self.length
        strides = self._shared + ceil((self.length // self.stride - self._shared) / count)
        return strides * self.stride + self.length % self.stride

    def fewest(self, longest: int) -> int | None:
        """Smallest number of tiles that have at most `longest` pixels each; None where no number has."""
        if self.length <= longest:
            return 1
        strides = (longest - self.length % self.stride) // self.stride
        if strides <= self._shared or self.most == 1:
            return None
        return ceil((self.length // self.stride - self._shared) / (strides - self._shared))

    def spans(self, count: int, margin: int, origin: float) -> list[Span]:
        """`count` tiles, spread evenly; see `_spans`."""
        covered = self.covered(count)
        steps = (self.length - covered) // self.stride
        starts = [i * steps // max(1, count - 1) * self.stride for i in range(count)]
        return _spans(self.length, covered, starts, margin, origin)

    @property
    def _shared(self) -> int:
        """The overlap in strides; the remainder of the length over a multiple of the stride is part of every tile."""
        return ceil((self.overlap - self.length % self.stride) / self.stride)


def _spans(length: int, covered: int, starts: Sequence[int], margin: int, origin: float) -> list[Span]:
    """Tiles of `covered` pixels; each ends and the next begins `margin` or more from their borders, by `origin`."""
    edges = [0]
    for before, after in pairwise(starts):
        low, high = after + margin, before + covered - margin
        edges.append(low + int(origin * (high - low + 1)))
    edges.append(length)
    return [Span(a, a + covered, first, last) for a, (first, last) in zip(starts, pairwise(edges), strict=True)]


def tiles(
    size: tuple[int, int], max_pixels: int, margin: int, stride: int, origin: tuple[float, float]
) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of each tile of an image (H, W); one tile where the image has at most `max_pixels`.

    Each pixel is in one [first, last); a tile adds `margin` pixels around these, except beyond the image's borders.
    The grid is the one with the fewest pixels in all of its tiles, each of at most `max_pixels`. max_pixels:
    `least_pixels` or more. origin: where one tile ends and the next begins, in [0, 1) of half a margin or more.
    """
    height, width = (Axis(length, stride, 2 * margin + margin // 2) for length in size)
    grids = []
    for rows in range(1, height.most + 1):
        tall = height.covered(rows)
        columns = width.fewest(max_pixels // tall)
        if columns is not None:
            grids.append((rows * tall * columns * width.covered(columns), rows, columns))
    _, rows, columns = min(grids)
    for along in height.spans(rows, margin, origin[0]):
        for across in width.spans(columns, margin, origin[1]):
            yield along, across


def squares(size: tuple[int, int], side: int, origin: tuple[float, float]) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of the tiles of a network that takes squares of `side` pixels only.

    All are squares of `side` pixels, or of the shorter side of the image (H, W) where that is less: they are then
    enlarged. They overlap by a third or more; origin as in `tiles`.
    """
    side = min(side, *size)
    overlap, margin = side // 3, side // 8
    axes = []
    for length, part in zip(size, origin, strict=True):
        count = 1 if length == side else ceil((length - overlap) / (side - overlap))
        starts = [i * (length - side) // max(1, count - 1) for i in range(count)]
        axes.append(_spans(length, side, starts, margin, part))
    for along in axes[0]:
        for across in axes[1]:
            yield along, across


def least_pixels(margin: int, stride: int) -> int:
    """The fewest pixels a tile may have: half of its side is margin."""
    return (4 * margin + 2 * stride) ** 2


def chosen_max_pixels(asked: int | None, device: torch.device, dtype: torch.dtype, stride: int) -> int:
    """The most pixels of one tile: `asked`, or where that is None a number that fits the memory of `device`.

    dtype: of the network. Raises ValueError where a tile of that many would be mostly margin.
    """
    least = least_pixels(tile_margin(stride), stride)
    if asked is None:
        return max(least, _fitting(device, dtype))
    if asked < least:
        raise ValueError(
            f"max_pixels is {asked}; tiles for a layer of stride {stride} need {least} or more, "
            "and null fits the device's memory"
        )
    return asked


def tile_margin(stride: int) -> int:
    """Pixels of surroundings on each side of a tile.

    A layer's receptive field is several times as wide, but nearly all of its gradient comes from the middle of it
    (Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", 2016). With this
    margin the gradients of tiles and of the whole image have a cosine of 0.9999 in a trained ResNet-18, layer2 to
    layer4. At the edge of [first, last) the difference is 1 % in layer3 and 9 % in layer4; 30 pixels inside, a third.
    """
    return min(max(32, 6 * stride), 64)


def _fitting(device: torch.device, dtype: torch.dtype) -> int:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return min(GPU_PIXELS, int(0.8 * free / GPU_BYTES_PER_PIXEL))
    return CPU_PIXELS if dtype.itemsize == 2 else CPU_PIXELS_WIDE
