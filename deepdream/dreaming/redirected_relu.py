"""Silent channels: a dream of a channel that a ReLU holds at zero would have no gradient to begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from deepdream.dreaming.objectives import Objective
from deepdream.models.layers import Layer


def may_be_silent(objective: Objective) -> bool:
    """Whether `objective` looks at single channels, all of which a picture may leave at zero."""
    return any(selection.channel is not None for selection in objective.selections)


def relus(model: nn.Module, layers: Iterable[Layer]) -> list[str]:
    """The names of every ReLU in `layers`. One that is computed together with its neighbours could not be passed."""
    tapped = [model.get_submodule(layer.name) for layer in layers]
    inside = {part for layer in tapped for part in layer.modules() if isinstance(part, nn.ReLU)}
    return [name for name, module in model.named_modules() if module in inside]


def wake(feature_map: Tensor) -> None:
    """Where a picture of `feature_map` (N, C, H, W) has only gradients that its ReLU stops, let those pass that raise.

    As soon as a unit is awake its own gradient leads on, and that of a picture with such units is left as it is.
    Source: lucid, misc/redirected_relu_grad.py; departs from it: for the tapped ReLU alone and at any step, where lucid
    has it for all of them, in the first sixteen steps.
    """
    made_by = feature_map.grad_fn
    if made_by is not None and made_by.name() == "ReluBackward0":
        made_by.register_hook(_past_relu)


def _past_relu(passed: Sequence[Tensor], arrived: Sequence[Tensor]) -> tuple[Tensor]:
    """The gradient at the input of a ReLU, from what autograd lets pass and what has arrived at its output."""
    largest = torch.linalg.vector_norm(passed[0], float("inf"), dim=(1, 2, 3), keepdim=True)
    return (torch.where(largest == 0, arrived[0].clamp_min(0), passed[0]),)
