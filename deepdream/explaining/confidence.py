"""How sure the network is, and whether that can be believed."""

from __future__ import annotations

import torch
from torch import Tensor

from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.context import Question, ask
from deepdream.explaining.gradient_methods import integrated_gradients
from deepdream.models import Network


def attribution_confidence(
    network: Network, image: Tensor, *, config: ExplainConfig | None = None, seed: int = 0
) -> float:
    """The share of an image's neighbours that keep the network's answer, in [0, 1] (Jha et al. 2019).

    A neighbour turns pixels into mean colour, each with a probability in proportion to the size of its integrated
    gradient: what the answer rests on goes first. An answer that rests on few pixels does not survive it.
    image: float (3, H, W) in [0, 1].

    Departs from the paper: a neighbour changes config.confidence_share of the pixels on average, where the paper's
    probabilities add up to one feature; of the many of a photo one never matters.
    """
    with ask(network, image, None, config=config or ExplainConfig.preset(), seed=seed) as question:
        attribution = integrated_gradients(question.without_completeness())
        chances = change_probabilities(attribution, question.config.confidence_share)
        return _share_that_stays(question, chances)


def change_probabilities(attribution: Tensor, share: float) -> Tensor:
    """min(1, c |attribution|), (H, W), with c such that the mean is `share`; `share` everywhere for a map of zeros."""
    size = attribution.abs().double()
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


def _share_that_stays(question: Question, chances: Tensor) -> float:
    generator = torch.Generator().manual_seed(question.seed)
    chances = chances.cpu()
    samples, stayed = question.config.confidence_samples, 0
    for first in range(0, samples, question.config.batch_size):
        count = min(question.config.batch_size, samples - first)
        keep = torch.rand(count, 1, *chances.shape, generator=generator) >= chances
        neighbours = question.picture * keep.to(question.picture)
        stayed += int((question.probabilities(neighbours).argmax(dim=1) == question.target).sum())
    return stayed / samples
