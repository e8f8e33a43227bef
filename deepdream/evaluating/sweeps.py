"""The runs of sweeps side by side, the best first: python -m deepdream.evaluating.sweeps multirun/<date>/<time> ...

Runs that differ in nothing but the seed are one line: their mean. Writes comparison.csv (each run), settings.csv (each
line) and comparison.png into the first folder, and prints the table.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from deepdream.plots import COLORS, figure_style

CHOSEN_BY = "val/accuracy"
SEED = "seed"
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


@dataclass(frozen=True)
class Setting:
    """What was set, whatever the seed, and the runs with it, the best first; at least one."""

    values: dict[str, str]
    runs: list[Run]

    def accuracies(self, split: str) -> list[float]:
        """Of the runs that have one; split: val, test or evaluated."""
        return [value for run in self.runs if (value := getattr(run, split)) is not None]

    def mean(self, split: str) -> float | None:
        """Mean accuracy of the runs, None where none has one."""
        values = self.accuracies(split)
        return statistics.fmean(values) if values else None

    def deviation(self, split: str) -> float | None:
        """Standard deviation over the runs, None for fewer than two."""
        values = self.accuracies(split)
        return statistics.stdev(values) if len(values) > 1 else None


def best_row(path: Path) -> dict[str, float]:
    """The row of metrics.csv with the best accuracy on held-out pictures, the first of equals; empty without one."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return max((row for row in rows if CHOSEN_BY in row), key=lambda row: row[CHOSEN_BY], default={})


def read_sweeps(*folders: Path) -> list[Run]:
    """The runs of sweeps, the best by held-out pictures first, those without a result last.

    Only settings that differ between the runs are kept. Raises ValueError where there are no runs in a folder.
    """
    settings: dict[Path, dict[str, str]] = {}
    for folder in folders:
        places = [path.parents[1] for path in folder.glob("*/.hydra/overrides.yaml")]
        if not places:
            raise ValueError(f"{folder} holds no runs; give the folder of a sweep, multirun/<date>/<time>")
        settings |= {place: _settings(place) for place in places}
    keys = sorted({key for values in settings.values() for key in values})
    differing = [key for key in keys if len({values.get(key) for values in settings.values()}) > 1]
    runs = []
    for place, values in settings.items():
        name = place.name if len(folders) == 1 else f"{place.parent.name}/{place.name}"
        runs.append(_read_run(place, name, {key: values.get(key, "") for key in differing}))
    return sorted(runs, key=lambda run: (-1.0 if run.val is None else run.val, run.evaluated or 0.0), reverse=True)


def by_setting(runs: Sequence[Run]) -> list[Setting]:
    """The runs that differ in the seed alone taken together, the best mean by held-out pictures first."""
    together: dict[tuple[str, ...], Setting] = {}
    for run in runs:
        values = {key: value for key, value in run.settings.items() if key != SEED}
        together.setdefault(tuple(values.values()), Setting(values, [])).runs.append(run)
    return sorted(together.values(), key=lambda one: -1.0 if (mean := one.mean("val")) is None else mean, reverse=True)


def draw(settings: Sequence[Setting], *, title: str) -> Figure:
    """Accuracies of each setting, the best on top: the mean of its runs, and each run where there are several."""
    with figure_style():
        figure = Figure(figsize=(10, 1.6 + 0.4 * len(settings)), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=14)
        axes = figure.subplots()
        for split, marker in (("val", "o"), ("test", "D")):
            means = [(mean, row) for row, one in enumerate(settings) if (mean := one.mean(split)) is not None]
            several = [(x, row) for row, one in enumerate(settings) for x in one.accuracies(split) if len(one.runs) > 1]
            if means:
                axes.plot(*zip(*means, strict=True), marker, color=COLORS[split], label=split, markersize=8)
            if several:
                axes.plot(*zip(*several, strict=True), marker, color=COLORS[split], markersize=4, alpha=0.5)
        axes.set_yticks(range(len(settings)), [_label(one) for one in settings])
        axes.set_ylim(len(settings) - 0.5, -0.5)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.set_xlabel("accuracy in the epoch that is best on held-out pictures (val)")
        axes.grid(axis="both")
        axes.legend(loc="best")
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deepdream.evaluating.sweeps",
        description="The runs of sweeps side by side, the best first. Runs that differ in nothing but the seed are\n"
        "one line: their mean. Prints the table, and writes into the first folder comparison.csv (each run),\n"
        "settings.csv (each line) and comparison.png.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sweeps", type=Path, nargs="+", metavar="SWEEP", help="multirun/<date>/<time>")
    folders = parser.parse_args(arguments).sweeps
    try:
        runs = read_sweeps(*folders)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    settings = by_setting(runs)
    Console().print(_table(settings))
    _write_csv(folders[0] / "comparison.csv", _run_columns(runs), [_run_cells(run) for run in runs])
    _write_csv(folders[0] / "settings.csv", _columns(settings), [_cells(one) for one in settings])
    title = f"{len(runs)} runs of {', '.join(map(str, folders))}"
    draw(settings, title=title).savefig(folders[0] / "comparison.png")
    print(
        f"written: {', '.join(str(folders[0] / name) for name in ('comparison.csv', 'settings.csv', 'comparison.png'))}"
    )
    return 0


def _settings(place: Path) -> dict[str, str]:
    overrides = OmegaConf.to_container(OmegaConf.load(place / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    pairs = (str(override).partition("=") for override in overrides if not str(override).startswith(NOT_COMPARED))
    return {key.lstrip("+~"): value for key, _, value in pairs}


def _read_run(place: Path, name: str, settings: dict[str, str]) -> Run:
    best = best_row(place / "metrics.csv")
    evaluation = place / "figures" / "evaluation.json"
    evaluated = json.loads(evaluation.read_text(encoding="utf-8"))["accuracy"] if evaluation.is_file() else None
    epoch = int(best["epoch"]) + 1 if best else None
    return Run(name, settings, epoch, best.get("val/accuracy"), best.get("test/accuracy"), evaluated)


def _label(setting: Setting) -> str:
    values = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in setting.values.items())
    name = f"{setting.runs[0].name}: " if len(setting.runs) == 1 else ""
    return f"{name}{values or 'as it is'}{' (no result)' if setting.mean('val') is None else ''}"


def _run_columns(runs: Sequence[Run]) -> list[str]:
    return ["run", *runs[0].settings, "epoch", "val/accuracy", "test/accuracy", "evaluated"]


def _run_cells(run: Run) -> list[str]:
    figures = [_written(value) for value in (run.val, run.test, run.evaluated)]
    return [run.name, *run.settings.values(), str(run.epoch or ""), *figures]


def _columns(settings: Sequence[Setting]) -> list[str]:
    figures = (title for split in ("val", "test") for title in (f"{split}/accuracy", f"{split}/deviation"))
    return [*settings[0].values, "runs", *figures]


def _cells(setting: Setting) -> list[str]:
    figures = (each for split in ("val", "test") for each in (setting.mean(split), setting.deviation(split)))
    return [*setting.values.values(), str(len(setting.runs)), *map(_written, figures)]


def _written(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(settings: Sequence[Setting]) -> Table:
    table = Table(title="the best first, by val/accuracy; the mean of the runs", title_justify="left")
    for column in _columns(settings):
        table.add_column(column, justify="right")
    for setting in settings:
        table.add_row(*_cells(setting))
    return table


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
