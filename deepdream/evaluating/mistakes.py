"""Contact sheets of the mistakes: the most confident ones, and examples of the most confused pairs of classes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from deepdream.evaluating.confusion import ConfusedPair
from deepdream.evaluating.predictions import Predictions
from deepdream.images import read_image
from deepdream.plots import contact_sheet

EXAMPLES = 5  # images per pair
SIZE = 168  # pixels of an image on a sheet


def confident_mistakes(predictions: Predictions, *, most: int = 20) -> list[int]:
    """Indices of up to `most` wrongly predicted images, sorted by confidence in descending order."""
    return _most_confident(predictions, np.flatnonzero(~predictions.correct))[:most]


def plot_mistakes(predictions: Predictions, indices: list[int], *, title: str) -> Image.Image:
    """A contact sheet of images, each with its true class, the predicted class and the confidence.

    predictions: with paths. indices: of the images, one or more.
    """
    assert predictions.paths is not None
    predicted, confidence = predictions.predicted, predictions.confidence
    images, captions = [], []
    for i in indices:
        image = read_image(predictions.paths[i])
        image.thumbnail((2 * SIZE, 2 * SIZE))
        images.append(image)
        names = predictions.classes[predictions.labels[i]], predictions.classes[predicted[i]]
        captions.append(f"{names[0]}\npredicted: {names[1]}\nconfidence {100 * confidence[i]:.0f}%")
    return contact_sheet(images, captions, columns=5, size=SIZE, title=title)


def plot_pairs(predictions: Predictions, pairs: list[ConfusedPair], *, title: str) -> Image.Image:
    """A contact sheet with the most confident examples of each pair, up to EXAMPLES per pair, pair after pair."""
    indices: list[int] = []
    for pair in pairs:
        found = np.flatnonzero((predictions.labels == pair.label) & (predictions.predicted == pair.predicted))
        indices += _most_confident(predictions, found)[:EXAMPLES]
    return plot_mistakes(predictions, indices, title=title)


def _most_confident(predictions: Predictions, indices: np.ndarray) -> list[int]:
    """`indices` sorted by confidence in descending order."""
    order = np.argsort(-predictions.confidence[indices], kind="stable")
    return [int(index) for index in indices[order]]
