"""What the computing process does for the page Dream. A dream is made by the function that dream.py calls."""

from __future__ import annotations

import dataclasses
import io
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import dreaming, images
from deepdream.apps.dreamed import dream_image
from deepdream.apps.film import dream_film
from deepdream.dreaming.config import DreamAppConfig, DreamConfig
from deepdream.models.config import BUNDLED
from deepdream.provenance import write_image
from deepdream.registry import only_ours
from deepdream.studio.session import Photo
from deepdream.studio.uploads import read_photo

if TYPE_CHECKING:
    from PIL import Image

    from deepdream.studio.computing import Task

PREVIEW_SIDE = 960  # pixels of a growing dream in the page
RESULT_SIDE = 1600  # of a finished one; its file has all
PAUSE = 0.2  # seconds between two previews
DEPTHS = ("25%", "50%", "75%", "100%")  # of the layers of the variations
VARIED = ("vivid", "gordic", "inceptionism")  # their presets
SHEET_WIDTH = 224  # pixels of a variation
TILE_SIDE, TILE_STEPS, TILES = 80, 24, 9  # of the channels to pick from
TILE_BATCH = 3  # channels at a time, so that the first are there soon, and a stop is


@dataclass(frozen=True)
class Wish:
    """A dream or film to make.

    names: for files of the configuration the names under which their user knows them, which the recipe stores.
    """

    config: DreamAppConfig
    output: Path
    names: dict[str, str]


@dataclass(frozen=True)
class Preview:
    """A dream that grows, as a JPEG. done: share of the work; left: seconds, None while unknown."""

    jpeg: bytes
    done: float
    left: float | None
    caption: str


@dataclass(frozen=True)
class Finished:
    """A finished dream or film. before, after: JPEGs for the page; of a film there is only the last frame."""

    output: Path
    before: Path | None
    after: Path
    width: int
    height: int
    seconds: float


@dataclass(frozen=True)
class Variation:
    """A cell of the sheet of variations."""

    preset: str
    layer: str
    path: Path


@dataclass(frozen=True)
class About:
    """What the page shows of a network. defaults: for each preset its layers, by their names in this network."""

    source: str
    layers: list[str]
    classes: list[str]
    defaults: dict[str, tuple[str, ...]]


def about(task: Task, ckpt: str, presets: dict[str, list[str]]) -> About:
    """Job: the blocks and classes of a network. presets: the layers that each of them names."""
    from deepdream.dreaming.selection import resolved
    from deepdream.models.layers import layer_at

    network = task.network(ckpt)
    layers = network.layers()
    blocks = list(dict.fromkeys(layer_at(share / 20, layers).name for share in range(1, 21)))
    defaults = {name: tuple(resolved(text, layers) for text in texts) for name, texts in presets.items()}
    return About(network.source, blocks, network.classes if network.has_class_names else [], defaults)


def first_photo(task: Task, name: str, path: Path, shown: Path) -> Photo:
    """Job: the photo called `name` on this machine, a path or a sample, copied to `path`; a small copy to `shown`."""
    from deepdream.apps import inputs

    if Path(name).exists():
        shutil.copyfile(name, path)
    else:
        inputs.read_photo(name).save(path)
    photo, _ = read_photo(task, path, shown)
    return dataclasses.replace(photo, name=name)


def dream(task: Task, wish: Wish) -> Finished:
    """Job: dream an image and write it, with previews on the way."""
    config = dataclasses.replace(wish.config, dream=dataclasses.replace(wish.config.dream, bits=8))
    network = task.network(config.ckpt or BUNDLED)
    with only_ours():
        made = dream_image(config, network, _Previews(task))
    made.provenance["config"].update(wish.names)
    write_image(made.after, wish.output, provenance=made.provenance)
    before, after = (wish.output.with_name(f"{which}.jpg") for which in ("before", "after"))
    for image, path in ((made.before, before), (made.after[:3], after)):
        _small(images.to_image(image), RESULT_SIDE).save(path, quality=92)
    height, width = made.after.shape[1:]
    return Finished(wish.output, before, after, width, height, made.seconds)


