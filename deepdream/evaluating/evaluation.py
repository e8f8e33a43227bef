"""Everything that is known of a network's answers, written into a folder and into TensorBoard."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating.confusion import draw_confusion
from deepdream.evaluating.curves import draw_curves, read_curves
from deepdream.evaluating.metrics import ClassFigures, Counts, class_figures, confusion_counts, summary
from deepdream.evaluating.predictions import Predictions


@dataclass(frozen=True)
class Evaluation:
    """figures: see `metrics.summary`. classes: one row each. files: what was written."""

    figures: dict[str, Any]
    classes: list[ClassFigures]
    files: list[Path]


def write_evaluation(
    predictions: Predictions, folder: Path, *, writer: SummaryWriter, name: str, metrics_csv: Path | None = None
) -> Evaluation:
    """Write evaluation.json, per_class.csv, confusion.csv and confusion.png into `folder`, the picture to TensorBoard.

    name: what was evaluated, for the titles. metrics_csv: of the training run; with it, curves.png too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = confusion_counts(predictions)
    figures = summary(predictions)
    classes = class_figures(counts, predictions.classes)
    title = f"{name}: {100 * figures['accuracy']:.1f}% of {figures['pictures']} pictures right"
    drawings = {"confusion": draw_confusion(counts, predictions.classes, title=title)}
    if metrics_csv is not None and (curves := read_curves(metrics_csv)):
        drawings["curves"] = draw_curves(curves, title=f"{name}: training")

    files = [folder / "evaluation.json", folder / "per_class.csv", folder / "confusion.csv"]
    files[0].write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _write_classes(classes, files[1])
    _write_counts(counts, predictions.classes, files[2])
    for key, drawing in drawings.items():
        files.append(_write_figure(drawing, folder / f"{key}.png"))
        writer.add_figure(f"evaluation/{key}", drawing, close=False)
    for key in ("accuracy", "mean_class_accuracy", "top5_accuracy"):
        writer.add_scalar(f"evaluation/{key}", figures[key])
    writer.flush()
    return Evaluation(figures, classes, files)


def _write_figure(figure: Figure, path: Path) -> Path:
    figure.savefig(path)
    return path


def _write_classes(classes: list[ClassFigures], path: Path) -> None:
    columns = ("tp", "fp", "tn", "fn", "precision", "recall", "f1")
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["class", *columns])
        for row in classes:
            values = (getattr(row, column) for column in columns)
            table.writerow([row.name, *(f"{v:.4f}" if isinstance(v, float) else v for v in values)])


def _write_counts(counts: Counts, classes: list[str], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["true class \\ answer", *classes])
        for name, row in zip(classes, counts.tolist(), strict=True):
            table.writerow([name, *row])
