"""The runs of sweeps in comparison: which settings reach the best validation accuracy."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from omegaconf import OmegaConf

from deepdream.evaluating.csv_files import read_metrics, write_csv
from deepdream.plots import COLORS, figure_style, rendered

SELECTED_BY = "val/accuracy"
SEED = "seed"
NOT_COMPARED = ("hydra.", "resume=", "sweep=", "callbacks.", "+callbacks.")


@dataclass(frozen=True)
class Run:
    """A job of a sweep: the name of its folder, its settings, and its results.

    epoch: the one with the best validation accuracy, from 1. val, test: accuracy in that epoch, in [0, 1].
    evaluated: test accuracy of the final evaluation, and interval: its 95 % bootstrap interval over the test images.
    Results are None where the run ended before them.
    """

    name: str
    settings: dict[str, str]
    epoch: int | None
    val: float | None
    test: float | None
    evaluated: float | None
    interval: tuple[float, float] | None
    folder: Path


@dataclass(frozen=True)
class Setting:
    """A setting (all values but the seed) and its runs, one or more, sorted by validation accuracy."""

    values: dict[str, str]
    runs: list[Run]

    def accuracies(self, split: str) -> list[float]:
        """The accuracies of the runs that have one. split: val, test or evaluated."""
        return [value for run in self.runs if (value := getattr(run, split)) is not None]

    def mean(self, split: str) -> float | None:
        """Mean accuracy of the runs; None without any."""
        values = self.accuracies(split)
        return statistics.fmean(values) if values else None

    def deviation(self, split: str) -> float | None:
        """Standard deviation over the runs; None for fewer than two."""
        values = self.accuracies(split)
        return statistics.stdev(values) if len(values) > 1 else None


def best_row(path: Path) -> dict[str, float]:
    """The row of metrics.csv with the best validation accuracy, the first of equal ones; empty if there is none."""
    rows = read_metrics(path) if path.is_file() else []
    return max((row for row in rows if SELECTED_BY in row), key=lambda row: row[SELECTED_BY], default={})


def read_sweeps(*folders: Path) -> list[Run]:
    """The runs of sweeps, sorted by validation accuracy in descending order; those without a result are last.

    Settings that are equal in all runs are left out. Raises ValueError for a folder without runs.
    """
    settings: dict[Path, dict[str, str]] = {}
    for folder in folders:
        run_folders = [path.parents[1] for path in folder.glob("*/.hydra/overrides.yaml")]
        if not run_folders:
            raise ValueError(f"{folder} has no runs; give the folder of a sweep, multirun/<date>/<time>")
        settings |= {run_folder: _settings(run_folder) for run_folder in run_folders}
    keys = sorted({key for values in settings.values() for key in values})
    differing = [key for key in keys if len({values.get(key) for values in settings.values()}) > 1]
    runs = []
    for run_folder, values in settings.items():
        name = run_folder.name if len(folders) == 1 else f"{run_folder.parent.name}/{run_folder.name}"
        runs.append(_read_run(run_folder, name, {key: values.get(key, "") for key in differing}))
    return sorted(runs, key=lambda run: (-1.0 if run.val is None else run.val, run.evaluated or 0.0), reverse=True)


def group_by_setting(runs: Sequence[Run]) -> list[Setting]:
    """The runs grouped by their settings without the seed, sorted by mean validation accuracy in descending order."""
    groups: dict[tuple[str, ...], Setting] = {}
    for run in runs:
        values = {key: value for key, value in run.settings.items() if key != SEED}
        groups.setdefault(tuple(values.values()), Setting(values, [])).runs.append(run)
    return sorted(groups.values(), key=lambda one: -1.0 if (mean := one.mean("val")) is None else mean, reverse=True)


def write_comparison(runs: Sequence[Run], folder: Path, *, title: str) -> list[Path]:
    """Write comparison.csv (a row per run), settings.csv (a row per setting) and comparison.png; returns the paths."""
    settings = group_by_setting(runs)
    header = ["run", *runs[0].settings, "epoch", "val/accuracy", "test/accuracy", "evaluated"]
    rows = [
        [run.name, *run.settings.values(), str(run.epoch or ""), *map(_text, (run.val, run.test, run.evaluated))]
        for run in runs
    ]
    image = folder / "comparison.png"
    rendered(plot_settings(settings, title=title)).save(image)
    setting_header, *setting_rows = settings_table(settings)
    return [
        write_csv(folder / "comparison.csv", header, rows),
        write_csv(folder / "settings.csv", setting_header, setting_rows),
        image,
    ]


def settings_table(settings: Sequence[Setting]) -> list[list[str]]:
    """The header, then a row per setting: its values, the number of its runs, mean and deviation of their accuracy."""
    columns = [f"{split}/{statistic}" for split in ("val", "test") for statistic in ("accuracy", "deviation")]
    rows = []
    for setting in settings:
        numbers = [number for split in ("val", "test") for number in (setting.mean(split), setting.deviation(split))]
        rows.append([*setting.values.values(), str(len(setting.runs)), *map(_text, numbers)])
    return [[*settings[0].values, "runs", *columns], *rows]


def plot_settings(settings: Sequence[Setting], *, title: str) -> Figure:
    """Accuracy of each setting, in the given order: the mean of its runs, and each run if there are several."""
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
        axes.set_yticks(range(len(settings)), [setting_label(one) for one in settings])
        axes.set_ylim(len(settings) - 0.5, -0.5)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.set_xlabel("accuracy in the epoch with the best validation accuracy")
        axes.grid(axis="both")
        if axes.has_data():
            axes.legend(loc="best")
    return figure


def _settings(run_folder: Path) -> dict[str, str]:
    overrides = OmegaConf.to_container(OmegaConf.load(run_folder / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    pairs = (str(override).partition("=") for override in overrides if not str(override).startswith(NOT_COMPARED))
    return {key.lstrip("+~"): value for key, _, value in pairs}


def _read_run(run_folder: Path, name: str, settings: dict[str, str]) -> Run:
    best = best_row(run_folder / "metrics.csv")
    evaluation = run_folder / "figures" / "evaluation.json"
    found = json.loads(evaluation.read_text(encoding="utf-8")) if evaluation.is_file() else {}
    interval = found.get("intervals", {}).get("accuracy")
    return Run(
        name,
        settings,
        int(best["epoch"]) + 1 if best else None,
        best.get("val/accuracy"),
        best.get("test/accuracy"),
        found.get("accuracy"),
        None if interval is None else (interval[0], interval[1]),
        run_folder,
    )


def setting_label(setting: Setting) -> str:
    """The values of a setting in short, after the name of its run where it has only one."""
    values = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in setting.values.items())
    name = f"{setting.runs[0].name}: " if len(setting.runs) == 1 else ""
    return f"{name}{values or 'default settings'}{' (no result)' if setting.mean('val') is None else ''}"


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
