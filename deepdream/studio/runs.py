"""The runs that the page Network shows: folders of train.py, evaluate.py and microscope.py below the current folder."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from deepdream.apps.microscope import PAGE
from deepdream.apps.run_folder import RUNNING
from deepdream.evaluating.csv_files import read_metrics
from deepdream.evaluating.sweeps import SELECTED_BY, best_row
from deepdream.markup import text_of_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = ("outputs/*/*", "multirun/*/*/*")
REPORT = "report.html"
METRICS = "metrics.csv"
FIGURES = "figures"
DREAMS = "figures/dreams"  # of conf/callbacks/dreams.yaml
PNG_END = b"IEND\xaeB`\x82"
SETTLED = 5.0  # seconds after which a lock can be looked at: a training that begins must not find it taken
MOST_SETTINGS = 4  # that tell a run from others


@dataclass(frozen=True)
class Run:
    """A folder of a run. name: its path below outputs/ or multirun/.

    settings: of its command line. epochs: trained so far. best: the best validation accuracy, in [0, 1].
    """

    folder: Path
    name: str
    settings: tuple[str, ...]
    epochs: int
    best: float | None
    is_running: bool
    has_metrics: bool
    has_report: bool
    has_confusion: bool
    has_microscope: bool

    @property
    def has_anything(self) -> bool:
        """Whether there is something to show."""
        return any((self.has_metrics, self.has_report, self.has_confusion, self.has_microscope, self.is_running))


def found_runs() -> list[Run]:
    """The runs below the current folder, newest first; without those that there is nothing to show of."""
    folders = [path for place in PLACES for path in Path().glob(place) if path.is_dir()]
    folders.sort(key=lambda folder: folder.parts[1:], reverse=True)
    return [run for folder in folders if (run := _readable(folder)) is not None and run.has_anything]


def _readable(folder: Path) -> Run | None:
    """The run in `folder`; None while a file of it is being written, or where it holds something else."""
    try:
        return read_run(folder)
    except (OSError, ValueError):
        return None


def read_run(folder: Path) -> Run:
    """What a folder holds."""
    metrics = folder / METRICS
    best = best_row(metrics).get(SELECTED_BY) if metrics.is_file() else None
    return Run(
        folder,
        "/".join(folder.parts[1:]),
        _settings(folder),
        sum("epoch" in row for row in read_metrics(metrics)) if metrics.is_file() else 0,
        best,
        is_running(folder),
        metrics.is_file(),
        (folder / REPORT).is_file(),
        (folder / FIGURES / "confusion.csv").is_file(),
        (folder / PAGE).is_file(),
    )


def is_running(folder: Path) -> bool:
    """Whether a process trains in `folder`: its lock is taken."""
    path = folder / RUNNING
    if not path.is_file():
        return False
    if time.time() - path.stat().st_mtime < SETTLED:
        return True
    lock = FileLock(path)
    try:
        with lock.acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True


def changed(folder: Path) -> tuple[int, ...]:
    """A number for each file that a running training goes on writing: another one when it has been written."""
    dream = latest_dream(folder)
    files = [folder / METRICS, folder / REPORT, folder / PAGE, *([dream] if dream else [])]
    return (int(is_running(folder)), *(path.stat().st_mtime_ns if path.is_file() else 0 for path in files))


def latest_dream(folder: Path) -> Path | None:
    """The newest complete dream that the callback has written."""
    for path in sorted((folder / DREAMS).glob("epoch_*.png"), reverse=True):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - len(PNG_END)))
            if file.read() == PNG_END:
                return path
    return None


@dataclass(frozen=True)
class Prediction:
    """A row of predictions.csv."""

    image: Path
    label: str
    predicted: str
    probability: float


def predictions(folder: Path) -> Iterator[Prediction]:
    """The predictions for the test images of a run, where their files are known."""
    path = folder / FIGURES / "predictions.csv"
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        for row in csv.DictReader(file):
            image, label, predicted = (text_of_cell(row[key] or "") for key in ("image", "class", "prediction"))
            if image:
                yield Prediction(Path(image), label, predicted, float(row["probability"]))


def confusion_counts(folder: Path) -> tuple[list[str], list[list[int]]]:
    """The classes of confusion.csv, and its counts: rows are true classes, columns predicted ones."""
    with (folder / FIGURES / "confusion.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        (_, *names), *rows = csv.reader(file)
    return [text_of_cell(name) for name in names], [[int(cell) for cell in row[1:]] for row in rows]


def test_images(folder: Path) -> list[Path]:
    """The test images of a run that are still there."""
    return [each.image for each in predictions(folder) if each.image.is_file()]


def microscopes(digest: str) -> Iterator[Path]:
    """The folders of the microscopes of a network, newest first. digest: of its weights."""
    from deepdream.microscope.site_data import read_data

    pages = [page for place in PLACES for page in Path().glob(f"{place}/{PAGE}")]
    for page in sorted(pages, key=lambda page: page.stat().st_mtime, reverse=True):
        try:
            known = read_data(page.parent / "data", "site")["digest"]
        except (OSError, ValueError, KeyError):
            continue
        if known and digest.startswith(known):
            yield page.parent


def _settings(folder: Path) -> tuple[str, ...]:
    """The first arguments of its command."""
    path = folder / ".hydra" / "overrides.yaml"
    found = OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else []
    return tuple(str(each) for each in found if each is not None)[:MOST_SETTINGS] if isinstance(found, list) else ()
