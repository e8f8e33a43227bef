"""python dream.py: the network becomes pictures."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.apps.checkpoints import chosen_checkpoint
from deepdream.apps.command import command, shown
from deepdream.config import DreamAppConfig, DreamConfig

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from deepdream.models import Network

DEFAULT_PHOTO = "china"
NOISE_WIDTH = 600  # of image=noise where dream.width is null


@command("dream", DreamAppConfig)
def main(config: DreamAppConfig, folder: Path) -> None:
    """Dream a picture, or list the layers that can dream."""
    from deepdream.images import to_image, to_tensor, write_png
    from deepdream.models import load_network

    output = _writable_png(config.output) if config.output else folder / "dream.png"
    network = load_network(chosen_checkpoint(config.ckpt))
    if config.dream.list_layers:
        _print_layers(network)
        return
    photo = _photo(config)
    start = time.monotonic()
    before = to_tensor(photo)
    after = _dream(network, config.dream, before, seed=config.seed)
    seconds = time.monotonic() - start
    write_png(to_image(after), output, provenance=provenance(config, network))
    _log_picture(folder, config.dream, before, after)
    layers = ", ".join(config.dream.layers)
    print(f"dreamed {layers} of {network.source} in {seconds:.1f} s, {photo.width}x{photo.height} pixels")
    print(f"picture:    {shown(output)}")


def provenance(config: DreamAppConfig, network: Network) -> dict[str, Any]:
    """What is kept inside the picture: enough to make it again."""
    from deepdream import __version__

    return {
        "config": asdict(config),
        "checkpoint": {"name": network.source, "sha256": network.digest},
        "version": __version__,
    }


def _writable_png(output: str) -> Path:
    """The path to write to. Raises ValueError now rather than after the dream."""
    path = Path(output)
    if path.suffix.lower() != ".png":
        raise ValueError(
            f"output is {output}; it must end in .png, because the configuration is kept inside the picture"
        )
    if path.is_dir():
        raise ValueError(f"output is {output}, which is a folder; name a file in it, for example {output}/dream.png")
    return path


def _photo(config: DreamAppConfig) -> Image.Image:
    """The picture to start from, as wide as the dream wants it."""
    from deepdream.images import SAMPLES, noise_image, read_image, read_sample, resize_to_width

    name, width = config.image or DEFAULT_PHOTO, config.dream.width
    if name == "noise":
        width = width or NOISE_WIDTH
        return noise_image(width * 2 // 3, width, config.seed)
    photo = read_sample(name) if name in SAMPLES and not Path(name).exists() else read_image(name)
    return photo if width is None else resize_to_width(photo, width)


def _dream(network: Network, config: DreamConfig, image: Tensor, *, seed: int) -> Tensor:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from deepdream.dreaming import Dreamer

    dreamer = Dreamer(network, config)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not Console().is_terminal) as progress:
        task = progress.add_task("dreaming", total=config.octaves * config.steps)
        return dreamer(
            image,
            seed=seed,
            on_step=lambda step: progress.update(
                task, advance=1, description=f"octave {step.octave + 1}/{step.octaves}, {step.size[1]}x{step.size[0]}"
            ),
        )


def _log_picture(folder: Path, config: DreamConfig, before: Tensor, after: Tensor) -> None:
    """The photo and its dream, one above the other, into TensorBoard."""
    import torch
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder / "tensorboard") as writer:
        writer.add_image(f"dream/{'+'.join(config.layers)}", torch.cat([before, after.to(before)], dim=1))


def _print_layers(network: Network) -> None:
    from rich.console import Console
    from rich.table import Table

    from deepdream.dreaming import list_layers

    table = Table(title=f"layers of {network.source}", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    table.add_column("channels", justify="right")
    table.add_column("stride", justify="right")
    for layer in list_layers(network):
        table.add_row(layer.name, layer.kind, str(layer.channels), str(layer.stride))
    Console().print(table)
