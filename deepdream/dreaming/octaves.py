"""Octaves: the sizes at which an image is dreamed, and what passes from one size to the next."""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.config import OCTAVE_MODES

LONG = 8  # sides of an image beyond which it is better cropped
Size = tuple[int, int]  # height, width


class OctaveMode(Protocol):
    """What each octave begins with."""

    least_side: int  # pixels of the smallest octave

    def __init__(self, image: Tensor, sizes: list[Size]) -> None: ...

    @staticmethod
    def sizes(size: Size, octaves: int, scale: float) -> list[Size]:
        """The sizes of the octaves of an image of `size`, smallest first."""

    def base(self, octave: int) -> Tensor:
        """The undreamed image (N, 3, h, w) at the size of `octave`."""

    def start(self, octave: int, dreamed: Tensor) -> Tensor:
        """The image (N, 3, h, w) with which `octave` begins, given the result of the octave before.

        Octave 0 does not use `dreamed`.
        """


class ResizeImage:
    """The dreamed image itself is resized from octave to octave (bilinear, half-pixel centres, no antialiasing).

    Source: pytorch-deepdream.
    """

    least_side = 10

    def __init__(self, image: Tensor, sizes: list[Size]) -> None:
        self._image = image
        self._sizes = sizes

    @staticmethod
    def sizes(size: Size, octaves: int, scale: float) -> list[Size]:
        """Smallest first: round(HW * scale^(k - octaves + 1)) in float32, half to even.

        >>> ResizeImage.sizes((399, 600), 4, 1.8)
        [(68, 103), (123, 185), (222, 333), (399, 600)]
        """
        full = torch.tensor(size, dtype=torch.float32)
        rounded = [torch.round(full * scale ** (k - octaves + 1)) for k in range(octaves)]
        return [(int(height), int(width)) for height, width in rounded]

    def base(self, octave: int) -> Tensor:
        """The undreamed image at the size of `octave`."""
        return resize(self._image, self._sizes[octave])

    def start(self, octave: int, dreamed: Tensor) -> Tensor:
        """The dreamed image at the size of `octave`."""
        return resize(self._image if octave == 0 else dreamed, self._sizes[octave])


class AddDetail:
    """The detail that the dream has added is resized and added to the undreamed image of the next octave.

    Resizing is bilinear and corner-aligned. Source: google/deepdream, dream.ipynb.
    """

    least_side = 1

    def __init__(self, image: Tensor, sizes: list[Size]) -> None:
        self._bases = [image]
        for size in reversed(sizes[:-1]):
            self._bases.insert(0, resize(self._bases[0], size, align_corners=True))

    @staticmethod
    def sizes(size: Size, octaves: int, scale: float) -> list[Size]:
        """Smallest first, each computed from the rounded one above it.

        >>> AddDetail.sizes((575, 1024), 4, 1.4)
        [(210, 373), (294, 522), (411, 731), (575, 1024)]
        """
        sizes = [size]
        for _ in range(octaves - 1):
            height, width = sizes[0]
            sizes.insert(0, (round(height * (1 / scale)), round(width * (1 / scale))))
        return sizes

    def base(self, octave: int) -> Tensor:
        """The undreamed image at the size of `octave`."""
        return self._bases[octave]

    def start(self, octave: int, dreamed: Tensor) -> Tensor:
        """The undreamed image at the size of `octave` plus the detail dreamed so far; not clipped."""
        base = self._bases[octave]
        if octave == 0:
            return base
        detail = dreamed - self._bases[octave - 1]
        return base + resize(detail, (base.shape[2], base.shape[3]), align_corners=True)


def resize(x: Tensor, size: Size, *, align_corners: bool = False, antialias: bool = False) -> Tensor:
    """`x` (N, C, H, W) resized to `size`, bilinear; `x` itself where it has that size."""
    if (x.shape[2], x.shape[3]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners, antialias=antialias)


def check_sizes(size: Size, octaves: int, scale: float, octave_mode: str, *, least: int, needed_by: str) -> None:
    """Raises ValueError, with the values that would work, where the smallest octave has a side under `least` pixels."""

    def smallest(size: Size, octaves: int) -> Size:
        least_size: Size = OCTAVE_MODES[octave_mode].sizes(size, octaves, scale)[0]
        return least_size

    first = smallest(size, octaves)
    if min(first) >= least:
        return

    def width(octaves: int) -> int:
        wide = math.ceil(least * size[1] / min(size))
        while min(smallest((round(wide * size[0] / size[1]), wide), octaves)) < least:
            wide += 1
        return wide

    fitting = [n for n in range(1, octaves) if min(smallest(size, n)) >= least]
    larger = f"a larger image (dream.width={width(octaves)})"
    if fitting:
        advice = f"use fewer octaves (dream.octaves={fitting[-1]}) or {larger}"
    elif octaves > 1:
        advice = f"use one octave of a slightly larger image (dream.octaves=1 dream.width={width(1)}), or {larger}"
    else:
        advice = f"use {larger}"
    if max(size) > LONG * min(size):
        shape = "wide as high" if size[1] > size[0] else "high as wide"
        advice += f"; or crop it, it is {max(size) / min(size):.0f} times as {shape}"
    raise ValueError(
        f"the smallest octave of this {size[1]}x{size[0]} image is {first[1]}x{first[0]}; {needed_by} needs at least "
        f"{least} pixels a side: {advice}"
    )
