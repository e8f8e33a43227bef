"""python dream.py film=...: a film of dreams."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from deepdream import dreaming, images
from deepdream.apps import inputs, reproduce
from deepdream.apps.frame_folder import reusable
from deepdream.console import progress_bar, relative
from deepdream.dreaming.config import DreamAppConfig
from deepdream.dreaming.film_config import FADED, FILMS
from deepdream.loggers import log_image
from deepdream.provenance import content, write_png

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.models import Network

FPS = 15.0  # of a film without a rate of its own


@dataclasses.dataclass
class Plan:
    """What a film is made of.

    source: the image (3, H, W) or the footage to dream on. size: width and height of the frames. numbers: of the
    frames; their `total`, if it is known. times: those of `write_film`, complete when `numbers` is used up. clip: the
    film to dream on. sound: of the clip or the song. levels: of the song, by frame. files: what is read, for
    `provenance.content`.
    """

    source: Any
    size: tuple[int, int]
    numbers: Iterable[int]
    total: int | None
    times: list[Fraction]
    fps: float
    clip: dreaming.Clip | None = None
    sound: dreaming.Sound | None = None
    levels: dreaming.Levels | None = None
    files: dict[str, Any] = dataclasses.field(default_factory=dict)


def dream_film(
    config: DreamAppConfig,
    network: Network,
    output: Path,
    loggers: Sequence[Any],
    *,
    on_frame: Callable[[Path, int | None], None] | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Make the missing frames in a folder beside `output`, and then the film. Its last frame is logged.

    on_frame: called with the file of each frame and the number of all, if it is known. names: for inputs of the
    configuration (image, guide) the names to store in place of their paths.

    Raises ValueError before the first frame for what could not be written after the last.
    """
    music = None if config.film.music is None else dreaming.read_music(Path(config.film.music))
    config = _with_first_keys(_as_long_as(config, music))
    plan = _plan_video(config) if config.film.kind == "video" else _plan_images(config)
    clip = plan.clip
    if clip is not None and output.exists() and output.samefile(clip.path):
        raise ValueError(f"output is {output}, the film to dream on; choose another output")
    dreaming.check_film(output, plan.size, plan.fps)
    is_mute = output.suffix.lower() == ".gif"
    if music is not None:
        plan.files["music"] = config.film.music
        plan.levels = lambda number: music.between(plan.times[number], plan.times[number + 1])
        plan.sound = None if is_mute else music.sound
        if is_mute:
            print(f"note: a GIF has no sound; write an .mp4 to hear {config.film.music}")
    elif isinstance(clip, dreaming.VideoFile) and not is_mute:
        plan.sound = dreaming.plan_sound(clip.path, clip.start)
    dreamer = inputs.dreamer(config, network)
    guide = inputs.guide(config)
    maker = FILMS[config.film.kind]
    make = maker(dreamer, plan.source, config.film, seed=config.seed, guide=guide, levels=plan.levels)
    stored = reproduce.provenance(config, network, dreamer)
    stored["config"].update(names or {})
    folder = output.with_name(f"{output.stem}_frames")
    if reused := reusable(folder, _record(config, stored, plan)):
        print(f"reused:     {reused} frames in {relative(folder)}, of the same inputs, configuration and network")
    frames = []
    try:
        with progress_bar("dreaming", total=plan.total) as update:
            for frame in dreaming.write_frames(make, plan.numbers, folder, lambda image, path: write_png(image, path)):
                frames.append(frame)
                update(len(frames))
                if on_frame is not None:
                    on_frame(frame, plan.total)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"the same command with {shlex.quote(f'output={relative(output)}')} continues after its last frame"
        ) from stop
    sound = plan.sound
    if sound is not None and (music is not None or config.film.frames is not None):
        sound = dataclasses.replace(sound, end=plan.times[-1])
    is_video = clip is not None and clip.is_video
    dreaming.write_film(frames, output, times=plan.times, sound=sound, is_video=is_video, provenance=stored)
    with Image.open(frames[-1]) as last:
        log_image(loggers, "dream/film", last.convert("RGB"))
    if clip is not None:
        for note in clip.notes:
            print(f"note: {clip.path}: {note}")
    for key, points in config.film.keyframes().items():
        if max(points) >= len(frames):  # of a film=video whose length was not known
            print(f"note: film.keys.{key} has frame {max(points)}, after the end of the film")
    print(f"dreamed {len(frames)} frames, {float(len(frames) / plan.times[-1]):.4g} a second")
    print(f"frames:     {relative(folder)}")
    print(f"film:       {relative(output)}")


