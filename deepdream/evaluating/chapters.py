"""What the report says of each picture of an evaluation, and of several networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepdream import __version__
from deepdream.evaluating.evaluation import Evaluation
from deepdream.evaluating.paired_tests import PairedTest
from deepdream.evaluating.report import Chapter, Headline, Section, write_report

# Each picture by its name: the section's title, and how to read it.
READINGS = {
    "curves": ("Training", "Epoch by epoch; where train goes on rising and val does not, it learns by heart."),
    "confusion": (
        "Confusion",
        "A row is a true class, a column an answer: the diagonal is what it gets right, and classes that are taken for "
        "one another stand side by side, so that groups show as blocks.",
    ),
    "per_class": (
        "Each class",
        "The best first. Precision is how often the answer is to be believed, recall how many of the class are found.",
    ),
    "confused_pairs": (
        "Most confused classes",
        "The surest examples of the pairs that are confused most often: are these pictures easy for you?",
    ),
    "mistakes": (
        "Most confident mistakes",
        "What it was surest of and wrong about; a wrong label in the data is often found here.",
    ),
    "reliability": (
        "Reliability",
        "Bars on the dotted line: of answers given with 70% about 70% are right. Bars below it: too sure of itself.",
    ),
    "pca": (
        "Features, PCA",
        "A point is a picture as the network sees it just before it answers, along the two directions in which the "
        "pictures differ most; distances can be trusted, little of the whole is shown.",
    ),
    "tsne": (
        "Features, t-SNE",
        "Neighbours here are neighbours in the features: tight islands of one class are well told apart, mixed ones "
        "are confused. Distances between islands and their sizes mean nothing.",
    ),
}

FIGURES = (
    ("accuracy", "accuracy"),
    ("mean accuracy of the classes", "mean_class_accuracy"),
    ("right class among the first five", "top5_accuracy"),
    ("macro F1", "macro_f1"),
)


def write_page(
    path: Path,
    evaluations: Sequence[Evaluation],
    tests: Sequence[PairedTest] = (),
) -> Path:
    """The report of one network, or of several with their comparison."""
    first = evaluations[0].figures
    scope = f"{first['pictures']} test pictures of {first['classes']} classes. "
    about = "Each figure comes with its 95% interval: how far it would move with other test pictures, as many."
    return write_report(
        path,
        title=evaluations[0].name if len(evaluations) == 1 else f"{len(evaluations)} networks on the same pictures",
        introduction=scope + about,
        opening=comparison_sections(evaluations, tests) if len(evaluations) > 1 else [],
        chapters=[_chapter(evaluation, f"network-{i}") for i, evaluation in enumerate(evaluations)],
        footer=f"Written by deepdream {__version__}.",
    )


def comparison_sections(evaluations: Sequence[Evaluation], tests: Sequence[PairedTest]) -> list[Section]:
    """The table of the figures, and that of the paired tests."""
    header = ["network", *(name for name, _ in FIGURES), "calibration error"]
    rows = [
        [
            each.name,
            *(with_interval(each, key) for _, key in FIGURES),
            percent(each.figures["expected_calibration_error"]),
        ]
        for each in evaluations
    ]
    return [
        Section(
            "Side by side",
            "Overlapping intervals do not yet mean no difference: see the test below.",
            table=[header, *rows],
        ),
        Section(
            "Is the difference real",
            "McNemar's exact test looks only at the pictures that one network has right and the other wrong. A p under "
            "0.05 says: hardly by chance of the pictures; it does not cover the chance of another training run.",
            table=[list(TEST_HEADER), *paired_rows(evaluations, tests)],
        ),
    ]


TEST_HEADER = ("networks", "difference", "only first right", "only second right", "p", "p, adjusted (Holm)")


def paired_rows(evaluations: Sequence[Evaluation], tests: Sequence[PairedTest]) -> list[list[str]]:
    """The paired tests as text, a row each under TEST_HEADER."""
    return [
        [
            f"{evaluations[test.first].name} against {evaluations[test.second].name}",
            f"{100 * test.difference:+.1f}%",
            str(test.first_only),
            str(test.second_only),
            f"{test.p:.2g}",
            f"{test.adjusted_p:.2g}",
        ]
        for test in tests
    ]


def with_interval(evaluation: Evaluation, key: str) -> str:
    """A figure with its interval: "52.3% (48.1 to 56.4)"."""
    low, high = evaluation.figures["intervals"][key]
    return f"{percent(evaluation.figures[key])} ({100 * low:.1f} to {100 * high:.1f})"


def percent(share: float) -> str:
    """0.523 as "52.3%"."""
    return f"{100 * share:.1f}%"


def _chapter(evaluation: Evaluation, anchor: str) -> Chapter:
    headlines = []
    for name, key in FIGURES:
        low, high = evaluation.figures["intervals"][key]
        headlines.append(Headline(name, percent(evaluation.figures[key]), f"{100 * low:.1f} to {100 * high:.1f}%"))
    headlines.append(
        Headline(
            "expected calibration error",
            percent(evaluation.figures["expected_calibration_error"]),
            f"cross-entropy {evaluation.figures['loss']:.3f}",
        )
    )
    pictures = {path.stem: path for path in evaluation.files if path.suffix == ".png"}
    sections = [Section(*READINGS[key], pictures[key]) for key in READINGS if key in pictures]
    if evaluation.notes:
        sections.append(Section("Not shown", "; ".join(evaluation.notes) + "."))
    return Chapter(anchor, evaluation.name, headlines, sections)
