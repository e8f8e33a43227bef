"""Figures of `GroundTruth`: grades with their intervals, cost against skill, and rooms with their maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from deepdream.explaining.panels import overlay
from deepdream.explaining.truth.bootstrap import Interval
from deepdream.explaining.truth.config import MEASURES
from deepdream.explaining.truth.measures import Map, evidence
from deepdream.explaining.truth.methods import CONSTANT, ORACLE
from deepdream.explaining.truth.results import Grade, GroundTruth
from deepdream.plots import COLORS, figure_style

BEST, OTHERS, CHANCE = COLORS["val"], COLORS["train"], "#777777"
PEAK = 0.99  # the quantile of a map that is 1 in its picture
SHOWN = 5  # methods in the picture of rooms


def plot_grades(found: GroundTruth) -> Figure:
    """A row for each method, the best first; a column for the skill and each measure, with 95 % intervals.

    The dotted line is the constant map: chance.
    """
    grades, chance = found.methods, found[CONSTANT]
    measures = [name for name in MEASURES if not all(np.isnan(grade.values[name]) for grade in grades)]
    with figure_style():
        figure = Figure(figsize=(3.6 + 2.1 * (1 + len(measures)), 1.9 + 0.4 * len(grades)))
        axes = figure.subplots(1, 1 + len(measures), sharey=True, squeeze=False)[0]
        _plot_column(axes[0], "skill ↑", [(grade.skill, grade.skill_interval) for grade in grades], 0.0)
        for cell, name in zip(axes[1:], measures, strict=True):
            rows = [(grade.values[name], grade.intervals[name]) for grade in grades]
            _plot_column(cell, MEASURES.details(name).title, rows, chance.values[name])
        axes[0].set_yticks(range(len(grades)), [grade.title for grade in grades])
        axes[0].set_ylim(len(grades) - 0.4, -0.6)
        figure.suptitle(
            f"{len(found.rooms)} rooms with known effects; 95% intervals; dotted: a map that knows nothing",
            x=0.01, ha="left", fontsize=14,
        )  # fmt: skip
    return figure


def plot_cost(found: GroundTruth) -> Figure:
    """Skill against seconds, with the methods that none is both better and faster than joined by a line."""
    grades = found.methods
    with figure_style():
        figure = Figure(figsize=(8.5, 5.5))
        axes = figure.subplots()
        axes.axhline(0, color=CHANCE, linestyle=":", linewidth=1.4)
        front = pareto_front(grades)
        axes.plot([grade.seconds for grade in front], [grade.skill for grade in front], color=BEST, zorder=1)
        for grade in grades:
            color = BEST if grade in front else OTHERS
            low, high = grade.skill_interval
            axes.errorbar(
                grade.seconds, grade.skill, [[grade.skill - low], [high - grade.skill]],
                fmt="o", color=color, elinewidth=1, capsize=2, alpha=0.9,
            )  # fmt: skip
        axes.set_xscale("log")
        _label(axes, grades)
        axes.set_xlabel("seconds for an image")
        axes.set_ylabel("skill")
        axes.set_title("what a second buys; the line joins methods that no other beats in both")
    return figure


def _label(axes: Axes, grades: Sequence[Grade]) -> None:
    """Each point's title to its right, moved up or down where another would cover it."""
    taken: list[tuple[float, float]] = []
    low, high = axes.get_ylim()
    line = 0.028 * (high - low)  # the height of a label
    for grade in sorted(grades, key=lambda each: -each.skill):
        x, y = np.log10(grade.seconds), grade.skill
        while any(abs(x - other) < 0.22 and abs(y - height) < line for other, height in taken):
            y -= line
        taken.append((float(x), y))
        axes.annotate(
            grade.title, (grade.seconds, grade.skill), (grade.seconds * 1.04, y), fontsize=8.5, va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": CHANCE} if y != grade.skill else None,
        )  # fmt: skip


def pareto_front(grades: Sequence[Grade]) -> list[Grade]:
    """Those that no other is both faster and better than, the fastest first."""
    front: list[Grade] = []
    for grade in sorted(grades, key=lambda each: (each.seconds, -each.skill)):
        if not front or grade.skill > front[-1].skill:
            front.append(grade)
    return front


def plot_rooms(found: GroundTruth) -> Figure:
    """The first rooms: the image, the true effects of its objects, and the maps of the best methods."""
    shown = [grade.method for grade in found.methods[:SHOWN]]
    rows = len(found.maps)
    with figure_style():
        figure = Figure(figsize=(2.3 * (2 + len(shown)), 2.55 * rows + 0.5))
        axes = figure.subplots(rows, 2 + len(shown), squeeze=False)
        for cells, room, maps in zip(axes, found.rooms, found.maps, strict=False):
            image = Image.fromarray((room.image.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8))
            image = image.resize((224, 224), Image.Resampling.BICUBIC)
            strongest = np.argsort(-room.true)[:2]
            words = [f"{room.objects[i]} {room.true[i]:+.1f}" for i in strongest if room.true[i]]
            _show(cells[0], image, found.classes[room.target], "")
            _show(cells[1], _heat(image, maps[ORACLE]), "true effects", ", ".join(words))
            for cell, name in zip(cells[2:], shown, strict=True):
                _show(cell, _heat(image, maps[name]), found[name].title, "")
        figure.suptitle("true effects on the logit, and the maps of the best methods", x=0.01, ha="left", fontsize=14)
    return figure


def _heat(image: Image.Image, values: Map) -> Image.Image:
    import torch

    positive = evidence(values)
    return overlay(image, torch.from_numpy((positive / (np.quantile(positive, PEAK) or positive.max())).clip(0, 1)))


def _show(axes: Axes, image: Image.Image, title: str, note: str) -> None:
    axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(note, fontsize=9)


def _plot_column(axes: Axes, title: str, rows: Sequence[tuple[float, Interval]], chance: float) -> None:
    values = np.array([value for value, _ in rows])
    limits = np.array([limits for _, limits in rows])  # (methods, 2)
    best = np.nanargmin(values) if title.endswith("↓") else np.nanargmax(values)
    colors = [BEST if place == best else OTHERS for place in range(len(values))]
    if not np.isnan(chance):
        axes.axvline(chance, color=CHANCE, linestyle=":", linewidth=1.4)
    for place, (value, (low, high), color) in enumerate(zip(values, limits, colors, strict=True)):
        axes.plot([low, high], [place, place], color=color, linewidth=1.6)
        axes.plot(value, place, "o", color=color, markersize=6)
    axes.set_title(title, fontsize=12)
    axes.tick_params(left=False, labelsize=9.5)
    axes.tick_params(axis="y", labelsize=11)
    axes.locator_params(axis="x", nbins=4)
