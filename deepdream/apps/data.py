"""python -m deepdream data: prepare a data set, count its images, find near-duplicates, and plot it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from deepdream import scenes
from deepdream.apps.command import command
from deepdream.console import relative
from deepdream.markup import cells
from deepdream.scenes.config import DataAppConfig


@command("data")
def main(config: DataAppConfig, folder: Path) -> None:
    """Prepare the data set, print its splits and the result of the integrity check, and plot it if asked to."""
    data = scenes.SceneDataModule(config.data, config.augment)
    data.prepare_data()
    data.setup()
    counts = {name: len(data.split(name)) for name in ("train", "val", "test")}
    print(f"{data.root}: {len(data.classes)} classes; " + ", ".join(f"{n:,} {name}" for name, n in counts.items()))
    for status, count in Counter(record.status.partition(":")[0] for record in data.records).most_common():
        print(f"  {status}: {count:,}")
    per_class = Counter(data.split("train").labels).values()
    print(f"  training images of a class: {min(per_class):,} to {max(per_class):,}")
    mean, std = scenes.measure_mean_and_std(data.split("train"))
    print(f"  of the training images: data.mean={mean} data.std={std}".replace(", ", ","))
    if data.duplicates:
        path = Path(config.output) / "duplicates.csv"
        write_duplicates(data.duplicates, path)
        print(f"  near-duplicates: {relative(path)}")
    if config.plots:
        for path in scenes.write_data_plots(data, Path(config.output)):
            print(path)


def write_duplicates(pairs: list[scenes.Duplicate], path: Path) -> None:
    """A table of training images and the test images that they nearly equal, the closest first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(["train", "test", "bits"])
        table.writerows(cells((pair.train, pair.test, pair.bits)) for pair in pairs)
