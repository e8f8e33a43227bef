"""Several images become a folder of dreams."""

from __future__ import annotations

import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import images
from deepdream.apps import inputs, reproduce
from deepdream.apps.device_processes import on_devices
from deepdream.console import relative
from deepdream.dreaming.config import DreamAppConfig
from deepdream.loggers import log_image
from deepdream.provenance import write_image

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import Dreamer
    from deepdream.images import Pixels
    from deepdream.models import Network

BATCH = 8  # images of one size that a GPU dreams at once; a CPU gains nothing from it
Batch = list[tuple[Path, "Pixels"]]


def dream_folder(
    config: DreamAppConfig, network: Network, paths: list[Path], output: Path, loggers: Sequence[Any] = ()
) -> None:
    """Dream every image of `paths` into `output`, under its own name, and log it; unreadable files are skipped.

    Each image dreams as it would alone, unless the objective compares images: then those of one size are dreamed
    together, on every device. Several devices share the work. Existing dreams are kept, so that an interrupted folder
    continues.
    """
    if _compares_images(config):
        groups = _groups_of_one_size(paths, config)
        groups = [group for group in groups if not all(_target(output, path).exists() for path in group)]
    else:
        groups = [[path] for path in paths if not _target(output, path).exists()]
    todo = sum(map(len, groups))
    if todo < len(paths):
        print(f"{sum(_target(output, path).exists() for path in paths)} of {len(paths)} images exist already")
    if config.devices > 1:
        share = partial(_dream_share, config=config, network=network, groups=groups, output=output)
        on_devices(share, config.devices, config.device)
    else:
        _dream_groups(config, network, groups, output)
    made = [path for group in groups for path in group if _target(output, path).exists()]
    for path in made:  # here, because the processes of other devices have no loggers
        log_image(loggers, f"dream/{path.stem}", images.read_image(_target(output, path)))
    print(f"dreamed {len(made)} of {todo} images")
    print(f"images:     {relative(output)}")


def _dream_share(fabric: Any, config: DreamAppConfig, network: Network, groups: list[list[Path]], output: Path) -> None:
    """The work of one of several processes."""
    _dream_groups(config, network, groups[fabric.global_rank :: fabric.world_size], output)


def _dream_groups(config: DreamAppConfig, network: Network, groups: list[list[Path]], output: Path) -> None:
    dreamer, guide = inputs.dreamer(config, network), inputs.guide(config)
    at_once = BATCH if dreamer.device.type != "cpu" and not _compares_images(config) else 1
    for batch in _batches(config, groups, at_once):
        _dream_batch(config, network, dreamer, guide, batch, output)


def _batches(config: DreamAppConfig, groups: list[list[Path]], at_once: int) -> Iterator[Batch]:
    """The images of each group of several; and single ones, up to `at_once` of one size together."""
    waiting: dict[tuple[int, int], Batch] = defaultdict(list)
    for group in groups:
        batch: Batch = []
        for path in group:
            try:
                batch.append((path, inputs.source_pixels(str(path), config)))
            except (OSError, ValueError) as error:
                _skip(str(error))
        if len(group) > 1:
            yield batch
            continue
        for path, pixels in batch:
            size = pixels.shape[:2]
            waiting[size].append((path, pixels))
            if len(waiting[size]) == at_once:
                yield waiting.pop(size)
    yield from waiting.values()


def _dream_batch(
    config: DreamAppConfig, network: Network, dreamer: Dreamer, guide: Tensor | None, batch: Batch, output: Path
) -> None:
    """Dream images of one size together. Those that cannot be dreamed (too small, for example) are skipped."""
    import torch

    try:
        before = torch.stack([images.to_tensor(pixels)[:3] for _, pixels in batch])
        masks = [inputs.mask(config.mask, network, pixels) for _, pixels in batch]
        everywhere = torch.ones(before.shape[2:])
        several = (
            torch.stack([everywhere if each is None else each for each in masks])
            if any(each is not None for each in masks)
            else None
        )
        dreams = dreamer(before, seed=config.seed, guide=guide, mask=several)
    except ValueError as error:
        for path, _ in batch:
            _skip(f"{path}: {error}")
        return
    for (path, pixels), dream in zip(batch, dreams, strict=True):
        stored = reproduce.provenance(dataclasses.replace(config, image=str(path)), network, dreamer)
        dream = torch.cat([dream, images.to_tensor(pixels)[3:]])
        write_image(dream, _target(output, path), bits=config.dream.bits or 8, provenance=stored)
        print(f"{path.name} -> {relative(_target(output, path))}", flush=True)


def _compares_images(config: DreamAppConfig) -> bool:
    return any(term["term"] == "diversity" for term in config.dream.terms())


def _groups_of_one_size(paths: list[Path], config: DreamAppConfig) -> list[list[Path]]:
    """All readable images, in groups of one size and of 2 to BATCH; the same groups in every run, on every device.

    An image whose size no other one has is skipped.
    """
    by_size: dict[tuple[int, int], list[Path]] = defaultdict(list)
    for path in paths:
        try:
            by_size[inputs.source_pixels(str(path), config).shape[:2]].append(path)
        except (OSError, ValueError) as error:
            _skip(str(error))
    groups = []
    for (height, width), alike in by_size.items():
        if len(alike) == 1:
            _skip(f"{alike[0]}: no other image is {width}x{height}, and the objective diversity compares images")
            continue
        count = -(-len(alike) // BATCH)
        groups += [alike[number::count] for number in range(count)]
    return groups


def _skip(reason: str) -> None:
    print(f"skipped: {reason}", file=sys.stderr)


def _target(output: Path, path: Path) -> Path:
    """The file of the dream of `path`; its suffix is part of the name, so that a.jpg and a.png do not collide."""
    return output / (path.name if path.suffix.lower() == ".png" else f"{path.name}.png")
