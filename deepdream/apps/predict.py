"""python predict.py: the most probable classes of photos, as a table."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from deepdream import evaluating
from deepdream.apps.checkpoints import chosen_network
from deepdream.apps.command import command
from deepdream.apps.device_processes import on_devices
from deepdream.apps.distributed import share_of_folder, start_of
from deepdream.apps.inputs import images_below, read_photo
from deepdream.apps.run_folder import RunFolders
from deepdream.apps.shared_predictions import print_kept, shared_predictions
from deepdream.claims import OneFile
from deepdream.console import print_table, progress_bar, relative
from deepdream.evaluating.config import PredictConfig
from deepdream.files import atomic_path
from deepdream.hardware import best_device, best_dtype
from deepdream.models.config import BUNDLED
from deepdream.shared_arrays import Arrays, SharedArrays

if TYPE_CHECKING:
    import torch

    from deepdream.evaluating import TopClasses
    from deepdream.models import Network

SHOWN = 20  # photos on the console; of more, the classes are counted


@command("predict")
def main(config: PredictConfig, folder: Path) -> None:
    """Write the most probable classes of each photo, and print them or a summary."""
    photos = list(images_below(config.images).values())
    is_alone = RunFolders.made is not None and config.devices == 1
    rank = share_of_folder(None if RunFolders.made else str(folder), key="hydra.run.dir", device=config.device)
    network = chosen_network(config.ckpt or BUNDLED, config)
    output = Path(config.output) if config.output else folder / "predictions.csv"
    table = OneFile(output)
    if is_alone:
        with progress_bar("predicting", total=len(photos)) as update:
            found = _predict(config, network, photos, best_device(config.device), update)
        _write_found(config, network, photos, found, output)
    else:
        work = _Work(config, network, photos, folder)
        arrays = work.arrays()
        print_kept(arrays)
        if config.devices > 1:
            on_devices(partial(_predict_share, work=work), config.devices, config.device)
        else:
            _compute(work, arrays, best_device(config.device), start_of(rank))
        joined = evaluating.TopClasses.joined
        table.write(lambda: _write_found(config, network, photos, joined(arrays.read()), output))
    print(f"predictions: {relative(output)}")


def _write_found(config: PredictConfig, network: Network, photos: list[str], found: TopClasses, output: Path) -> None:
    """Write the table, and print it. Raises ValueError where no photo could be read."""
    for index in sorted(found.faults):
        print(f"skipped: {found.faults[index]}", file=sys.stderr)
    if not len(found.photos):
        raise ValueError(f"none of the {len(photos)} photos in {config.images} could be read")
    with atomic_path(output) as partial:
        _write(partial, list(_rows(found, photos, network)))
    _print_table(found, photos, network)
    if found.faults:
        print(f"predicted {len(found.photos):,} of {len(photos):,} photos; {len(found.faults):,} could not be read")


@dataclass(frozen=True)
class _Work:
    """What each of the processes that share the photos needs. folder: of the run, which takes what they find."""

    config: PredictConfig
    network: Network
    photos: list[str]
    folder: Path

    def arrays(self) -> SharedArrays:
        """The predictions of the photos, in parts."""
        settings = (self.config.top_k, self.config.precision)
        batch_size = self.config.batch_size
        return shared_predictions(self.folder, self.network, self.photos, settings, batch_size=batch_size)


def _predict_share(fabric: Any, work: _Work) -> None:
    """The work of one of several processes."""
    _compute(work, work.arrays(), fabric.device, fabric.global_rank / fabric.world_size)


def _compute(work: _Work, arrays: SharedArrays, device: torch.device, start: float) -> None:
    def top_classes(part: range, on_batch: Callable[[int], object]) -> Arrays:
        photos = work.photos[part.start : part.stop]
        return _predict(work.config, work.network, photos, device, on_batch).arrays(part.start)

    with progress_bar("predicting", total=len(work.photos)) as update:
        arrays.compute(top_classes, start=start, on_done=update)


def _predict(
    config: PredictConfig,
    network: Network,
    photos: list[str],
    device: torch.device,
    on_batch: Callable[[int], object],
) -> TopClasses:
    return evaluating.predict_photos(
        network,
        photos,
        top_k=config.top_k,
        read=read_photo,
        device=device,
        dtype=best_dtype(config.precision, device),
        batch_size=config.batch_size,
        workers=config.workers if len(photos) > config.batch_size else 0,
        on_batch=on_batch,
    )


def _rows(found: TopClasses, photos: Sequence[str], network: Network) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Each photo with its classes and their probabilities."""
    for index, classes, values in zip(found.photos, found.classes, found.probabilities.tolist(), strict=True):
        names = [network.class_name(int(number)) for number in classes]
        yield photos[index], list(zip(names, values, strict=True))


def _write(path: Path, rows: Sequence[tuple[str, list[tuple[str, float]]]]) -> None:
    """As CSV, the first columns like those of evaluate.py; or as JSON, by the suffix."""
    if path.suffix.lower() == ".json":
        listed = [
            {"image": photo, "predictions": [{"class": name, "probability": round(p, 6)} for name, p in classes]}
            for photo, classes in rows
        ]
        path.write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", "utf-8", "surrogateescape")
        return
    numbers = ["", *(f"_{rank + 1}" for rank in range(1, len(rows[0][1])))]
    header = ["image", *(f"{column}{number}" for number in numbers for column in ("prediction", "probability"))]
    cells = ([photo, *(cell for name, p in classes for cell in (name, f"{p:.4f}"))] for photo, classes in rows)
    evaluating.write_csv(path, header, cells)


def _print_table(found: TopClasses, photos: Sequence[str], network: Network) -> None:
    if len(found.photos) <= SHOWN:
        table = Table("photo", "prediction")
        for photo, classes in _rows(found, photos, network):
            table.add_row(Path(photo).name, ", ".join(f"{name} {100 * p:.1f}%" for name, p in classes[:3]))
    else:
        table = Table("prediction", "photos")
        table.columns[1].justify = "right"
        counts = Counter(map(network.class_name, found.classes[:, 0].tolist())).most_common()
        for name, count in counts[:SHOWN]:
            table.add_row(name, f"{count:,}")
        if rest := counts[SHOWN:]:
            table.add_row(f"{len(rest)} more", f"{sum(count for _, count in rest):,}")
    print_table(table)


if __name__ == "__main__":
    main()
