"""Octaves: at which sizes a picture is dreamed, and what is carried from one size to the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]  # height, width
MIN_SIDE = 10  # of an octave of the carry "picture", as in pytorch-deepdream


class Carry(Protocol):
    """What stands on the canvas when an octave begins."""

    def base(self, octave: int) -> Tensor:
        """The undreamed picture (N, 3, h, w) at the size of `octave`."""

    def start(self, octave: int, dreamed: Tensor) -> Tensor:
        """The picture (N, 3, h, w) with which `octave` begins, from the one that the octave before has left.

        Octave 0 looks at no dreamed picture.
        """


def picture_sizes(size: Size, octaves: int, scale: float) -> list[Size]:
    """Smallest first: round(HW * scale^(k - octaves + 1)) in float32, half to even. Source: pytorch-deepdream.

    >>> picture_sizes((399, 600), 4, 1.8)
    [(68, 103), (123, 185), (222, 333), (399, 600)]
    """
    full = torch.tensor(size, dtype=torch.float32)
    sizes = [torch.round(full * scale ** (k - octaves + 1)) for k in range(octaves)]
    return [(int(height), int(width)) for height, width in sizes]


def detail_sizes(size: Size, octaves: int, scale: float) -> list[Size]:
    """Smallest first, each from the rounded one above it. Source: google/deepdream, dream.ipynb.

    >>> detail_sizes((575, 1024), 4, 1.4)
    [(210, 373), (294, 522), (411, 731), (575, 1024)]
    """
    sizes = [size]
    for _ in range(octaves - 1):
        height, width = sizes[0]
        sizes.insert(0, (round(height * (1 / scale)), round(width * (1 / scale))))
    return sizes


class CarryPicture:
    """The dreamed picture itself is resized from octave to octave (bilinear, half-pixel centres, no antialiasing)."""

    def __init__(self, picture: Tensor, sizes: list[Size]) -> None:
        self._picture = picture
        self._sizes = sizes

    def base(self, octave: int) -> Tensor:
        """The undreamed picture at the size of `octave`."""
        return _resize(self._picture, self._sizes[octave], align_corners=False)

    def start(self, octave: int, dreamed: Tensor) -> Tensor:
        """The dreamed picture at the size of `octave`."""
        return _resize(self._picture if octave == 0 else dreamed, self._sizes[octave], align_corners=False)


class CarryDetail:
    """What the dream has added is resized and laid over the undreamed picture of the next octave (corner-aligned)."""

    def __init__(self, picture: Tensor, sizes: list[Size]) -> None:
        self._bases = [picture]
        for size in reversed(sizes[:-1]):
            self._bases.insert(0, _resize(self._bases[0], size, align_corners=True))

    def base(self, octave: int) -> Tensor:
        """The undreamed picture at the size of `octave`."""
        return self._bases[octave]

    def start(self, octave: int, dreamed: Tensor) -> Tensor:
        """The undreamed picture at the size of `octave`, and the detail dreamed so far over it; not clipped."""
        base = self._bases[octave]
        if octave == 0:
            return base
        detail = dreamed - self._bases[octave - 1]
        return base + _resize(detail, (base.shape[2], base.shape[3]), align_corners=True)


def _resize(x: Tensor, size: Size, *, align_corners: bool) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners)


SIZES: dict[str, Callable[[Size, int, float], list[Size]]] = {"picture": picture_sizes, "detail": detail_sizes}
CARRIES: dict[str, Callable[[Tensor, list[Size]], Carry]] = {"picture": CarryPicture, "detail": CarryDetail}


def check_sizes(size: Size, octaves: int, scale: float, carry: str, *, least: int, needed_by: str) -> None:
    """Raises ValueError, with what would fit, where the smallest octave has a side of less than `least` pixels."""

    def smallest(size: Size, octaves: int) -> Size:
        return SIZES[carry](size, octaves, scale)[0]

    height, width = smallest(size, octaves)
    if min(height, width) >= least:
        return
    wide = math.ceil(least * size[1] / min(size))
    while min(smallest((round(wide * size[0] / size[1]), wide), octaves)) < least:
        wide += 1
    fitting = [n for n in range(1, octaves) if min(smallest(size, n)) >= least]
    fewer = f"fewer octaves (dream.octaves={fitting[-1]}) or " if fitting else ""
    raise ValueError(
        f"the smallest octave of this {size[0]}x{size[1]} picture is {height}x{width}; {needed_by} needs at least "
        f"{least} pixels a side: use {fewer}a larger picture (dream.width={wide})"
    )
