"""The tables that compare networks, as text: for the console, the report and CSV files."""

from __future__ import annotations

from collections.abc import Sequence

from deepdream.evaluating.evaluation import Evaluation
from deepdream.evaluating.metrics import METRICS
from deepdream.evaluating.paired_tests import PairedTest

Row = list[str]


def metrics_table(evaluations: Sequence[Evaluation]) -> list[Row]:
    """The header, then a row per network: each of METRICS with its interval, and the calibration error."""
    rows = [
        [each.name, *(with_interval(each, key) for key in METRICS), percent(each.metrics["expected_calibration_error"])]
        for each in evaluations
    ]
    return [["network", *METRICS.values(), "calibration error"], *rows]


def paired_tests_table(evaluations: Sequence[Evaluation], tests: Sequence[PairedTest]) -> list[Row]:
    """The header, then a row per paired test."""
    rows = [
        [
            f"{evaluations[test.first].name} vs. {evaluations[test.second].name}",
            f"{100 * test.difference:+.1f}%",
            str(test.first_only),
            str(test.second_only),
            f"{test.p:.2g}",
            f"{test.adjusted_p:.2g}",
        ]
        for test in tests
    ]
    header = ["networks", "difference", "only first correct", "only second correct", "p", "p, adjusted (Holm)"]
    return [header, *rows]


def with_interval(evaluation: Evaluation, key: str) -> str:
    """A metric with its interval: "52.3% (48.1 to 56.4)"."""
    return f"{percent(evaluation.metrics[key])} ({interval(evaluation, key)})"


def interval(evaluation: Evaluation, key: str) -> str:
    """The 95 % interval of a metric, in percent: "48.1 to 56.4"."""
    low, high = evaluation.metrics["intervals"][key]
    return f"{100 * low:.1f} to {100 * high:.1f}"


def percent(share: float) -> str:
    """A share as a percentage.

    >>> percent(0.523)
    '52.3%'
    """
    return f"{100 * share:.1f}%"
