"""An evaluation: its metrics, tables and plots, written into a folder and into experiment loggers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from deepdream.evaluating.calibration import calibration, plot_reliability
from deepdream.evaluating.class_table import plot_class_table
from deepdream.evaluating.confusion import ConfusedPair, confused_pairs, plot_confusion
from deepdream.evaluating.csv_files import write_csv
from deepdream.evaluating.curves import plot_curves, read_curves
from deepdream.evaluating.metrics import (
    METRICS,
    ClassMetrics,
    Counts,
    class_metrics,
    compute_metrics,
    confusion_counts,
)
from deepdream.evaluating.mistakes import confident_mistakes, plot_mistakes, plot_pairs
from deepdream.evaluating.predictions import Predictions
from deepdream.evaluating.projection import log_projector, plot_points, project
from deepdream.loggers import log_metrics, write_and_log_image
from deepdream.plots import rendered

PLOTTED_PAIRS = 6

Plot = Figure | Image.Image


@dataclass(frozen=True)
class Evaluation:
    """What is known about a network's predictions.

    name: of the network. metrics: see `compute_metrics`. classes: the metrics of each class. pairs: the most confused.
    counts: see `confusion_counts`. folder: where `files` were written. notes: which plots are missing, and why.
    """

    name: str
    predictions: Predictions
    metrics: dict[str, Any]
    counts: Counts
    classes: list[ClassMetrics]
    pairs: list[ConfusedPair]
    folder: Path
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_evaluation(
    predictions: Predictions,
    folder: Path,
    *,
    name: str,
    loggers: Iterable[Any] = (),
    tag: str = "evaluation",
    metrics_csv: Path | None = None,
    seed: int = 0,
) -> Evaluation:
    """Write tables (JSON, CSV) and plots (PNG) into `folder`; log the plots, METRICS and the features.

    predictions: with `paths`, there are contact sheets of the mistakes too. name: of the network, for the titles.
    loggers: SummaryWriters or Lightning loggers, which get <tag>/confusion and so on.
    metrics_csv: of the training run; with it, there are learning curves.
    seed: of the bootstrap, of t-SNE, and of the sample of images that it shows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loggers = list(loggers)
    counts = confusion_counts(predictions)
    evaluation = Evaluation(
        name,
        predictions,
        compute_metrics(predictions, seed=seed),
        counts,
        class_metrics(predictions),
        confused_pairs(counts),
        folder,
    )
    evaluation.files.extend(_write_tables(evaluation))
    for key, plot in _plots(evaluation, metrics_csv, loggers, tag, seed):
        image = rendered(plot) if isinstance(plot, Figure) else plot
        path = write_and_log_image(folder / f"{key}.png", loggers, f"{tag}/{key}", image)
        evaluation.files.append(path)
    logged = (*METRICS, "expected_calibration_error")
    log_metrics(loggers, {f"{tag}/{key}": evaluation.metrics[key] for key in logged})
    return evaluation


def _plots(
    evaluation: Evaluation, metrics_csv: Path | None, loggers: Sequence[Any], tag: str, seed: int
) -> Iterator[tuple[str, Plot]]:
    """The plots by name, one at a time. Adds a note for each that cannot be made."""
    name, metrics, predictions = evaluation.name, evaluation.metrics, evaluation.predictions
    title = f"{name}: accuracy {100 * metrics['accuracy']:.1f}% on {metrics['images']} images"
    yield "confusion", plot_confusion(evaluation.counts, predictions.classes, title=title)
    yield "per_class", plot_class_table(evaluation.classes, title=f"{name}: metrics of each class")
    yield "reliability", plot_reliability(calibration(predictions), title=f"{name}: reliability diagram")
    if metrics_csv is not None and (curves := read_curves(metrics_csv)):
        yield "curves", plot_curves(curves, title=f"{name}: training")
    if predictions.paths is not None:
        yield from _mistakes(evaluation)
    yield from _projections(evaluation, loggers, tag, seed)


def _mistakes(evaluation: Evaluation) -> Iterator[tuple[str, Plot]]:
    predictions = evaluation.predictions
    mistakes = confident_mistakes(predictions)
    if not mistakes:
        evaluation.notes.append("every prediction is correct: there are no mistakes to plot")
        return
    pairs = evaluation.pairs[:PLOTTED_PAIRS]
    yield "confused_pairs", plot_pairs(predictions, pairs, title="most confused classes")
    yield "mistakes", plot_mistakes(predictions, mistakes, title="most confident mistakes")


def _projections(evaluation: Evaluation, loggers: Sequence[Any], tag: str, seed: int) -> Iterator[tuple[str, Plot]]:
    name, predictions, notes = evaluation.name, evaluation.predictions, evaluation.notes
    if predictions.features is None:
        notes.append("no PCA, no t-SNE: the network has no linear layer, whose input they would show")
        return
    if len(predictions.features) < 3:
        notes.append("no PCA, no t-SNE: there are fewer than three images")
        return
    projection = project(predictions.features, seed=seed)
    labels, classes = predictions.labels[projection.indices], predictions.classes
    if len(labels) < len(predictions.labels):
        notes.append(f"PCA and t-SNE show {len(labels)} of {len(predictions.labels)} images")
    shares = [f"component {i + 1}, {100 * share:.0f}% of the variance" for i, share in enumerate(projection.variance)]
    axes_names = shares[0], shares[1]
    yield "pca", plot_points(projection.pca, labels, classes, title=f"{name}: PCA", axes_names=axes_names)
    if projection.tsne is None:
        notes.append(f"no t-SNE: {len(labels)} images are too few, or too similar")
    else:
        title = f"{name}: t-SNE, perplexity {projection.perplexity:.0f}"
        yield "tsne", plot_points(projection.tsne, labels, classes, title=title)
    log_projector(loggers, tag, predictions, projection)


def _write_tables(evaluation: Evaluation) -> list[Path]:
    """Write evaluation.json and the CSV files; returns their paths."""
    predictions, classes = evaluation.predictions, evaluation.predictions.classes
    columns = ("tp", "fp", "tn", "fn", "precision", "recall", "f1")
    per_class = ([row.name, *(_text(getattr(row, column)) for column in columns)] for row in evaluation.classes)
    confusion = ([name, *row] for name, row in zip(classes, evaluation.counts.tolist(), strict=True))
    pairs = ([classes[p.label], classes[p.predicted], p.count, _text(p.share)] for p in evaluation.pairs)
    rows = zip(
        [""] * len(predictions.labels) if predictions.paths is None else map(str, predictions.paths),
        (classes[label] for label in predictions.labels),
        (classes[predicted] for predicted in predictions.predicted),
        map(_text, predictions.confidence.tolist()),
        strict=True,
    )
    tables: dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]] = {
        "per_class.csv": (["class", *columns], per_class),
        "confusion.csv": (["true class \\ predicted class", *classes], confusion),
        "confused_pairs.csv": (["class", "prediction", "images", "share_of_class"], pairs),
        "predictions.csv": (["image", "class", "prediction", "probability"], rows),
    }
    path = evaluation.folder / "evaluation.json"
    path.write_text(json.dumps(evaluation.metrics, indent=2) + "\n", encoding="utf-8")
    return [path, *(write_csv(evaluation.folder / name, *table) for name, table in tables.items())]


def _text(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
