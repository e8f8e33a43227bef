"""The panel of one explained image: the image, the heatmaps with their checks, and the top-5 predictions."""

from __future__ import annotations

import textwrap

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from deepdream.explaining.config import CHECKS, METHODS
from deepdream.explaining.explained_image import ExplainedImage
from deepdream.explaining.explanation import Explanation
from deepdream.plots import figure_style

COLUMNS = 5
COLORMAP = "inferno"  # perceptually uniform, for colour-blind readers too
LONGER_SIDE = 512  # pixels of the longer side of the image in the panel


def plot_panel(explained: ExplainedImage) -> Figure:
    """The panel of an explained image, with up to COLUMNS heatmaps in a row."""
    image = explained.image.convert("RGB")
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    cells = len(explained.explanations) + 2
    rows = -(-cells // COLUMNS)
    columns = -(-cells // rows)
    height = 3.1 * min(1.4, image.height / image.width) + 0.8
    with figure_style():
        figure = Figure(figsize=(3.3 * columns + 0.8, height * rows + 0.4))
        axes = figure.subplots(rows, columns, squeeze=False).flatten()
        _plot_image(axes[0], image)
        for cell, explanation in zip(axes[1:], explained.explanations, strict=False):
            _plot_heatmap(cell, image, explanation)
        _plot_predictions(axes[cells - 1], explained)
        for cell in axes[cells:]:
            cell.axis("off")
        figure.suptitle(_headline(explained), x=0.01, ha="left", fontsize=14)
        scale = ScalarMappable(cmap=COLORMAP)
        scale.set_clim(0, 1)
        shrink = min(0.7, 2.4 / height / rows**0.5)
        bar = figure.colorbar(scale, ax=list(axes), shrink=shrink, aspect=22, pad=0.02)
        bar.set_ticks([0, 1], labels=["none", "most"], fontsize=10)
        bar.set_label(f"evidence for {_short(explained.explanations[0].target)}", fontsize=11)
    return figure


def _headline(explained: ExplainedImage) -> str:
    share = float(explained.probabilities.max())
    is_contrast = bool(explained.explanations) and explained.explanations[0].against is not None
    return (
        f"{_short(explained.name, 40)}: {explained.prediction}, softmax {100 * share:.0f}%, "
        f"attribution-based confidence {100 * explained.confidence:.0f}%"
        + (f"; evidence for {explained.explanations[0].question}" if is_contrast else "")
    )


def _plot_image(axes: Axes, image: Image.Image) -> None:
    axes.imshow(image)
    axes.axis("off")
    axes.set_title("network input", fontsize=11)


def _plot_heatmap(axes: Axes, image: Image.Image, explanation: Explanation) -> None:
    axes.imshow(overlay(image, explanation.heatmap))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(METHODS.details(explanation.method).title, fontsize=12)
    numbers = [
        f"{check.label} {_number(explanation.scores[name])} {check.arrow}"
        for name, check in ((name, CHECKS.details(name)) for name in explanation.scores)
    ]
    numbers.append(f"{explanation.seconds:.1f} s")
    lines = [" · ".join(numbers[i : i + 2]) for i in range(0, len(numbers), 2)]
    axes.set_xlabel("\n".join(lines), fontsize=9.5, linespacing=1.4)


def _plot_predictions(axes: Axes, explained: ExplainedImage) -> None:
    shares = explained.probabilities.numpy()
    before = None if explained.before is None else explained.before.numpy()
    first = (-shares).argsort()[:5].tolist()
    places = np.arange(len(first))
    target = explained.explanations[0].index if explained.explanations else first[0]
    colours = ["#E69F00" if index == target else "#0072B2" for index in first]
    width = 0.3 if before is not None else 0.6
    axes.barh(places - (width / 2 if before is not None else 0), shares[first], width, color=colours)
    if before is not None:
        axes.barh(places + width / 2, before[first], width, color="#BBBBBB")
    for place, index in zip(places, first, strict=True):
        name = textwrap.shorten(explained.classes[index].replace("_", " "), 30, placeholder="…")
        was = "" if before is None else f" (before the dream {100 * float(before[index]):.0f}%)"
        axes.text(0, place - 0.33, f"{name} {100 * float(shares[index]):.0f}%{was}", fontsize=10, va="bottom")
    axes.set_ylim(len(first) - 0.4, -0.8)
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=9.5)
    axes.spines["left"].set_visible(False)
    axes.set_title("top-5 predictions", fontsize=11)
    axes.set_box_aspect(1)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def _short(text: str, length: int = 24) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def overlay(image: Image.Image, heatmap: Tensor, *, colormap: str = COLORMAP) -> Image.Image:
    """The heatmap (h, w) in [0, 1] over the image in grey: the more evidence, the more colour."""
    values = Image.fromarray(heatmap.numpy().astype(np.float32)).resize(image.size, Image.Resampling.BICUBIC)
    heat = np.asarray(values).clip(0, 1)[..., None]  # (H, W, 1)
    colour = mpl.colormaps[colormap](heat[..., 0])[..., :3]
    grey = np.asarray(image.convert("L"), dtype=np.float32)[..., None] / 255
    opacity = 0.35 + 0.5 * heat
    mixed = (1 - opacity) * grey + opacity * colour
    return Image.fromarray((mixed * 255 + 0.5).astype(np.uint8))
