"""Where it fails, to be looked at: the most confused pairs and the most confident mistakes, with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from deepdream.evaluating.confusion import ConfusedPair
from deepdream.evaluating.predictions import Predictions
from deepdream.images import read_image
from deepdream.plots import contact_sheet

EXAMPLES = 5  # pictures of a pair
SIZE = 168  # pixels of a picture on a sheet


def confident_mistakes(predictions: Predictions, *, most: int = 20) -> list[int]:
    """The pictures with wrong answers, by index, the most sure of them first; fewer where there are fewer."""
    wrong = np.flatnonzero(~predictions.right)
    sure = predictions.probabilities[wrong].max(axis=1)
    return [int(index) for index in wrong[np.argsort(-sure, kind="stable")][:most]]


def draw_mistakes(predictions: Predictions, paths: Sequence[Path], indices: list[int], *, title: str) -> Image.Image:
    """A contact sheet of pictures, by index, each with what it is, what it was taken for and how surely."""
    captions = [
        f"{predictions.classes[predictions.labels[i]]}\ntaken for {predictions.classes[predictions.answers[i]]}\n"
        f"{100 * predictions.probabilities[i].max():.0f}% sure"
        for i in indices
    ]
    return contact_sheet([_picture(paths[i]) for i in indices], captions, columns=5, size=SIZE, title=title)


def draw_pairs(
    predictions: Predictions, paths: Sequence[Path], pairs: list[ConfusedPair], *, title: str
) -> Image.Image:
    """A contact sheet with the surest examples of each pair of classes, a pair after the other."""
    indices: list[int] = []
    for pair in pairs:
        found = np.flatnonzero((predictions.labels == pair.label) & (predictions.answers == pair.answer))
        sure = predictions.probabilities[found, pair.answer]
        indices += [int(i) for i in found[np.argsort(-sure, kind="stable")][:EXAMPLES]]
    return draw_mistakes(predictions, paths, indices, title=title)


def _picture(path: Path) -> Image.Image:
    picture = read_image(path)
    picture.thumbnail((2 * SIZE, 2 * SIZE))
    return picture
