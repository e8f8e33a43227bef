"""Several images become a folder of dreams."""

from __future__ import annotations

import dataclasses
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import images
from deepdream.apps import inputs, reproduce
from deepdream.apps.device_processes import on_devices
from deepdream.apps.earlier_dreams import refuse_output_among_inputs, targets, unmade
from deepdream.claims import Claims, clear_claims
from deepdream.console import relative
from deepdream.dreaming.config import DreamAppConfig
from deepdream.files import modified
from deepdream.loggers import log_image
from deepdream.provenance import write_image

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import Dreamer
    from deepdream.images import Pixels
    from deepdream.models import Network

BATCH = 8  # images of one size that a GPU dreams at once; a CPU gains nothing from it
WAITING = 4 * BATCH  # images that wait for others of their size
Batch = list[tuple[Path, "Pixels"]]


def dream_folder(
    config: DreamAppConfig,
    network: Network,
    paths: list[Path],
    output: Path,
    loggers: Sequence[Any] = (),
    *,
    start: float = 0.0,
) -> None:
    """Dream every image of `paths` into `output`, under its own name, and log it; unreadable files are skipped.

    Each image dreams as it would alone, unless the objective compares images: then those of one size are dreamed
    together, on every device. Several devices share the work, as do several commands with the same `output`, on one
    machine or many (see `deepdream.claims`). Dreams that an earlier run has made of the same are reused, so that
    an interrupted folder continues.

    start: the share of the images after which this process begins, so that several do not begin with the same.

    Raises ValueError, before the first dream, where a file that is no earlier dream would be replaced.
    """
    files = targets(paths, output)
    if not config.overwrite:
        refuse_output_among_inputs(paths, list(files.values()))
    groups = _groups_of_one_size(paths, config) if _compares_images(config) else [[path] for path in paths]
    before = {file: modified(file) for file in files.values()}
    dreamer = inputs.dreamer(config, network)
    wanted = {
        files[path]: partial(_provenance, config, network, dreamer, path, group) for group in groups for path in group
    }
    waiting = unmade(wanted, count=len(paths), overwrite=config.overwrite)
    groups = [group for group in groups if not waiting.isdisjoint(files[path] for path in group)]
    work = _Work(config, network, groups, files, before)
    if config.devices > 1:
        on_devices(partial(_dream_share, work=work), config.devices, config.device)
    else:
        _dream_groups(work, dreamer, start)
    clear_claims(output)
    made = [path for group in groups for path in group if work.is_made(path)]
    if loggers:  # here, because the processes of other devices have none
        names = dict(zip(paths, inputs.unique_names(paths), strict=True))
        for path in made:
            log_image(loggers, f"dream/{names[path]}", images.read_image(files[path]))
    print(f"dreamed {len(made)} of {sum(map(len, groups))} images")
    print(f"images:     {relative(output)}")


@dataclasses.dataclass(frozen=True)
class _Work:
    """What each of the processes that share a folder needs.

    groups: images to be dreamed, each alone or together with those that it is compared with. files: that of each dream.
    before: when each of these files was last modified before the work began.
    """

    config: DreamAppConfig
    network: Network
    groups: list[list[Path]]
    files: Mapping[Path, Path]
    before: Mapping[Path, int | None]

    def is_made(self, path: Path) -> bool:
        """Whether this process, or another one, has dreamed the image."""
        file = self.files[path]
        return modified(file) != self.before[file]


def _dream_share(fabric: Any, work: _Work) -> None:
    """The work of one of several processes."""
    _dream_groups(work, inputs.dreamer(work.config, work.network), fabric.global_rank / fabric.world_size)


def _dream_groups(work: _Work, dreamer: Dreamer, start: float) -> None:
    guide = inputs.guide(work.config)
    at_once = BATCH if dreamer.device.type != "cpu" and not _compares_images(work.config) else 1
    claimed = {path: work.files[group[0]] for group in work.groups for path in group}
    with Claims() as claims:
        rounds = claims.rounds(
            work.groups,
            lambda group: claimed[group[0]],
            lambda group: all(map(work.is_made, group)),
            start=start,
        )
        for free in rounds:
            for batch in _batches(work.config, free, at_once, lambda group: claims.release(claimed[group[0]])):
                _dream_batch(work, dreamer, guide, batch)
                for path, _ in batch:
                    claims.release(claimed[path])


def _batches(
    config: DreamAppConfig, groups: Iterable[list[Path]], at_once: int, let_go: Callable[[list[Path]], None]
) -> Iterator[Batch]:
    """The images of each group of several; and single ones, up to `at_once` of one size together.

    let_go: called with a group that has no readable image.
    """
    waiting: dict[tuple[int, int], Batch] = defaultdict(list)
    for group in groups:
        batch: Batch = []
        for path in group:
            try:
                batch.append((path, inputs.source_pixels(str(path), config)))
            except (OSError, ValueError) as error:
                _skip(str(error))
        if not batch:
            let_go(group)
        elif len(group) > 1:
            yield batch
        else:
            size = batch[0][1].shape[:2]
            waiting[size] += batch
            if len(waiting[size]) == at_once or sum(map(len, waiting.values())) > WAITING:
                yield waiting.pop(max(waiting, key=lambda size: len(waiting[size])))
    yield from waiting.values()


def _dream_batch(work: _Work, dreamer: Dreamer, guide: Tensor | None, batch: Batch) -> None:
    """Dream images of one size together. Those that cannot be dreamed (too small, for example) are skipped."""
    import torch

    config, network = work.config, work.network
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
        provenance = _provenance(config, network, dreamer, path, together)
        write_image(dream, work.files[path], bits=config.dream.bits or 8, provenance=provenance)
        print(f"{path.name} -> {relative(work.files[path])}", flush=True)


def _provenance(
    config: DreamAppConfig, network: Network, dreamer: Dreamer, path: Path, group: Sequence[Path]
) -> dict[str, Any]:
    """That of the dream of `path`, which is made together with its group where the objective compares images."""
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


def _skip(reason: str) -> None:
    print(f"skipped: {reason}", file=sys.stderr)
