"""python dream.py film=...: one dream after another becomes a film."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.apps import inputs
from deepdream.console import relative as shown
from deepdream.dreaming.config import DreamAppConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from deepdream.dreaming.films import Make
    from deepdream.models import Network

OUTPUTS = (".mp4", ".gif")
FPS = 15.0  # of a film that has no rate of its own
SETTINGS = "film.json"  # in the folder of frames: what they were made with


def dream_film(config: DreamAppConfig, network: Network, output: Path) -> None:
    """Make the frames beside `output`, those that are not there yet, and then the film."""
    from rich.console import Console
    from rich.progress import track

    from deepdream.apps.dream import provenance
    from deepdream.dreaming import Dreamer
    from deepdream.dreaming.films import make_frames
    from deepdream.dreaming.video import write_film
    from deepdream.provenance import write_png

    if output.suffix.lower() not in OUTPUTS:
        raise ValueError(f"output is {output}; a film must end in {' or '.join(OUTPUTS)}")
    make, count, fps = _plan(config, network)
    kept = provenance(config, network, Dreamer(network, config.dream))
    folder = output.with_name(f"{output.stem}_frames")
    _claim(folder, kept)
    made = make_frames(make, count, folder, lambda picture, path: write_png(picture, path))
    quiet = not Console().is_terminal
    try:
        frames = list(track(made, total=count, description="dreaming", transient=True, disable=quiet))
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"the same command with output={shown(output)} goes on after its last frame") from stop
    sound = Path(str(config.image)) if config.film.kind == "video" else None
    write_film(frames, output, fps=fps, sound=sound, provenance=kept)
    print(f"dreamed {len(frames)} frames, {fps:g} a second")
    print(f"frames:     {shown(folder)}")
    print(f"film:       {shown(output)}")


def _plan(config: DreamAppConfig, network: Network) -> tuple[Make, int, float]:
    """How each frame is made, how many there are, and how many a second."""
    from deepdream.dreaming import films
    from deepdream.images import to_tensor

    film, seed, guide = config.film, config.seed, inputs.guide(config)
    if film.kind == "video":
        return _plan_video(config, network)
    photo = to_tensor(inputs.photo(config.image, config))
    fps = film.fps or FPS
    if film.kind == "zoom":
        make = films.zoom(network, config.dream, photo, film, seed=seed, guide=guide)
        return make, film.frames or 30, fps
    if film.kind == "morph":
        count = film.frames or 12 * len(config.dream.layers)
        return films.morph(network, config.dream, photo, count, seed=seed, guide=guide), count, fps
    from deepdream.models import load_network

    if film.run is None:
        raise ValueError("film=checkpoints needs the folder of a run; name it with film.run=outputs/<date>/<time>")
    found = films.checkpoints_of(Path(film.run))[: film.frames]
    return films.learned(load_network, found, config.dream, photo, seed=seed, guide=guide), len(found), fps


def _plan_video(config: DreamAppConfig, network: Network) -> tuple[Make, int, float]:
    from deepdream.dreaming.films import dreamed_film
    from deepdream.dreaming.video import frame_rate, read_frames

    if config.image is None:
        raise ValueError("film=video needs a film to dream on; name it with image=clip.mp4")
    path = Path(config.image)
    count = sum(1 for _ in read_frames(path))
    count = min(count, config.film.frames or count)
    if count == 0:
        raise ValueError(f"{path} has no frames in it")
    make = dreamed_film(
        network, config.dream, _frames(path, config), config.film, seed=config.seed, guide=inputs.guide(config)
    )
    return make, count, config.film.fps or frame_rate(path)


def _frames(path: Path, config: DreamAppConfig) -> Iterator[Tensor]:
    from deepdream.dreaming.video import read_frames
    from deepdream.images import resize_to_width, to_tensor

    width = config.dream.width
    for frame in read_frames(path):
        yield to_tensor(frame if width is None else resize_to_width(frame, width))


def _claim(folder: Path, kept: dict[str, Any]) -> None:
    """Note in `folder` what its frames are made with. Raises ValueError where it holds the frames of another film."""
    settings = folder / SETTINGS
    film = {**kept["config"]["film"], "frames": None, "fps": None}  # a longer film goes on from a shorter one
    own = json.dumps({**kept, "config": {**kept["config"], "film": film}}, sort_keys=True, default=str, indent=1)
    if settings.exists() and settings.read_text(encoding="utf-8") != own:
        raise ValueError(
            f"{folder} holds the frames of a film with other settings; remove it, or choose another output"
        )
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text(own, encoding="utf-8")
