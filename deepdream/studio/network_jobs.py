"""What the computing process does for the page Network: the confusion matrix of a run, and images of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepdream import images
from deepdream.studio import runs
from deepdream.studio.runs import Prediction

if TYPE_CHECKING:
    from deepdream.studio.computing import Task

THUMBNAIL = 320  # pixels of the longer side


@dataclass(frozen=True)
class Confusion:
    """The confusion of a run's test images. classes: those that are confused stand side by side.

    counts: rows are true classes, columns predicted ones. predictions: where the files of the images are known.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    predictions: tuple[Prediction, ...]

    def images_of(self, row: int, column: int) -> list[Prediction]:
        """The images of a cell, those with the most confident prediction first."""
        label, predicted = self.classes[row], self.classes[column]
        found = [each for each in self.predictions if (each.label, each.predicted) == (label, predicted)]
        return sorted(found, key=lambda each: -each.probability)


def confusion(task: Task, folder: Path) -> Confusion:
    """Job: the confusion of the run in `folder`, which its evaluation has written."""
    import numpy as np

    from deepdream.evaluating.confusion import confusion_order

    names, counts = runs.confusion_counts(folder)
    order = confusion_order(np.array(counts, np.int64)).tolist()
    return Confusion(
        tuple(names[i] for i in order),
        tuple(tuple(counts[i][j] for j in order) for i in order),
        tuple(runs.predictions(folder)),
    )


def thumbnails(task: Task, paths: Sequence[Path], folder: Path) -> list[Path | None]:
    """Job: small copies of images in `folder`; None for one that cannot be read."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path | None] = []
    for number, path in enumerate(paths):
        task.give_way()
        try:
            image = images.read_image(path).convert("RGB")
        except (OSError, ValueError):
            written.append(None)
            continue
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        image.save(folder / f"{number}.jpg", quality=88)
        written.append(folder / f"{number}.jpg")
    return written
