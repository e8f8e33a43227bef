"""Random transforms of the image before each step, so that no position and no scale is favoured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.config import DreamConfig
from deepdream.models.preprocessing import IMAGENET_STD

Shift = tuple[int, int]  # down, right


@dataclass(frozen=True)
class Transform:
    """The random numbers of one step, sampled from (seed, step).

    shift: of the jitter, in pixels. scale: of the network's input, 1 is its own size. angle: in degrees. origin: of the
    tiles, down and across, in [0, 1). crops: (top, left, side) of random crops, as shares of the image. seed: of noise.
    """

    shift: Shift
    scale: float = 1.0
    angle: float = 0.0
    origin: tuple[float, float] = (0.0, 0.0)
    crops: tuple[tuple[float, float, float], ...] = ()
    seed: tuple[int, int] = field(default=(0, 0))


def sample_transforms(
    config: DreamConfig, count: int, seed: int, shifts: Iterable[Shift] | None
) -> Iterator[Transform]:
    """The transforms of a dream of `count` steps, with `shifts` in place of the sampled ones where given.

    Raises ValueError for fewer than `count` shifts.
    """
    given = None
    if shifts is not None:
        given = [(int(down), int(right)) for down, right in islice(shifts, count)]
        if len(given) < count:
            raise ValueError(f"there are {len(given)} shifts; the dream has {count} steps and needs one for each")
    sampled = (_sample(config, seed, step) for step in range(count))
    return sampled if given is None else (replace(t, shift=shift) for t, shift in zip(sampled, given, strict=True))


def _sample(config: DreamConfig, seed: int, step: int) -> Transform:
    random = np.random.default_rng((seed, step))
    if config.jitter_sampling == "stratified":
        down, right = stratified_shifts(config.jitter, config.steps, (seed, step // config.steps))[step % config.steps]
    else:
        down, right = random.integers(-config.jitter, config.jitter, size=2, endpoint=True)
    spread, turn, *origin = random.uniform(-1, 1, size=4)
    crops = []
    for _ in range(config.crops):
        side = min(1.0, config.crop_size * random.uniform(0.5, 2))
        if config.crop_spread is None:
            # Up to half of a crop lies beyond an edge, on the mirror image: edges are covered as often as the middle.
            top, left = random.uniform(-side / 2, 1 - side / 2, size=2)
        else:
            top, left = random.normal(0.5, config.crop_spread, size=2).clip(0, 1) - side / 2
        crops.append((float(top), float(left), float(side)))
    return Transform(
        (int(down), int(right)),
        float(1 + config.scale * spread),
        float(config.rotate * turn),
        (float(abs(origin[0])) % 1.0, float(abs(origin[1])) % 1.0),
        tuple(crops),
        (seed, step),
    )


def stratified_shifts(bound: int, steps: int, seed: tuple[int, int]) -> list[Shift]:
    """Shifts for the steps of an octave, at even distances over -bound to bound in each direction, in random order.

    A network answers with the lattice of its strides where a photo is smooth. Over a few steps random shifts leave some
    of it; evenly spaced ones cancel each period that fits a whole number of times, below `steps`, into the range: with
    a bound of 16 and 8 steps those of 32, 16 and 8 pixels.
    """
    random = np.random.default_rng((*seed, 1))  # 1: not the numbers of step seed[1]
    places = np.stack([random.permutation(steps), random.permutation(steps)], axis=1)
    even = (places + random.uniform(size=2)) * (2 * bound / steps) - bound
    return [(int(down), int(right)) for down, right in np.floor(even)]


class Jitter:
    """The image moved by a shift: rolled, or, with `pad`, cut out of its surroundings of mirror images.

    Rolling lets the top edge dream into the bottom one; mirrored padding, cut off again afterwards, does not.
    """

    def __init__(self, shift: Shift, pad: int) -> None:
        self._pad = pad
        self._shift = shift

    def apply(self, values: Tensor) -> Tensor:
        """(N, 3, H, W) -> the moved image; with `pad` larger by 2 pad on each side."""
        if not self._pad:
            return roll(values, self._shift)
        top, left = self._corner()
        bottom, right = 2 * self._pad - top, 2 * self._pad - left
        return F.pad(values, (left, right, top, bottom), mode="reflect")

    def crop(self, gradient: Tensor) -> Tensor:
        """The gradient of the moved image without the mirror images."""
        if not self._pad:
            return gradient
        (top, left), twice = self._corner(), 2 * self._pad
        height, width = gradient.shape[2] - twice, gradient.shape[3] - twice
        return gradient[:, :, top : top + height, left : left + width]

    def undo(self, gradient: Tensor) -> Tensor:
        """The cropped gradient moved back."""
        return gradient if self._pad else roll(gradient, (-self._shift[0], -self._shift[1]))

    def _corner(self) -> tuple[int, int]:
        down, right = self._shift
        return self._pad + _within(down, self._pad), self._pad + _within(right, self._pad)


def _within(shift: int, bound: int) -> int:
    return max(-bound, min(bound, shift))


def roll(x: Tensor, shift: Shift) -> Tensor:
    """`x` (N, C, H, W) rolled down and right."""
    return x if shift == (0, 0) else torch.roll(x, shift, dims=(2, 3))


def is_resampled(config: DreamConfig) -> bool:
    """Whether steps scale, rotate or crop the network's input."""
    return bool(config.scale or config.rotate or config.crops)