def _as_long_as(config: DreamAppConfig, music: dreaming.Music | None) -> DreamAppConfig:
    """The configuration with as many frames as the song lasts, where it gives no number of its own."""
    film = config.film
    if music is None or film.frames is not None or film.kind not in ("zoom", "morph"):
        return config
    frames = max(1, round(music.seconds * (film.fps or FPS)))
    print(f"the song lasts {music.seconds:.1f} s, which are {frames} frames (film.frames)")
    return dataclasses.replace(config, film=dataclasses.replace(film, frames=frames))


def _with_first_keys(config: DreamAppConfig) -> DreamAppConfig:
    """The configuration with what the first keyframes of layers or target say, in place of dream.layers or target."""
    first = {key: next(iter(points.values())) for key, points in config.film.keyframes().items() if key in FADED}
    return dataclasses.replace(config, dream=dataclasses.replace(config.dream, **first))


def _plan_images(config: DreamAppConfig) -> Plan:
    """A film of one image."""
    film = config.film
    source = inputs.source_image(config.image, config)
    count = dreaming.frame_count(config.dream, film)
    files: dict[str, Any] = {"image": config.image}
    if film.kind == "checkpoints":
        found = dreaming.checkpoints_of(Path(str(film.run)))
        print(
            f"checkpoints: {len(found)} in {film.run}, one frame each; "
            "train with callbacks=every_epochs callbacks.every_epochs.every_n_epochs=1 to keep more"
        )
        count = len(found[: film.frames])
        files["checkpoints"] = found
    film.check_key_frames(count)
    fps = film.fps or FPS
    times = dreaming.even_times(count, fps)
    return Plan(images.to_tensor(source), source.size, range(count), count, times, fps, files=files)


def _plan_video(config: DreamAppConfig) -> Plan:
    """A film dreamed on a clip: a film file, an animation, a folder or list of images."""
    if config.image is None:
        raise ValueError("film=video needs a film to dream on; name it with image=clip.mp4")
    fps, width = config.film.fps, config.dream.width
    if isinstance(config.image, list) or Path(config.image).is_dir():
        files = inputs.images_in(config.image)
        if not isinstance(config.image, list):
            files.sort(key=_natural)
        clip: dreaming.Clip = dreaming.ImageSequence(files, Fraction(fps or FPS).limit_denominator(1001))
        frames = clip.frames()
    else:
        files = [Path(config.image)]
        clip = dreaming.open_clip(files[0])
        frames = clip.frames()
        if fps is not None:
            frames = dreaming.at_rate(frames, Fraction(fps).limit_denominator(1001))
    first = next(frames)
    times = [Fraction(0)]

    def shown() -> Iterator[Tensor]:
        for frame in islice(chain([first], frames), config.film.frames):
            times.append(frame.end)
            yield images.to_tensor(_resized(frame.image, width))

    footage = dreaming.Footage(shown())
    size = _resized(first.image, width).size
    rate = fps or float(clip.rate)
    return Plan(footage, size, footage, config.film.frames, times, rate, clip, files={"image": files})


def _resized(image: Image.Image, width: int | None) -> Image.Image:
    return image if width is None else images.resize_to_width(image, width)


def _natural(path: Path) -> list[Any]:
    """Sorts frame2 before frame10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _record(config: DreamAppConfig, stored: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """What the frames of a film depend on, with the content of files in place of their names."""
    film = {**stored["config"]["film"], "run": None, "music": None}
    if film["kind"] != "morph" and not film["loop"]:  # these two share something out over all frames
        film["frames"] = None  # a longer film continues a shorter one
    if plan.levels is None and (plan.clip is None or isinstance(plan.clip, dreaming.ImageSequence)):
        film["fps"] = None  # elsewhere it chooses the frames
    by_content = {key: content(name) for key, name in {**plan.files, "guide": config.guide}.items()}
    kept = {key: value for key, value in stored["config"].items() if key not in ("ckpt", "image", "guide")}
    network = stored["checkpoint"]["sha256"] or stored["checkpoint"]["name"]
    return {"version": stored["version"], "network": network, **by_content, **kept, "film": film}
