"""The panel of one photo: the photo, each map over it with its numbers, and the first five answers as bars."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from PIL import Image

from deepdream.explaining.explained_image import Examination, overlay
from deepdream.explaining.explanation import Explanation
from deepdream.plots import figure_style

COLUMNS = 5
COLORMAP = "inferno"  # from dark to light in even steps, told apart without seeing colour
LONGEST = 512  # pixels of a photo's side in the panel

TITLES = {
    "gradcam": "Grad-CAM",
    "gradcam_plus_plus": "Grad-CAM++",
    "guided_gradcam": "guided Grad-CAM",
    "saliency": "saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
    "lime": "LIME",
    "kernel_shap": "KernelSHAP",
}

# How each check is called in little room, and which way is better.
CHECK_LABELS = {
    "deletion_auc": ("deletion", "↓"),
    "insertion_auc": ("insertion", "↑"),
    "infidelity": ("infidelity", "↓"),
    "sensitivity": ("sensitivity", "↓"),
    "randomised_correlation": ("randomised", "↓"),
}


def draw_panel(examination: Examination) -> Figure:
    """The panel of an examined photo, as wide as its maps need, up to COLUMNS of them in a row."""
    photo = examination.photo.convert("RGB")
    photo.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    cells = len(examination.explanations) + 2
    rows = -(-cells // COLUMNS)
    columns = -(-cells // rows)
    height = 3.1 * min(1.4, photo.height / photo.width) + 0.8
    with figure_style():
        figure = Figure(figsize=(3.3 * columns + 0.8, height * rows + 0.4))
        axes = figure.subplots(rows, columns, squeeze=False).flatten()
        _draw_photo(axes[0], photo, examination)
        for cell, explanation in zip(axes[1:], examination.explanations, strict=False):
            _draw_map(cell, photo, explanation)
        _draw_answers(axes[cells - 1], examination)
        for cell in axes[cells:]:
            cell.axis("off")
        figure.suptitle(_headline(examination), x=0.01, ha="left", fontsize=14)
        scale = ScalarMappable(cmap=COLORMAP)
        scale.set_clim(0, 1)
        shrink = min(0.7, 2.4 / height / rows**0.5)
        bar = figure.colorbar(scale, ax=list(axes), shrink=shrink, aspect=22, pad=0.02)
        bar.set_ticks([0, 1], labels=["none", "most"], fontsize=10)
        bar.set_label(f"evidence for {_short(examination.explanations[0].target)}", fontsize=11, labelpad=-18)
    return figure


def _headline(examination: Examination) -> str:
    share = float(examination.probabilities.max())
    return (
        f"{_short(examination.name, 40)}: {examination.answer}, softmax {100 * share:.0f}%, "
        f"attribution-based confidence {100 * examination.confidence:.0f}%"
    )


def _draw_photo(axes: Axes, photo: Image.Image, examination: Examination) -> None:
    axes.imshow(photo)
    axes.axis("off")
    axes.set_title("what the network was shown", fontsize=11)


def _draw_map(axes: Axes, photo: Image.Image, explanation: Explanation) -> None:
    axes.imshow(overlay(photo, explanation.heatmap, colormap=COLORMAP))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(TITLES[explanation.method], fontsize=12)
    numbers = [
        f"{label} {_number(explanation.scores[check])} {better}"
        for check, (label, better) in CHECK_LABELS.items()
        if check in explanation.scores
    ]
    numbers.append(f"{explanation.seconds:.1f} s")
    lines = [" · ".join(numbers[i : i + 2]) for i in range(0, len(numbers), 2)]
    axes.set_xlabel("\n".join(lines), fontsize=9.5, linespacing=1.4)


def _draw_answers(axes: Axes, examination: Examination) -> None:
    shares = examination.probabilities.numpy()
    before = None if examination.before is None else examination.before.numpy()
    first = (-shares).argsort()[:5].tolist()
    places = np.arange(len(first))
    target = examination.explanations[0].index if examination.explanations else first[0]
    colours = ["#E69F00" if index == target else "#0072B2" for index in first]
    width = 0.3 if before is not None else 0.6
    axes.barh(places - (width / 2 if before is not None else 0), shares[first], width, color=colours)
    if before is not None:
        axes.barh(places + width / 2, before[first], width, color="#BBBBBB")
    for place, index in zip(places, first, strict=True):
        name = textwrap.shorten(examination.classes[index].replace("_", " "), 30, placeholder="…")
        was = "" if before is None else f" (before the dream {100 * float(before[index]):.0f}%)"
        axes.text(0, place - 0.33, f"{name} {100 * float(shares[index]):.0f}%{was}", fontsize=10, va="bottom")
    axes.set_ylim(len(first) - 0.4, -0.8)
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=9.5)
    axes.spines["left"].set_visible(False)
    axes.set_title("the first five answers", fontsize=11)
    axes.set_box_aspect(1)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def _short(text: str, length: int = 24) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
