"""How a picture is moved before the network sees it at a step, so that no position and no scale is favoured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.config import DreamConfig

Shift = tuple[int, int]  # down, right


@dataclass(frozen=True)
class Move:
    """What was drawn for one step; all of it follows from (seed, step).

    shift: in pixels. scale: of what the network sees, 1 is as it is. angle: in degrees. origin: where tiles hand over
    to each other, down and across, in [0, 1) of what they share. crops: (tops, lefts, sides) of random crops, as shares
    of the picture. seed: of noise.
    """

    shift: Shift
    scale: float = 1.0
    angle: float = 0.0
    origin: tuple[float, float] = (0.0, 0.0)
    crops: tuple[tuple[float, float, float], ...] = ()
    seed: tuple[int, int] = field(default=(0, 0))


def moves(config: DreamConfig, count: int, seed: int, shifts: Iterable[Shift] | None) -> Iterator[Move]:
    """The moves of a dream of `count` steps. Raises ValueError where `shifts`, if given, are too few."""
    given = None
    if shifts is not None:
        given = [(int(down), int(right)) for down, right in islice(shifts, count)]
        if len(given) < count:
            raise ValueError(f"there are {len(given)} shifts; the dream has {count} steps and needs one for each")
    drawn = (_draw(config, seed, step) for step in range(count))
    return drawn if given is None else (replace(move, shift=shift) for move, shift in zip(drawn, given, strict=True))


def _draw(config: DreamConfig, seed: int, step: int) -> Move:
    draw = np.random.default_rng((seed, step))
    down, right = draw.integers(-config.jitter, config.jitter, size=2, endpoint=True)
    spread, turn, *origin = draw.uniform(-1, 1, size=4)
    crops = []
    for _ in range(config.crops):
        side = min(1.0, config.crop_size * draw.uniform(0.5, 2))
        # Up to half of a crop lies beyond an edge, on the mirror image: edges are seen as often as the middle.
        top, left = draw.uniform(-side / 2, 1 - side / 2, size=2)
        crops.append((float(top), float(left), float(side)))
    return Move(
        (int(down), int(right)),
        float(1 + config.scale * spread),
        float(config.rotate * turn),
        (float(abs(origin[0])) % 1.0, float(abs(origin[1])) % 1.0),
        tuple(crops),
        (seed, step),
    )


class Frame:
    """The picture as the step sees it: rolled by the shift, or, with `pad`, laid among its own mirror images.

    Rolling lets the top edge dream into the bottom one; mirrored padding of which only the middle is kept does not.
    """

    def __init__(self, move: Move, pad: int) -> None:
        self._pad = pad
        self._shift = move.shift

    def enter(self, view: Tensor) -> Tensor:
        """(N, 3, H, W) -> the framed view; with `pad` larger by 2 pad on each side."""
        if not self._pad:
            return roll(view, self._shift)
        top, left = self._corner()
        bottom, right = 2 * self._pad - top, 2 * self._pad - left
        return F.pad(view, (left, right, top, bottom), mode="reflect")

    def crop(self, gradient: Tensor) -> Tensor:
        """The gradient without what lies on the mirror images."""
        if not self._pad:
            return gradient
        (top, left), twice = self._corner(), 2 * self._pad
        height, width = gradient.shape[2] - twice, gradient.shape[3] - twice
        return gradient[:, :, top : top + height, left : left + width]

    def leave(self, gradient: Tensor) -> Tensor:
        """The gradient rolled back."""
        return gradient if self._pad else roll(gradient, (-self._shift[0], -self._shift[1]))

    def _corner(self) -> tuple[int, int]:
        down, right = self._shift
        return self._pad + _within(down, self._pad), self._pad + _within(right, self._pad)


def _within(shift: int, bound: int) -> int:
    return max(-bound, min(bound, shift))


def roll(x: Tensor, shift: Shift) -> Tensor:
    """`x` (N, C, H, W) moved, what leaves on one side entering on the other."""
    return x if shift == (0, 0) else torch.roll(x, shift, dims=(2, 3))


def is_warped(config: DreamConfig) -> bool:
    """Whether steps scale, turn or crop what the network sees."""
    return bool(config.scale or config.rotate or config.crops)


def warp(x: Tensor, move: Move, config: DreamConfig, crop_side: int) -> Tensor:
    """What the network sees of its input `x` (N, 3, H, W): scaled and turned, or as crops. Differentiable.

    Crops are (N * crops, 3, crop_side, crop_side), those of a picture next to each other; others keep their size.
    Edges are mirrored. Sampling is bilinear.
    """
    if not move.crops:
        return F.grid_sample(x, _turned_grid(x, move), padding_mode="reflection", align_corners=False)
    grids = [_crop_grid(crop, crop_side) for crop in move.crops]
    grid = torch.stack(grids).to(x, non_blocking=True).repeat(x.shape[0], 1, 1, 1)
    seen = F.grid_sample(
        x.repeat_interleave(len(move.crops), dim=0), grid, padding_mode="reflection", align_corners=False
    )
    if not config.noise:
        return seen
    drawn = np.random.default_rng((*move.seed, 1)).standard_normal(tuple(seen.shape), dtype=np.float32)
    return seen + config.noise * torch.from_numpy(drawn).to(seen, non_blocking=True)


def _turned_grid(x: Tensor, move: Move) -> Tensor:
    """Where to sample `x` to see it turned by move.angle and `scale` times as large: (N, H, W, 2)."""
    height, width = x.shape[2:]
    angle = np.deg2rad(move.angle)
    cos, sin, ratio = np.cos(angle) / move.scale, np.sin(angle) / move.scale, height / width
    matrix = torch.tensor([[cos, -sin * ratio, 0], [sin / ratio, cos, 0]], dtype=torch.float64)
    grid = F.affine_grid(matrix[None], [1, 1, height, width], align_corners=False)
    return grid.to(x, non_blocking=True).expand(x.shape[0], -1, -1, -1)


def _crop_grid(crop: tuple[float, float, float], side: int) -> Tensor:
    row, column, share = crop
    matrix = torch.tensor([[share, 0, 2 * column + share - 1], [0, share, 2 * row + share - 1]], dtype=torch.float64)
    return F.affine_grid(matrix[None], [1, 1, side, side], align_corners=False)[0]
