"""python dream.py film=...: a film of dreams."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from deepdream import dreaming, images
from deepdream.apps import inputs, reproduce
from deepdream.console import progress_bar, relative
from deepdream.dreaming.config import FILMS, DreamAppConfig
from deepdream.loggers import log_image
from deepdream.provenance import write_png

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.models import Network

OUTPUTS = (".mp4", ".gif")
FPS = 15.0  # of a film without a rate of its own
SETTINGS = "film.json"  # in the folder of frames: the settings that they were made with
FEW_CHECKPOINTS = 2


def dream_film(config: DreamAppConfig, network: Network, output: Path, loggers: Sequence[Any]) -> None:
    """Make the missing frames in a folder beside `output`, and then the film. Its last frame is logged."""
    if output.suffix.lower() not in OUTPUTS:
        raise ValueError(f"output is {output}; a film must end in {' or '.join(OUTPUTS)}")
    source, count, fps = _plan(config)
    dreamer = inputs.dreamer(config, network)
    guide = inputs.guide(config)
    make = FILMS[config.film.kind](dreamer, source, config.film, seed=config.seed, guide=guide)
    stored = reproduce.provenance(config, network, dreamer)
    folder = output.with_name(f"{output.stem}_frames")
    _claim(folder, stored)
    frames = []
    try:
        with progress_bar("dreaming", total=count) as update:
            for frame in dreaming.write_frames(make, count, folder, lambda image, path: write_png(image, path)):
                frames.append(frame)
                update(len(frames))
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"the same command with output={relative(output)} continues after its last frame"
        ) from stop
    sound = Path(str(config.image)) if config.film.kind == "video" else None
    dreaming.write_film(frames, output, fps=fps, sound=sound, provenance=stored)
    with Image.open(frames[-1]) as last:
        log_image(loggers, "dream/film", last.convert("RGB"))
    print(f"dreamed {len(frames)} frames, {fps:g} a second")
    print(f"frames:     {relative(folder)}")
    print(f"film:       {relative(output)}")


def _plan(config: DreamAppConfig) -> tuple[Any, int, float]:
    """The image, or for film=video the frames, to dream on; the number of frames, and frames per second."""
    film = config.film
    if film.kind == "video":
        return _plan_video(config)
    image = images.to_tensor(inputs.source_image(config.image, config))
    count = dreaming.frame_count(config.dream, film)
    if film.kind == "checkpoints":
        found = dreaming.checkpoints_of(Path(str(film.run)))
        if len(found) <= FEW_CHECKPOINTS:
            names = ", ".join(relative(path) for path in found)
            print(
                f"note: {film.run} has checkpoints of {len(found)} epoch{'s' if len(found) > 1 else ''} ({names}); "
                "train with callbacks=every_epochs to keep one every few epochs"
            )
        count = len(found[: film.frames])
    return image, count, film.fps or FPS


def _plan_video(config: DreamAppConfig) -> tuple[Iterator[Tensor], int, float]:
    if config.image is None:
        raise ValueError("film=video needs a film to dream on; name it with image=clip.mp4")
    path = Path(config.image)
    count = sum(1 for _ in dreaming.read_frames(path))
    count = min(count, config.film.frames or count)
    if count == 0:
        raise ValueError(f"{path} has no frames in it")
    return _frames(path, config.dream.width), count, config.film.fps or dreaming.frame_rate(path)


def _frames(path: Path, width: int | None) -> Iterator[Tensor]:
    for frame in dreaming.read_frames(path):
        yield images.to_tensor(frame if width is None else images.resize_to_width(frame, width))


def _claim(folder: Path, stored: dict[str, Any]) -> None:
    """Write the settings of the frames into `folder`. Raises ValueError where it holds the frames of another film."""
    settings = folder / SETTINGS
    film = {**stored["config"]["film"], "frames": None, "fps": None}  # a longer film continues a shorter one
    own = json.dumps({**stored, "config": {**stored["config"], "film": film}}, sort_keys=True, default=str, indent=1)
    if settings.exists() and settings.read_text(encoding="utf-8") != own:
        raise ValueError(
            f"{folder} holds the frames of a film with other settings; remove it, or choose another output"
        )
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text(own, encoding="utf-8")
