"""python dream.py: the network becomes inputs."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.apps import inputs, reproduce
from deepdream.apps.checkpoints import BOX, chosen_network
from deepdream.apps.command import command
from deepdream.console import relative as shown
from deepdream.dreaming.config import DreamAppConfig

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import Dreamer
    from deepdream.models import Network

# Words that Python keeps for itself cannot name a field of the schema; on the command line both are understood.
ALIASES = {"class": "dream.target", "from": "again"}
OUTPUTS = (".png", ".jpg", ".jpeg")
TRY_NEXT = """\
try next:   python dream.py dream=gordic dream.layers=[layer4]     bolder; dream.list_layers=true names all layers
            python dream.py image=PHOTO                            a photo of your own
            python dream.py film=zoom output=zoom.mp4              a film"""


@command("dream", DreamAppConfig)
def _main(config: DreamAppConfig, folder: Path) -> None:
    """Dream a picture or a folder of them, make one again, or list the layers that can dream."""

    if config.again is not None:
        config = reproduce.recalled(config)
    is_film = config.film.kind != "none"
    is_folder = config.image is not None and Path(config.image).is_dir()
    default = "dream.mp4" if is_film else "dreams" if is_folder else "dream.png"
    output = Path(config.output) if config.output else folder / default
    if not is_folder and not is_film:
        _check_output(output)
    network = chosen_network(config.ckpt or BOX)
    if config.again is not None:
        reproduce.check_same_network(config, network)
    if config.dream.list_layers:
        _print_layers(network)
    elif is_film:
        from deepdream.apps.film import dream_film

        dream_film(config, network, output)
    elif config.dream.sheet:
        _dream_sheet(config, network, output)
    elif is_folder:
        from deepdream.apps.folders import dream_folder

        dream_folder(config, network, Path(str(config.image)), output)
    else:
        _dream_picture(config, network, output, folder)
        if config.ckpt is None and config.image is None:  # a first dream
            print(TRY_NEXT)


def main() -> None:
    """The command."""
    sys.argv[1:] = [_without_alias(argument) for argument in sys.argv[1:]]
    _main()


def _without_alias(argument: str) -> str:
    key, equals, value = argument.partition("=")
    return f"{ALIASES[key]}={value}" if equals and key in ALIASES else argument


def _dream_picture(config: DreamAppConfig, network: Network, output: Path, folder: Path) -> None:
    from deepdream.dreaming import Dreamer
    from deepdream.images import to_tensor
    from deepdream.provenance import write_image

    before = to_tensor(inputs.photo(config.image, config))
    guide, mask = inputs.guide(config), inputs.mask(config.mask, network, before)
    start = time.monotonic()
    dreamer = Dreamer(network, config.dream)
    after = _with_progress(dreamer, before, seed=config.seed, guide=guide, mask=mask)
    seconds = time.monotonic() - start
    write_image(after, output, provenance=provenance(config, network, dreamer))
    _log_picture(folder, config.dream.layers, before, after)
    height, width = before.shape[1:]
    print(f"dreamed {', '.join(config.dream.layers)} of {network.source} in {seconds:.1f} s, {width}x{height} pixels")
    if height * width > dreamer.max_pixels:
        print(f"in tiles of up to {dreamer.max_pixels:,} pixels (dream.max_pixels)")
    if config.report:
        _report(output.with_suffix(".json"), dreamer, network, before, after, seconds, guide, config.seed)
    print(f"picture:    {shown(output)}")


def _dream_sheet(config: DreamAppConfig, network: Network, output: Path) -> None:
    """The strongest channels of each layer, side by side."""
    from deepdream.dreaming import Dreamer
    from deepdream.dreaming.channel_grid import strongest_channels, visualize_channels
    from deepdream.images import to_image, to_tensor
    from deepdream.plots import contact_sheet
    from deepdream.provenance import write_image

    photo = to_tensor(inputs.read_photo(config.image or inputs.DEFAULT_PHOTO))
    layer = config.dream.layers[0]
    channels = strongest_channels(network, layer, photo, config.dream.sheet)
    found = visualize_channels(network, config.dream, layer, channels, seed=config.seed)
    dreamer = Dreamer(network, dataclasses.replace(config.dream, layers=[layer]))
    captions = [f"{layer}:{channel}" for channel in channels]
    columns = max(1, round((len(channels) * 4 / 3) ** 0.5))  # about a 4:3 sheet
    sheet = contact_sheet([to_image(each) for each in found], captions, columns=columns, size=found.shape[-1])
    write_image(sheet, output, provenance=provenance(config, network, dreamer))
    print(f"channels of {layer} of {network.source}: {', '.join(map(str, channels))}")
    print(f"picture:    {shown(output)}")


def provenance(config: DreamAppConfig, network: Network, dreamer: Dreamer) -> dict[str, Any]:
    """What is kept inside the picture: enough to make it again, bit for bit on the same machine."""
    from deepdream import __version__

    dream = dataclasses.replace(config.dream, max_pixels=dreamer.max_pixels)
    return {
        "config": dataclasses.asdict(dataclasses.replace(config, dream=dream, again=None, output=None)),
        "checkpoint": {"name": network.source, "sha256": network.digest},
        "version": __version__,
    }


def _check_output(path: Path) -> None:
    """Raises ValueError now rather than after the dream."""
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(
            f"output is {path}; it must end in .png or .jpg, because the configuration is kept inside the picture"
        )
    if path.is_dir():
        raise ValueError(f"output is {path}, which is a folder; name a file in it, for example {path}/dream.png")


def _with_progress(dreamer: Dreamer, image: Tensor, *, seed: int, **pictures: Tensor | None) -> Tensor:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    config = dreamer.config
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not Console().is_terminal) as progress:
        task = progress.add_task("dreaming", total=config.octaves * config.steps)
        return dreamer(
            image,
            seed=seed,
            on_step=lambda step: progress.update(
                task, advance=1, description=f"octave {step.octave + 1}/{step.octaves}, {step.size[1]}x{step.size[0]}"
            ),
            **pictures,
        )


def _log_picture(folder: Path, layers: Sequence[str], before: Tensor, after: Tensor) -> None:
    """The photo and its dream, one above the other, into TensorBoard."""
    import torch
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder / "tensorboard") as writer:
        writer.add_image(f"dream/{'+'.join(layers)}", torch.cat([before, after.to(before)], dim=1))


def _report(
    path: Path,
    dreamer: Dreamer,
    network: Network,
    before: Tensor,
    after: Tensor,
    seconds: float,
    guide: Tensor | None,
    seed: int,
) -> None:
    """Write the report beside the picture, and print its table."""
    from rich.console import Console
    from rich.table import Table

    from deepdream.dreaming.report import gain, report

    found = report(dreamer, network, before, after, seconds=seconds, guide=guide, seed=seed)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    table = Table(title="what the dream did", title_justify="left")
    for column in ("", "before", "after"):
        table.add_column(column)
    for rank, (was, became) in enumerate(zip(found["top5"]["before"], found["top5"]["after"], strict=True), 1):
        table.add_row(f"class {rank}", f"{was[0]} {was[1]:.1%}", f"{became[0]} {became[1]:.1%}")
    table.add_row("total variation", *(f"{found['total_variation'][when]:.4f}" for when in ("before", "after")))
    for name, share in gain(found).items():
        table.add_row(f"objective, {name}", "", f"{share:+.1%}")
    table.add_row("seconds per step", "", f"{found['seconds_per_step']:.2f}")
    Console().print(table)
    print(f"report:     {shown(path)}")


def _print_layers(network: Network) -> None:
    from rich.console import Console
    from rich.table import Table

    from deepdream.dreaming.layer_descriptions import character

    layers = network.layers()
    table = Table(title=f"layers of {network.source}", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    for column in ("channels", "stride", "sees px"):
        table.add_column(column, justify="right")
    table.add_column("tends to dream")
    for layer in layers:
        sees = str(layer.receptive_field) if layer.receptive_field else ""
        table.add_row(layer.name, layer.kind, str(layer.channels), str(layer.stride), sees, character(layer))
    Console(width=None if Console().is_terminal else 120).print(table)
