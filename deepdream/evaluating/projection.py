"""The features of the images in two dimensions: PCA, t-SNE, and TensorBoard's projector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from deepdream.evaluating.predictions import Predictions
from deepdream.loggers import tensorboard_writer
from deepdream.markup import escaped
from deepdream.plots import figure_style

MAX_IMAGES = 3000  # t-SNE takes minutes for more, and a plot of more points is no clearer
PERPLEXITY = 30.0
COMPONENTS = 50  # of PCA, before t-SNE
MIN_IMAGES_FOR_TSNE = 5

# Okabe & Ito's colours, yellow darkened, and nine shapes. Both change from class to class: 72 combinations, because 8
# and 9 have no common divisor.
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#B8A90A")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
NAMED_CLASSES = 20  # up to this number of classes their names fit among the points


@dataclass(frozen=True)
class Projection:
    """Two-dimensional coordinates of n images.

    indices: of the images, (n,). reduced: coordinates on the first PCA axes, up to COMPONENTS, (n, axes).
    pca, tsne: (n, 2); tsne is None where it cannot be computed. variance: explained share of both PCA axes, (2,).
    """

    indices: npt.NDArray[np.int64]
    reduced: npt.NDArray[np.float32]
    pca: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    tsne: npt.NDArray[np.float32] | None
    perplexity: float


def project(features: npt.NDArray[np.float32], *, seed: int = 0) -> Projection:
    """PCA of features (N, channels), and t-SNE of the first COMPONENTS axes.

    More than MAX_IMAGES are sampled by `seed`. The perplexity is PERPLEXITY, or a third of the number of images if that
    is less. There is no t-SNE of fewer than MIN_IMAGES_FOR_TSNE images, nor of equal ones. Raises ValueError for fewer
    than 3 images.
    """
    if len(features) < 3:
        raise ValueError(f"there are {len(features)} images; a projection of their features needs at least 3")
    rng = np.random.default_rng(seed)
    indices = np.arange(len(features))
    if len(features) > MAX_IMAGES:
        indices = np.sort(rng.choice(len(features), MAX_IMAGES, replace=False))
    values = features[indices].astype(np.float64)
    pca = PCA(min(COMPONENTS, *values.shape), svd_solver="full", random_state=seed)
    with np.errstate(invalid="ignore"):  # equal images have no variance to explain
        reduced = pca.fit_transform(values).astype(np.float32)
    points = np.zeros((len(indices), 2))
    points[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    variance = np.zeros(2)
    variance[: min(2, reduced.shape[1])] = np.nan_to_num(pca.explained_variance_ratio_[:2])
    perplexity = min(PERPLEXITY, (len(indices) - 1) / 3)
    tsne = None
    if len(indices) >= MIN_IMAGES_FOR_TSNE and reduced.std() > 0:
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return Projection(indices, reduced, points, variance, tsne, perplexity)


def plot_points(
    points: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int64],
    classes: list[str],
    *,
    title: str,
    axes_names: tuple[str, str] | None = None,
) -> Figure:
    """Points (n, 2) in the colour and shape of their class, with a legend of the classes that have points."""
    present = sorted(set(labels.tolist()))
    columns = -(-len(present) // 24)
    with figure_style():
        figure = Figure(figsize=(8.6 + 2.4 * (columns - 1), 7.2))
        axes = figure.subplots()
        size = 26 if len(points) < 1500 else 12
        for label in present:
            here = points[labels == label]
            colour, shape = _look(label)
            axes.scatter(here[:, 0], here[:, 1], s=size, c=colour, marker=shape, alpha=0.75, linewidths=0)
        if len(present) <= NAMED_CLASSES:
            for label in present:
                x, y = np.median(points[labels == label], axis=0)
                halo = [withStroke(linewidth=3, foreground="white")]
                axes.text(x, y, classes[label], ha="center", va="center", fontsize=11, weight="bold", path_effects=halo)
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])
        if axes_names is not None:
            axes.set_xlabel(axes_names[0])
            axes.set_ylabel(axes_names[1])
        else:
            axes.spines[:].set_visible(False)
        handles = [
            Line2D(
                [], [], linestyle="", marker=_look(label)[1], color=_look(label)[0], markersize=7, label=classes[label]
            )
            for label in present
        ]
        figure.legend(handles=handles, loc="outside right upper", ncols=columns, fontsize=10, handletextpad=0.2)
    return figure


def log_projector(loggers: Iterable[Any], tag: str, predictions: Predictions, projection: Projection) -> None:
    """The features for TensorBoard's PROJECTOR tab, with thumbnails, true and predicted classes.

    The first PCA axes stand for all channels, which take ten times as long to write, and to load in a browser.
    Loggers without TensorBoard are skipped.
    """
    if predictions.thumbnails is None:
        return
    indices = projection.indices
    names = np.array([escaped(name) for name in predictions.classes], dtype=object)  # a tab ends a column
    labels, predicted = names[predictions.labels[indices]], names[predictions.predicted[indices]]
    correct = np.where(predictions.correct[indices], "yes", "no")
    for logger in loggers:
        writer: Any = tensorboard_writer(logger)
        if hasattr(writer, "add_embedding"):
            writer.add_embedding(
                torch.from_numpy(projection.reduced),
                metadata=np.stack([labels, predicted, correct], axis=1).tolist(),
                metadata_header=["class", "predicted", "correct"],
                label_img=torch.from_numpy(predictions.thumbnails[indices]).float() / 255,
                tag=f"{tag}/features",
            )


def _look(label: int) -> tuple[str, str]:
    return HUES[label % len(HUES)], SHAPES[label % len(SHAPES)]
