"""The runs of a sweep side by side, the best first: python -m deepdream.training.compare multirun/<date>/<time>

Writes comparison.csv and comparison.png into that folder, and prints the table.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from deepdream.figures import COLORS, figure_style

CHOSEN_BY = "val/accuracy"
NOT_COMPARED = ("hydra.", "resume=", "sweep=", "callbacks.", "+callbacks.")


@dataclass(frozen=True)
class Run:
    """A job of a sweep: its folder's name, what was set for it, and what came out.

    epoch: the best one, counted from 1; val, test: accuracies there, 0 to 1; None where the run did not get so far.
    evaluated: accuracy of the evaluation at the end. All are None for a run that failed.
    """

    name: str
    settings: dict[str, str]
    epoch: int | None
    val: float | None
    test: float | None
    evaluated: float | None


def best_row(path: Path) -> dict[str, float]:
    """The row of metrics.csv with the best accuracy on held-out pictures, the first of equals; empty without one."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return max((row for row in rows if CHOSEN_BY in row), key=lambda row: row[CHOSEN_BY], default={})


def read_sweep(folder: Path) -> list[Run]:
    """The runs of a sweep, the best by held-out pictures first, those without a result last.

    Only settings that differ between the runs are kept. Raises ValueError where there are no runs in `folder`.
    """
    places = [path.parents[1] for path in folder.glob("*/.hydra/overrides.yaml")]
    if not places:
        raise ValueError(f"{folder} holds no runs; give the folder of a sweep, multirun/<date>/<time>")
    settings = {place: _settings(place) for place in places}
    keys = sorted({key for values in settings.values() for key in values})
    differing = [key for key in keys if len({values.get(key) for values in settings.values()}) > 1]
    runs = [_read_run(place, {key: settings[place].get(key, "") for key in differing}) for place in places]
    return sorted(runs, key=lambda run: (-1.0 if run.val is None else run.val, run.evaluated or 0.0), reverse=True)


def draw(runs: Sequence[Run], *, title: str) -> Figure:
    """Accuracies of each run, the best on top."""
    with figure_style():
        figure = Figure(figsize=(10, 1.6 + 0.4 * len(runs)), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=14)
        axes = figure.subplots()
        for split, color, marker in (("val", COLORS["val"], "o"), ("test", COLORS["test"], "D")):
            points = [(value, row) for row, run in enumerate(runs) if (value := getattr(run, split)) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), marker, color=color, label=split, markersize=8)
        axes.set_yticks(range(len(runs)), [_label(run) for run in runs])
        axes.set_ylim(len(runs) - 0.5, -0.5)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.set_xlabel("accuracy in the epoch that is best on held-out pictures (val)")
        axes.grid(axis="both")
        axes.legend(loc="best")
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m deepdream.training.compare", description=__doc__)
    parser.add_argument("sweep", type=Path, help="multirun/<date>/<time>")
    folder = parser.parse_args(arguments).sweep
    try:
        runs = read_sweep(folder)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Console().print(_table(runs))
    _write_csv(runs, folder / "comparison.csv")
    draw(runs, title=f"{len(runs)} runs of {folder}").savefig(folder / "comparison.png")
    print(f"written: {folder / 'comparison.csv'}, {folder / 'comparison.png'}")
    return 0


def _settings(place: Path) -> dict[str, str]:
    overrides = OmegaConf.to_container(OmegaConf.load(place / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    pairs = (str(override).partition("=") for override in overrides if not str(override).startswith(NOT_COMPARED))
    return {key.lstrip("+~"): value for key, _, value in pairs}


def _read_run(place: Path, settings: dict[str, str]) -> Run:
    best = best_row(place / "metrics.csv")
    evaluation = place / "figures" / "evaluation.json"
    evaluated = json.loads(evaluation.read_text(encoding="utf-8"))["accuracy"] if evaluation.is_file() else None
    epoch = int(best["epoch"]) + 1 if best else None
    return Run(place.name, settings, epoch, best.get("val/accuracy"), best.get("test/accuracy"), evaluated)


def _label(run: Run) -> str:
    settings = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in run.settings.items())
    return f"{run.name}: {settings or 'as it is'}{'' if run.epoch else ' (no result)'}"


def _cells(run: Run) -> list[str]:
    figures = [f"{value:.4f}" if value is not None else "" for value in (run.val, run.test, run.evaluated)]
    return [run.name, *run.settings.values(), str(run.epoch or ""), *figures]


def _columns(runs: Sequence[Run]) -> list[str]:
    return ["run", *runs[0].settings, "epoch", "val/accuracy", "test/accuracy", "evaluated"]


def _table(runs: Sequence[Run]) -> Table:
    table = Table(title="the best first, by val/accuracy", title_justify="left")
    for column in _columns(runs):
        table.add_column(column, justify="right")
    for run in runs:
        table.add_row(*_cells(run))
    return table


def _write_csv(runs: Sequence[Run], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_columns(runs))
        writer.writerows(_cells(run) for run in runs)


if __name__ == "__main__":
    sys.exit(main())
