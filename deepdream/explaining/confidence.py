"""Attribution-based confidence: whether a prediction survives the loss of the pixels that it rests on."""

from __future__ import annotations

import torch
from torch import Tensor

from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.context import AttributionContext, attribution_context
from deepdream.explaining.gradient_methods import integrated_gradients
from deepdream.models import Network


def attribution_confidence(
    network: Network, image: Tensor, *, config: ExplainConfig | None = None, precision: str = "auto", seed: int = 0
) -> float:
    """The fraction of an image's neighbours with the same prediction, in [0, 1] (Jha et al. 2019).

    In a neighbour some pixels have the mean colour, each with a probability in proportion to the size of its integrated
    gradient: a prediction that rests on few pixels has a low confidence.
    image: float (3, H, W) in [0, 1]. precision: of the forward passes.

    Departs from the paper: a neighbour changes config.confidence_share of the pixels on average. In the paper the
    probabilities add up to one feature, and of a photo's many pixels one never matters.
    """
    config = config or ExplainConfig.preset()
    with attribution_context(network, image, None, config=config, precision=precision, seed=seed) as context:
        attribution = integrated_gradients(context.without_completeness())
        probabilities = change_probabilities(attribution, config.confidence_share)
        return _share_of_same_prediction(context, probabilities)


def change_probabilities(attribution: Tensor, share: float) -> Tensor:
    """min(1, c |attribution|), (H, W), with c such that the mean is `share`; `share` everywhere for zeros."""
    size = attribution.abs().cpu().double()  # MPS has no float64
    if not size.any():
        return torch.full_like(attribution, share)
    size = size / size.mean()
    low, high = 0.0, 1.0
    while (size * high).clamp(max=1).mean() < share and high < 1e12:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (size * middle).clamp(max=1).mean() < share else (low, middle)
    return (size * high).clamp(max=1).to(attribution)


def _share_of_same_prediction(context: AttributionContext, probabilities: Tensor) -> float:
    generator = torch.Generator().manual_seed(context.seed)
    probabilities = probabilities.cpu()
    samples, same = context.config.confidence_samples, 0
    for first in range(0, samples, context.config.batch_size):
        count = min(context.config.batch_size, samples - first)
        keep = torch.rand(count, 1, *probabilities.shape, generator=generator) >= probabilities
        neighbours = context.image * keep.to(context.image)
        same += int((context.probabilities(neighbours).argmax(dim=1) == context.target).sum())
    return same / samples
