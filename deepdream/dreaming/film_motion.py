"""How the camera of a zoom moves, and how its last frames lead to its first."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.film_config import FilmConfig
from deepdream.dreaming.gradients import blur
from deepdream.dreaming.timeline import Timeline

SMALLEST = 1 / 3  # size of the first frame where it comes in sight within the last ones
SOFT = 0.5  # width of its soft edge then, as a share of half its side


def moved(image: Tensor, film: FilmConfig) -> Tensor:
    """`image` (3, H, W) enlarged by film.zoom, rotated by film.rotate, moved by film.pan; edges are mirrored."""
    return _warped(image, motion(film, image.shape[1], image.shape[2])[:2])


def motion(film: FilmConfig, height: int, width: int) -> Tensor:
    """From a place in the next frame, -1 to 1 along each side, to its place in the last one: (3, 3), float64."""
    angle = math.radians(film.rotate)
    cos, sin = math.cos(angle) / film.zoom, math.sin(angle) / film.zoom
    down, right = film.pan
    rows = [
        [cos, -sin * height / width, -2 * right / width],
        [sin * width / height, cos, -2 * down / height],
        [0, 0, 1],
    ]
    return torch.tensor(rows, dtype=torch.float64)


def _warped(image: Tensor, matrix: Tensor) -> Tensor:
    """`image` (3, H, W) with, at each place, what stands in it where the `matrix` (2, 3) leads."""
    grid = F.affine_grid(matrix[None], [1, *image.shape], align_corners=False).to(image)
    warped = F.grid_sample(image[None], grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return warped[0].clamp(0, 1)


class LoopClosing:
    """Lets the first frame of a zoom grow within its last frames, so that it follows from the last one.

    Frame n holds the first frame as it must look there to be the first frame when the camera has moved on to the end:
    small and faint at first. It begins in the second half of the film, and no smaller than SMALLEST.

    first: (3, H, W) in [0, 1].
    """

    def __init__(self, first: Tensor, timeline: Timeline) -> None:
        self._first = first
        height, width = first.shape[1:]
        self._matrices: dict[int, Tensor] = {}  # from a place in frame n to its place in the first frame
        onward = torch.eye(3, dtype=torch.float64)
        for number in range(timeline.count - 1, timeline.count // 2, -1):
            onward = motion(timeline.film(number + 1), height, width) @ onward
            if onward.det() < SMALLEST**2:
                break
            self._matrices[number] = onward.inverse()

    def __call__(self, frame: Tensor, number: int) -> Tensor:
        """Frame `number` (3, H, W) with the first frame in it."""
        if number not in self._matrices:
            return frame
        progress = 1 - (max(self._matrices) + 1 - number) / (len(self._matrices) + 1)
        matrix = self._matrices[number]
        shrunk = float(matrix.det()) ** 0.5  # how many of its pixels make one
        first = self._first
        if shrunk > 1:
            first = blur(first[None], 0.5 * math.sqrt(shrunk**2 - 1))[0]
        places = F.affine_grid(matrix[None, :2], [1, *first.shape], align_corners=False).to(first)
        inside = (1 - places.abs().amax(dim=3)).clamp(min=0)  # (1, H, W); 0 at its edge
        opacity = (inside / (SOFT * (1 - progress))).clamp(max=1) * progress**2 * (3 - 2 * progress)
        return frame + opacity * (_warped(first, matrix[:2]) - frame)
