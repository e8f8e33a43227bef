"""python dream.py: dream an image, a folder or a film; show the channels of a layer, or list the layers."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from rich.table import Table

from deepdream import dreaming, images
from deepdream.apps import inputs, reproduce
from deepdream.apps.checkpoints import chosen_network
from deepdream.apps.command import command
from deepdream.apps.distributed import share_of_folder, start_of
from deepdream.apps.dreamed import channel_grid, dream_image
from deepdream.apps.earlier_dreams import refuse_output_among_inputs
from deepdream.apps.film import dream_film
from deepdream.apps.folders import dream_folder
from deepdream.apps.run_loggers import open_loggers, places_to_look, recorded
from deepdream.console import SHARE, invocation, print_table, progress_bar, relative
from deepdream.dreaming.config import DreamAppConfig
from deepdream.loggers import log_image, log_metrics
from deepdream.models.config import BUNDLED
from deepdream.provenance import OUTPUTS, bits_of_output, write_image

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import StepReport
    from deepdream.models import Network

TRY_NEXT = (
    ("dream=gordic dream.layers=layer4", "bolder; mode=layers lists all layers"),
    ("image=PHOTO", "a photo of your own"),
    ("film=zoom output=zoom.mp4", "a film"),
)
LONG = 10 * 60  # seconds to go from which the time is printed


@command("dream")
def main(config: DreamAppConfig, folder: Path) -> None:
    """Dream an image, a folder of images or a film; or show the channels of a layer, or list the layers."""
    if config.reproduce is not None:
        reproduce.check_overrides(config)
        config = reproduce.reproduced(config)
    is_folder = isinstance(config.image, str) and Path(config.image).is_dir()
    several = "a folder" if is_folder else "a list" if isinstance(config.image, list) else None
    is_film = config.film.kind != "none"
    is_sequence = several is not None and config.film.kind == "video"  # the images are the frames of a film
    if several is not None and not is_sequence and (is_film or config.mode == "channels" or config.report):
        other = f"film={config.film.kind}" if is_film else "report=true" if config.report else f"mode={config.mode}"
        raise ValueError(f"image={config.image} is {several} and {other} takes one image; leave one of them out")
    if several is None and config.devices > 1:
        raise ValueError(f"devices={config.devices} shares out a folder of images; name one with image=FOLDER")
    is_shared = several is not None and not is_sequence
    rank = share_of_folder(config.output, key="output", device=config.device) if is_shared else None
    default = "dream.mp4" if is_film else "dreams" if several is not None else "dream.png"
    output = Path(config.output) if config.output else folder / default
    if several is None and not is_film:
        _check_output(output)
        config = _with_bits(config, output)
    if not config.overwrite:
        refuse_output_among_inputs(_files_read(config), [output])
    inputs.check_names(*([] if several else [config.image]), config.guide, config.mask, config.film.music)
    network = chosen_network(config.ckpt or BUNDLED, config)
    if config.reproduce is not None:
        reproduce.check_same_network(config, network)
        reproduce.check_same_inputs(config)
    if config.mode == "layers":
        _print_layers(network)
        return
    built = open_loggers(config.logger, config.tags) if rank is None or rank.is_zero else {}
    with recorded(built, dataclasses.asdict(config), folder) as loggers:
        if is_film:
            dream_film(config, network, output, loggers)
        elif config.mode == "channels":
            _dream_channels(config, network, output, loggers)
        elif several is not None:
            start = start_of(rank)
            dream_folder(config, network, inputs.images_in(config.image), output, loggers, start=start)
        else:
            _dream_image(config, network, output, loggers)
        for line in places_to_look(built, folder):
            print(line)
    if config.ckpt is None and config.image is None and not is_film and config.mode == "image":  # a first dream
        for number, (arguments, effect) in enumerate(TRY_NEXT):
            line = f"{invocation('dream')} {arguments}"
            print(f"{'' if number else 'try next:':12}{line:56}  {effect}")


def _dream_image(config: DreamAppConfig, network: Network, output: Path, loggers: Sequence[Any]) -> None:
    with _progress() as show:
        dreamed = dream_image(config, network, show)
    write_image(dreamed.after, output, bits=config.dream.bits or 8, provenance=dreamed.provenance)
    before, after, dreamer = dreamed.before, dreamed.after[:3], dreamed.dreamer
    layers = dreamer.config.layers
    _log_pair(loggers, layers, before, after)
    height, width = before.shape[1:]
    print(f"dreamed {', '.join(layers)} of {network.source} in {dreamed.seconds:.1f} s, {width}x{height} pixels")
    if dreamer.input_sizes.only is not None:
        print(f"in squares of {dreamer.input_sizes.only} pixels, the only size of image that the network takes")
    elif height * width > dreamer.max_pixels:
        print(f"in tiles of up to {dreamer.max_pixels:,} pixels (max_pixels)")
    if config.report:
        found = dreaming.dream_report(
            dreamer, network, before, after, seconds=dreamed.seconds, guide=dreamed.guide, seed=config.seed
        )
        path = output.with_suffix(".json")
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        log_metrics(loggers, {f"dream/gain/{name}": gain for name, gain in dreaming.objective_gains(found).items()})
        print_table(_report_table(found))
        print(f"report:     {relative(path)}")
    print(f"image:      {relative(output)}")


def _dream_channels(config: DreamAppConfig, network: Network, output: Path, loggers: Sequence[Any]) -> None:
    grid = channel_grid(config, network)
    write_image(grid.image, output, provenance=grid.provenance)
    log_image(loggers, f"dream/channels/{grid.layer}", grid.image)
    print(f"channels of {grid.layer} of {network.source}: {', '.join(map(str, grid.channels))}")
    print(f"image:      {relative(output)}")


def _files_read(config: DreamAppConfig) -> list[Path]:
    images = config.image if isinstance(config.image, list) else [config.image]
    others = (config.guide, config.mask, config.ckpt, config.reproduce, config.film.music)
    return [Path(name) for name in (*images, *others) if name]


def _check_output(path: Path) -> None:
    """Raises ValueError before the dream for an output that could not be written after it."""
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(
            f"output is {path}; it must end in {', '.join(OUTPUTS)}, because the configuration is stored inside it"
        )
    if path.is_dir():
        raise ValueError(f"output is {path}, which is a folder; name a file in it, for example {path}/dream.png")


def _with_bits(config: DreamAppConfig, output: Path) -> DreamAppConfig:
    """The configuration with dream.bits, which may be null, as the output needs it."""
    if config.mode != "image":
        return config
    bits = bits_of_output(output, config.dream.bits)
    return dataclasses.replace(config, dream=dataclasses.replace(config.dream, bits=bits))


@contextmanager
def _progress() -> Iterator[Callable[[StepReport], None]]:
    """A progress bar, and the function that moves it after each step; a long dream says once how long it takes."""
    start, is_long = time.monotonic(), False
    with progress_bar("dreaming", total=1000, columns=SHARE) as update:

        def show(step: StepReport) -> None:
            nonlocal is_long
            left = (time.monotonic() - start) * (1 - step.done) / step.done
            if not is_long and left > LONG and step.step + 1 == step.steps:  # the first steps are slower
                is_long = True
                print(f"about {left / 3600:.1f} hours to go" if left > 5400 else f"about {left / 60:.0f} minutes to go")
            where = f"octave {step.octave + 1}/{step.octaves}, {step.size[1]}x{step.size[0]}"
            update(round(1000 * step.done), description=where)

        yield show


def _log_pair(loggers: Sequence[Any], layers: Sequence[str], before: Tensor, after: Tensor) -> None:
    """The image and its dream, one above the other."""
    pair = np.concatenate([images.to_pixels(before), images.to_pixels(after)])
    log_image(loggers, f"dream/{'+'.join(layers)}", Image.fromarray(pair))


def _report_table(found: dict[str, Any]) -> Table:
    table = Table(title="effect of the dream", title_justify="left")
    for column in ("", "before", "after"):
        table.add_column(column)
    for rank, (was, became) in enumerate(zip(found["top5"]["before"], found["top5"]["after"], strict=True), 1):
        table.add_row(f"class {rank}", f"{was[0]} {was[1]:.1%}", f"{became[0]} {became[1]:.1%}")
    table.add_row("total variation", *(f"{found['total_variation'][when]:.4f}" for when in ("before", "after")))
    for name, share in dreaming.objective_gains(found).items():
        table.add_row(f"objective, {name}", "", f"{share:+.1%}")
    table.add_row("seconds per step", "", f"{found['seconds_per_step']:.2f}")
    return table


def _print_layers(network: Network) -> None:
    table = Table(title=f"layers of {network.source}", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    for column in ("channels", "stride", "sees px", "depth"):
        table.add_column(column, justify="right")
    table.add_column("tends to dream")
    for layer in network.layers():
        field = str(layer.receptive_field) if layer.receptive_field else ""
        name = f"{layer.name} ({layer.alias})" if layer.alias else layer.name
        numbers = (str(layer.channels), str(layer.stride), field, f"{layer.depth:.0%}")
        table.add_row(name, layer.kind, *numbers, dreaming.describe_layer(layer))
    print_table(table)
