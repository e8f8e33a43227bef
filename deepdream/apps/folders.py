"""A folder of photos becomes a folder of dreams."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream.apps import inputs
from deepdream.console import relative as shown
from deepdream.dreaming.config import DreamAppConfig

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.models import Network

BATCH = 8  # photos of one size that a GPU dreams at once; a CPU gains nothing from it


def dream_folder(config: DreamAppConfig, network: Network, folder: Path, output: Path) -> None:
    """Dream every picture in `folder` into `output`, under its own name; one that cannot be read is passed by.

    Each dreams as it would alone. With several devices each takes its share. A dream that is there already is kept, so
    that a folder that was interrupted goes on where it was.
    """
    photos = inputs.in_folder(folder)
    todo = [path for path in photos if not _target(output, path).exists()]
    if len(todo) < len(photos):
        print(f"{len(photos) - len(todo)} of {len(photos)} pictures are there already")
    if config.devices > 1:
        from lightning_fabric import Fabric

        fabric = Fabric(accelerator=_accelerator(config), devices=config.devices, strategy="ddp_spawn")
        share: Any = _dream_share
        fabric.launch(share, config, network, todo, output)
    else:
        _dream_all(config, network, todo, output)
    made = sum(_target(output, path).exists() for path in todo)
    print(f"dreamed {made} of {len(todo)} pictures of {folder}")
    print(f"pictures:   {shown(output)}")


def _dream_share(fabric: Any, config: DreamAppConfig, network: Network, todo: list[Path], output: Path) -> None:
    """What one of several processes does."""
    import torch

    if fabric.device.type == "cuda":
        torch.cuda.set_device(fabric.device)
    _dream_all(config, network, todo[fabric.global_rank :: fabric.world_size], output)
    fabric.barrier()


def _dream_all(config: DreamAppConfig, network: Network, todo: list[Path], output: Path) -> None:
    from deepdream.dreaming import Dreamer
    from deepdream.images import to_tensor

    dreamer = Dreamer(network, config.dream)
    at_once = 1 if dreamer.device.type == "cpu" or config.mask is not None else BATCH
    waiting: dict[tuple[int, int], list[tuple[Path, Tensor]]] = defaultdict(list)
    for path in todo:
        try:
            photo = inputs.photo(str(path), config)
        except (OSError, ValueError) as error:
            print(f"passed by: {error}", file=sys.stderr)
            continue
        group = waiting[photo.size]
        group.append((path, to_tensor(photo)))
        if len(group) == at_once:
            _dream_group(config, network, dreamer, waiting.pop(photo.size), output)
    for group in waiting.values():
        _dream_group(config, network, dreamer, group, output)


def _dream_group(
    config: DreamAppConfig, network: Network, dreamer: Any, group: list[tuple[Path, Tensor]], output: Path
) -> None:
    """Dream photos of one size together. One that cannot be dreamed (too small, say) is passed by."""
    import dataclasses

    import torch

    from deepdream.apps.dream import provenance
    from deepdream.provenance import write_png

    batch = torch.stack([photo for _, photo in group])
    try:
        mask = inputs.mask(config.mask, network, batch[0]) if config.mask is not None else None
        dreams = dreamer(batch, seed=config.seed, guide=inputs.guide(config), mask=mask)
    except ValueError as error:
        for path, _ in group:
            print(f"passed by: {path}: {error}", file=sys.stderr)
        return
    for (path, _), dream in zip(group, dreams, strict=True):
        own = dataclasses.replace(config, image=str(path))
        write_png(dream, _target(output, path), provenance=provenance(own, network, dreamer))
        print(f"{path.name} -> {shown(_target(output, path))}", flush=True)


def _accelerator(config: DreamAppConfig) -> str:
    from deepdream.hardware import best_device

    return best_device(config.dream.device).type


def _target(output: Path, path: Path) -> Path:
    """Where the dream of `path` goes; the suffix is kept in the name, so that a.jpg and a.png do not meet."""
    return output / (path.name if path.suffix.lower() == ".png" else f"{path.name}.png")
