"""Training losses.

A loss takes logits, float (N, classes), and labels: int64 (N,), or float (N, classes) where CutMix or MixUp has mixed
images; each row of these then sums to 1. It returns the mean over the images, a scalar.
`@LOSSES.register()` makes a loss a choice of `loss=`, in a file of the user as `loss=file.function`; `loss._target_`
names one with arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deepdream.training.config import LOSSES
from deepdream.training.targets import configured_partial

Loss = Callable[[Tensor, Tensor], Tensor]
Outputs = Tensor | tuple[Tensor | None, ...]  # logits, and in training those of auxiliary classifiers

# Weight of the loss of each auxiliary classifier, by the type of torchvision's outputs.
AUXILIARY_WEIGHTS = {
    "GoogLeNetOutputs": 0.3,  # Szegedy et al. 2014, "Going Deeper with Convolutions"
    "InceptionOutputs": 0.4,  # Szegedy et al. 2015, "Rethinking the Inception Architecture": of its authors' code
}

PRESENT = 0.2  # binary cross-entropy counts a class as present in a mixed image above this share
CROSS_ENTROPY_SHARE = 0.1  # lambda of the combined loss, as in the paper


def make_loss(choice: str | Mapping[str, Any], *, label_smoothing: float = 0.0) -> Loss:
    """The loss that the configuration names. label_smoothing: share of each label spread over all classes, 0 to 1.

    choice: the name of a registered loss, or `_target_` and arguments: of a function of logits and labels, or of a
        class whose objects are called with them (torch.nn.CrossEntropyLoss).

    Raises ValueError, in one line, for an unknown name or argument.
    """
    if isinstance(choice, str):
        return partial(LOSSES[choice], label_smoothing=label_smoothing)
    if label_smoothing > 0:
        choice = {**choice, "label_smoothing": label_smoothing}
    make = configured_partial("loss", choice)
    try:
        loss: Loss = make() if inspect.isclass(make.func) else make
    except (TypeError, ValueError) as error:
        raise ValueError(f"loss: {error}") from error
    return loss


def loss_of_outputs(loss: Loss, outputs: Outputs, labels: Tensor) -> Tensor:
    """The loss of a network's outputs, a scalar: that of the logits, plus the weighted ones of auxiliary classifiers.

    Raises ValueError, in one line, for a loss that is not one number.
    """
    logits, *auxiliary = (outputs,) if isinstance(outputs, Tensor) else outputs
    assert logits is not None
    total = loss(in_full_precision(logits), labels)
    if total.dim() > 0:
        raise ValueError(f"the loss has the shape {list(total.shape)}; it must be one number, the mean over the images")
    for extra in auxiliary:
        if extra is not None:
            total = total + AUXILIARY_WEIGHTS[type(outputs).__name__] * loss(in_full_precision(extra), labels)
    return total


def main_logits(outputs: Outputs) -> Tensor:
    """The logits of a network's outputs, (N, classes), without those of auxiliary classifiers."""
    logits = outputs if isinstance(outputs, Tensor) else outputs[0]
    assert logits is not None
    return logits


@LOSSES.register()
def cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the softmax, with label smoothing (Szegedy et al. 2016)."""
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


@LOSSES.register()
def bce(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Binary cross-entropy: one decision per class.

    -sum over the classes of y log s + (1 - y) log(1 - s), s = sigmoid(logits).

    In a mixed image, each class with a share above `PRESENT` has y = 1. Source: Wightman et al. 2021, "ResNet strikes
    back", and its training code. Departs from it: summed over the classes, not averaged. The paper's optimizer (LAMB)
    is invariant to the scale of the loss; SGD is not, and with the sum, learning rates carry over from cross-entropy.
    """
    present = (_shares(labels, logits) > PRESENT).to(logits.dtype)
    targets = smoothed(present, label_smoothing)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)


@LOSSES.register()
def cosine(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """1 - cosine of logits and one-hot label, plus 0.1 * cross-entropy; needs a larger learning rate.

    Source: Barz & Denzler 2020, "Deep Learning on Small Datasets without Pre-Training using Cosine Loss". The cosine
    is bounded and does not depend on the length of the logits, so correct predictions are not pushed further apart.
    Departs from the paper, where cross-entropy has a dense layer of its own on top of the embedding: here it is
    computed on the logits themselves, and sets their length. The prediction remains the largest logit, and softmax a
    probability.
    """
    targets = smoothed(_shares(labels, logits), label_smoothing)
    similarity = F.cosine_similarity(logits, targets, dim=1)
    return (1 - similarity).mean() + CROSS_ENTROPY_SHARE * F.cross_entropy(logits, targets)


def smoothed(targets: Tensor, share: float) -> Tensor:
    """Targets (N, classes) with `share` of each value spread evenly over the classes."""
    return targets * (1 - share) + share / targets.shape[1]


def main_class(labels: Tensor) -> Tensor:
    """The class with the largest share of each image, int64 (N,); accuracy compares predictions with it."""
    return labels.argmax(dim=1) if labels.dim() == 2 else labels


def in_full_precision(logits: Tensor) -> Tensor:
    """Logits as float32; float64 stays. Under autocast, losses are thus not computed in 16 bits."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _shares(labels: Tensor, logits: Tensor) -> Tensor:
    """Labels as the share of each class, (N, classes), in the dtype of the logits."""
    if labels.dim() == 2:
        return labels.to(logits.dtype)
    return F.one_hot(labels, logits.shape[1]).to(logits.dtype)
