"""Redirected ReLU gradients: a channel that is inactive in the whole image still gets a gradient (lucid)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from deepdream.models.layers import Layer


def relus(model: nn.Module, layers: Iterable[Layer]) -> list[str]:
    """The names of every ReLU in `layers`; a fused ReLU has no gradient of its own to redirect."""
    tapped = [model.get_submodule(layer.name) for layer in layers]
    inside = {part for layer in tapped for part in layer.modules() if isinstance(part, nn.ReLU)}
    return [name for name, module in model.named_modules() if module in inside]


def redirect_relu_gradient(feature_map: Tensor) -> None:
    """Let increasing gradients pass the ReLU that made `feature_map` (N, C, H, W), for images where it stops all.

    An image with an active unit keeps its gradient. Source: lucid, misc/redirected_relu_grad.py. Departs from it: for
    the tapped ReLU alone and at any step, where lucid does so for all of them, in the first sixteen steps.
    """
    made_by = feature_map.grad_fn
    if made_by is not None and made_by.name() == "ReluBackward0":
        made_by.register_hook(_redirected)


def _redirected(passed: Sequence[Tensor], arrived: Sequence[Tensor]) -> tuple[Tensor]:
    """The gradient at the input of a ReLU, from what autograd lets pass and what arrived at its output."""
    largest = torch.linalg.vector_norm(passed[0], float("inf"), dim=(1, 2, 3), keepdim=True)
    return (torch.where(largest == 0, arrived[0].clamp_min(0), passed[0]),)