def resample(x: Tensor, transform: Transform, crop_side: int, noise: Tensor | None = None) -> Tensor:
    """The network's input `x` (N, 3, H, W), scaled and rotated, or as crops. Differentiable.

    Crops are (N * crops, 3, crop_side, crop_side), those of one image in a row; otherwise `x` keeps its size.
    Edges are mirrored. Sampling is bilinear. noise: the standard deviation of what is added to crops, (1, 3, 1, 1).
    """
    if not transform.crops:
        return F.grid_sample(x, _rotated_grid(x, transform), padding_mode="reflection", align_corners=False)
    grids = [_crop_grid(crop, crop_side) for crop in transform.crops]
    grid = torch.stack(grids).to(x, non_blocking=True).repeat(x.shape[0], 1, 1, 1)
    crops = F.grid_sample(
        x.repeat_interleave(len(transform.crops), dim=0), grid, padding_mode="reflection", align_corners=False
    )
    if noise is None:
        return crops
    drawn = np.random.default_rng((*transform.seed, 1)).standard_normal(tuple(crops.shape), dtype=np.float32)
    return crops + noise * torch.from_numpy(drawn).to(crops, non_blocking=True)


def noise_std(config: DreamConfig, std: Sequence[float], dtype: torch.dtype, device: torch.device) -> Tensor:
    """The standard deviation of the noise of crops in units of the input of a network with this std, (1, 3, 1, 1)."""
    imagenet, own = (torch.tensor(list(each), dtype=dtype, device=device) for each in (IMAGENET_STD, std))
    return (config.noise * (imagenet / own)).view(1, 3, 1, 1)


def _rotated_grid(x: Tensor, transform: Transform) -> Tensor:
    """Where to sample `x` so that it is rotated by transform.angle and scaled by transform.scale: (N, H, W, 2)."""
    height, width = x.shape[2:]
    angle = np.deg2rad(transform.angle)
    cos, sin, ratio = np.cos(angle) / transform.scale, np.sin(angle) / transform.scale, height / width
    matrix = torch.tensor([[cos, -sin * ratio, 0], [sin / ratio, cos, 0]], dtype=torch.float64)
    grid = F.affine_grid(matrix[None], [1, 1, height, width], align_corners=False)
    return grid.to(x, non_blocking=True).expand(x.shape[0], -1, -1, -1)


def _crop_grid(crop: tuple[float, float, float], side: int) -> Tensor:
    row, column, share = crop
    matrix = torch.tensor([[share, 0, 2 * column + share - 1], [0, share, 2 * row + share - 1]], dtype=torch.float64)
    return F.affine_grid(matrix[None], [1, 1, side, side], align_corners=False)[0]
