"""Films: one dream after another. Every frame follows from the frame before as it is on disk, so that a film that was
killed goes on with the same result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.balance import Balance
from deepdream.dreaming.composing import compose
from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.dreamer import Dreamer
from deepdream.dreaming.film_config import FilmConfig
from deepdream.dreaming.optical_flow import along
from deepdream.images import read_image, to_image, to_tensor
from deepdream.models import Network
from deepdream.models.layers import probe

Make = Callable[[int, Tensor | None], Tensor]  # number of the frame, the frame before -> the frame


class WritesFrame(Protocol):
    """Writes a frame (3, H, W) to a file."""

    def __call__(self, picture: Tensor, path: Path, /) -> Any:
        """Write it whole or not at all."""


def make_frames(make: Make, count: int, folder: Path, write: WritesFrame) -> Iterator[Path]:
    """The files of `count` frames in `folder`, each made when it is not there yet."""
    for number in range(count):
        path = frame_path(folder, number)
        if not path.exists():
            before = to_tensor(read_image(frame_path(folder, number - 1))) if number else None
            write(make(number, before), path)
        yield path


def frame_path(folder: Path, number: int) -> Path:
    """Where frame `number` lies."""
    return folder / f"{number:06d}.png"


def zoom(
    network: Network, config: DreamConfig, photo: Tensor, film: FilmConfig, *, seed: int, guide: Tensor | None = None
) -> Make:
    """Each frame is the dream of the last one enlarged, turned and moved; the first that of `photo` (3, H, W).

    Dreams of dreams burn out within some 15 frames, so each is balanced to the first.
    """
    first, later = Dreamer(network, config), Dreamer(network, _dreamed_on(config, film))
    balance: Balance | None = None

    def make(number: int, before: Tensor | None) -> Tensor:
        nonlocal balance
        if before is None:
            return first(photo, seed=seed, guide=guide)
        if balance is None:  # a film that goes on after a kill dreams its first frame again, rounded as on disk
            balance = Balance(before if number == 1 else to_tensor(to_image(first(photo, seed=seed, guide=guide))))
        return balance(later(moved(before, film), seed=seed + number, guide=guide))

    return make


def _dreamed_on(config: DreamConfig, film: FilmConfig) -> DreamConfig:
    """How a frame dreams that begins with a dream: in steps 1 - blend as long, its tone as it is already."""
    return dataclasses.replace(config, step_size=config.step_size * (1 - film.blend) or 1e-6, tone=1.0)


def moved(picture: Tensor, film: FilmConfig) -> Tensor:
    """`picture` (3, H, W) enlarged by film.zoom, turned by film.rotate, moved by film.pan; edges are mirrored."""
    height, width = picture.shape[1:]
    angle = math.radians(film.rotate)
    cos, sin = math.cos(angle) / film.zoom, math.sin(angle) / film.zoom
    down, right = film.pan
    matrix = torch.tensor(
        [[cos, -sin * height / width, -2 * right / width], [sin * width / height, cos, -2 * down / height]],
        dtype=torch.float64,
    )
    grid = F.affine_grid(matrix[None], [1, 3, height, width], align_corners=False).to(picture)
    turned = F.grid_sample(picture[None], grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return turned[0].clamp(0, 1)


def dreamed_film(
    network: Network,
    config: DreamConfig,
    frames: Iterator[Tensor],
    film: FilmConfig,
    *,
    seed: int,
    guide: Tensor | None = None,
) -> Make:
    """Each frame dreams over the last dream, moved along the optical flow; `blend` is the share of the latter.

    Where the flow cannot be trusted the frame begins anew. Steps after the first frame are 1 - blend as long, so
    that a dream that is carried on is as strong as one made anew.
    """
    first = Dreamer(network, config)
    later = Dreamer(network, _dreamed_on(config, film))
    seen: list[Tensor] = []

    def advance(number: int) -> Tensor:
        while len(seen) <= number:
            seen.append(next(frames))
            if len(seen) > 2:
                seen[-3] = torch.empty(0)  # only two frames are needed
        return seen[number]

    def make(number: int, before: Tensor | None) -> Tensor:
        now = advance(number)
        if before is None or film.blend == 0:
            return first(now, seed=seed, guide=guide)
        last_frame = seen[number - 1]
        dream, trusted = along(before, last_frame, now)
        share = film.blend * trusted
        toned = 0.5 + config.tone * (now - 0.5)  # as the last dream is already
        return later((share * dream + (1 - share) * toned).clamp(0, 1), seed=seed, guide=guide)

    return make


def morph(
    network: Network, config: DreamConfig, photo: Tensor, count: int, *, seed: int, guide: Tensor | None = None
) -> Make:
    """The photo dreamed by one layer of config.layers after another; between two, both dream, in shares."""
    layers = probe(network.model, network.image_size)
    each = [dataclasses.replace(config, layers=[layer]) for layer in config.layers]
    scale = [1 / max(1e-12, abs(Dreamer(network, one).measure(photo, guide=guide))) for one in each]
    terms = [size * compose(one, network.classes, layers) for size, one in zip(scale, each, strict=True)]

    def make(number: int, before: Tensor | None) -> Tensor:
        place = number / max(1, count - 1) * (len(terms) - 1)
        index = min(int(place), len(terms) - 2) if len(terms) > 1 else 0
        share = place - index
        objective = (1 - share) * terms[index]
        if share > 0:
            objective = objective + share * terms[index + 1]
        return Dreamer(network, config, objective=objective)(photo, seed=seed, guide=guide)

    return make


def learned(
    load: Callable[[Path], Network],
    checkpoints: Sequence[Path],
    config: DreamConfig,
    photo: Tensor,
    *,
    seed: int,
    guide: Tensor | None = None,
) -> Make:
    """The photo dreamed by each of `checkpoints`."""

    def make(number: int, before: Tensor | None) -> Tensor:
        return Dreamer(load(checkpoints[number]), config)(photo, seed=seed, guide=guide)

    return make


def checkpoints_of(run: Path) -> list[Path]:
    """The checkpoints below a folder, the oldest first. Raises ValueError where there is none."""
    found = sorted(run.rglob("*.ckpt"), key=lambda path: (path.stat().st_mtime, path.name))
    if not found:
        raise ValueError(f"there is no checkpoint in {run}; name the folder of a run with film.run=PATH")
    return found
