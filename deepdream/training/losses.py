"""What training makes smaller.

Every loss takes logits, float (N, classes), and labels: int64 (N,), or float (N, classes) where a picture is shared
between classes (CutMix, MixUp); each row then sums to 1. It yields the mean over the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]

PRESENT = 0.2  # binary cross-entropy takes a class as present in a mixed picture from more than this share on
CROSS_ENTROPY_SHARE = 0.1  # lambda of the combined loss; the paper's


def make_loss(name: str, *, label_smoothing: float = 0.0) -> Loss:
    """The loss called `name`: cross_entropy, bce or cosine. label_smoothing: share of a label spread over all classes.

    Raises ValueError for another name.
    """
    if name not in LOSSES:
        raise ValueError(f"loss is {name!r}; it must be one of {', '.join(LOSSES)}")
    return partial(LOSSES[name], label_smoothing=label_smoothing)


def cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """-sum over the classes of label * log softmax(logits). Label smoothing: Szegedy et al. 2016."""
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def binary_cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """One question a class, is it there: -sum over the classes of y log s + (1 - y) log(1 - s), s = sigmoid(logits).

    In a mixed picture each class with a share above `PRESENT` is there in full. Source: Wightman et al. 2021, "ResNet
    strikes back", and the training files that go with it. Departs from these: summed over the classes, not averaged.
    Their optimizer (LAMB) takes no notice of the scale; SGD does, and so learning rates carry over from cross-entropy.
    """
    present = (_shares(labels, logits) > PRESENT).to(logits.dtype)
    targets = smoothed(present, label_smoothing)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)


def cosine_and_cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """1 - cosine of the angle between logits and label, plus 0.1 * cross-entropy.

    Source: Barz & Denzler 2020, "Deep Learning on Small Datasets without Pre-Training using Cosine Loss", with one-hot
    vectors of the classes. Bounded, and blind to the length of the logits: it does not go on pushing apart what is
    already right. Departs from the paper: there cross-entropy has a dense layer of its own on top of the embedding;
    here it is taken of the logits themselves, and so sets their length. The network then needs no second answer:
    the largest logit is the nearest class, softmax a probability as in any other network.
    """
    targets = smoothed(_shares(labels, logits), label_smoothing)
    cosine = F.cosine_similarity(logits, targets, dim=1)
    return (1 - cosine).mean() + CROSS_ENTROPY_SHARE * F.cross_entropy(logits, targets)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": cross_entropy,
    "bce": binary_cross_entropy,
    "cosine": cosine_and_cross_entropy,
}


def smoothed(targets: Tensor, share: float) -> Tensor:
    """Targets (N, classes) with `share` of each value spread evenly over the classes."""
    return targets * (1 - share) + share / targets.shape[1]


def main_class(labels: Tensor) -> Tensor:
    """The class with the largest share of each picture, int64 (N,): what accuracy counts."""
    return labels.argmax(dim=1) if labels.dim() == 2 else labels


def _shares(labels: Tensor, logits: Tensor) -> Tensor:
    """Labels as the share of each class, (N, classes), in the dtype of the logits."""
    if labels.dim() == 2:
        return labels.to(logits.dtype)
    return F.one_hot(labels, logits.shape[1]).to(logits.dtype)


def in_full_precision(logits: Tensor) -> Tensor:
    """Logits in float32, or in float64 where they are: a loss under autocast is not computed in 16 bits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
