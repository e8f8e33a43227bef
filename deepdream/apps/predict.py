"""python predict.py: the most probable classes of photos, as a table."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from deepdream import evaluating
from deepdream.apps.checkpoints import chosen_network
from deepdream.apps.command import command
from deepdream.apps.device_processes import on_devices
from deepdream.apps.inputs import images_below, read_photo
from deepdream.console import print_table, progress_bar, relative
from deepdream.evaluating.config import PredictConfig
from deepdream.files import atomic_path
from deepdream.hardware import best_device, best_dtype
from deepdream.models.config import BUNDLED

if TYPE_CHECKING:
    from deepdream.evaluating import TopClasses
    from deepdream.models import Network

SHOWN = 20  # photos on the console; of more, the classes are counted


@command("predict")
def main(config: PredictConfig, folder: Path) -> None:
    """Write the most probable classes of each photo, and print them or a summary."""
    photos = list(images_below(config.images).values())
    network = chosen_network(config.ckpt or BUNDLED, config)
    found = _predict(config, network, photos)
    for index in sorted(found.faults):
        print(f"skipped: {found.faults[index]}", file=sys.stderr)
    if not len(found.photos):
        raise ValueError(f"none of the {len(photos)} photos in {config.images} could be read")
    output = Path(config.output) if config.output else folder / "predictions.csv"
    with atomic_path(output) as partial:
        _write(partial, list(_rows(found, photos, network)))
    _print_table(found, photos, network)
    if found.faults:
        print(f"predicted {len(found.photos):,} of {len(photos):,} photos; {len(found.faults):,} could not be read")
    print(f"predictions: {relative(output)}")


def _predict(config: PredictConfig, network: Network, photos: list[str]) -> TopClasses:
    """The predictions of this process, or of one for each device."""
    if config.devices == 1:
        with progress_bar("predicting", total=len(photos)) as update:
            return _predict_here(config, network, photos, best_device(config.device), update)
    share = partial(_predict_share, config=config, network=network, photos=photos)
    shares = on_devices(share, config.devices, config.device)
    sources = [range(rank, len(photos), config.devices) for rank in range(config.devices)]
    return evaluating.merged(shares, sources)


def _predict_share(fabric: Any, config: PredictConfig, network: Network, photos: list[str]) -> list[TopClasses]:
    """The work of one of several processes; each gets the results of all."""
    import torch

    own = _predict_here(config, network, photos[fabric.global_rank :: fabric.world_size], fabric.device)
    shares: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(shares, own)
    return shares


def _predict_here(
    config: PredictConfig, network: Network, photos: list[str], device: Any, on_batch: Any = None
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
