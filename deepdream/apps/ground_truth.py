"""python explain.py ground_truth=true: methods graded by the true effects of objects, as a table, figures and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from deepdream import explaining
from deepdream.console import print_table, progress_bar, relative
from deepdream.explaining.truth.config import MEASURES
from deepdream.loggers import log_metrics, write_and_log_image

if TYPE_CHECKING:
    from deepdream.explaining.config import ExplainAppConfig
    from deepdream.explaining.truth.results import Grade, GroundTruth
    from deepdream.models import Network


def grade(config: ExplainAppConfig, network: Network, folder: Path, loggers: Sequence[Any]) -> None:
    """Grade the methods; write ground_truth.json, .csv and figures; print the table and which method to trust."""
    settings = config.ground_truth
    with progress_bar("ground truth", total=None) as update:
        found = explaining.ground_truth(
            network,
            config=settings,
            explain_config=config.explain,
            seed=config.seed,
            on_step=lambda done, total, description: update(done, total, description),
        )
    path = folder / "ground_truth.json"
    path.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
    _write_csv(found.grades, path.with_suffix(".csv"))
    _write_figures(found, folder, loggers)
    log_metrics(loggers, {f"ground_truth/skill/{grade.method}": grade.skill for grade in found.methods})
    _print_grades(found)
    print("\n".join([*found.shortcut(), *found.advice()]))
    print(f"grades:     {relative(path)}, .csv; figures beside it")
    if settings.confidence_images:
        _judge(config, network, folder / "confidence.json")


def _judge(config: ExplainAppConfig, network: Network, path: Path) -> None:
    """Judge attribution-based confidence beside five others: a table, and JSON with the curves of risk."""
    from deepdream.explaining.truth.results import plain  # brings torch

    with progress_bar("confidence", total=None) as update:
        judged = explaining.judge_confidence(
            network,
            images=config.ground_truth.confidence_images,
            config=config.explain,
            resamples=config.ground_truth.resamples,
            seed=config.seed,
            on_step=update,
        )
    path.write_text(json.dumps([plain(vars(each)) for each in judged], indent=1) + "\n", encoding="utf-8")
    table = Table(title="does confidence predict errors and unknown classes?", title_justify="left")
    for title in ("confidence", "AUROC of error ↑", "AUROC of unknown class ↑", "area under risk ↓"):
        table.add_column(title, justify="left" if title == "confidence" else "right")
    for each in judged:
        pairs = (
            (each.error_auroc, each.error_interval),
            (each.unknown_auroc, each.unknown_interval),
            (each.risk, each.risk_interval),
        )
        table.add_row(each.name, *(f"{value:.2f} ({low:.2f}, {high:.2f})" for value, (low, high) in pairs))
    print_table(table, width=170)
    print(f"confidence: {relative(path)}")


def _write_csv(grades: Sequence[Grade], path: Path) -> None:
    """A row for each method: its means, each with the ends of its interval."""
    names = list(grades[0].values)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        columns = [f"{name}{end}" for name in ("skill", *names) for end in ("", "_low", "_high")]
        table.writerow(["method", *columns, "noise_change", "wall_change", "shortcut_share", "seconds"])
        for each in grades:
            values = [each.skill, *each.skill_interval]
            for name in names:
                values += [each.values[name], *each.intervals[name]]
            rest = (each.noise_change, each.wall_change, each.shortcut_share, each.seconds)
            table.writerow([each.method, *(f"{value:.5g}" for value in (*values, *rest))])


def _write_figures(found: GroundTruth, folder: Path, loggers: Sequence[Any]) -> None:
    from deepdream.explaining.truth.plots import plot_cost, plot_grades, plot_rooms
    from deepdream.plots import rendered

    for name, plot in (("grades", plot_grades), ("cost", plot_cost), ("rooms", plot_rooms)):
        path = folder / f"ground_truth_{name}.png"
        write_and_log_image(path, loggers, f"ground_truth/{name}", rendered(plot(found)))


def _print_grades(found: GroundTruth) -> None:
    rooms = f"{len(found.rooms)} rooms, {found.accuracy:.0%} predicted correctly"
    table = Table(title=f"ground truth: {rooms}; the constant map is chance", title_justify="left")
    table.add_column("method")
    for title in ("skill ↑", *(MEASURES.details(name).title for name in MEASURES), "noise", "walls", "seconds"):
        table.add_column(title, justify="right")
    for each in found.grades:
        low, high = each.skill_interval
        values = [*(each.values[name] for name in MEASURES), each.noise_change, each.wall_change]
        cells = ("" if value != value else f"{value:.2f}" for value in values)
        seconds = f"{each.seconds:.2f}" if each.seconds else ""
        table.add_row(each.title, f"{each.skill:.2f} ({low:.2f}, {high:.2f})", *cells, seconds)
    print_table(table, width=170)
