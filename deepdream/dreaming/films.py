"""Films: one dream after another. Every frame follows from the frame before as it is on disk, so that a film that was
killed continues with the same result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from deepdream.dreaming.contrast_matching import ContrastMatching
from deepdream.dreaming.dreamer import Dreamer
from deepdream.dreaming.film_config import FilmConfig
from deepdream.dreaming.film_motion import LoopClosing, moved
from deepdream.dreaming.optical_flow import along
from deepdream.dreaming.timeline import Levels, Timeline, equally_weighted, faded
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

    first: Tensor
    before: Tensor
    now: Tensor

    def __init__(self, frames: Iterable[Tensor]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[int]:
        for number, frame in enumerate(self._frames):
            if number == 0:
                self.first = frame
            self.before, self.now = self.now if number else frame, frame
            yield number


def frame_path(folder: Path, number: int) -> Path:
    """The file of frame `number`."""
    return folder / f"{number:06d}.png"


def zoom(
    dreamer: Dreamer,
    image: Tensor,
    film: FilmConfig,
    *,
    seed: int,
    guide: Tensor | None = None,
    levels: Levels | None = None,
) -> MakeFrame:
    """Each frame dreams of the last one enlarged, rotated and moved; the first one of `image` (3, H, W).

    Dreams of dreams saturate within some 15 frames, so each is matched to the first band by band.
    """
    timeline = Timeline(dreamer, film, lambda: image, guide=guide, levels=levels)
    contrast: ContrastMatching | None = None
    closing: LoopClosing | None = None

    def make(number: int, before: Tensor | None) -> Tensor:
        nonlocal contrast, closing
        if before is None:
            return timeline.dreamer(0)(image, seed=seed, guide=guide)
        if contrast is None:  # a resumed film dreams its first frame again, rounded as on disk
            again = timeline.dreamer(0)
            first = before if number == 1 else to_tensor(to_image(again(image, seed=seed, guide=guide)))
            contrast = ContrastMatching(first)
            closing = LoopClosing(first, timeline) if film.loop else None
        dream = timeline.dreamer(number, on_dream=True)
        frame = contrast(dream(moved(before, timeline.film(number)), seed=seed + number, guide=guide))
        return frame if closing is None else closing(frame, number)

    return make


def video(
    dreamer: Dreamer,
    footage: Footage,
    film: FilmConfig,
    *,
    seed: int,
    guide: Tensor | None = None,
    levels: Levels | None = None,
) -> MakeFrame:
    """Each frame dreams of the last dream moved along the optical flow; `blend` is the last dream's share.

    Frame n is that at which `footage` stands. Where the flow is inconsistent the dream begins with the frame. Steps
    after the first frame are 1 - blend as long, so that a continued dream is as strong as a new one.
    """
    timeline = Timeline(dreamer, film, lambda: footage.first, guide=guide, levels=levels)

    def make(number: int, before: Tensor | None) -> Tensor:
        blend, new = timeline.film(number).blend, timeline.dreamer(number)
        if before is None or blend == 0:
            return new(footage.now, seed=seed, guide=guide)
        dream, consistent = along(before, footage.before, footage.now)
        share = blend * consistent
        now = 0.5 + new.config.contrast * (footage.now - 0.5)  # the last dream's contrast
        later = timeline.dreamer(number, on_dream=True)
        return later((share * dream + (1 - share) * now).clamp(0, 1), seed=seed, guide=guide)

    return make


def morph(
    dreamer: Dreamer,
    image: Tensor,
    film: FilmConfig,
    *,
    seed: int,
    guide: Tensor | None = None,
    levels: Levels | None = None,
) -> MakeFrame:
    """`image` dreamed by one layer of dream.layers after another, over film.frames; between two, both dream.

    A loop returns from the last layer to the first.
    """
    timeline = Timeline(dreamer, film, lambda: image, guide=guide, levels=levels)
    layers = dreamer.config.layers
    alone = [dreamer.with_config(dataclasses.replace(dreamer.config, layers=[layer])) for layer in layers]
    objectives = equally_weighted(alone, image, guide=guide)
    if film.loop:
        objectives.append(objectives[0])
    last = timeline.count if film.loop else max(1, timeline.count - 1)

    def make(number: int, before: Tensor | None) -> Tensor:
        objective = faded(objectives, number / last * (len(objectives) - 1))
        return timeline.dreamer(number).with_objective(objective)(image, seed=seed, guide=guide)

    return make


def checkpoints(
    dreamer: Dreamer,
    image: Tensor,
    film: FilmConfig,
    *,
    seed: int,
    guide: Tensor | None = None,
    levels: Levels | None = None,
) -> MakeFrame:
    """`image` dreamed by each checkpoint of the run film.run, oldest first."""
    timeline = Timeline(dreamer, film, lambda: image, guide=guide, levels=levels)
    found = checkpoints_of(Path(str(film.run)))

    def make(number: int, before: Tensor | None) -> Tensor:
        return timeline.dreamer(number).with_network(load_network(found[number]))(image, seed=seed, guide=guide)

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
