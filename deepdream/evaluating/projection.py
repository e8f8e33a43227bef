"""The features just before the answer, laid out in a plane: what the network finds alike stands together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating.predictions import Predictions
from deepdream.plots import figure_style

MOST_PICTURES = 3000  # t-SNE takes minutes for more, and a picture of more points is no clearer
PERPLEXITY = 30.0
COMPONENTS = 50  # of PCA, before t-SNE
FEWEST_FOR_TSNE = 5

# Okabe & Ito's colours, yellow darkened, and nine shapes. Both change from class to class: 72 pairs, since 8 and 9 have
# no common divisor.
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#B8A90A")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
NAMED_CLASSES = 20  # up to this many classes their names fit among the points


@dataclass(frozen=True)
class Projection:
    """chosen: which pictures, (n,). pca, tsne: where they stand, (n, 2). variance: the share of each PCA axis, (2,).

    reduced: on the first PCA axes, up to COMPONENTS, (n, axes).
    """

    chosen: npt.NDArray[np.int64]
    reduced: npt.NDArray[np.float32]
    pca: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    tsne: npt.NDArray[np.float32] | None
    perplexity: float


def project(features: npt.NDArray[np.float32], *, seed: int = 0) -> Projection:
    """PCA, and t-SNE of its first COMPONENTS axes, of features (N, channels).

    Of more than MOST_PICTURES a seeded draw is taken. The perplexity is PERPLEXITY or a third of the pictures, what is
    less; with fewer than FEWEST_FOR_TSNE pictures there is no t-SNE. Raises ValueError for fewer than 3 pictures.
    """
    if len(features) < 3:
        raise ValueError(f"there are {len(features)} pictures; a plane of their features needs at least 3")
    rng = np.random.default_rng(seed)
    chosen = np.arange(len(features))
    if len(features) > MOST_PICTURES:
        chosen = np.sort(rng.choice(len(features), MOST_PICTURES, replace=False))
    values = features[chosen].astype(np.float64)
    pca = PCA(min(COMPONENTS, *values.shape), svd_solver="full", random_state=seed)
    with np.errstate(invalid="ignore"):  # the shares of the variance of pictures that are all alike
        reduced = pca.fit_transform(values).astype(np.float32)
    plane = np.zeros((len(chosen), 2))
    plane[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    variance = np.zeros(2)
    variance[: min(2, reduced.shape[1])] = np.nan_to_num(pca.explained_variance_ratio_[:2])
    perplexity = min(PERPLEXITY, (len(chosen) - 1) / 3)
    tsne = None
    if len(chosen) >= FEWEST_FOR_TSNE and reduced.std() > 0:
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return Projection(chosen, reduced, plane, variance, tsne, perplexity)


def draw_points(
    points: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int64],
    classes: list[str],
    *,
    title: str,
    axes_names: tuple[str, str] | None = None,
) -> Figure:
    """Points (n, 2), each in the colour and shape of its class, with a legend of the classes that have points."""
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


def write_projector(writer: SummaryWriter, predictions: Predictions, projection: Projection) -> None:
    """The features into TensorBoard's PROJECTOR tab, with thumbnails, classes and answers, to be turned by hand.

    On their first PCA axes: written as text, and loaded by a browser, all channels take ten times as long.
    """
    if predictions.thumbnails is None:
        return
    chosen = projection.chosen
    names = np.array(predictions.classes, dtype=object)
    labels, answers = names[predictions.labels[chosen]], names[predictions.answers[chosen]]
    writer.add_embedding(
        torch.from_numpy(projection.reduced),
        metadata=[
            [label, answer, "right" if label == answer else "wrong"]
            for label, answer in zip(labels, answers, strict=True)
        ],
        metadata_header=["class", "answer", "right"],
        label_img=torch.from_numpy(predictions.thumbnails[chosen]).float() / 255,
        tag="features",
    )


def _look(label: int) -> tuple[str, str]:
    return HUES[label % len(HUES)], SHAPES[label % len(SHAPES)]
