"""A machine's Borowski test: do a channel's images tell which of two images excites the channel more?

In the experiment of Borowski et al., "Exemplary Natural Images Explain CNN Activations Better than State-of-the-Art
Feature Visualization" (ICLR 2021), people see images of a channel and choose one of two held-out images. Here an
independent network chooses: the image that is more similar to them in its own features. Chance is 50 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import binomtest
from torch import Tensor

from deepdream.models import Network
from deepdream.models.layers import choose_layers, layer_at
from deepdream.models.probing import evaluating
from deepdream.models.taps import Taps


@dataclass(frozen=True)
class Question:
    """One choice, in features (of `judge_features`) of the judging network.

    references: of images that show what excites the channel: (R, D). strong, weak: of the held-out image that excites
        it strongly, and of the other one: (D,). unit: the channel, for intervals. against: of images that excite it
        least, which people saw too: (A, D); None shows none.
    """

    references: Tensor
    strong: Tensor
    weak: Tensor
    unit: int | str
    against: Tensor | None = None


@dataclass(frozen=True)
class ForcedChoice:
    """The outcome of a test. share: of right choices, in [0, 1]; 0.5 is chance.

    wilson: the 95 % interval of Wilson, as if choices were independent. bootstrap: the 95 % percentile interval over
    resampled units, whose own choices resemble each other; the wider of the two is the one to trust.
    """

    share: float
    questions: int
    units: int
    wilson: tuple[float, float]
    bootstrap: tuple[float, float]


@torch.no_grad()
def judge_features(network: Network, images: Tensor, *, layer: str | None = None, batch_size: int = 32) -> Tensor:
    """What an independent network sees in images (N, 3, H, W) in [0, 1]: (N, D), each of length 1.

    layer: whose channels are averaged over positions; by default the last block. Raises ValueError for one that the
    network lacks.
    """
    layers = network.probe.layers
    chosen = layer_at(1.0, layers) if layer is None else choose_layers([layer], layers)[0]
    parts = []
    with evaluating(network.model), Taps(network.model, [chosen]) as taps:
        for batch in torch.split(images, batch_size):
            parts.append(taps.run(network.model_input(batch))[chosen.name].float().mean(dim=(2, 3)).cpu())
    return F.normalize(torch.cat(parts), dim=1)


def forced_choice(questions: Sequence[Question], *, seed: int = 0, resamples: int = 2000) -> ForcedChoice:
    """How often the strongly exciting image is chosen: the one with the larger cosine similarity to the references.

    The mean over the references counts, less the mean over `against` where there are such images. A tie is decided by
    a coin of `seed`. Raises ValueError for no question.
    """
    if not questions:
        raise ValueError("there is no question; the test needs held-out images that excite a channel more and less")
    rng = np.random.default_rng(seed)
    right = np.array([_chooses_strong(question, rng) for question in questions])
    units = np.array([str(question.unit) for question in questions])
    names, member = np.unique(units, return_inverse=True)
    counts, sums = np.bincount(member), np.bincount(member, weights=right)
    draws = rng.integers(0, len(names), (resamples, len(names)))
    shares = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    low, high = np.percentile(shares, [2.5, 97.5])
    return ForcedChoice(
        share=float(right.mean()),
        questions=len(right),
        units=len(names),
        wilson=(float(interval.low), float(interval.high)),
        bootstrap=(float(low), float(high)),
    )


def _chooses_strong(question: Question, rng: np.random.Generator) -> bool:
    pair = F.normalize(torch.stack([question.strong, question.weak]).double(), dim=1)  # (2, D)
    score = (pair @ F.normalize(question.references.double(), dim=1).t()).mean(dim=1)
    if question.against is not None:
        score = score - (pair @ F.normalize(question.against.double(), dim=1).t()).mean(dim=1)
    strong, weak = score.tolist()
    return bool(rng.random() < 0.5) if strong == weak else strong > weak
