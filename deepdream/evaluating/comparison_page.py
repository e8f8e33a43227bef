"""comparison.html: the runs of sweeps on one page, with their curves, confusions and dreams."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from deepdream import __version__
from deepdream.evaluating.curves import Curves, read_curves
from deepdream.evaluating.html_pages import photo_url, rendered_page
from deepdream.evaluating.sweeps import Run, Setting, group_by_setting, setting_label
from deepdream.evaluating.tables import percent
from deepdream.markup import text_of_cell
from deepdream.plots import COLORS

WIDTH, HEIGHT = 320, 120  # of a plot of curves, in units of its SVG
CONFUSIONS = 5


@dataclass(frozen=True)
class Bar:
    """A setting in the plot of bars. value, low, high, dots (a run each): in percent of the width."""

    label: str
    text: str
    value: float | None
    low: float | None
    high: float | None
    dots: list[float]


@dataclass(frozen=True)
class Cell:
    """A cell of the table of runs: its text, and the number by which it is sorted, if it is one."""

    text: str
    number: float | None


@dataclass(frozen=True)
class RunPart:
    """The part of the page about one run.

    lines: colour, name and the points of an SVG polyline for each curve. best: x of the chosen epoch. confusions:
    class, prediction, images. dream: a data URL.
    """

    anchor: str
    name: str
    settings: str
    result: str
    lines: list[tuple[str, str, str]]
    best: float | None
    epochs: int
    confusions: list[tuple[str, str, str]]
    dream: str | None


def write_comparison_page(
    path: Path, runs: Sequence[Run], *, title: str, dreams: Mapping[str, Image.Image] | None = None, photo: str = ""
) -> Path:
    """Write the page of some runs, the best first; returns `path`.

    dreams: of the photo called `photo`, by the name of the run.
    """
    measure = "evaluated" if any(run.evaluated is not None for run in runs) else "val"
    keys = list(runs[0].settings)
    page = rendered_page(
        "comparison.html.j2",
        title=title,
        version=__version__,
        headlines=_headlines(runs),
        is_evaluated=measure == "evaluated",
        bars=[_bar(setting, measure) for setting in group_by_setting(runs)],
        header=["run", *keys, "epoch", "val", "test", "evaluated"],
        rows=[_row(run) for run in runs],
        runs=[_run_part(run, f"run-{number}", (dreams or {}).get(run.name)) for number, run in enumerate(runs)],
        photo=photo,
        width=WIDTH,
        height=HEIGHT,
    )
    path.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def _headlines(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Name, value and note of the numbers at the top."""
    best = runs[0]
    found = [("runs", str(len(runs)), f"{len(group_by_setting(runs))} settings")]
    if best.val is not None:
        found.append(("best validation accuracy", percent(best.val), f"run {best.name}, epoch {best.epoch}"))
    if best.evaluated is not None:
        found.append(("test accuracy of that run", percent(best.evaluated), _interval(best.interval)))
    if unfinished := [run.name for run in runs if run.val is None]:
        found.append(("without a result", str(len(unfinished)), f"run {', '.join(unfinished[:CONFUSIONS])}"))
    return found


def _bar(setting: Setting, measure: str) -> Bar:
    intervals = [run.interval for run in setting.runs if run.interval is not None and measure == "evaluated"]
    low, high = (statistics.fmean(ends) for ends in zip(*intervals, strict=True)) if intervals else (None, None)
    value, interval = setting.mean(measure), None if low is None or high is None else (low, high)
    several = len(setting.runs) > 1
    return Bar(
        setting_label(setting),
        "no result" if value is None else f"{percent(value)} ({_interval(interval)})".removesuffix(" ()"),
        None if value is None else 100 * value,
        None if low is None else 100 * low,
        None if high is None else 100 * high,
        [100 * each for each in setting.accuracies(measure)] if several else [],
    )


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}%"


def _row(run: Run) -> list[Cell]:
    numbers = [run.val, run.test, run.evaluated]
    texts = [run.name, *run.settings.values(), "" if run.epoch is None else str(run.epoch)]
    return [
        *(Cell(text, _number(text)) for text in texts),
        *(Cell("" if number is None else percent(number), number) for number in numbers),
    ]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _run_part(run: Run, anchor: str, dream: Image.Image | None) -> RunPart:
    metrics = run.folder / "metrics.csv"
    curves = read_curves(metrics) if metrics.is_file() else {}
    epochs = max((epoch for values in curves.values() for epoch in values), default=0)
    return RunPart(
        anchor,
        run.name,
        ", ".join(f"{key}={value}" for key, value in run.settings.items()) or "default settings",
        "no result" if run.val is None else f"val {percent(run.val)} in epoch {run.epoch}",
        _lines(curves, epochs),
        None if run.epoch is None else _x(run.epoch, epochs),
        epochs,
        _confusions(run.folder / "figures" / "confused_pairs.csv"),
        None if dream is None else photo_url(dream),
    )


def _lines(curves: Curves, epochs: int) -> list[tuple[str, str, str]]:
    found = []
    for split, color in COLORS.items():
        points = sorted(curves.get(f"{split}/accuracy", {}).items())
        if points:
            drawn = " ".join(f"{_x(epoch, epochs):.1f},{HEIGHT * (1 - value):.1f}" for epoch, value in points)
            found.append((color, split, drawn))
    return found


def _x(epoch: int, epochs: int) -> float:
    return WIDTH * (epoch - 1) / max(1, epochs - 1)


def _confusions(path: Path) -> list[tuple[str, str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))[:CONFUSIONS]
    return [(text_of_cell(row["class"]), text_of_cell(row["prediction"]), row["images"]) for row in rows]
