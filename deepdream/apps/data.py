"""python -m deepdream data: prepare a data set, count its images, and plot it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from deepdream import scenes
from deepdream.apps.command import command
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
    if config.plots:
        for path in scenes.write_data_plots(data, Path(config.output)):
            print(path)
