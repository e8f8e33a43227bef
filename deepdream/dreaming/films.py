"""Films: one dream after another. Every frame follows from the frame before as it is on disk, so that a film that was
killed continues with the same result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.config import DreamConfig, FilmConfig
from deepdream.dreaming.dreamer import Dreamer
from deepdream.dreaming.gradients import OPPONENT, blur, mix
from deepdream.dreaming.optical_flow import along
from deepdream.images import read_image, to_image, to_tensor
from deepdream.models import load_network

MakeFrame = Callable[[int, Tensor | None], Tensor]  # number of the frame, the frame before -> the frame (3, H, W)


class WritesFrame(Protocol):
    """Writes a frame (3, H, W) to a file."""

    def __call__(self, frame: Tensor, path: Path, /) -> Any:
        """Write all of it or nothing."""


def write_frames(make: MakeFrame, numbers: Iterable[int], folder: Path, write: WritesFrame) -> Iterator[Path]:
    """The files of the frames 0, 1, 2, ... in `folder`; those that exist are kept, the others are made one by one."""
    for number in numbers:
        path = frame_path(folder, number)
        if not path.exists():
            before = to_tensor(read_image(frame_path(folder, number - 1))) if number else None
            write(make(number, before), path)
        yield path


class Footage:
    """The frames of a clip, (3, H, W) each, one at a time: iterating moves on to the next one and gives its number."""

    before: Tensor
    now: Tensor

    def __init__(self, frames: Iterable[Tensor]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[int]:
        for number, frame in enumerate(self._frames):
            self.before, self.now = self.now if number else frame, frame
            yield number


def frame_path(folder: Path, number: int) -> Path:
    """The file of frame `number`."""
    return folder / f"{number:06d}.png"


def zoom(dreamer: Dreamer, image: Tensor, film: FilmConfig, *, seed: int, guide: Tensor | None = None) -> MakeFrame:
    """Each frame dreams of the last one enlarged, rotated and moved; the first one of `image` (3, H, W).

    Dreams of dreams saturate within some 15 frames, so each is matched to the first band by band.
    """
    later = dreamer.with_config(_dreamed_on(dreamer.config, film))
    contrast: ContrastMatching | None = None

    def make(number: int, before: Tensor | None) -> Tensor:
        nonlocal contrast
        if before is None:
            return dreamer(image, seed=seed, guide=guide)
        if contrast is None:  # a resumed film dreams its first frame again, rounded as on disk
            first = before if number == 1 else to_tensor(to_image(dreamer(image, seed=seed, guide=guide)))
            contrast = ContrastMatching(first)
        return contrast(later(moved(before, film), seed=seed + number, guide=guide))

    return make


def _dreamed_on(config: DreamConfig, film: FilmConfig) -> DreamConfig:
    """The settings for a frame that begins with a dream: steps 1 - blend as long, and that dream's contrast."""
    return dataclasses.replace(config, step_size=config.step_size * (1 - film.blend) or 1e-6, contrast=1.0)


