"""report.html: an evaluation, or several side by side, on one page that needs no other file and no internet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepdream import __version__
from deepdream.evaluating.evaluation import Evaluation
from deepdream.evaluating.html_pages import data_url, rendered_page
from deepdream.evaluating.metrics import METRICS
from deepdream.evaluating.paired_tests import PairedTest
from deepdream.evaluating.tables import interval, metrics_table, paired_tests_table, percent

# The plots in the order of the page: file name -> title of the section, and how to read the plot.
CAPTIONS = {
    "curves": (
        "Learning curves",
        "Metrics of each epoch. The network overfits where train improves and val does not.",
    ),
    "confusion": (
        "Confusion matrix",
        "Rows are true classes, columns are predicted classes, correct predictions are on the diagonal. Classes that "
        "are often confused are next to each other, so that groups appear as blocks.",
    ),
    "per_class": (
        "Metrics of each class",
        "Sorted by F1. Precision is the share of the predictions of a class that are correct, recall the share of its "
        "images that are predicted correctly.",
    ),
    "confused_pairs": (
        "Most confused classes",
        "The most confident examples of the pairs of classes with the most mistakes.",
    ),
    "mistakes": (
        "Most confident mistakes",
        "Wrong predictions with the highest confidence. They often reveal wrong labels.",
    ),
    "reliability": (
        "Reliability diagram",
        "Accuracy of the predictions at each level of confidence. On the dotted line, both are equal; bars below it "
        "mean overconfidence, bars above it underconfidence.",
    ),
    "pca": (
        "Features, PCA",
        "Each point is an image: the input of the last layer, projected onto the two directions of largest variance.",
    ),
    "tsne": (
        "Features, t-SNE",
        "Each point is an image; neighbours have similar features. Classes in separate clusters are well separated, "
        "mixed ones are confused. Distances between clusters, and their sizes, have no meaning.",
    ),
}


@dataclass(frozen=True)
class Section:
    """A part of the page. image: a data URL. table: rows of cells, the first is the header."""

    anchor: str
    title: str
    caption: str
    image: str | None = None
    table: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True)
class Headline:
    """A number at the top of a network's part: its name, its value, and a small note, such as its interval."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class NetworkPart:
    """The part of the page about one network. anchor: unique in the page."""

    anchor: str
    title: str
    headlines: list[Headline]
    sections: list[Section]


def write_report(
    path: Path,
    evaluations: Sequence[Evaluation],
    tests: Sequence[PairedTest] = (),
    *,
    microscope: str | None = None,
) -> Path:
    """Write the report of one network, or of several with their comparison; returns `path`.

    microscope: the address of the page of the network's microscope, to link to.
    """
    first = evaluations[0]
    page = rendered_page(
        "report.html.j2",
        title=first.name if len(evaluations) == 1 else f"{len(evaluations)} networks on the same images",
        images=first.metrics["images"],
        classes=first.metrics["classes"],
        comparison=_comparison(evaluations, tests) if len(evaluations) > 1 else [],
        networks=[_network_part(evaluation, f"network-{i}") for i, evaluation in enumerate(evaluations)],
        microscope=microscope,
        version=__version__,
    )
    path.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def _comparison(evaluations: Sequence[Evaluation], tests: Sequence[PairedTest]) -> list[Section]:
    """The metrics of several networks, and the paired tests."""
    return [
        Section(
            "metrics",
            "Comparison",
            "With 95 % intervals. Networks may differ even where their intervals overlap: see the tests below.",
            table=metrics_table(evaluations),
        ),
        Section(
            "tests",
            "Paired tests",
            "McNemar's exact test counts the images that only one of two networks predicts correctly. With p below "
            "0.05, the choice of the test images hardly explains the difference; another training run still might.",
            table=paired_tests_table(evaluations, tests),
        ),
    ]


def _network_part(evaluation: Evaluation, anchor: str) -> NetworkPart:
    metrics = evaluation.metrics
    headlines = [
        Headline(title, percent(metrics[key]), f"{interval(evaluation, key)}%") for key, title in METRICS.items()
    ]
    error = percent(metrics["expected_calibration_error"])
    headlines.append(Headline("expected calibration error", error, f"cross-entropy {metrics['loss']:.3f}"))
    images = {path.stem: path for path in evaluation.files if path.suffix == ".png"}
    sections = [
        Section(f"{anchor}-{key}", *CAPTIONS[key], image=data_url(images[key])) for key in CAPTIONS if key in images
    ]
    if evaluation.notes:
        sections.append(Section(f"{anchor}-notes", "Notes", "; ".join(evaluation.notes) + "."))
    return NetworkPart(anchor, evaluation.name, headlines, sections)
