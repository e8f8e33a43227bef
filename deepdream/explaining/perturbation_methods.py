"""Maps from what the network says of changed pictures. Each answers a Question with signed evidence per pixel, (H, W).

The network's probability of the target is what is watched, as in the papers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import KernelShap, Lime, Occlusion
from skimage.segmentation import slic
from torch import Tensor

from deepdream.explaining.context import Question
from deepdream.explaining.gradient_methods import seeded

LIME_KERNEL_WIDTH = 0.25  # as in the lime package, over the cosine distance of the binary vectors


def occlusion(question: Question) -> Tensor:
    """How far the probability falls when a square of mean colour covers the place (Zeiler & Fergus 2014)."""
    config, picture = question.config, question.picture
    shorter = min(picture.shape[2:])
    window = max(1, round(config.occlusion_window * shorter))
    stride = min(window, max(1, round(config.occlusion_stride * shorter)))
    with torch.no_grad():
        falls: Tensor = Occlusion(question.probability).attribute(
            picture,
            sliding_window_shapes=(3, window, window),
            strides=(3, stride, stride),
            baselines=0,
            perturbations_per_eval=config.batch_size,
        )
    return falls[0, 0]  # the same in each channel


def lime(question: Question) -> Tensor:
    """LIME (Ribeiro et al. 2016): see `lime_weights`, each superpixel's weight on all of its pixels."""
    segments = superpixels(question)
    return lime_weights(question, segments)[segments]


def lime_weights(question: Question, segments: Tensor) -> Tensor:
    """The weight of each superpixel in a linear model of the network around the picture: float32 (segments,).

    A ridge regression of the probability on which superpixels are shown, over config.lime_samples pictures that hide
    half of them behind their mean colour, each weighted by a kernel on the cosine distance to the whole picture: what
    the lime package computes. segments: int64 (H, W), numbered from 0.
    """
    samples = question.config.lime_samples
    shown = _half_shown(samples, int(segments.max()) + 1, question.seed).to(question.picture.device)

    def draw(_: Tensor, **__: Any) -> Iterator[Tensor]:
        yield from torch.split(shown, 1)

    method = Lime(_probability_when_shown(question, segments), SkLearnRidge(alpha=1.0), _cosine_kernel, draw)
    return _fitted(method, question, segments, samples)


def kernel_shap(question: Question) -> Tensor:
    """KernelSHAP (Lundberg & Lee 2017) over superpixels hidden behind their mean colour.

    The map's weights are estimates of Shapley values: they add up to what the picture gains over one in which every
    superpixel is hidden.
    """
    segments = superpixels(question)
    return kernel_shap_values(question, segments)[segments]


def kernel_shap_values(question: Question, segments: Tensor) -> Tensor:
    """The estimated Shapley value of each superpixel: float32 (segments,). segments: int64 (H, W), from 0."""
    method = KernelShap(_probability_when_shown(question, segments))
    return _fitted(method, question, segments, question.config.kernel_shap_samples)


def superpixels(question: Question) -> Tensor:
    """SLIC superpixels (Achanta et al. 2012), about config.superpixels of them: int64 (H, W), numbered from 0."""
    picture = question.picture[0].permute(1, 2, 0).float().cpu()  # (H, W, 3)
    low, high = picture.amin(), picture.amax()
    picture = (picture - low) / (high - low).clamp(min=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a picture of one colour, which gives one superpixel
        found = slic(picture.numpy(), n_segments=question.config.superpixels, compactness=10, sigma=1, start_label=0)
    segments = torch.from_numpy(found).long()
    if int(segments.max()) < 3:  # nothing to tell regions apart by: a grid
        segments = _grid(segments.shape[0], segments.shape[1], question.config.superpixels)
    return segments.to(question.picture.device)


def mean_colours(picture: Tensor, segments: Tensor) -> Tensor:
    """(1, 3, H, W): each superpixel in the mean colour of its own pixels."""
    count = int(segments.max()) + 1
    index = segments.flatten().expand(3, -1)  # (3, H * W)
    sums = picture.new_zeros(3, count).scatter_add_(1, index, picture[0].flatten(1))
    sizes = torch.bincount(segments.flatten(), minlength=count).clamp(min=1)
    return (sums / sizes)[:, segments][None]


def _probability_when_shown(question: Question, segments: Tensor) -> Callable[[Tensor], Tensor]:
    """The target's probability, (N,), as a function of which superpixels are shown, (N, segments) of 0 and 1."""
    picture, hidden = (  # (H, W, 3), as channels-last pictures lie in memory
        x[0].permute(1, 2, 0) for x in (question.picture, mean_colours(question.picture, segments))
    )

    def probability(shown: Tensor) -> Tensor:
        mixed = torch.where((shown > 0.5)[:, segments, None], picture, hidden)  # (N, H, W, 3)
        return question.probability(mixed.permute(0, 3, 1, 2))

    return probability


def _fitted(method: Lime, question: Question, segments: Tensor, samples: int) -> Tensor:
    """The weight of each superpixel: `method` sees the network as a function of which of them are shown."""
    all_shown = question.picture.new_ones(1, int(segments.max()) + 1)
    with warnings.catch_warnings(), seeded(question.seed, question.picture.device):
        warnings.simplefilter("ignore")  # scikit-learn's on a constant answer, whose weights are rightly 0
        weights: Tensor = method.attribute(
            all_shown, n_samples=samples, perturbations_per_eval=question.config.batch_size, return_input_shape=False
        )
    return weights.flatten().float().nan_to_num()


def _half_shown(samples: int, count: int, seed: int) -> Tensor:
    """Which superpixels each sample shows, int64 (samples, count); the first shows all."""
    generator = torch.Generator().manual_seed(seed)
    shown = torch.randint(0, 2, (samples, count), generator=generator)
    shown[0] = 1
    return shown


def _cosine_kernel(_: Tensor, __: Tensor, shown: Tensor, **___: Any) -> float:
    # The whole picture is a vector of ones: the cosine of n of N shown is sqrt(n / N).
    distance = 1 - math.sqrt(float(shown.float().mean()))
    return math.sqrt(math.exp(-(distance**2) / LIME_KERNEL_WIDTH**2))


def _grid(height: int, width: int, count: int) -> Tensor:
    """About `count` squares, numbered from 0: int64 (H, W)."""
    side = max(1, round(math.sqrt(height * width / count)))
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return rows[:, None] * (int(columns.max()) + 1) + columns