def moved(image: Tensor, film: FilmConfig) -> Tensor:
    """`image` (3, H, W) enlarged by film.zoom, rotated by film.rotate, moved by film.pan; edges are mirrored."""
    height, width = image.shape[1:]
    angle = math.radians(film.rotate)
    cos, sin = math.cos(angle) / film.zoom, math.sin(angle) / film.zoom
    down, right = film.pan
    matrix = torch.tensor(
        [[cos, -sin * height / width, -2 * right / width], [sin * width / height, cos, -2 * down / height]],
        dtype=torch.float64,
    )
    grid = F.affine_grid(matrix[None], [1, 3, height, width], align_corners=False).to(image)
    rotated = F.grid_sample(image[None], grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return rotated[0].clamp(0, 1)


def video(dreamer: Dreamer, footage: Footage, film: FilmConfig, *, seed: int, guide: Tensor | None = None) -> MakeFrame:
    """Each frame dreams of the last dream moved along the optical flow; `blend` is the last dream's share.

    Frame n is that at which `footage` stands. Where the flow is inconsistent the dream begins with the frame. Steps
    after the first frame are 1 - blend as long, so that a continued dream is as strong as a new one.
    """
    later = dreamer.with_config(_dreamed_on(dreamer.config, film))

    def make(number: int, before: Tensor | None) -> Tensor:
        if before is None or film.blend == 0:
            return dreamer(footage.now, seed=seed, guide=guide)
        dream, consistent = along(before, footage.before, footage.now)
        share = film.blend * consistent
        now = 0.5 + dreamer.config.contrast * (footage.now - 0.5)  # the last dream's contrast
        return later((share * dream + (1 - share) * now).clamp(0, 1), seed=seed, guide=guide)

    return make


def morph(dreamer: Dreamer, image: Tensor, film: FilmConfig, *, seed: int, guide: Tensor | None = None) -> MakeFrame:
    """`image` dreamed by one layer of dream.layers after another, over film.frames; between two, both dream."""
    layers = dreamer.config.layers
    objectives = []
    for layer in layers:
        alone = dreamer.with_config(dataclasses.replace(dreamer.config, layers=[layer]))
        scale = 1 / max(1e-12, abs(alone.measure(image, guide=guide)))
        objectives.append(scale * alone.objective)
    count = frame_count(dreamer.config, film)

    def make(number: int, before: Tensor | None) -> Tensor:
        place = number / max(1, count - 1) * (len(objectives) - 1)
        index = min(int(place), len(objectives) - 2) if len(objectives) > 1 else 0
        share = place - index
        objective = (1 - share) * objectives[index]
        if share > 0:
            objective = objective + share * objectives[index + 1]
        return dreamer.with_objective(objective)(image, seed=seed, guide=guide)

    return make


def checkpoints(
    dreamer: Dreamer, image: Tensor, film: FilmConfig, *, seed: int, guide: Tensor | None = None
) -> MakeFrame:
    """`image` dreamed by each checkpoint of the run film.run, oldest first."""
    found = checkpoints_of(Path(str(film.run)))

    def make(number: int, before: Tensor | None) -> Tensor:
        return dreamer.with_network(load_network(found[number]))(image, seed=seed, guide=guide)

    return make


def checkpoints_of(run: Path) -> list[Path]:
    """The checkpoints below a run folder, oldest first, one of each training step (best.ckpt is often last.ckpt).

    Raises ValueError where there is none.
    """
    complete = (path for path in run.rglob("*.ckpt") if not path.name.startswith("."))  # a kill may leave a part
    files = sorted(complete, key=lambda path: (path.stat().st_mtime, path.name))
    if not files:
        raise ValueError(f"there is no checkpoint in {run}; name a run folder with film.run=PATH")
    distinct: dict[object, Path] = {}
    for path in files:
        step = _training_step(path)
        distinct.setdefault(path if step is None else (path.parent, step), path)
    return list(distinct.values())


def _training_step(path: Path) -> tuple[int, int] | None:
    """The epoch and the step at which a checkpoint was saved; None where it holds none or cannot be read."""
    try:
        checkpoint = torch.load(path, map_location="meta", weights_only=True)
        return checkpoint["epoch"], checkpoint["global_step"]
    except Exception:  # a damaged file is reported, with its name, when its frame is made
        return None


def frame_count(config: DreamConfig, film: FilmConfig) -> int:
    """Frames of a film of one image, where the film itself does not end sooner."""
    if film.frames is not None:
        return film.frames
    return 12 * len(config.layers) if film.kind == "morph" else 30


SIGMAS = (1, 2, 4, 8, 16, 32)  # pixels; a band lies between two
GROWTH = 1.04  # the most by which a band is strengthened; more turns what enlarging has blurred into grain


class ContrastMatching:
    """Gives images the mean colour of a `reference`, and limits the contrast of each band to the reference's.

    Lightness and two opponent colours are measured apart, each in bands of an octave: a dream of a dream raises the
    bands that its network responds to until they clip, and loses the finest to each enlargement. A weak band grows by
    up to GROWTH. reference: (3, H, W) in [0, 1].

    After Heeger and Bergen, "Pyramid-Based Texture Analysis/Synthesis" (1995), who match whole histograms.
    """

    def __init__(self, reference: Tensor) -> None:
        bands, self._mean = _bands(reference)
        self._contrasts = [_contrast(band) for band in bands]

    def __call__(self, image: Tensor) -> Tensor:
        """`image` (3, H, W) in [0, 1] with the reference's contrast in each band."""
        total = self._mean
        for band, wanted in zip(_bands(image)[0], self._contrasts, strict=True):
            total = total + band * (wanted / _contrast(band).clamp_min(1e-6)).clamp(max=GROWTH)
        return mix(total, OPPONENT.t())[0].clamp(0, 1)


def _bands(image: Tensor) -> tuple[list[Tensor], Tensor]:
    """Bands from fine to coarse, (1, 3, H, W) each, and the mean, (1, 3, 1, 1), which add up to `image`."""
    rest = mix(image[None], OPPONENT)
    mean = rest.mean(dim=(2, 3), keepdim=True)
    rest = rest - mean
    bands = []
    for sigma in SIGMAS:
        coarser = blur(rest, sigma)
        bands.append(rest - coarser)
        rest = coarser
    return [*bands, rest], mean


def _contrast(band: Tensor) -> Tensor:
    return band.square().mean(dim=(2, 3), keepdim=True).sqrt()
