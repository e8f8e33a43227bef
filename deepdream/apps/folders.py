"""Several images become a folder of dreams."""

from __future__ import annotations

import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import images
from deepdream.apps import inputs, reproduce
from deepdream.apps.device_processes import on_devices
from deepdream.apps.earlier_dreams import refuse_output_among_inputs, targets, unmade
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
    together, on every device. Several devices share the work. Dreams that an earlier run has made of the same are
    reused, so that an interrupted folder continues.

    Raises ValueError, before the first dream, where a file that is no earlier dream would be replaced.
    """
    files = targets(paths, output)
    if not config.overwrite:
        refuse_output_among_inputs(paths, list(files.values()))
    groups = _groups_of_one_size(paths, config) if _compares_images(config) else [[path] for path in paths]
    dreamer = inputs.dreamer(config, network)
    claims = {files[path]: _claim(config, network, dreamer, path, group) for group in groups for path in group}
    before = {file: _modified(file) for file in files.values()}
    waiting = set(unmade(claims, overwrite=config.overwrite))
    groups = [group for group in groups if not waiting.isdisjoint(files[path] for path in group)]
    todo = sum(map(len, groups))
    if config.devices > 1:
        share = partial(_dream_share, config=config, network=network, groups=groups, files=files)
        on_devices(share, config.devices, config.device)
    else:
        _dream_groups(config, network, dreamer, groups, files)
    made = [path for group in groups for path in group if _modified(files[path]) != before[files[path]]]
    names = dict(zip(paths, inputs.unique_names(paths), strict=True))
    for path in made:  # here, because the processes of other devices have no loggers
        log_image(loggers, f"dream/{names[path]}", images.read_image(files[path]))
    print(f"dreamed {len(made)} of {todo} images")
    print(f"images:     {relative(output)}")


def _dream_share(
    fabric: Any, config: DreamAppConfig, network: Network, groups: list[list[Path]], files: Mapping[Path, Path]
) -> None:
    """The work of one of several processes."""
    own = groups[fabric.global_rank :: fabric.world_size]
    _dream_groups(config, network, inputs.dreamer(config, network), own, files)


def _dream_groups(
    config: DreamAppConfig, network: Network, dreamer: Dreamer, groups: list[list[Path]], files: Mapping[Path, Path]
) -> None:
    guide = inputs.guide(config)
    at_once = BATCH if dreamer.device.type != "cpu" and not _compares_images(config) else 1
    for batch in _batches(config, groups, at_once):
        _dream_batch(config, network, dreamer, guide, batch, files)


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
    config: DreamAppConfig,
    network: Network,
    dreamer: Dreamer,
    guide: Tensor | None,
    batch: Batch,
    files: Mapping[Path, Path],
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
    together = [path for path, _ in batch]
    for (path, pixels), dream in zip(batch, dreams, strict=True):
        dream = torch.cat([dream, images.to_tensor(pixels)[3:]])
        claim = _claim(config, network, dreamer, path, together)
        write_image(dream, files[path], bits=config.dream.bits or 8, provenance=claim)
        print(f"{path.name} -> {relative(files[path])}", flush=True)


def _claim(
    config: DreamAppConfig, network: Network, dreamer: Dreamer, path: Path, group: Sequence[Path]
) -> dict[str, Any]:
    """The provenance of the dream of `path`, which is made together with its group where the objective compares."""
    own = dataclasses.replace(config, image=str(path))
    return reproduce.provenance(own, network, dreamer, compared=group if _compares_images(config) else ())


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


def _modified(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _skip(reason: str) -> None:
    print(f"skipped: {reason}", file=sys.stderr)
