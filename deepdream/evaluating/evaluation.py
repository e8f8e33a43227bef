"""Everything that is known of a network's answers, written into a folder and into TensorBoard."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating.calibration import calibration, draw_reliability
from deepdream.evaluating.class_table import draw_class_table
from deepdream.evaluating.confusion import ConfusedPair, confused_pairs, draw_confusion
from deepdream.evaluating.curves import draw_curves, read_curves
from deepdream.evaluating.metrics import ClassFigures, Counts, class_figures, confusion_counts, summary
from deepdream.evaluating.mistakes import confident_mistakes, draw_mistakes, draw_pairs
from deepdream.evaluating.predictions import Predictions
from deepdream.evaluating.projection import draw_points, project, write_projector
from deepdream.loggers import write_and_log_image
from deepdream.plots import rendered

SCALARS = (
    "accuracy",
    "mean_class_accuracy",
    "top5_accuracy",
    "macro_f1",
    "expected_calibration_error",
)
DRAWN_PAIRS = 6


@dataclass(frozen=True)
class Evaluation:
    """figures: see `metrics.summary`. classes: one row each. pairs: the most confused.

    name: what was evaluated. predictions: the answers themselves. folder: where `files` were written.
    notes: what could not be drawn, and why.
    """

    name: str
    predictions: Predictions
    figures: dict[str, Any]
    classes: list[ClassFigures]
    pairs: list[ConfusedPair]
    folder: Path
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_evaluation(
    predictions: Predictions,
    folder: Path,
    *,
    writer: SummaryWriter,
    name: str,
    metrics_csv: Path | None = None,
    paths: Sequence[Path] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Write tables (JSON, CSV) and pictures (PNG) into `folder`, the pictures and the projector into TensorBoard.

    name: what was evaluated, for the titles. metrics_csv: of the training run; with it, curves.png too.
    paths: of the pictures, in the order of `predictions`; with them, sheets of mistakes too.
    seed: of bootstrap, projections and the draw of pictures to project.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = confusion_counts(predictions)
    evaluation = Evaluation(
        name,
        predictions,
        summary(predictions, seed=seed),
        class_figures(counts, predictions.classes),
        confused_pairs(counts),
        folder,
    )
    _write_tables(evaluation, predictions, counts, paths)
    for key, picture in _pictures(evaluation, predictions, counts, metrics_csv, paths, writer, seed):
        picture = rendered(picture) if isinstance(picture, Figure) else picture
        path = write_and_log_image(folder / f"{key}.png", [writer], f"evaluation/{key}", picture)
        evaluation.files.append(path)
    for key in SCALARS:
        writer.add_scalar(f"evaluation/{key}", evaluation.figures[key])
    writer.flush()
    return evaluation


def _pictures(
    evaluation: Evaluation,
    predictions: Predictions,
    counts: Counts,
    metrics_csv: Path | None,
    paths: Sequence[Path] | None,
    writer: SummaryWriter,
    seed: int,
) -> Iterable[tuple[str, Figure | Image.Image]]:
    """The pictures by name, one at a time; what cannot be drawn becomes a note."""
    name, figures, classes = evaluation.name, evaluation.figures, predictions.classes
    title = f"{name}: {100 * figures['accuracy']:.1f}% of {figures['pictures']} pictures right"
    yield "confusion", draw_confusion(counts, classes, title=title)
    yield "per_class", draw_class_table(evaluation.classes, title=f"{name}: each class against all others")
    yield "reliability", draw_reliability(calibration(predictions), title=f"{name}: is it as sure as it is right?")
    if metrics_csv is not None and (curves := read_curves(metrics_csv)):
        yield "curves", draw_curves(curves, title=f"{name}: training")
    if paths is not None:
        yield from _mistakes(evaluation, predictions, paths)
    yield from _projections(evaluation, predictions, writer, seed)


def _mistakes(
    evaluation: Evaluation, predictions: Predictions, paths: Sequence[Path]
) -> Iterable[tuple[str, Image.Image]]:
    mistakes = confident_mistakes(predictions)
    if not mistakes:
        evaluation.notes.append("every answer is right, so there are no mistakes to show")
        return
    pairs = evaluation.pairs[:DRAWN_PAIRS]
    yield "confused_pairs", draw_pairs(predictions, paths, pairs, title="the most confused classes")
    yield "mistakes", draw_mistakes(predictions, paths, mistakes, title="the most confident mistakes")


def _projections(
    evaluation: Evaluation, predictions: Predictions, writer: SummaryWriter, seed: int
) -> Iterable[tuple[str, Figure]]:
    if predictions.features is None:
        evaluation.notes.append("the network has no linear layer whose input could be laid out in a plane")
        return
    if len(predictions.features) < 3:
        evaluation.notes.append("fewer than three pictures cannot be laid out in a plane")
        return
    projection = project(predictions.features, seed=seed)
    labels = predictions.labels[projection.chosen]
    if len(labels) < len(predictions.labels):
        evaluation.notes.append(f"of {len(predictions.labels)} pictures {len(labels)} are laid out in a plane")
    axes = tuple(
        f"component {i + 1}, {100 * share:.0f}% of the variance" for i, share in enumerate(projection.variance)
    )
    yield (
        "pca",
        draw_points(
            projection.pca, labels, predictions.classes, title=f"{evaluation.name}: PCA", axes_names=(axes[0], axes[1])
        ),
    )
    if projection.tsne is None:
        evaluation.notes.append(f"{len(labels)} pictures are too few, or too much alike, for t-SNE")
    else:
        title = f"{evaluation.name}: t-SNE, perplexity {projection.perplexity:.0f}"
        yield "tsne", draw_points(projection.tsne, labels, predictions.classes, title=title)
    write_projector(writer, predictions, projection)


def _write_tables(
    evaluation: Evaluation, predictions: Predictions, counts: Counts, paths: Sequence[Path] | None
) -> None:
    folder, classes = evaluation.folder, predictions.classes
    figures = json.dumps(evaluation.figures, indent=2)
    (folder / "evaluation.json").write_text(figures + "\n", encoding="utf-8")
    columns = ("tp", "fp", "tn", "fn", "precision", "recall", "f1")
    values = [[getattr(row, column) for column in columns] for row in evaluation.classes]
    _write_csv(
        folder / "per_class.csv",
        ["class", *columns],
        ([row.name, *map(_text, each)] for row, each in zip(evaluation.classes, values, strict=True)),
    )
    _write_csv(
        folder / "confusion.csv",
        ["true class \\ answer", *classes],
        ([name, *row] for name, row in zip(classes, counts.tolist(), strict=True)),
    )
    _write_csv(
        folder / "confused_pairs.csv",
        ["class", "taken_for", "pictures", "share_of_class"],
        ([classes[p.label], classes[p.answer], p.count, _text(p.share)] for p in evaluation.pairs),
    )
    _write_csv(
        folder / "answers.csv",
        ["picture", "class", "answer", "probability"],
        (
            ["" if paths is None else paths[i], classes[label], classes[answer], _text(float(row[answer]))]
            for i, (label, answer, row) in enumerate(
                zip(predictions.labels, predictions.answers, predictions.probabilities, strict=True)
            )
        ),
    )
    evaluation.files.extend(
        folder / name
        for name in ("evaluation.json", "per_class.csv", "confusion.csv", "confused_pairs.csv", "answers.csv")
    )


def _write_csv(path: Path, header: list[str], rows: Iterable[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)


def _text(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
