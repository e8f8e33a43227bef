"""Reading metrics.csv of a training run, and writing tables as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deepdream.markup import cells


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv, without their empty cells; its columns are epoch (from 0), val/accuracy ..."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a table and return its path; file names that are not UTF-8 keep their bytes, and no text is a formula."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows(map(cells, [header, *rows]))
    return path