class _Previews:
    """Reports the first step of a dream, and then one in PAUSE seconds."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._start = time.monotonic()
        self._last = 0.0

    def __call__(self, step: dreaming.StepReport) -> None:
        self._task.give_way()
        now = time.monotonic()
        if now - self._last < PAUSE:
            return
        left = (now - self._start) * (1 - step.done) / step.done if now - self._start > 1 else None
        caption = f"octave {step.octave + 1} of {step.octaves}, {step.size[1]}x{step.size[0]}"
        image = step.image if step.image.dim() == 3 else step.image[0]
        self._task.report(Preview(_jpeg(images.to_image(image)), step.done, left, caption))
        self._last = time.monotonic()


def variations(task: Task, config: DreamAppConfig, folder: Path) -> int:
    """Job: a small dream of the photo for each of VARIED and DEPTHS, reported as they are made; their number.

    config: of the page; its photo, network and machine are used.
    """
    from deepdream.apps import inputs
    from deepdream.dreaming.selection import resolved

    network = task.network(config.ckpt or BUNDLED)
    layers = list(dict.fromkeys(resolved(depth, network.layers()) for depth in DEPTHS))
    folder.mkdir(parents=True, exist_ok=True)
    base = DreamConfig.preset(VARIED[0], layers=layers, width=SHEET_WIDTH)
    dreamer = inputs.dreamer(dataclasses.replace(config, dream=base), network)
    photo = images.to_tensor(inputs.source_pixels(config.image, dataclasses.replace(config, dream=base)))[:3]
    number = 0
    for preset in VARIED:
        for layer in layers:
            own = dreamer.with_config(DreamConfig.preset(preset, layers=[layer], width=SHEET_WIDTH))
            path = folder / f"{number:02d}.jpg"
            images.to_image(_as_many_octaves_as_fit(own, photo, task, config.seed)).save(path, quality=90)
            task.report(Variation(preset, layer, path))
            number += 1
    return number


def _as_many_octaves_as_fit(dreamer: dreaming.Dreamer, photo: Any, task: Task, seed: int) -> Any:
    """The dream with the preset's octaves, or fewer where the smallest would be too small for the network."""
    for octaves in range(dreamer.config.octaves, 1, -1):
        try:
            fewer = dreamer.with_config(dataclasses.replace(dreamer.config, octaves=octaves))
            return fewer(photo, seed=seed, on_step=lambda _: task.give_way())
        except ValueError:  # before the first step
            continue
    one = dreamer.with_config(dataclasses.replace(dreamer.config, octaves=1))
    return one(photo, seed=seed, on_step=lambda _: task.give_way())


def channels(task: Task, config: DreamAppConfig, layer: str, folder: Path) -> None:
    """Job: what the strongest channels of `layer` in the photo respond to, as (selection, image), strongest first."""
    from deepdream.apps import inputs

    network = task.network(config.ckpt or BUNDLED)
    base = DreamConfig.preset("visualize", layers=[layer], width=TILE_SIDE, steps=TILE_STEPS, jitter=4, pad=8)
    dreamer = inputs.dreamer(dataclasses.replace(config, dream=base), network)
    photo = images.to_tensor(inputs.source_image(config.image, config))
    folder.mkdir(parents=True, exist_ok=True)
    strongest = dreaming.strongest_channels(network, layer, photo, TILES)
    for first in range(0, len(strongest), TILE_BATCH):
        batch = strongest[first : first + TILE_BATCH]
        task.give_way()
        for channel, image in zip(
            batch, dreaming.visualize_channels(dreamer, layer, batch, TILE_SIDE, seed=config.seed), strict=True
        ):
            path = folder / f"{channel}.jpg"
            images.to_image(image).save(path, quality=90)
            task.report((f"{layer}:{channel}", path))


def film(task: Task, wish: Wish) -> Finished:
    """Job: a film, with its frames as previews; what dream.py film=... makes."""
    start, count, last = time.monotonic(), 0, wish.output

    def on_frame(path: Path, total: int | None) -> None:
        nonlocal count, last
        count, last = count + 1, path
        jpeg = _jpeg(images.read_image(path))
        left = (time.monotonic() - start) / count * (total - count) if total else None
        task.report(Preview(jpeg, count / total if total else 0.0, left, f"frame {count} of {total or '?'}"))
        task.give_way()

    with only_ours():
        network = task.network(wish.config.ckpt or BUNDLED)
        dream_film(wish.config, network, wish.output, (), on_frame=on_frame, names=wish.names)
    frame, after = images.read_image(last), wish.output.with_name("after.jpg")
    _small(frame, RESULT_SIDE).save(after, quality=92)
    return Finished(wish.output, None, after, *frame.size, time.monotonic() - start)


def _small(image: Image.Image, side: int) -> Image.Image:
    """The image with at most `side` pixels on its longer side."""
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if scale >= 1 else image.resize(size)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    _small(image, PREVIEW_SIDE).save(file, format="JPEG", quality=85)
    return file.getvalue()
